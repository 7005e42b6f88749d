"""Weighted rows, measured from files, give scikit-learn's values with ``sample_weight``; units change no value."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from test_reference import BINARY, MULTICLASS, REGRESSION, TASKS, measured, rules

from gates.documents.evidence import CANDIDATE, CHAMPION
from gates.documents.slices import OVERALL
from gates.kinds.metric.rule import metric_of


def of_class(function, label=1):
    return lambda y, c, _s, w: function(y, c, pos_label=label, sample_weight=w)


def less(function):
    return lambda y, c, s, w: 1 - function(y, c, s, w)


def calls(function, **keys):
    return lambda y, c, _s, w: function(y, c, sample_weight=w, **keys)


def scores(function, **keys):
    return lambda y, _c, s, w: function(y, s, sample_weight=w, **keys)


def average(value):
    return lambda y, c, s, w: np.average(value(y, c, s), weights=w)


def ks(y, _c, s, w):
    return max(abs(np.subtract(*sm.roc_curve(y, s, drop_intermediate=False, sample_weight=w)[:2])))


def weighted_ece(y, _c, s, w):
    held = np.minimum((s * 12).astype(int), 11)
    return sum(abs((w * (s - y))[held == one].sum()) for one in range(12)) / w.sum()


WEIGHTED = {
    "binary": {
        "accuracy": calls(sm.accuracy_score),
        "balanced_accuracy": calls(sm.balanced_accuracy_score),
        "precision": of_class(sm.precision_score),
        "recall": of_class(sm.recall_score),
        "specificity": of_class(sm.recall_score, 0),
        "f1": of_class(sm.f1_score),
        "false_positive_rate": less(of_class(sm.recall_score, 0)),
        "false_negative_rate": less(of_class(sm.recall_score)),
        "false_discovery_rate": less(of_class(sm.precision_score)),
        "false_omission_rate": less(of_class(sm.precision_score, 0)),
        "selection_rate": average(lambda _y, c, _s: c),
        "matthews_corrcoef": calls(sm.matthews_corrcoef),
        "cost": average(lambda y, c, _s: np.array([[0, 1], [5, -2]])[y, c]),
        "roc_auc": scores(sm.roc_auc_score),
        "average_precision": scores(sm.average_precision_score),
        "log_loss": scores(sm.log_loss),
        "brier_score": scores(sm.brier_score_loss),
        "calibration_gap": average(lambda y, _c, s: s - y),
        "ks_statistic": ks,
        "expected_calibration_error": weighted_ece,
    },
    "multiclass": {
        "accuracy": calls(sm.accuracy_score),
        "balanced_accuracy": calls(sm.balanced_accuracy_score),
        "cohen_kappa": calls(sm.cohen_kappa_score),
        "log_loss": scores(sm.log_loss),
        "top_k_accuracy": scores(sm.top_k_accuracy_score, k=2),
        "roc_auc_ovr": None,  # scikit-learn's has no weights for more than two classes
        **{
            f"{of}_{kind}": calls(function, average=kind)
            for of, function in {"precision": sm.precision_score, "recall": sm.recall_score, "f1": sm.f1_score}.items()
            for kind in ("macro", "micro", "weighted")
        },
    },
    "regression": {
        "mae": calls(sm.mean_absolute_error),
        "mse": calls(sm.mean_squared_error),
        "rmse": calls(sm.root_mean_squared_error),
        "r2": calls(sm.r2_score),
        "mape": calls(sm.mean_absolute_percentage_error),
        "median_absolute_error": calls(sm.median_absolute_error),
        "bias": average(lambda y, c, _s: c - y),
        "pinball_loss": calls(sm.mean_pinball_loss, alpha=0.9),
        "share_within": average(lambda y, c, _s: abs(c - y) <= 0.5),
    },
}
# Of the rows scored highest `k` counts weight, not rows; a weighted regression's slope has no name in scikit-learn.
OF_ITS_OWN = {"precision_at", "recall_at", "lift_at", "calibration_slope"}
EVERY = {"binary": BINARY, "multiclass": MULTICLASS, "regression": REGRESSION}


@pytest.mark.parametrize("task", WEIGHTED)
def test_no_metric_is_left_out(task):
    assert set(WEIGHTED[task]) == set(EVERY[task]) - OF_ITS_OWN


@pytest.mark.parametrize("task", WEIGHTED)
@given(seed=st.integers(0, 2**20), spread=st.sampled_from([0.0, 0.5, 2.0]))
@settings(max_examples=3)
def test_weighted_values_are_those_of_sample_weight(tmp_path_factory, task, seed, spread):
    random = np.random.default_rng(seed)
    y, model = TASKS[task][1](random)
    (candidate, c, s), (champion, b, t) = model(1.0), model(1.2)
    w = np.exp(random.normal(size=len(y)) * spread) * (random.random(len(y)) > 0.05)
    gates = [gate for gate in rules(task) if WEIGHTED[task].get(gate["metric"])]
    folder, frame = tmp_path_factory.mktemp("weights"), pd.DataFrame({"y": y, "w": w})
    resolved, evidence = measured(folder, task, gates, frame, candidate, champion, weight="w")
    part = evidence.along(OVERALL)
    for gate in resolved.policy.gates:
        metric, reference = metric_of(gate.rule, task), WEIGHTED[task][gate.rule.metric]
        wanted = [reference(y, c, s, w), reference(y, b, t, w)]
        found = [metric.level(part, who) for who in (CANDIDATE, CHAMPION)]
        assert [one.value for one in found] == pytest.approx(wanted, rel=1e-6, abs=1e-9), metric.name
        assert metric.change(part).value == pytest.approx(wanted[0] - wanted[1], rel=1e-6, abs=1e-8), metric.name
        assert all(low <= one.value <= high for one in found for low, high in [one.bounds(0.95)]), metric.name


@pytest.mark.parametrize("task", WEIGHTED)
@given(seed=st.integers(0, 2**20))
@settings(max_examples=2)
def test_units_change_no_value(tmp_path_factory, task, seed):
    random = np.random.default_rng(seed)
    y, model = TASKS[task][1](random)
    (candidate, *_), (champion, *_) = model(1.0), model(1.2)
    frame = pd.DataFrame({"y": y, "user": random.integers(0, 90, len(y))})
    sides = []
    for keys in ({}, {"unit": "user"}):
        folder = tmp_path_factory.mktemp("units")
        resolved, evidence = measured(folder, task, rules(task), frame, candidate, champion, **keys)
        sides.append([metric_of(one.rule, task).level(evidence.along(OVERALL), CANDIDATE) for one in resolved.gates])
    for plain, clustered in zip(*sides, strict=True):
        assert clustered.value == pytest.approx(plain.value, rel=1e-9, abs=1e-9)
        assert clustered.method != plain.method or plain.method in ("jackknife", "woodruff")
