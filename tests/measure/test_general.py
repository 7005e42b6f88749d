"""The general road: scikit-learn's functions by name and functions of the user's own, in a child process."""

from __future__ import annotations

import inspect
import os
import textwrap

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics as sm
from test_reference import TASKS, measured

from gates.documents.evidence import CANDIDATE, CHAMPION, Computed
from gates.documents.slices import OVERALL, Dimension
from gates.errors import GatesError
from gates.judge.judge import judge
from gates.kinds.metric.rule import metric_of
from gates.measure.statistics import bootstrap, function_calls
from gates.metrics.functions import FUNCTIONS, direction

pytestmark = pytest.mark.usefixtures("forked_children")

MACRO = {"average": "macro"}
NEEDED = {  # arguments without which a function can't be called for a task
    "fbeta_score": {"beta": 2},
    "mean_tweedie_deviance": {"power": 0},
}
CLASSES = {"f1_score", "precision_score", "recall_score", "jaccard_score", "fbeta_score"}


def arguments(name, task):
    needed = dict(NEEDED.get(name, {}))
    if task == "multiclass" and name in CLASSES:
        needed |= MACRO
    if task == "multiclass" and name == "roc_auc_score":
        needed |= {"multi_class": "ovr"}
    return needed


def gate(name, task, **limits):
    given = arguments(name, task)
    return {"metric": name, **({"arguments": given} if given else {}), **(limits or {"max": 0.999})}


def positive(random):
    """A regression whose labels and predictions lie above 0, as logarithms and deviances need."""
    y = random.exponential(size=300) + 0.1

    def model(noise):
        c = y * np.exp(random.normal(size=300) * noise)
        return pd.DataFrame({"prediction": c}), c, None

    return y, model


MAKE = {"binary": TASKS["binary"][1], "multiclass": TASKS["multiclass"][1], "regression": positive}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_table_is_scikit_learns(name):
    names = list(inspect.signature(getattr(sm, name)).parameters)
    scores = names[1] in ("y_score", "y_proba")
    assert (FUNCTIONS[name].takes == "scores") is scores
    assert "sample_weight" in names
    assert direction(name) == (1 if name.endswith("_score") else -1)


@pytest.mark.parametrize("task", MAKE)
def test_values_and_errors_are_those_of_the_function(tmp_path, task, monkeypatch):
    def here(_statistic, wanted, rows, _guest, _seconds):  # one process for all; other tests start real children
        return bootstrap.answer(dict(wanted), pd.read_parquet(rows))

    monkeypatch.setattr(function_calls, "_answer", here)
    monkeypatch.setattr(bootstrap, "DRAWS", 20)
    names = [name for name, one in FUNCTIONS.items() if task in one.tasks]
    y, model = MAKE[task](np.random.default_rng(1))
    sides = [model(0.4), model(0.6)]
    gates = [gate(name, task) for name in names]
    resolved, evidence = measured(tmp_path, task, gates, pd.DataFrame({"y": y}), *(side for side, *_ in sides))
    part = evidence.along(OVERALL)
    for name, one in zip(names, resolved.policy.gates, strict=True):
        metric, given = metric_of(one.rule, task), arguments(name, task)
        function = getattr(sm, name)
        wanted = [function(y, s if FUNCTIONS[name].takes == "scores" else c, **given) for _, c, s in sides]
        found = [metric.level(part, who) for who in (CANDIDATE, CHAMPION)]
        assert [q.value for q in found] == pytest.approx(wanted, abs=1e-9), name
        assert metric.change(part).value == pytest.approx(wanted[0] - wanted[1], abs=1e-9)
        assert all(q.bounds(0.95)[0] < q.value < q.bounds(0.95)[1] for q in found), name


def binary(folder, gates, rows=400, seed=2, order=None, **keys):
    random = np.random.default_rng(seed)
    frame = pd.DataFrame({"id": np.arange(rows), "y": random.integers(0, 2, rows)})
    frame["s"] = (frame.y * 0.3 + random.random(rows) * 0.7).round(3)
    frame["t"] = (frame.y * 0.2 + random.random(rows) * 0.8).round(3)
    frame["user"], frame["w"] = frame.id // 5, random.choice([0.5, 2.0], rows)
    frame["region"] = random.choice(["n", "s"], rows)
    frame = frame if order is None else frame.sample(frac=1, random_state=order)
    sides = [frame[["id", name]].rename(columns={name: "score"}) for name in "st"]
    if "key" not in keys:
        sides = [side[["score"]] for side in sides]
    folder.mkdir(exist_ok=True)
    columns = ["id", "y", "user", "w", "region"]
    return (*measured(folder, "binary", gates, frame[columns], *sides, **keys), frame)


def own(folder, text):
    folder.mkdir(exist_ok=True)
    (folder / "mine.py").write_text(textwrap.dedent(text))


def error(evidence):
    return float(evidence.slices[0].computed[0].aa) ** 0.5 / 2.0**Computed.UNIT


