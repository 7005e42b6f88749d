"""Few rows, or few of those that matter, are never certainty: through measuring and judging, for every metric."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from extent import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_reference import measured

from gates.documents.decision import Verdict
from gates.documents.evidence import CANDIDATE
from gates.documents.slices import OVERALL
from gates.errors import GatesError
from gates.judge.judge import judge
from gates.kinds.metric.rule import metric_of

pytestmark = pytest.mark.usefixtures("forked_children")


def decided(folder, task, gates, frame, candidate, champion=None, **keys):
    """Verdicts by (gate, rule, slice) of predictions beside a holdout."""
    policy = {name: keys.pop(name) for name in ("slices", "min_rows") if name in keys}
    resolved, evidence = measured(
        folder, task, gates, frame, candidate, candidate if champion is None else champion, policy, **keys
    )
    decision = judge(resolved, evidence)
    return {(one.id, one.rule, one.where): one for one in decision.gates}, resolved, evidence


def separated(rows=60, positives=1):
    """The positives are scored highest."""
    y = (np.arange(rows) < positives).astype(int)
    scores = np.where(y == 1, 0.9 - np.arange(rows) * 0.001, np.linspace(0.4, 0.1, rows))
    return pd.DataFrame({"y": y}), pd.DataFrame({"score": scores})


RANKED = [
    {"metric": "average_precision", "min": 0.5},
    {"metric": "ks_statistic", "min": 0.5},
    {"metric": "recall_at", "share": 0.2, "min": 0.5},
    {"metric": "lift_at", "share": 0.2, "min": 3},
    {"metric": "matthews_corrcoef", "min": 0.5},
    {"metric": "roc_auc", "min": 0.5},
    {"metric": "recall", "min": 0.5},
    {"metric": "f1", "min": 0.5},
    {"metric": "balanced_accuracy", "min": 0.7},
    {"metric": "jaccard_score", "min": 0.5},
    {"metric": "brier_score", "max": 0.1},
    {"metric": "log_loss", "max": 2},
    {"metric": "expected_calibration_error", "max": 0.3},
    {"metric": "calibration_gap", "max": 0.3},
]


def test_one_positive_decides_nothing_that_rests_on_it(tmp_path):
    found, *_ = decided(tmp_path, "binary", RANKED, *separated())
    assert {key[0] for key, one in found.items() if one.verdict is not Verdict.INCONCLUSIVE} == set()


def test_enough_positives_decide(tmp_path):
    found, *_ = decided(tmp_path, "binary", RANKED, *separated(600, 60))
    assert {key[0] for key, one in found.items() if one.verdict is not Verdict.PASS} == set()


LOSSES = [
    {"metric": "log_loss", "max": 2},
    {"metric": "brier_score", "max": 0.1},
    {"metric": "calibration_gap", "max": 0.3},
]


@pytest.mark.parametrize(("positives", "verdict"), [(7, Verdict.INCONCLUSIVE), (30, Verdict.PASS)])
def test_losses_rest_on_the_rarer_class(tmp_path, positives, verdict):
    """Of few positives that are all scored well none was the bad one."""
    found, *_ = decided(tmp_path, "binary", LOSSES, *separated(20 * positives, positives))
    assert {one.verdict for one in found.values()} == {verdict}, [one.reason for one in found.values()]


@pytest.mark.parametrize("rows", [30, 50, 200])
def test_squared_errors_are_bounded_as_a_variance_is(tmp_path, rows):
    """Normal errors' mean square is a chi-square, whose upper bound lies further away than one that is even on the
    logarithm's scale."""
    errors = scipy.stats.norm.ppf((np.arange(rows) + 0.5) / rows)
    exact = float((errors**2).sum() / scipy.stats.chi2.ppf(0.05, rows))
    gates = [{"metric": "mse", "max": exact}, {"metric": "rmse", "max": math.sqrt(exact)}]
    y = np.zeros(rows)
    found, *_ = decided(tmp_path, "regression", gates, pd.DataFrame({"y": y}), pd.DataFrame({"prediction": y + errors}))
    assert {one.verdict for one in found.values()} == {Verdict.INCONCLUSIVE}
    assert found["rmse", "max", ""].candidate.high == pytest.approx(math.sqrt(found["mse", "max", ""].candidate.high))


