"""What a model returned is read by its names; what has no name by its form, and refused where that has two meanings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from gates.measure.holdout.answer import ToldAnswer, UnfitError, frame
from gates.measure.holdout.labels import Labels
from gates.measure.holdout.scoring import ScoringRequest

P = np.array([0.1, 0.6, 0.9, 0.4])
GIVEN = pd.DataFrame({"id": [7, 3, 5, 9], "x": P})
TEXT = Labels(classes=("stay", "churn"), kind="text")
NUMBERS = Labels(classes=("0", "1"), kind="number")
ZERO = Labels(classes=("1", "0"), kind="number")
FLAGS = Labels(classes=("false", "true"), kind="boolean")
THREE = Labels(classes=("a", "b", "c"), kind="text")
VALUES = Labels(classes=(), kind="value")
K3 = np.array([[0.2, 0.3, 0.5], [0.1, 0.1, 0.8], [1, 0, 0], [0.3, 0.3, 0.4]])


def read(
    returned: Any, task: str = "binary", labels: Labels = TEXT, told: ToldAnswer | None = None, **asked: Any
) -> Any:
    made = ScoringRequest(task=task, labels=labels, key="id", seconds=1, **asked)  # type: ignore[arg-type] # a task
    return frame(returned, GIVEN, told or ToldAnswer(), made).to_dict("list")


S = {"score": list(P)}
BACK = GIVEN.assign(score=P).sort_values("score")
READ: dict[str, tuple[Any, dict[str, Any], dict[str, Any]]] = {
    "classes by name": (pd.DataFrame({"churn": P, "stay": 1 - P}), {}, S),
    "in the other order": (pd.DataFrame({"stay": 1 - P, "churn": P}), {}, S),
    "score_ by class": (pd.DataFrame({"score_churn": P, "score_stay": 1 - P}), {}, S),
    "the positive class alone": (pd.DataFrame({"churn": P}), {}, S),
    "by the key": (BACK[["id", "score"]], {}, S),
    "by the key, classes by name": (BACK.assign(churn=BACK.score, stay=1 - BACK.score)[["churn", "stay", "id"]], {}, S),
    "by the key, one other column": (BACK[["id", "score"]].rename(columns={"score": "p"}), {}, S),
    "prediction at its word": (
        pd.DataFrame({"score": P, "prediction": ["churn"] * 4}),
        {},
        {**S, "prediction": ["churn"] * 4},
    ),
    "columns of `of`": (
        pd.DataFrame({"score": P, "cost": P + 1, "more": 1}),
        {"further": ("cost",)},
        {**S, "cost": list(P + 1)},
    ),
    "a named series": (pd.Series(P, name="score"), {"labels": NUMBERS}, S),
    "whole numbers": (np.array([0, 1, 1, 0]), {"labels": NUMBERS}, {"prediction": [0, 1, 1, 0]}),
    "booleans": (np.array([False, True, True, False]), {"labels": NUMBERS}, {"prediction": [False, True, True, False]}),
    "floats of other classes": (
        np.array([1.0, 2.0, 2.0, 1.0]),
        {"labels": Labels(classes=("1", "2"), kind="number")},
        {"prediction": [1.0, 2.0, 2.0, 1.0]},
    ),
    "floats that are said to be classes": (
        np.array([0.0, 1.0, 1.0, 0.0]),
        {"labels": ZERO, "returns": "prediction"},
        {"prediction": [0.0, 1.0, 1.0, 0.0]},
    ),
    "floats that are said to be scores": (
        np.array([0.0, 1.0, 1.0, 0.0]),
        {"labels": ZERO, "returns": "score"},
        {"score": [0.0, 1.0, 1.0, 0.0]},
    ),
    "floats where classes are text": (np.array([0.0, 1.0, 1.0, 0.0]), {}, {"score": [0.0, 1.0, 1.0, 0.0]}),
    "two columns in both orders at once": (np.stack([1 - P, P], axis=1), {"labels": NUMBERS}, S),
    "the signature's names": (np.stack([P, 1 - P], axis=1), {"told": ToldAnswer(names=["churn", "stay"])}, S),
    "scikit-learn's classes": (np.stack([P, 1 - P], axis=1), {"told": ToldAnswer(classes=["churn", "stay"])}, S),
    "three by name": (
        pd.DataFrame(K3[:, ::-1], columns=["c", "b", "a"]),
        {"task": "multiclass", "labels": THREE},
        {"score_c": list(K3[:, 2]), "score_b": list(K3[:, 1]), "score_a": list(K3[:, 0])},
    ),
    "a class more": (
        np.column_stack([K3 / 2, np.full(4, 0.5)]),
        {"task": "multiclass", "labels": THREE, "told": ToldAnswer(classes=["a", "b", "c", "d"])},
        {**{f"score_{name}": list(K3[:, at] / 2) for at, name in enumerate("abc")}, "score_d": [0.5] * 4},
    ),
    "a class less that no row has": (
        K3,
        {"task": "multiclass", "labels": THREE.also(["d"]), "told": ToldAnswer(classes=["a", "b", "c"])},
        {f"score_{name}": list(K3[:, at]) for at, name in enumerate("abc")},
    ),
    "values": (P, {"task": "regression", "labels": VALUES}, {"prediction": list(P)}),
    "a frame with both": (
        pd.DataFrame({"score": P, "prediction": P + 1}),
        {"task": "regression", "labels": VALUES},
        {"prediction": list(P + 1)},
    ),
    "a ranking": (P.reshape(-1, 1), {"task": "ranking", "labels": VALUES}, S),
    "a grade": (P, {"task": "score", "labels": VALUES}, S),
    "grades of their own": (
        pd.DataFrame({"latency": P}),
        {"task": "score", "labels": VALUES, "further": ("latency",)},
        {"latency": list(P)},
    ),
}


@pytest.mark.parametrize("name", READ)
def test_what_is_read(name: str) -> None:
    returned, how, expected = READ[name]
    assert read(returned, **how) == expected


ARRAY = np.stack([P, 1 - P], axis=1)
REFUSED: dict[str, tuple[Any, dict[str, Any], str]] = {
    "the order of two columns": (ARRAY, {}, "stay before churn is not their sorted order"),
    "floats that could be both": (np.array([0.0, 1.0, 1.0, 0.0]), {"labels": ZERO}, "predict.returns: prediction"),
    "the same in one column": (np.array([[0.0], [1.0], [1.0], [0.0]]), {"labels": NUMBERS}, "predict.returns"),
    "of 32 bits": (np.array([1, 1, 1, 1], dtype="float32"), {"labels": NUMBERS}, "predict.returns"),
    "a list": ([0.0, 1.0, 1.0, 0.0], {"labels": FLAGS}, "predict.returns"),
    "rows that moved": (pd.Series(P).sort_values(), {}, "the rows in another order"),
    "a frame that moved": (pd.DataFrame({"score": P}).sample(frac=1, random_state=1), {}, "or with the column id"),
    "keys of others": (pd.DataFrame({"id": [7, 3, 5, 8], "score": P}), {}, "unknown keys 8 (id)"),
    "keys twice": (pd.DataFrame({"id": [7, 3, 5, 5], "score": P}), {}, "repeats the keys 5"),
    "keys that lack": (pd.DataFrame({"id": [7, 3, 5], "score": P[:3]}), {}, "nothing for the keys 9"),
    "columns that say nothing": (pd.DataFrame({"p0": P, "p1": P}), {}, "the columns p0, p1; return a frame with"),
    "the negative class alone": (pd.DataFrame({"stay": P}), {}, "it knows the classes stay, not churn"),
    "not probabilities": (pd.DataFrame({"churn": P, "stay": P}), {}, "add up to 0.2, not 1"),
    "three classes for two": (K3, {"told": ToldAnswer(classes=["churn", "stay", "x"])}, "task: binary has two"),
    "three columns": (K3, {}, "3 columns for 2 classes, stay, churn"),
    "a class that it does not know": (
        K3[:, :2],
        {"task": "multiclass", "labels": THREE, "told": ToldAnswer(classes=["a", "b"])},
        "it knows the classes a, b, not c",
    ),
    "several numbers a row": (K3, {"task": "regression", "labels": VALUES}, "3 columns; return one number a row"),
    "a cube": (np.zeros((2, 2, 2)), {}, "an array of 2 x 2 x 2 for 4 rows"),
    "two columns of one class": (pd.DataFrame({"churn": P, "score_churn": P}), {}, "named after the class churn"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name: str) -> None:
    returned, how, told = REFUSED[name]
    with pytest.raises(UnfitError) as error:
        read(returned, **how)
    assert told in str(error.value)