PROFIT = """
    import numpy as np
    def profit(y_true, y_pred, *, gain=5.0, sample_weight=None):
        return float(np.average(y_pred * (y_true * gain - 1), weights=sample_weight))
    def brier_loss(y_true, y_score):
        return ((y_true - y_score) ** 2).mean()
"""


@pytest.mark.usefixtures("own_children")
def test_a_function_of_ones_own_in_a_real_child(tmp_path):
    own(tmp_path, PROFIT)
    gates = [
        {"metric": "mine:profit", "min": 0, "better": "larger", "min_improvement": 0},
        {"metric": "mine:brier_loss", "max": 0.3, "max_worsening": 0.01},
        {"metric": "mine:profit", "arguments": {"gain": 2}, "min": -1},
    ]
    resolved, evidence, frame = binary(tmp_path, gates)
    values = {one.id: one.candidate.value for one in judge(resolved, evidence).gates if one.rule in ("min", "max")}
    call = (frame.s >= 0.5).astype(int)
    assert values == pytest.approx(
        {
            "mine:profit": (call * (frame.y * 5 - 1)).mean(),
            "mine:brier_loss": ((frame.y - frame.s) ** 2).mean(),
            "mine:profit[gain=2]": (call * (frame.y * 2 - 1)).mean(),
        },
        abs=1e-9,
    )
    assert [one.better for one in judge(resolved, evidence).gates] == [1, 1, -1, -1, 0]
    mean = next(one for one in evidence.slices[0].computed if one.id == "mine:profit")
    exact = np.std(call * (frame.y * 5 - 1)) / np.sqrt(len(frame))
    assert float(mean.aa) ** 0.5 / 2.0**Computed.UNIT == pytest.approx(exact, rel=0.15)


@pytest.mark.parametrize("keys", [{}, {"key": "id"}, {"unit": "user", "weight": "w"}], ids=str)
def test_any_order_of_rows_gives_the_same_bytes(tmp_path, keys):
    gates = [{"metric": "mine:profit", "min": 0, "slices": {"min": 0}}]
    found = []
    for order in (1, 2):
        own(tmp_path / str(order), PROFIT)
        _, evidence, _ = binary(tmp_path / str(order), gates, order=order, policy={"slices": ["region"]}, **keys)
        found.append(evidence.slices)
    assert found[0] == found[1]
    assert len(found[0]) == 3


def test_weights_are_handed_on_and_units_are_drawn_whole(tmp_path):
    own(tmp_path / "weights", PROFIT)
    gates = [{"metric": "mine:profit", "min": 0}]
    resolved, evidence, frame = binary(tmp_path / "weights", gates, weight="w")
    part = evidence.along(OVERALL)
    wanted = np.average((frame.s >= 0.5) * (frame.y * 5 - 1), weights=frame.w)
    assert metric_of(resolved.policy.gates[0].rule, "binary").level(part, CANDIDATE).value == pytest.approx(wanted)
    frame = pd.DataFrame({"y": np.repeat(np.arange(80) % 2, 5), "user": np.repeat(np.arange(80), 5)})
    side = pd.DataFrame({"prediction": np.repeat(np.random.default_rng(3).integers(0, 2, 80), 5)})
    errors = []
    for name, keys in (("rows", {}), ("units", {"unit": "user"})):
        own(tmp_path / name, PROFIT)
        errors.append(error(measured(tmp_path / name, "binary", gates, frame, side, side, **keys)[1]))
    assert errors[1] / errors[0] == pytest.approx(np.sqrt(5), rel=0.15)


@pytest.mark.usefixtures("own_children")
def test_a_thread_that_a_function_leaves_delays_no_verdict(tmp_path):
    own(tmp_path, f"{PROFIT}    import threading, time\n    threading.Thread(target=time.sleep, args=(600,)).start()\n")
    resolved, evidence, frame = binary(tmp_path, [{"metric": "mine:brier_loss", "max": 0.3}])
    found = judge(resolved, evidence).gates[0].candidate
    assert found.value == pytest.approx(((frame.y - frame.s) ** 2).mean(), abs=1e-9)


def test_groups_and_slices_of_a_function(tmp_path):
    gates = [
        {"metric": "f1_score_difference", "by": "region", "max": 0.999},
        {"metric": "f1_score", "min": 0.001, "slices": {"min": 0.001}},
    ]
    resolved, evidence, frame = binary(tmp_path, gates, policy={"slices": ["region"]})
    by = [sm.f1_score(part.y, part.s >= 0.5) for _, part in frame.groupby("region")]
    parts = evidence.along(Dimension(columns=("region",)))
    gap = metric_of(resolved.policy.gates[0].rule, "binary").level(parts, CANDIDATE)
    assert gap.value == pytest.approx(max(by) - min(by), abs=1e-9)


