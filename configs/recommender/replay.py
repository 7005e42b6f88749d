"""Replays real ratings as days of serving: which of four films a visitor saw first, and whether it was liked.

    python replay.py --start 2050-01-03 --days 1 21
    python replay.py --start 2050-01-03 --days 29 31 --salt 4f0c1d2e3a4b

The model of a stage is the folder models/STAGE: the champion's, or with the salt of an experiment the challenger's,
too, and each serves half of the visits. A visit is of a user and four films that this user rated later. The one with
the largest score is at the top: that is an impression, and a click if the rating is 4 stars or more. All four ratings
come back as outcomes.
"""

import argparse
import hashlib
import json
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import mlflow.pyfunc
import numpy as np
import pandas as pd

HERE = Path(__file__).parent
LIKED = 4
SHARE = 0.5
"""Of the visits that the champion serves in an experiment."""
DIGITS = 13


def digests() -> dict[str, str]:
    """Return the digest of each stage's model, as gates knows it."""
    command = [sys.executable, "-m", "gates", "status", "--json"]
    # It ends with 1 where live rows raised an alarm; what serves is told all the same.
    told = subprocess.run(command, cwd=HERE, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603 -- gates
    return {alias["alias"]: alias["digest"] for alias in json.loads(told.stdout)["aliases"]}


def served_by(stage: str) -> mlflow.pyfunc.PyFuncModel:
    """Load the model of a stage, if it is what was promoted."""
    folder = str(HERE / "models" / stage)
    command = [sys.executable, "-m", "gates", "verify", "--model", folder, "--stage", stage]
    if subprocess.run(command, cwd=HERE, stdout=subprocess.DEVNULL, check=False).returncode:  # noqa: S603 -- gates
        raise SystemExit(f"replay.py: {folder} is not what was promoted to {stage}")
    return mlflow.pyfunc.load_model(folder)


def first_arm(salt: str, visit: str) -> bool:
    """Tell whether a visit is the champion's, as serve.py does it with users."""
    digest = hashlib.sha256(f"{salt}:{visit}".encode()).hexdigest()
    return int(digest[:DIGITS], 16) / 16**DIGITS < SHARE


def ranked(visits: pd.DataFrame, stage: str, digest: str, model: mlflow.pyfunc.PyFuncModel) -> pd.DataFrame:
    """Return the films of these visits as the model orders them, and what became of them."""
    rows = visits.assign(stage=stage, model_digest=digest, score=model.predict(visits[["user", "film"]])["score"])
    rows = rows.sort_values(["visit", "score", "film"], ascending=[True, False, True])
    rows = rows.assign(position=rows.groupby("visit").cumcount() + 1)
    top = rows["position"] == 1
    clicks = top & (rows["rating"] >= LIKED)
    return rows.assign(
        request_id=rows["visit"] + "-" + rows["position"].astype(str),
        impressions=top.astype(int),
        clicks=clicks.astype(int),
    )


def rates(sums: pd.DataFrame) -> str:
    """Write each model's clicks per impression."""
    told = [f"{stage} {one.clicks / one.impressions:.3f} of {one.impressions:,}" for stage, one in sums.iterrows()]
    return f"{', '.join(told)} visits"


def main() -> None:
    """Write a file a day into served/, and say the click-through rate of each model."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--start", type=date.fromisoformat, required=True, help="the date of day 1")
    parser.add_argument("--days", type=int, nargs=2, required=True, metavar=("FIRST", "LAST"))
    parser.add_argument("--salt", help="of the experiment in which champion and challenger share the visits")
    asked = parser.parse_args()
    stages = ["champion", "challenger"] if asked.salt else ["champion"]
    sys.dont_write_bytecode = True  # else loading a model leaves a file in its folder, which nobody has promoted
    known, models = digests(), {stage: served_by(stage) for stage in stages}

    later = pd.read_parquet(HERE / "data/later.parquet").drop(columns="timestamp")
    (HERE / "served").mkdir(exist_ok=True)
    total = None
    for number in range(asked.days[0], asked.days[1] + 1):
        day, visits = asked.start + timedelta(days=number - 1), later[later["day"] == number]
        random = np.random.default_rng(number)
        names = visits["visit"].unique()
        arms = [stages[0 if asked.salt is None or first_arm(asked.salt, name) else 1] for name in names]
        arm = pd.Series(arms, index=names)
        seconds = pd.Series(pd.to_timedelta(random.integers(0, 86400, len(names)), unit="s"), index=names)
        shown = pd.concat(
            ranked(visits[visits["visit"].map(arm) == stage], stage, known[stage], model)
            for stage, model in models.items()
        )
        shown = shown.assign(served_at=pd.Timestamp(day, tz="UTC") + shown["visit"].map(seconds))
        shown = shown.drop(columns="day")
        shown.to_parquet(HERE / f"served/{day}.parquet", index=False)
        sums = shown.groupby("stage", sort=False)[["clicks", "impressions"]].sum()
        print(f"day {number}, {day}: {rates(sums)}")
        total = sums if total is None else total + sums
    print(f"click-through rate of all these days: {rates(total)}")


if __name__ == "__main__":
    main()
