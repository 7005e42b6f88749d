"""A class that the holdout happens to lack: the others are judged, and what can't be is told by its name."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics as sm
from test_scarce import decided

pytestmark = pytest.mark.usefixtures("forked_children")


def rows(seed=5):
    """Labels a, b, c of a model that knows d as well."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 3, 300)
    scores = random.random((300, 4))
    scores[np.arange(300), y] += 0.7
    scores /= scores.sum(axis=1, keepdims=True)
    names = np.array(list("abc"))
    return names[y], scores, pd.DataFrame(scores, columns=[f"score_{name}" for name in "abcd"])


def ovr(y, scores):
    """The mean over the classes that occur, each against the rest."""
    return np.mean([sm.roc_auc_score(y == name, scores[:, place]) for place, name in enumerate("abc")])


@pytest.mark.parametrize("declared", [{}, {"classes": ["a", "b", "c", "d"]}], ids=["by its scores", "declared"])
def test_metrics_of_a_model_that_knows_a_class_more(tmp_path, declared):
    y, scores, frame = rows()
    named = [{"metric": "roc_auc_score", "arguments": {"multi_class": how}, "min": 0.01} for how in ("ovr", "ovo")]
    named += [{"metric": name, "min": 0.01} for name in ("roc_auc_ovr", "accuracy_score", "roc_auc_score")]
    gates = [*named, {"metric": "log_loss", "max": 9}]
    found, *_ = decided(tmp_path, "multiclass", gates, pd.DataFrame({"y": y}), frame, **declared)
    told = {key[0]: one for key, one in found.items()}
    called = np.array(list("abcd"))[scores.argmax(axis=1)]
    wanted = {
        "roc_auc_ovr": ovr(y, scores),
        "roc_auc_score[multi_class=ovr]": ovr(y, scores),
        "accuracy_score": np.mean(called == y),
        "log_loss": sm.log_loss(y, scores, labels=list("abcd")),
    }
    assert {name: told[name].candidate.value for name in wanted} == pytest.approx(wanted, abs=1e-9)
    refused = {"roc_auc_score[multi_class=ovo]": "no row has the class d", "roc_auc_score": "multi_class must be in"}
    for name, why in refused.items():
        assert told[name].verdict == "error"
        assert why in told[name].reason
