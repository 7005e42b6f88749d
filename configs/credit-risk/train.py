"""Trains the model that params.json describes and saves it where `gates run` looks for it.

gates sets GATES_TRAIN, GATES_OUT and GATES_SEED (and GATES_HOLDOUT, not needed here).
"""

import json
import os
import warnings
from pathlib import Path
from typing import Any

import mlflow.sklearn
import pandas as pd
import sklearn
from mlflow.models import infer_signature
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

TRUSTED = ["numpy.dtype"]
"""What skops may load beyond its own list; unlike a pickle, a skops file runs no code when it is read."""


def build(params: dict[str, Any], features: pd.DataFrame, seed: int) -> Pipeline:
    """Return an untrained pipeline: every column made a number, then a logistic regression."""
    numbers = features.select_dtypes("number").columns.tolist()
    words = features.columns.difference(numbers).tolist()
    columns = make_column_transformer(
        (StandardScaler(), numbers),
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), words),
    )
    return make_pipeline(columns, LogisticRegression(random_state=seed, **params.get("options", {})))


def main() -> None:
    """Train on GATES_TRAIN and save to GATES_OUT/model."""
    params = json.loads(Path(__file__).with_name("params.json").read_text())
    train = pd.read_parquet(os.environ["GATES_TRAIN"])
    features = train[params["features"]]
    pipeline = build(params, features, int(os.environ["GATES_SEED"]))
    pipeline.fit(features, train["status"])

    # MLflow warns that whole numbers can't be missing; the contract allows no nulls in these columns.
    warnings.filterwarnings("ignore", "Hint: Inferred schema contains integer column")
    # The requirements are given, as MLflow would otherwise load the model once more to find them out.
    mlflow.sklearn.save_model(
        pipeline,
        Path(os.environ["GATES_OUT"], "model"),
        signature=infer_signature(features, pipeline.predict_proba(features)),
        pyfunc_predict_fn="predict_proba",
        pip_requirements=[f"scikit-learn=={sklearn.__version__}"],
        skops_trusted_types=TRUSTED,
    )
    print(f"logistic regression of {len(params['features'])} columns, {len(train):,} rows")


if __name__ == "__main__":
    main()
