"""The recommender as an MLflow model, of which this code and two tables are all: nothing is a pickle.

mlflow.pyfunc.load_model(FOLDER).predict(pairs)    # a table with the columns user and film
"""

from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext


class Ranker(PythonModel):
    """A film's own score, and how much its factors agree with those of the user."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read both tables: films with a score and factors, users with factors."""
        self.films, self.users = (pd.read_parquet(context.artifacts[name]) for name in ("films", "users"))

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> pd.DataFrame:  # noqa: ARG002
        """Score each row of user and film. The largest goes first, and only the order within a user matters.

        What the training has not seen counts 0: a new film is an average one, or one that nobody has rated, and a new
        user has no taste yet.
        """
        films = self.films.reindex(model_input["film"]).fillna(0).to_numpy()
        users = self.users.reindex(model_input["user"]).fillna(0).to_numpy()
        scores = films[:, 0] + (films[:, 1:] * users).sum(axis=1)
        return pd.DataFrame({"score": scores}, index=model_input.index)


set_model(Ranker())
