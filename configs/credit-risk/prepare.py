"""Writes the credit table as data/train.parquet and data/holdout.parquet, split the same every time.

An applicant's side is decided by a hash of the id alone, so adding rows later moves nobody across.
"""

from hashlib import sha256
from pathlib import Path

import pandas as pd

HERE = Path(__file__).parent
HOLDOUT_SHARE = 0.6
"""More than half, as a gap between groups takes many rows to tell, and a plain model takes few to learn."""


def is_holdout(key: int) -> bool:
    """Tell on which side of the split an applicant belongs."""
    first_bytes = sha256(f"credit-risk/{key}".encode()).digest()[:8]
    return int.from_bytes(first_bytes, "big") / 2**64 < HOLDOUT_SHARE


def main() -> None:
    """Write both files and say how many rows each has."""
    table = pd.read_csv(HERE / "german.csv")
    table.insert(0, "id", range(1, len(table) + 1))
    table["status"] = table.pop("risk").map({1: "good", 0: "bad"})
    held_out = table["id"].map(is_holdout)
    folder = HERE / "data"
    folder.mkdir(exist_ok=True)
    for name, rows in {"train": table[~held_out], "holdout": table[held_out]}.items():
        rows.to_parquet(folder / f"{name}.parquet", index=False)
        print(f"data/{name}.parquet: {len(rows):,} rows")


if __name__ == "__main__":
    main()
