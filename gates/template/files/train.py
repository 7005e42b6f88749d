"""Trains the model and saves it where `gates run` looks for it.

gates sets GATES_TRAIN, GATES_OUT and GATES_SEED (and GATES_HOLDOUT, the holdout without its label, not needed here).
"""

import os
from pathlib import Path

import mlflow.sklearn
import pandas as pd
import sklearn
from mlflow.models import infer_signature
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

LABEL = "malignant"
FEATURES = ["mean_radius", "mean_texture", "mean_smoothness", "mean_concavity", "mean_symmetry"]
TRUSTED = ["numpy.dtype"]
"""What skops may load beyond its own list; unlike a pickle, a skops file runs no code when it is read."""


def main() -> None:
    """Train on GATES_TRAIN and save to GATES_OUT/model."""
    train = pd.read_csv(os.environ["GATES_TRAIN"])
    features = train[FEATURES]
    model = make_pipeline(StandardScaler(), LogisticRegression(random_state=int(os.environ["GATES_SEED"])))
    model.fit(features, train[LABEL])

    # The requirements are given, as MLflow would otherwise load the model once more to find them out.
    mlflow.sklearn.save_model(
        model,
        Path(os.environ["GATES_OUT"], "model"),
        signature=infer_signature(features, model.predict_proba(features)),
        pyfunc_predict_fn="predict_proba",
        pip_requirements=[f"scikit-learn=={sklearn.__version__}"],
        skops_trusted_types=TRUSTED,
    )
    print(f"logistic regression of {len(FEATURES)} columns, {len(train):,} rows")


if __name__ == "__main__":
    main()
