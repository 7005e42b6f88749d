"""Numbers of each row, named with `of`: means, shares and quantiles against numpy's, in every task."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics as sm
from extent import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from test_reference import measured

from gates.documents.evidence import CANDIDATE, CHAMPION, Computed
from gates.documents.slices import OVERALL, Dimension
from gates.errors import GatesError
from gates.judge.judge import judge
from gates.kinds.metric.rule import metric_of

QUANTILES = (0.5, 0.9, 0.95)


def quantile(x, q, w=None):
    """The averaged inverse of the distribution function, also of weighted rows."""
    order = np.argsort(x, kind="stable")
    x, w = x[order], (np.ones(len(x)) if w is None else w[order])
    x, w = x[w > 0], w[w > 0]
    share = w.cumsum() / w.sum()
    low = np.searchsorted(share, q - 1e-12)
    return (x[low] + x[low + (abs(share[low] - q) < 1e-12)]) / 2


def latencies(random, rows=500, users=60):
    base = random.exponential(size=rows) * 100
    frame = pd.DataFrame({"a": base, "b": base * np.exp(random.normal(size=rows) * 0.3) + 5})
    frame["user"] = random.integers(0, users, rows)
    frame["w"] = random.choice([0.25, 1.0, 3.0], rows)
    frame["region"] = random.choice(["n", "s"], rows)
    return frame


def run(folder, frame, gates, task="score", names=("a", "b"), column="score", **keys):
    sides = [frame[[name]].rename(columns={name: column}) for name in names]
    return measured(folder, task, gates, frame[["user", "w", "region"]], *sides, label=None, **keys)


def level(resolved, evidence, who=CANDIDATE, part=None, task="score"):
    part = part or evidence.along(OVERALL)
    return [metric_of(gate.rule, task).level(part, who) for gate in resolved.policy.gates]


@pytest.mark.parametrize("keys", [{}, {"unit": "user"}, {"weight": "w"}, {"unit": "user", "weight": "w"}], ids=str)
def test_values_are_numpys(tmp_path, keys):
    frame = latencies(np.random.default_rng(1))
    gates = [
        {"metric": "mean", "max": 1e9},
        {"metric": "share_above", "above": 100, "max": 0.999},
        *({"metric": "quantile", "q": q, "max": 1e9} for q in QUANTILES),
    ]
    resolved, evidence = run(tmp_path, frame, gates, **keys)
    w = frame.w.to_numpy() if "weight" in keys else None
    for who, x in ((CANDIDATE, frame.a.to_numpy()), (CHAMPION, frame.b.to_numpy())):
        wanted = [np.average(x, weights=w), np.average(x > 100, weights=w), *(quantile(x, q, w) for q in QUANTILES)]
        found = level(resolved, evidence, who)
        assert [one.value for one in found] == pytest.approx(wanted, rel=1e-9)
        assert all(one.bounds(0.95)[0] < one.value < one.bounds(0.95)[1] for one in found)


@given(
    rows=st.lists(st.tuples(st.sampled_from([-3.5, 0.0, 1.0, 2.0, 1e6]), st.sampled_from([0, 1, 2])), min_size=40),
    q=st.sampled_from([0.1, 0.25, 0.5, 0.75]),
    weighted=st.booleans(),
)
@settings(max_examples=examples(20))
def test_a_quantile_of_any_rows_is_the_order_statistic(tmp_path_factory, rows, q, weighted):
    x, w = (np.array(column, float) for column in zip(*rows, strict=True))
    if weighted and not w.any():
        return
    frame = pd.DataFrame({"a": x, "b": x, "user": 1, "w": w, "region": "n"})
    keys = {"weight": "w"} if weighted else {}
    _, evidence = run(tmp_path_factory.mktemp("values"), frame, [{"metric": "quantile", "q": q, "max": 9}], **keys)
    ((found,),) = (part.computed for part in evidence.slices)
    if found.why is None:
        assert found.candidate / 2**Computed.UNIT == pytest.approx(quantile(x, q, w if weighted else None), abs=1e-9)
        assert found.aa == found.bb
        assert found.ab <= found.aa


def test_numpys_own_quantile(tmp_path):
    frame = latencies(np.random.default_rng(2), rows=400)
    gates = [{"metric": "quantile", "q": q, "max": 1e9} for q in QUANTILES]
    resolved, evidence = run(tmp_path, frame, gates)
    wanted = [np.quantile(frame.a, q, method="averaged_inverted_cdf") for q in QUANTILES]
    assert [one.value for one in level(resolved, evidence)] == pytest.approx(wanted, rel=1e-9)


def test_the_error_of_a_paired_quantile_is_that_of_the_bootstrap(tmp_path):
    random = np.random.default_rng(3)
    frame = latencies(random, rows=4000)
    _, evidence = run(tmp_path, frame, [{"metric": "quantile", "q": 0.9, "max": 1e9}])
    found = evidence.slices[0].computed[0]
    drawn = random.integers(0, 4000, (2000, 4000))
    values = [np.quantile(frame[name].to_numpy()[drawn], 0.9, axis=1) for name in "ab"]
    covariance = np.cov(values)
    unit = 2.0 ** (2 * Computed.UNIT)
    # the wider side of Woodruff's interval is taken, so it is never much smaller
    assert 0.85 < np.sqrt(found.aa / unit / covariance[0, 0]) < 1.5
    correlation = found.ab / np.sqrt(float(found.aa) * float(found.bb))
    assert correlation == pytest.approx(covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1]), abs=0.1)


def test_units_that_vary_together_widen_the_error(tmp_path):
    random = np.random.default_rng(4)
    frame = latencies(random, rows=2000, users=100)
    frame["a"] = random.exponential(size=100)[frame.user] * 100 + random.random(2000)
    widths = []
    for place, keys in enumerate(({}, {"unit": "user"})):
        (tmp_path / str(place)).mkdir()
        resolved, evidence = run(tmp_path / str(place), frame, [{"metric": "quantile", "q": 0.5, "max": 1e9}], **keys)
        low, high = level(resolved, evidence)[0].bounds(0.95)
        widths.append(high - low)
    assert widths[1] > 2.5 * widths[0]


@pytest.mark.parametrize("rows", [1, 30])
def test_too_few_rows_for_a_quantile_are_undecided(tmp_path, rows):
    frame = latencies(np.random.default_rng(5), rows=rows)
    resolved, evidence = run(tmp_path, frame, [{"metric": "quantile", "q": 0.95, "max": 1e9}])
    (told,) = judge(resolved, evidence).gates
    assert (told.verdict, told.code) == ("inconclusive", "too_few_rows")
    assert "too few rows" in told.reason


def test_none_of_fifty_rows_is_not_none_at_all(tmp_path):
    frame = latencies(np.random.default_rng(6), rows=50)
    resolved, evidence = run(tmp_path, frame, [{"metric": "share_above", "above": 1e6, "max": 0.01}])
    (told,) = judge(resolved, evidence).gates
    assert told.candidate.value == 0
    assert told.verdict == "inconclusive"


def test_slices_and_groups(tmp_path):
    frame = latencies(np.random.default_rng(7))
    gates = [
        {"metric": "quantile", "q": 0.8, "max": 1e9, "slices": {"max": 1e9}},
        {"metric": "quantile_difference", "q": 0.5, "by": "region", "max": 1e9},
    ]
    resolved, evidence = run(tmp_path, frame, gates, policy={"slices": ["region"]})
    parts = {dict(part.key)["region"]: part for part in evidence.along(Dimension(columns=("region",)))}
    for region, part in parts.items():
        x = frame.a[frame.region == region].to_numpy()
        assert level(resolved, evidence, part=[part])[0].value == pytest.approx(quantile(x, 0.8), rel=1e-9)
    gap = metric_of(resolved.policy.gates[1].rule, "score").level(list(parts.values()), CANDIDATE)
    medians = [quantile(frame.a[frame.region == region].to_numpy(), 0.5) for region in parts]
    assert gap.value == pytest.approx(max(medians) - min(medians), rel=1e-9)


def test_shuffled_rows_give_the_same_evidence(tmp_path):
    frame = latencies(np.random.default_rng(8))
    gates = [{"metric": "quantile", "q": 0.9, "max": 9}, {"metric": "mean", "max": 9}]
    found = []
    for place in range(2):
        (tmp_path / str(place)).mkdir()
        shuffled = frame.sample(frac=1, random_state=place)
        found.append(run(tmp_path / str(place), shuffled, gates, unit="user", weight="w")[1].slices)
    assert found[0] == found[1]


def binary(folder, gates, champion=True, **keys):
    random = np.random.default_rng(9)
    frame = pd.DataFrame({"y": random.integers(0, 2, 300)})
    side = pd.DataFrame({"score": random.random(300), "latency": random.exponential(size=300)})
    other = side if champion else side[["score"]]
    return measured(folder, "binary", gates, frame, side, other, **keys), side


def test_of_works_beside_any_task(tmp_path):
    gates = [{"metric": "mean", "of": "latency", "max": 9, "better": "smaller", "max_worsening": 0.1}]
    (resolved, evidence), side = binary(tmp_path, gates)
    level_, change = judge(resolved, evidence).gates
    assert level_.candidate.value == pytest.approx(side.latency.mean(), rel=1e-9)
    assert (change.verdict, change.better) == ("pass", -1)


def test_a_champion_without_the_column_is_not_compared_and_does_not_hinder(tmp_path):
    gates = [
        {"metric": "mean", "of": "latency", "max": 9, "better": "smaller", "max_worsening": 0.1},
        {"metric": "quantile", "of": "latency", "q": 0.5, "max": 9, "better": "smaller", "max_worsening": 0.1},
        {"metric": "roc_auc", "max_worsening": 0.5},
    ]
    (resolved, evidence), _ = binary(tmp_path, gates, champion=False)
    told = judge(resolved, evidence).gates
    assert [one.verdict for one in told] == ["pass", "error", "pass", "error", "pass"]
    assert "the champion's predictions have no latency" in told[1].reason
    assert "the champion's predictions have no latency" in told[3].reason


def test_a_candidate_without_the_column_is_told(tmp_path):
    with pytest.raises(GatesError, match="the predictions lack latncy, which a gate names with `of`; did you mean lat"):
        binary(tmp_path, [{"metric": "mean", "of": "latncy", "max": 9}])


@pytest.mark.parametrize("value", [np.nan, np.inf, None])
def test_a_value_that_is_no_number_is_told(tmp_path, value):
    frame = latencies(np.random.default_rng(10))
    frame.loc[3, "a"] = value
    with pytest.raises(GatesError, match=r"1 score is not a number \(row 4\)"):
        run(tmp_path, frame, [{"metric": "mean", "max": 9}])


@pytest.mark.parametrize("weight", [None, "w"])
def test_median_absolute_error_is_scikit_learns(tmp_path, weight):
    random = np.random.default_rng(11)
    frame = pd.DataFrame({"y": random.normal(size=600), "w": random.choice([0.5, 1, 2], 600)})
    c = frame.y + random.normal(size=600)
    side = pd.DataFrame({"prediction": c})
    keys = {"weight": weight} if weight else {}
    gates = [{"metric": "median_absolute_error", "max": 9}]
    resolved, evidence = measured(tmp_path, "regression", gates, frame, side, side, **keys)
    wanted = sm.median_absolute_error(frame.y, c, sample_weight=frame[weight] if weight else None)
    assert level(resolved, evidence, task="regression")[0].value == pytest.approx(wanted, abs=1e-9)


NARROW = {  # label, prediction, within: whether it is, of columns of 32 bits as of any
    (0.4, 0.3, 0.1): 1.0,
    (1.1, 1.0, 0.1): 1.0,
    (-0.4, -0.3, 0.1): 1.0,
    (1000.1, 1000.0, 0.1): 1.0,
    (0.4, 0.299, 0.1): 0.0,
}


@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_floats_of_32_bits_are_the_decimals_they_stand_for(tmp_path, kind):
    """As labels, predictions, weights and where slices are cut."""
    for place, ((label, prediction, most), wanted) in enumerate(NARROW.items()):
        (tmp_path / str(place)).mkdir()
        frame = pd.DataFrame({"y": [label] * 30, "w": [0.1, 0.2] * 15, "x": [0.7] * 30}).astype(kind)
        side = pd.DataFrame({"prediction": [prediction] * 30}).astype(kind)
        gates = [{"metric": "share_within", "within": most, "min": 0.01, "slices": {"min": 0.01}}]
        gates += [{"metric": "mae", "max": 9}]
        policy = {"slices": [{"x": [0.7]}]}
        resolved, evidence = measured(tmp_path / str(place), "regression", gates, frame, side, side, policy, weight="w")
        share, mae = (
            metric_of(gate.rule, "regression").level(evidence.slices[:1], CANDIDATE) for gate in resolved.gates
        )
        assert share.value == wanted
        assert mae.value == pytest.approx(abs(label - prediction), abs=1e-13)
        assert [dict(part.key) for part in evidence.slices[1:]] == [{"x": ">= 0.7"}]
