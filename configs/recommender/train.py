"""Scores the held-out pairs of user and film as params.json says, from the ratings in GATES_TRAIN.

A recommender is seldom one model file, so this hands in predictions: gates reads them, whatever made them.
"""

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.utils.extmath import randomized_svd

PRIOR = 5
"""How many average ratings a film or a user starts with, so that a single one says little."""


def popular(train: pd.DataFrame, pairs: pd.DataFrame, _seed: int) -> "pd.Series[float]":
    """Score a film by how often it was rated: the same list for everybody."""
    return pairs["film"].map(train["film"].value_counts()).fillna(0).astype(float)


def shrunken(values: "pd.Series[float]", by: "pd.Series[int]") -> "pd.Series[float]":
    """Return the mean of each group, drawn to 0 where it has few rows."""
    groups = values.groupby(by)
    return groups.sum() / (groups.size() + PRIOR)


def taste(train: pd.DataFrame, pairs: pd.DataFrame, seed: int) -> "pd.Series[float]":
    """Score by the film's mean, and by what users of like taste thought of it: 20 factors of the residuals."""
    residual = train["rating"] - train["rating"].mean()
    film = shrunken(residual, train["film"])
    residual = residual - train["film"].map(film)
    residual = residual - train["user"].map(shrunken(residual, train["user"]))

    users, user_codes = np.unique(train["user"], return_inverse=True)
    films, film_codes = np.unique(train["film"], return_inverse=True)
    table = np.zeros((len(users), len(films)))
    table[user_codes, film_codes] = residual
    left, strength, right = randomized_svd(table, 20, random_state=seed)
    row, column = (pd.Index(known).get_indexer(pairs[name]) for known, name in ((users, "user"), (films, "film")))
    liking = ((left * strength)[row] * right.T[column]).sum(axis=1)
    # Unrated pairs count as 0 in the factors, which makes them too small.
    return pairs["film"].map(film).fillna(0) + 2 * np.where((row >= 0) & (column >= 0), liking, 0)


def main() -> None:
    """Write GATES_OUT/predictions.parquet: a score for each held-out pair; only the order within a user matters."""
    params = json.loads(Path(__file__).with_name("params.json").read_text())
    train, pairs = (pd.read_parquet(os.environ[name]) for name in ("GATES_TRAIN", "GATES_HOLDOUT"))
    scores = {"popular": popular, "taste": taste}[params["model"]](train, pairs, int(os.environ["GATES_SEED"]))
    predictions = pd.DataFrame({"id": pairs["id"], "score": scores})
    predictions.to_parquet(Path(os.environ["GATES_OUT"], "predictions.parquet"), index=False)
    print(f"{params['model']}: {len(train):,} ratings, {len(pairs):,} pairs scored")


if __name__ == "__main__":
    main()