OWN = "def share_right(y_true, y_pred):\n    return float((y_true == y_pred).mean())\n"


@pytest.mark.parametrize(("rows", "verdict"), [(6, Verdict.INCONCLUSIVE), (600, Verdict.PASS)])
def test_six_rows_all_right_are_not_certain(tmp_path, rows, verdict):
    (tmp_path / "own.py").write_text(OWN)
    gates = [
        {"metric": "fbeta_score", "arguments": {"beta": 2}, "min": 0.95},
        {"metric": "recall_score", "arguments": {"average": "macro"}, "min": 0.95},
        {"metric": "cohen_kappa_score", "min": 0.95},
        {"metric": "own:share_right", "better": "larger", "min": 0.95},
        {"metric": "f1_score", "min": 0.95},
    ]
    y = np.arange(rows) % 2
    found, *_ = decided(tmp_path, "binary", gates, pd.DataFrame({"y": y}), pd.DataFrame({"prediction": y}))
    assert {one.verdict for one in found.values()} == {verdict}, [one.reason for one in found.values()]
    for one in found.values():
        assert one.candidate is None or one.candidate.low < one.candidate.value


def test_a_class_of_one_row_is_a_third_of_a_mean_over_three(tmp_path):
    y = np.array(["a"] * 50 + ["b"] * 39 + ["c"])
    gates = [{"metric": name, "min": 0.95} for name in ("recall_macro", "f1_macro", "precision_macro", "cohen_kappa")]
    gates += [{"metric": "balanced_accuracy", "min": 0.95}, {"metric": "accuracy", "min": 0.95}]
    found, *_ = decided(tmp_path, "multiclass", gates, pd.DataFrame({"y": y}), pd.DataFrame({"prediction": y}))
    told = {key[0]: one for key, one in found.items()}
    assert told.pop("accuracy").verdict is Verdict.PASS
    assert {one.verdict for one in told.values()} == {Verdict.INCONCLUSIVE}
    assert told["recall_macro"].candidate.low < 0.7


def test_two_models_that_separate_two_positives_are_not_the_same(tmp_path):
    frame, candidate = separated(40, 2)
    champion = pd.DataFrame({"score": np.where(frame.y == 1, 0.95, 0.01 * (np.arange(40) % 7))})
    gates = [{"metric": name, "max_worsening": 0.01} for name in ("roc_auc", "average_precision", "ks_statistic")]
    found, *_ = decided(tmp_path, "binary", gates, frame, candidate, champion)
    assert {one.verdict for one in found.values()} == {Verdict.INCONCLUSIVE}
    assert found["roc_auc", "max_worsening", ""].difference.low < -0.1


def test_the_same_predictions_are_not_proof_of_the_same_model(tmp_path):
    """Of 400 rows none differs: as many may as that tells, and no more."""
    random = np.random.default_rng(4)
    y = (random.random(400) < 0.4).astype(int)
    score = pd.DataFrame({"score": (0.3 * y + 0.7 * random.random(400)).round(3)})
    names = ("roc_auc", "average_precision", "log_loss", "brier_score", "calibration_gap", "ks_statistic", "accuracy")
    gates = [{"metric": name, "better": "smaller", "max_worsening": 0.05} if name == "calibration_gap"
             else {"metric": name, "max_worsening": 0.05} for name in names]  # fmt: skip
    found, *_ = decided(tmp_path, "binary", gates, pd.DataFrame({"y": y}), score)
    for one in found.values():
        assert one.verdict is Verdict.PASS, one.reason
        assert one.difference.low < one.difference.value == 0 < one.difference.high


