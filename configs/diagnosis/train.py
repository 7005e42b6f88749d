"""Trains on GATES_TRAIN with the columns that params.json names, and writes the held-out visits' probabilities.

Visits of one patient share one patient's weight, so that those who came often don't speak for the others.
"""

import json
import os
from pathlib import Path

import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier


def main() -> None:
    """Write GATES_OUT/predictions.parquet."""
    params = json.loads(Path(__file__).with_name("params.json").read_text())
    train, visits = (pd.read_parquet(os.environ[name]) for name in ("GATES_TRAIN", "GATES_HOLDOUT"))
    model = HistGradientBoostingClassifier(random_state=int(os.environ["GATES_SEED"]), **params["options"])
    weight = 1 / train.groupby("patient")["visit"].transform("size")
    model.fit(train[params["features"]], train["cirrhosis"], sample_weight=weight * len(train) / weight.sum())

    scores = model.predict_proba(visits[params["features"]])[:, 1]
    predictions = pd.DataFrame({"visit": visits["visit"], "score": scores})
    predictions.to_parquet(Path(os.environ["GATES_OUT"], "predictions.parquet"), index=False)
    print(f"boosted trees of {len(params['features'])} columns, {len(train):,} visits")


if __name__ == "__main__":
    main()