HOSTILE = """
    import os, sys, time
    def raises(y_true, y_pred): raise ValueError("no\\n\\x1b[31mway")
    def nan_score(y_true, y_pred): return float("nan")
    def huge(y_true, y_pred): return 1e300
    def several(y_true, y_pred): return [1, 2]
    def leaves(y_true, y_pred): os._exit(3)
    def forges(y_true, y_pred):
        open(sys.argv[3], "w").write('{"complaint": null, "found": [[[[], {"why": null, "groups": 9}]]]}')
        os._exit(0)
    def lies(y_true, y_pred):
        open(sys.argv[3], "w").write('{"complaint": null, "found": [[[[], {"why": null, "groups": 9, "paired": true, '
            '"candidate": 1, "champion": 1, "aa": -1, "bb": 1, "ab": 5}]]]}')
        os._exit(0)
    def forever(y_true, y_pred): time.sleep(60)
    def alone(y_true): return 1
    def plain(y_true, y_pred): return 1.0
    def sees(y_true, y_pred): return float("MY_TOKEN" in os.environ) + float("TZ" not in os.environ) / 2
"""


@pytest.mark.parametrize(
    ("metric", "told"),
    [
        ("mine:several", "it returned list, not one number"),
        ("mine:leaves", "its process ended with exit code 3"),
        ("mine:forges", "it returned no valid answer"),
        ("mine:alone", "it must take"),
        ("mine:nothing", "mine has no nothing"),
        ("nowhere:metric", "nowhere can't be imported"),
        ("mine:forever", "it took longer than 3 s"),
    ],
)
def test_a_function_that_does_not_work_is_told(tmp_path, metric, told):
    own(tmp_path, HOSTILE)
    policy = {"train": {"run": "t", "timeout": "3s"}} if "forever" in metric else {}
    with pytest.raises(GatesError, match=told) as error_:
        binary(tmp_path, [{"metric": metric, "min": 0.001}], policy=policy)
    assert metric in error_.value.what


@pytest.mark.parametrize(
    ("metric", "told"),
    [
        ("mine:raises", "ValueError: no"),
        ("mine:nan_score", "it is not a finite number"),
        ("mine:huge", "it is not a finite number"),
    ],
)
def test_what_is_no_number_is_an_error_never_a_pass(tmp_path, metric, told):
    own(tmp_path, HOSTILE)
    resolved, evidence, _ = binary(tmp_path, [{"metric": metric, "min": 0.001}])
    (verdict,) = judge(resolved, evidence).gates
    assert verdict.verdict == "error"
    assert told in verdict.reason


def test_forged_errors_are_refused_by_the_judge(tmp_path):
    own(tmp_path, HOSTILE)
    resolved, evidence, _ = binary(tmp_path, [{"metric": "mine:lies", "min": 0}])
    with pytest.raises(GatesError, match="no variance is negative"):
        judge(resolved, evidence)


def test_a_function_without_weights_can_not_be_weighted(tmp_path):
    own(tmp_path, HOSTILE)
    with pytest.raises(GatesError, match="it takes no sample_weight, and the policy has"):
        binary(tmp_path, [{"metric": "mine:plain", "min": 0}], weight="w")


def test_the_child_holds_no_secrets(tmp_path, monkeypatch):
    from gates.measure.statistics.function_calls import GuestMetric

    own(tmp_path, HOSTILE)
    made = GuestMetric.__init__

    def handed(self, **keys):
        made(self, **{**keys, "environ": {**os.environ, "MY_TOKEN": "s3cret", "TZ": "UTC"}})

    monkeypatch.setattr(GuestMetric, "__init__", handed)
    _, evidence, _ = binary(tmp_path, [{"metric": "mine:sees", "min": 0}])
    assert evidence.slices[0].computed[0].candidate == 0


def test_what_scikit_learn_calls_zero_with_a_warning_is_undefined(tmp_path):
    frame = pd.DataFrame({"y": [0, 1] * 50})
    side = pd.DataFrame({"prediction": [0] * 100})
    resolved, evidence = measured(tmp_path, "binary", [{"metric": "precision_score", "min": 0.001}], frame, side, side)
    (verdict,) = judge(resolved, evidence).gates
    assert verdict.verdict == "error"
    assert "undefined" in verdict.reason


def test_too_few_rows_of_a_class_are_undecided(tmp_path):
    frame = pd.DataFrame({"y": [1] + [0] * 59})
    side = pd.DataFrame({"score": np.linspace(1, 0, 60)})
    gates = [{"metric": "d2_log_loss_score", "min": 0.1}]
    resolved, evidence = measured(tmp_path, "binary", gates, frame, side.clip(0.01, 0.99), side.clip(0.01, 0.99))
    (verdict,) = judge(resolved, evidence).gates
    assert (verdict.verdict, verdict.code) == ("inconclusive", "too_few_rows")


def test_classes_reach_a_function_by_their_names(tmp_path):
    own(tmp_path, "def share_score(y_true, y_pred): return float((y_true == 'cat').mean())")
    frame = pd.DataFrame({"y": ["cat", "dog", "emu", "cat"] * 20})
    side = pd.DataFrame({"prediction": frame.y[::-1].to_numpy()})
    resolved, evidence = measured(tmp_path, "multiclass", [{"metric": "mine:share_score", "min": 0}], frame, side, side)
    assert judge(resolved, evidence).gates[0].candidate.value == 0.5
