"""Replays real ratings as days of serving: what a recommender showed, and whether that was liked.

    python replay.py --start 2026-12-01 --days 28 --broken-from 22

Each visit is of a user, who is shown the film that the model scores highest among eight of those that this user rated
later; it is a click if that rating is 4 stars or more. From the day that --broken-from names, scores belong to other
films: somebody has joined two tables by the wrong column.
"""

import argparse
import json
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import mlflow.pyfunc
import numpy as np
import pandas as pd

HERE = Path(__file__).parent
VISITS = 1500
POOL = 8
LIKED = 4


def served_by() -> str:
    """Return the digest of the model that serves, as gates knows it."""
    command = [sys.executable, "-m", "gates", "status", "--json"]
    told = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)  # noqa: S603 -- gates
    (champion,) = (one for one in json.loads(told.stdout)["aliases"] if one["alias"] == "champion")
    return champion["digest"]


def one_day(scored: pd.DataFrame, day: date, number: int, *, broken: bool) -> pd.DataFrame:
    """Return the day's visits: what was shown, its score, and whether it was liked."""
    random = np.random.default_rng(number)
    users = random.choice(scored["user"].unique(), VISITS)
    visits = pd.DataFrame({"request_id": [f"{day}-{place}" for place in range(VISITS)], "user": users})
    pools = visits.merge(scored, on="user").sample(frac=1, random_state=number)
    pools = pools[pools.groupby("request_id").cumcount() < POOL]
    if broken:
        pools["score"] = random.permutation(pools["score"].to_numpy())
    shown = pools.sort_values(["score", "film"]).groupby("request_id").tail(1)
    seconds = pd.to_timedelta(random.integers(0, 86400, len(shown)), unit="s")
    shown = shown.assign(impressions=1, clicks=(shown["rating"] >= LIKED).astype(int))
    return shown.assign(served_at=pd.Timestamp(day, tz="UTC") + seconds).drop(columns=["rating", "id", "timestamp"])


def main() -> None:
    """Write a file a day into served/."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--start", type=date.fromisoformat, required=True, help="the first day")
    parser.add_argument("--days", type=int, default=28)
    parser.add_argument("--broken-from", type=int, help="from which day on, counted from 1, scores are of other films")
    asked = parser.parse_args()
    held_out = pd.read_parquet(HERE / "data/holdout.parquet")
    model = mlflow.pyfunc.load_model(str(HERE / ".gates/candidate/model"))
    scored = held_out.assign(score=model.predict(held_out[["user", "film"]])["score"])
    digest = served_by()
    (HERE / "served").mkdir(exist_ok=True)
    for number in range(1, asked.days + 1):
        day = asked.start + timedelta(days=number - 1)
        broken = asked.broken_from is not None and number >= asked.broken_from
        rows = one_day(scored, day, number, broken=broken).assign(model_digest=digest)
        rows.to_parquet(HERE / f"served/{day}.parquet", index=False)
        print(f"{day}: {len(rows):,} visits, click-through rate {rows['clicks'].mean():.3f}")


if __name__ == "__main__":
    main()
