"""Writes data/train.csv and data/holdout.csv: the breast cancer table that comes with scikit-learn, split for good.

A patient's side is decided by a hash of the number alone, so adding rows later moves nobody across.
"""

from hashlib import sha256
from pathlib import Path

from sklearn.datasets import load_breast_cancer

HERE = Path(__file__).parent
COLUMNS = ["mean radius", "mean texture", "mean smoothness", "mean concavity", "mean symmetry"]
HOLDOUT_SHARE = 0.5
"""Large, as the table is small: a holdout of a few rows can tell nothing."""


def is_holdout(patient: int) -> bool:
    """Tell on which side of the split a patient belongs."""
    first_bytes = sha256(f"patient/{patient}".encode()).digest()[:8]
    return int.from_bytes(first_bytes, "big") / 2**64 < HOLDOUT_SHARE


def main() -> None:
    """Write both files and say how many rows each has."""
    found = load_breast_cancer(as_frame=True)
    table = found.data[COLUMNS].rename(columns=lambda name: name.replace(" ", "_"))
    table.insert(0, "patient", range(1, len(table) + 1))
    table["malignant"] = 1 - found.target
    held_out = table["patient"].map(is_holdout)
    folder = HERE / "data"
    folder.mkdir(exist_ok=True)
    for name, rows in {"train": table[~held_out], "holdout": table[held_out]}.items():
        rows.to_csv(folder / f"{name}.csv", index=False)
        print(f"data/{name}.csv: {len(rows):,} rows")


if __name__ == "__main__":
    main()
