"""Writes the tables to train and judge again: data/train.parquet, data/holdout.parquet and data/snapshot.json.

The holdout is the last days that were served, with their outcomes. Trained is on all that was before: the first tables,
and the days before those. data/snapshot.json says which time each table is of (docs/retraining.md).
"""

import argparse
import hashlib
import json
from datetime import timedelta
from pathlib import Path

import pandas as pd

HERE = Path(__file__).parent
COLUMNS = ["id", "user", "film", "timestamp", "rating"]


def served() -> pd.DataFrame:
    """Return every film that was shown, as a rating of the second in which it was."""
    files = sorted((HERE / "served").glob("*.parquet"))
    if not files:
        raise SystemExit("snapshot.py: nothing was served yet; replay.py writes served/")
    rows = pd.concat(pd.read_parquet(file) for file in files)
    return rows.assign(timestamp=rows["served_at"].astype("datetime64[s, UTC]").astype("int64"))


def table(name: str, rows: pd.DataFrame, since: pd.Timestamp, until: pd.Timestamp) -> dict[str, object]:
    """Write a table; gives what the snapshot says of it."""
    path = HERE / f"data/{name}.parquet"
    rows[COLUMNS].to_parquet(path, index=False)
    print(f"data/{name}.parquet: {len(rows):,} rows of {since:%Y-%m-%d} to {until:%Y-%m-%d}")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    times = {"since": since.strftime("%Y-%m-%dT%H:%M:%SZ"), "until": until.strftime("%Y-%m-%dT%H:%M:%SZ")}
    return {**times, "files": {f"data/{name}.parquet": f"sha256:{digest}"}}


def main() -> None:
    """Write the tables and the snapshot."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--holdout-days", type=int, default=3)
    asked = parser.parse_args()
    first, rows = pd.read_parquet(HERE / "data/first.parquet"), served()
    until = rows["served_at"].max().floor("D") + timedelta(days=1)
    split = until - timedelta(days=asked.holdout_days)
    train = pd.concat([first, rows[rows["served_at"] < split]])
    holdout = rows[rows["served_at"] >= split]
    since = pd.to_datetime(train["timestamp"].min(), unit="s", utc=True)
    told = {
        "schema": "gates/snapshot/v1",
        "train": table("train", train, since, split),
        "holdout": table("holdout", holdout, split, until),
    }
    (HERE / "data/snapshot.json").write_text(json.dumps(told, indent=2) + "\n")


if __name__ == "__main__":
    main()
