"""Every built-in metric, measured by the real engine from files, equals scikit-learn's and fairlearn's to 1e-9."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import sklearn.linear_model as lm
import sklearn.metrics as sm
import yaml
from fairlearn import metrics as fm

from gates.documents.evidence import CANDIDATE, CHAMPION
from gates.documents.slices import OVERALL
from gates.kinds.metric.rule import PARAMETERS, metric_of
from gates.measure.holdout.models import ModelOutput, RegisteredModel, Rivals
from gates.measure.measurement import Measurement
from gates.metrics import ANY_TASK, table
from gates.metrics.functions import FUNCTIONS
from gates.policy.policy_file import read

ROWS = 900
GROUPS = ("a", "b", "c")


def top(y, s, k):
    """Positives among the k highest; of ties at the k-th the expected share."""
    order = np.sort(s)[::-1]
    cut = order[k - 1]
    above, tied = s > cut, s == cut
    return y[above].sum() + (k - above.sum()) * y[tied].mean()


def ece(y, s, bins):
    held = np.minimum((s * bins).astype(int), bins - 1)
    return sum(abs(s[held == one].sum() - y[held == one].sum()) for one in range(bins)) / len(y)


def slope(y, s):
    x = np.log(s / (1 - s)).reshape(-1, 1)
    return lm.LogisticRegression(C=np.inf, tol=1e-13, max_iter=1000, solver="newton-cholesky").fit(x, y).coef_[0, 0]


def cost(y, c, costs):
    return sum(costs[label][call] for label, call in zip(y, c, strict=True)) / len(y)


BINARY = {
    "accuracy": ({}, lambda y, c, _s: sm.accuracy_score(y, c)),
    "balanced_accuracy": ({}, lambda y, c, _s: sm.balanced_accuracy_score(y, c)),
    "precision": ({}, lambda y, c, _s: sm.precision_score(y, c)),
    "recall": ({}, lambda y, c, _s: sm.recall_score(y, c)),
    "specificity": ({}, lambda y, c, _s: sm.recall_score(y, c, pos_label=0)),
    "f1": ({}, lambda y, c, _s: sm.f1_score(y, c)),
    "false_positive_rate": ({}, lambda y, c, _s: fm.false_positive_rate(y, c)),
    "false_negative_rate": ({}, lambda y, c, _s: fm.false_negative_rate(y, c)),
    "false_discovery_rate": ({}, lambda y, c, _s: 1 - sm.precision_score(y, c)),
    "false_omission_rate": ({}, lambda y, c, _s: 1 - sm.precision_score(y, c, pos_label=0)),
    "selection_rate": ({}, lambda y, c, _s: fm.selection_rate(y, c)),
    "matthews_corrcoef": ({}, lambda y, c, _s: sm.matthews_corrcoef(y, c)),
    "cost": ({"costs": [[0, 1], [5, -2]]}, lambda y, c, _s: cost(y, c, [[0, 1], [5, -2]])),
    "roc_auc": ({}, lambda y, _c, s: sm.roc_auc_score(y, s)),
    "average_precision": ({}, lambda y, _c, s: sm.average_precision_score(y, s)),
    "log_loss": ({}, lambda y, _c, s: sm.log_loss(y, s)),
    "brier_score": ({}, lambda y, _c, s: sm.brier_score_loss(y, s)),
    "calibration_gap": ({}, lambda y, _c, s: s.mean() - y.mean()),
    "ks_statistic": ({}, lambda y, _c, s: max(abs(np.subtract(*sm.roc_curve(y, s, drop_intermediate=False)[:2])))),
    "precision_at": ({"k": 100}, lambda y, _c, s: top(y, s, 100) / 100),
    "recall_at": ({"share": 0.1}, lambda y, _c, s: top(y, s, len(y) // 10) / y.sum()),
    "lift_at": ({"k": 50}, lambda y, _c, s: top(y, s, 50) / 50 / y.mean()),
    "expected_calibration_error": ({"bins": 12}, lambda y, _c, s: ece(y, s, 12)),
    "calibration_slope": ({}, lambda y, _c, s: slope(y, s)),
}
PAIRED = {
    "flip_rate": lambda _y, c, b: (c != b).mean(),
    "negative_flip_rate": lambda y, c, b: ((b == y) & (c != y)).mean(),
}
AVERAGED = {"precision": sm.precision_score, "recall": sm.recall_score, "f1": sm.f1_score}
MULTICLASS = {
    "accuracy": ({}, lambda y, c, _s: sm.accuracy_score(y, c)),
    "balanced_accuracy": ({}, lambda y, c, _s: sm.balanced_accuracy_score(y, c)),
    "cohen_kappa": ({}, lambda y, c, _s: sm.cohen_kappa_score(y, c)),
    "log_loss": ({}, lambda y, _c, s: sm.log_loss(y, s)),
    "top_k_accuracy": ({"k": 2}, lambda y, _c, s: sm.top_k_accuracy_score(y, s, k=2)),
    "roc_auc_ovr": ({}, lambda y, _c, s: sm.roc_auc_score(y, s, multi_class="ovr")),
    **{
        f"{of}_{average}": ({}, lambda y, c, _s, f=function, a=average: f(y, c, average=a))
        for of, function in AVERAGED.items()
        for average in ("macro", "micro", "weighted")
    },
}
REGRESSION = {
    "mae": ({}, lambda y, c, _s: sm.mean_absolute_error(y, c)),
    "mse": ({}, lambda y, c, _s: sm.mean_squared_error(y, c)),
    "rmse": ({}, lambda y, c, _s: sm.root_mean_squared_error(y, c)),
    "r2": ({}, lambda y, c, _s: sm.r2_score(y, c)),
    "mape": ({}, lambda y, c, _s: sm.mean_absolute_percentage_error(y, c)),
    "median_absolute_error": ({}, lambda y, c, _s: sm.median_absolute_error(y, c)),
    "bias": ({}, lambda y, c, _s: (c - y).mean()),
    "pinball_loss": ({"alpha": 0.9}, lambda y, c, _s: sm.mean_pinball_loss(y, c, alpha=0.9)),
    "share_within": ({"within": 0.5}, lambda y, c, _s: (abs(c - y) <= 0.5).mean()),
}


def binary(random):
    x = random.normal(size=ROWS)
    y = (random.random(ROWS) < 1 / (1 + np.exp(1 - x))).astype(int)

    def model(noise):
        s = np.round(1 / (1 + np.exp(1 - x - random.normal(size=ROWS) * noise)), 3).clip(0.001, 0.999)
        return pd.DataFrame({"score": s}), (s >= 0.5).astype(int), s

    return y, model


def multiclass(random):
    x = random.normal(size=(ROWS, 4))
    y = (x + random.normal(size=(ROWS, 4))).argmax(axis=1)

    def model(noise):
        logits = np.round(x + random.normal(size=(ROWS, 4)) * noise, 1)
        s = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        return pd.DataFrame({f"score_{place}": s[:, place] for place in range(4)}), s.argmax(axis=1), s

    return y, model


def regression(random):
    y = random.normal(size=ROWS) * 3 + 1

    def model(noise):
        c = y + random.normal(size=ROWS) * noise
        return pd.DataFrame({"prediction": c}), c, None

    return y, model


TASKS = {"binary": (BINARY, binary), "multiclass": (MULTICLASS, multiclass), "regression": (REGRESSION, regression)}


def measured(folder, task, gates, frame, candidate, champion, policy=None, rules=b"", **data):
    """The policy and the evidence on files in a folder."""
    frame.to_parquet(folder / "holdout.parquet", index=False)
    for name, table_ in (("candidate", candidate), ("champion", champion)):
        (folder / name).mkdir()
        table_.to_parquet(folder / name / "predictions.parquet", index=False)
    written = {
        "version": 1,
        "model": "m",
        "task": task,
        "data": {"holdout": "holdout.parquet", **{k: v for k, v in ({"label": "y"} | data).items() if v is not None}},
        "train": "true",
        "gates": gates,
    } | (policy or {})
    resolved = read(yaml.safe_dump(written).encode(), "gates.yaml", lambda _: rules)
    served = RegisteredModel(
        version="1",
        digest="sha256:1",
        predictions=lambda _: folder / "champion" / "predictions.parquet",
        folder=lambda: folder,
    )
    work = folder / "work"
    work.mkdir()
    bench = Measurement(resolved, folder, work)
    return resolved, bench.evidence(
        (), [ModelOutput(digest="sha256:2", folder=folder / "candidate")], Rivals(champion=served)
    )


def rules(task):
    """A gate of every metric, with a limit that says nothing."""
    reference = TASKS[task][0]
    gates = [{"metric": name, "max": 0.999, **parameters} for name, (parameters, _) in reference.items()]
    return gates + [{"metric": name, "max": 0.999} for name in (PAIRED if task == "binary" else ())]


@pytest.mark.parametrize("task", TASKS)
def test_every_metric_has_a_reference(task):
    gaps = ("_difference", "_ratio", "_group_min", "_group_max")
    plain = {name for name in table(task) if not name.endswith(gaps)}
    elsewhere = set(FUNCTIONS) | {
        "mean",
        "share_above",
        "quantile",
        "ratio",
    }  # in test_general, test_values, test_ratio
    assert plain - elsewhere == set(TASKS[task][0]) | set(PAIRED if task == "binary" else ())


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("seed", [1, 2])
def test_measured_values_equal_the_reference(tmp_path, task, seed):
    reference, make = TASKS[task]
    y, model = make(np.random.default_rng(seed))
    (candidate, c, s), (champion, b, t) = model(1.0), model(1.2)
    resolved, evidence = measured(tmp_path, task, rules(task), pd.DataFrame({"y": y}), candidate, champion)
    part = evidence.along(OVERALL)
    for gate in resolved.policy.gates:
        metric = metric_of(gate.rule, task)
        if metric.paired:
            assert metric.level(part, CANDIDATE).value == pytest.approx(PAIRED[metric.name](y, c, b), abs=1e-9)
            continue
        expected = [reference[gate.rule.metric][1](y, *one) for one in ((c, s), (b, t))]
        found = [metric.level(part, who) for who in (CANDIDATE, CHAMPION)]
        assert [one.value for one in found] == pytest.approx(expected, abs=1e-9), metric.name
        change = metric.change(part)
        assert change.value == pytest.approx(expected[0] - expected[1], abs=1e-9), metric.name
        for quantity in (*found, change):
            low, high = quantity.bounds(0.95)
            assert low < quantity.value < high, metric.name


def test_parameters_are_the_rules_own_keys():
    assert {name for task in ANY_TASK for entry in table(task).values() for name in entry.takes} == set(PARAMETERS)