EVERYWHERE = {
    "regression": (
        [
            *({"metric": name} for name in ("mae", "mse", "rmse", "mape", "bias", "r2", "median_absolute_error")),
            {"metric": "share_within", "within": 1.0},
            {"metric": "pinball_loss", "alpha": 0.9},
            {"metric": "mean", "of": "latency"},
            {"metric": "quantile", "of": "latency", "q": 0.5},
            {"metric": "mean_squared_log_error"},
        ],
        lambda y: pd.DataFrame({"prediction": y + 0.25, "latency": np.full(len(y), 0.1)}),
    ),
    "binary": (
        [
            *({"metric": name} for name in ("log_loss", "brier_score", "calibration_gap", "accuracy", "recall", "f1")),
            *({"metric": name} for name in ("roc_auc", "average_precision", "ks_statistic", "matthews_corrcoef")),
            {"metric": "lift_at", "share": 0.5},
            {"metric": "cost", "costs": [[0, 1], [5, 0]]},
            {"metric": "jaccard_score"},
        ],
        lambda y: pd.DataFrame({"score": np.where(y > 0, 0.9, 0.1)}),
    ),
}


@pytest.mark.parametrize("task", EVERYWHERE)
@pytest.mark.parametrize("by", ["slices", "group_max", "difference"])
def test_a_slice_or_group_of_one_row_stops_nothing(tmp_path, task, by):
    """It is inconclusive: neither an error, nor a pass at a limit that its one row keeps."""
    gates, predict = EVERYWHERE[task]
    random = np.random.default_rng(1)
    y = random.normal(10, 3, size=101).round(2) if task == "regression" else (random.random(101) < 0.4).astype(int)
    frame = pd.DataFrame({"y": y, "seg": ["solo", *["xz"[place % 2] for place in range(100)]]})
    if by == "slices":
        written = [one | {"max": 0.9, "slices": {"max": 0.9}} for one in gates]
    else:
        children = ("jaccard_score", "mean_squared_log_error")
        ours = [one for one in gates if one["metric"] not in children]
        written = [one | {"metric": f"{one['metric']}_{by}", "by": "seg", "max": 0.9} for one in ours]
    keys = {"slices": ["seg"]} if by == "slices" else {}
    found, *_ = decided(tmp_path, task, written, frame, predict(y), **keys)
    alone = [one for (_, _, where), one in found.items() if where == "seg=solo" or by != "slices"]
    assert alone
    assert not [one.reason for one in found.values() if one.verdict is Verdict.ERROR]
    assert not [one.reason for one in alone if one.verdict is Verdict.PASS]


@pytest.mark.parametrize(("name", "label", "call"), [("mae", 3.3, 2.9), ("mse", 0.1, 0.3), ("rmse", 9.99, 9.9)])
def test_rows_that_are_all_alike_are_told_nothing_of(tmp_path, name, label, call):
    """Their variance is zero but for rounding, which makes neither an error nor certainty."""
    y = np.full(100, label)
    found, *_ = decided(
        tmp_path,
        "regression",
        [{"metric": name, "max": 1.0}],
        pd.DataFrame({"y": y}),
        pd.DataFrame({"prediction": np.full(100, call)}),
    )
    assert found[name, "max", ""].verdict is Verdict.INCONCLUSIVE
    assert "too little" in found[name, "max", ""].reason


@pytest.mark.parametrize("label", [5.0, 0.1, 9.99, 1e9 + 0.1, -3.3])
def test_r2_of_one_label_is_undefined_whatever_its_bits(tmp_path, label):
    y = np.concatenate([np.random.default_rng(2).normal(size=60), np.full(60, label)])
    frame = pd.DataFrame({"y": y, "seg": ["a"] * 60 + ["b"] * 60})
    gates = [{"metric": "r2", "min": -9, "slices": {"min": -9}}, {"metric": "r2_score", "min": -9}]
    found, *_ = decided(tmp_path, "regression", gates, frame, pd.DataFrame({"prediction": y + 0.3}), slices=["seg"])
    constant = found["r2", "min", "seg=b"]
    assert constant.verdict is Verdict.INCONCLUSIVE
    assert "all labels are the same" in constant.reason
    assert found["r2_score", "min", ""].candidate == found["r2", "min", ""].candidate


