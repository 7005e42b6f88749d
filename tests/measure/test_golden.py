"""Every metric of every task, from real rows to the sentence: what is measured and said of it, to the last byte."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn import datasets
from test_ranking import GATES as RANKING
from test_reference import PAIRED, measured, rules

from gates.judge.judge import judge
from gates.metrics import table
from gates.schema.fields import plain

SCORES = [{"metric": "mean"}, {"metric": "share_above", "above": 0.4}, {"metric": "quantile", "q": 0.9}]
VALUES = [one | {"better": "larger"} for one in SCORES]


def share(column: pd.Series) -> pd.Series:
    """Where each value stands between the least and the largest, 0 to 1."""
    return ((column - column.min()) / (column.max() - column.min())).round(3)


def binary():
    """Benign tumours, told by size alone; the champion goes by texture. Cancers are of the two halves of the table."""
    frame = datasets.load_breast_cancer(as_frame=True).frame
    frame["half"] = np.where(np.arange(len(frame)) < len(frame) // 2, "first", "second")
    gap = {"metric": "equal_opportunity_difference", "by": "half", "max": 0.5}
    held = frame[["target", "half"]].rename(columns={"target": "y"})
    scores = [pd.DataFrame({"score": (1 - share(frame[name])).clip(0.001, 0.999)}) for name in COLUMNS]
    return held, *scores, [*rules("binary"), gap]


COLUMNS = ("mean radius", "mean texture")


def multiclass():
    """Three vineyards, told by the alcohol and the colour of their wines."""
    frame = datasets.load_wine(as_frame=True).frame
    sides = []
    for name in ("color_intensity", "alcohol"):
        near = np.stack([1.1 - abs(share(frame[name]) - centre) for centre in (0.5, 0.1, 0.8)])
        sides.append(
            pd.DataFrame({f"score_{place}": one.round(3) for place, one in enumerate(near / near.sum(axis=0))})
        )
    return frame[["target"]].rename(columns={"target": "y"}), *sides, rules("multiclass")


def regression():
    """How diabetes gets on in a year, by body mass; the champion goes by blood pressure."""
    frame = datasets.load_diabetes(as_frame=True).frame
    sides = [pd.DataFrame({"prediction": (152 + 900 * frame[name]).round(2)}) for name in ("bmi", "bp")]
    return frame[["target"]].rename(columns={"target": "y"}), *sides, rules("regression")


def ranking():
    """The same patients, twelve a query; the worse off the more relevant."""
    held, *sides, _ = regression()
    held = pd.DataFrame({"y": (held.y // 100).astype(int), "query": np.arange(len(held)) // 12})
    return held, *(one.rename(columns={"prediction": "score"}) for one in sides), RANKING


def score():
    """A grade of each patient, without a label."""
    held, *sides, _ = regression()
    made = [pd.DataFrame({"score": share(one.prediction)}) for one in sides]
    return pd.DataFrame({"patient": held.index}), *made, VALUES


def limits(gate, task):
    """Compared with the champion, where it is known which way is better; else a ceiling."""
    plain_ = {name: value for name, value in gate.items() if name != "max"}
    entry = table(task)[gate["metric"]]
    compared = (entry.better or "better" in gate) and gate["metric"] not in PAIRED
    return plain_ | ({"max_worsening": 0.05} if compared else {"max": 0.1})


KEYS = {"ranking": {"query": "query"}, "score": {"label": None}}


@pytest.mark.parametrize("make", [binary, multiclass, regression, ranking, score], ids=lambda one: one.__name__)
def test_what_is_said_of_every_metric(make, tmp_path, golden):
    task = make.__name__
    held, candidate, champion, asked = make()
    gates = [limits(one, task) for one in asked]
    resolved, evidence = measured(tmp_path, task, gates, held, candidate, champion, **KEYS.get(task, {}))
    decision = judge(resolved, evidence)
    told = [plain(gate) for gate in decision.gates]
    assert {gate["metric"] for gate in told} == {one["metric"] for one in gates}
    golden(Path(__file__).parent / f"golden/{task}.json", json.dumps(told, indent=1, ensure_ascii=False) + "\n")
