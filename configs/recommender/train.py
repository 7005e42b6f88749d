"""Trains the recommender that params.json describes and saves it where `gates run` looks for it.

gates sets GATES_TRAIN, GATES_OUT and GATES_SEED (and GATES_HOLDOUT, not needed here). ranker.py is the model's code.
"""

import json
import os
import tempfile
import warnings
from pathlib import Path

import mlflow.pyfunc
import numpy as np
import pandas as pd
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema
from sklearn.utils.extmath import randomized_svd

HERE = Path(__file__).parent
PRIOR = 5
"""How many average ratings a film or a user starts with, so that a single one says little."""
FACTORS = 20
PAIRS, SCORES = Schema([ColSpec("long", "user"), ColSpec("long", "film")]), Schema([ColSpec("double", "score")])

Tables = dict[str, pd.DataFrame]


def popular(train: pd.DataFrame, _seed: int) -> Tables:
    """Score a film by how often it was rated: the same list for everybody."""
    films = train["film"].value_counts().astype(float).to_frame("score")
    return {"films": films.sort_index(), "users": pd.DataFrame(index=np.unique(train["user"]))}


def shrunken(values: "pd.Series[float]", by: "pd.Series[int]") -> "pd.Series[float]":
    """Return the mean of each group, drawn to 0 where it has few rows."""
    groups = values.groupby(by)
    return groups.sum() / (groups.size() + PRIOR)


def taste(train: pd.DataFrame, seed: int) -> Tables:
    """Score by the film's mean, and by what users of like taste thought of it: factors of the residuals."""
    residual = train["rating"] - train["rating"].mean()
    film = shrunken(residual, train["film"])
    residual = residual - train["film"].map(film)
    residual = residual - train["user"].map(shrunken(residual, train["user"]))

    users, user_codes = np.unique(train["user"], return_inverse=True)
    films, film_codes = np.unique(train["film"], return_inverse=True)
    table = np.zeros((len(users), len(films)))
    table[user_codes, film_codes] = residual
    left, strength, right = randomized_svd(table, FACTORS, random_state=seed)
    names = [f"factor_{number}" for number in range(FACTORS)]
    # Unrated pairs count as 0 in the factors, which makes them too small: hence the 2.
    liking = pd.DataFrame(2 * left * strength, index=users, columns=names)
    return {"films": film.to_frame("score").join(pd.DataFrame(right.T, index=films, columns=names)), "users": liking}


def main() -> None:
    """Train on GATES_TRAIN and save to GATES_OUT/model."""
    params = json.loads((HERE / "params.json").read_text())
    train = pd.read_parquet(os.environ["GATES_TRAIN"])
    tables = {"popular": popular, "taste": taste}[params["model"]](train, int(os.environ["GATES_SEED"]))

    # The signature says what an example would.
    warnings.filterwarnings("ignore", ".*input example was not provided")
    os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: str(Path(folder, f"{name}.parquet")) for name in tables}
        for name, table in tables.items():
            table.to_parquet(paths[name])
        # The requirements are given, as MLflow would otherwise load the model once more to find them out.
        mlflow.pyfunc.save_model(
            Path(os.environ["GATES_OUT"], "model"),
            python_model=str(HERE / "ranker.py"),
            artifacts=paths,
            signature=ModelSignature(PAIRS, SCORES),
            pip_requirements=[f"mlflow=={mlflow.__version__}", f"pandas=={pd.__version__}", "pyarrow"],
        )
    print(f"{params['model']}: {len(train):,} ratings of {len(tables['films']):,} films")


if __name__ == "__main__":
    main()