def test_zero_weights_are_no_rows(tmp_path):
    """In one slice all positives weigh nothing, in another all rows do."""
    random = np.random.default_rng(3)
    y, seg = (random.random(300) < 0.4).astype(int), np.array(["a", "b", "c"])[np.arange(300) % 3]
    weight = np.where(((seg == "a") & (y == 1)) | (seg == "c"), 0.0, 1.0)
    frame = pd.DataFrame({"y": y, "seg": seg, "w": weight})
    names = (
        "roc_auc",
        "recall",
        "accuracy",
        "f1",
        "log_loss",
        "average_precision",
        "balanced_accuracy",
        "ks_statistic",
    )
    gates = [{"metric": name, "min": 0.001, "slices": {"min": 0.001}} for name in names]
    gates.append({"metric": "quantile", "of": "latency", "q": 0.5, "max": 9.0, "slices": {"max": 9.0}})
    score = pd.DataFrame({"score": random.random(300), "latency": random.random(300)})
    found, *_ = decided(tmp_path, "binary", gates, frame, score, weight="w", slices=["seg"])
    assert {one.verdict for (_, _, where), one in found.items() if not where} == {Verdict.PASS}
    weightless = [one for (_, _, where), one in found.items() if where == "seg=c"]
    assert len(weightless) == len(gates)
    assert {one.verdict for one in weightless} == {Verdict.INCONCLUSIVE}
    for name in ("roc_auc", "recall", "average_precision", "ks_statistic", "balanced_accuracy"):
        assert "undefined" in found[name, "min", "seg=a"].reason


def test_zero_weights_do_not_stop_a_search(tmp_path):
    random = np.random.default_rng(3)
    y, seg = (random.random(900) < 0.4).astype(int), np.array(["a", "b", "c"])[np.arange(900) % 3]
    frame = pd.DataFrame({"y": y, "seg": seg, "w": np.where((seg == "a") & (y == 1), 0.0, 1.0)})
    gates = [{"metric": "roc_auc", "min": 0.1, "slices": {"min": 0.1}}]
    found, *_ = decided(
        tmp_path, "binary", gates, frame, pd.DataFrame({"score": random.random(900)}), weight="w", slices="auto"
    )
    assert {one.verdict for one in found.values()} == {Verdict.PASS}


WEIGHED = {  # weights of the two kinds of rows -> what they are to each other
    (1.0, 1.9): 1.9,
    (1.0e-9, 1.9e-9): 1.9,  # case 39: were cut to whole 2^-30
    (1e-10, 1.9e-10): 1.9,
    (1e300, 1.9e300): 1.9,
    (1e-310, 1.9e-310): 1.9,
    (1e12, 1.0): 1e-12,
    (3.0, 0.0): 0.0,
}


@pytest.mark.parametrize("weights", WEIGHED, ids=str)
def test_weights_count_by_what_they_are_to_each_other(tmp_path, weights):
    one, other = weights
    frame = pd.DataFrame({"y": [0, 1] * 50, "w": [one, other] * 50})
    gates = [{"metric": name, "min": 0.001} for name in ("selection_rate", "roc_auc")]
    found, *_ = decided(tmp_path, "binary", gates, frame, pd.DataFrame({"score": [0.2, 0.9] * 50}), weight="w")
    ratio = WEIGHED[weights]
    assert found["selection_rate", "min", ""].candidate.value == pytest.approx(ratio / (1 + ratio), rel=1e-9, abs=1e-13)


@pytest.mark.parametrize("small", [1e-14, 1e-30, 5e-324])
def test_a_weight_that_would_be_rounded_to_nothing_is_refused(tmp_path, small):
    """Of 40 rows a weight is kept to 2^-46 of the largest."""
    frame = pd.DataFrame({"y": [0, 1] * 20, "w": [1.0, small] * 20})
    gates, scores = [{"metric": "accuracy", "min": 0.1}], pd.DataFrame({"score": [0.5] * 40})
    with pytest.raises(GatesError, match=rf"w holds the weights {small:.6g} and 1; .* at least 2\^-46 of the largest"):
        decided(tmp_path, "binary", gates, frame, scores, weight="w")


@pytest.mark.parametrize("wrong", [-1.0, math.nan, math.inf])
def test_what_is_no_weight_is_refused(tmp_path, wrong):
    frame = pd.DataFrame({"y": [0, 1] * 20, "w": [1.0] * 39 + [wrong]})
    gates, scores = [{"metric": "accuracy", "min": 0.1}], pd.DataFrame({"score": [0.5] * 40})
    with pytest.raises(GatesError, match="1 row has a w that is not a number of 0 or more"):
        decided(tmp_path, "binary", gates, frame, scores, weight="w")


def test_scores_of_zero_are_no_perfect_row():
    """Whatever is refused before it: the loss of a class without a score is the largest there is."""
    from gates.metrics.expressions import ModelColumns
    from gates.metrics.families.multiclass import QUANTITIES

    duckdb = pytest.importorskip("duckdb")
    model = ModelColumns(prefix="m_", label="y", call="c", score="s", scores=("s_0", "s_1"))
    (staged,) = QUANTITIES["multiclass_log_loss"].models(model, ())
    source = "(SELECT 0 AS y, CAST(0 AS DOUBLE) AS s_0, CAST(0 AS DOUBLE) AS s_1)"
    for step in staged.steps:
        made = ", ".join(f"{sql} AS {name}" for name, sql in step.items())
        source = f"(SELECT *, {made} FROM {source})"  # noqa: S608 -- nobody's input
    ((loss,),) = duckdb.sql(f"SELECT {staged.expression} FROM {source}").fetchall()  # noqa: S608 -- the same
    assert loss == pytest.approx(-math.log(2.0**-52))


@pytest.mark.parametrize(("rows", "verdict"), [(8, Verdict.INCONCLUSIVE), (400, Verdict.PASS)])
def test_a_quantile_of_equal_rows_needs_rows(tmp_path, rows, verdict):
    y = np.random.default_rng(1).normal(size=rows)
    columns = pd.DataFrame({"prediction": y, "latency": np.ones(rows)})
    gates = [{"metric": "quantile", "of": "latency", "q": 0.5, "max": 1}]
    found, *_ = decided(tmp_path, "regression", gates, pd.DataFrame({"y": y}), columns)
    assert [one.verdict for one in found.values()] == [verdict]


GATES = [
    *({"metric": name, "min": 0.01} for name in ("accuracy", "precision", "recall", "f1", "balanced_accuracy")),
    *({"metric": name, "min": 0.01} for name in ("matthews_corrcoef", "roc_auc", "average_precision", "ks_statistic")),
    *({"metric": name, "min": 0.01} for name in ("log_loss", "brier_score", "calibration_gap", "calibration_slope")),
    {"metric": "expected_calibration_error", "min": 0.01},
    {"metric": "precision_at", "share": 0.5, "min": 0.01},
    {"metric": "recall_at", "k": 1, "min": 0.01},
    {"metric": "lift_at", "k": 1, "min": 0.01},
    {"metric": "cost", "costs": [[0, 1], [5, -2]], "min": 0.01},
]
ROW = st.tuples(st.integers(0, 1), st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]), st.sampled_from([0.0, 0.3, 0.5, 1.0]))


@given(
    rows=st.lists(ROW, min_size=2, max_size=12).filter(lambda rows: len({y for y, *_ in rows}) == 2), unit=st.booleans()
)
@settings(max_examples=examples(25), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_holdout_of_a_few_rows_is_judged(tmp_path_factory, rows, unit):
    """No crash, no error that a number is none, no certainty."""
    y, s, t = zip(*rows, strict=True)
    frame = pd.DataFrame({"y": y, "unit": np.arange(len(y)) // 2})
    keys = {"unit": "unit"} if unit else {}
    found, resolved, evidence = decided(
        tmp_path_factory.mktemp("few"),
        "binary",
        [one | {"max_worsening": 0.5} if one["metric"] != "calibration_gap" and one["metric"] != "calibration_slope"
         else one for one in GATES],
        frame,
        pd.DataFrame({"score": s}),
        pd.DataFrame({"score": t}),
        **keys,
    )  # fmt: skip
    for one in found.values():
        assert one.code != "not_finite", one.reason
        if one.verdict is Verdict.ERROR:
            assert "undefined" in one.reason
    for gate in resolved.policy.gates:
        metric = metric_of(gate.rule, "binary")
        for quantity in (metric.level(evidence.along(OVERALL), CANDIDATE), metric.change(evidence.along(OVERALL))):
            if quantity.value is not None:
                low, high = quantity.bounds(0.95)
                assert low <= quantity.value <= high
                assert high - low > 0.01, metric.name
                assert quantity.limits[0] <= low
                assert high <= quantity.limits[1]
