"""Gaps between groups, measured from files: fairlearn's values, levels and changes of them."""

from __future__ import annotations

from itertools import product

import fairlearn.metrics as fm
import numpy as np
import pandas as pd
import pytest
import sklearn.metrics as sm
from extent import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from test_reference import ece, measured

from gates.documents.evidence import CANDIDATE, CHAMPION
from gates.documents.slices import Dimension
from gates.judge.judge import judge
from gates.kinds.metric.rule import metric_of

BY = Dimension(columns=("sex",))


def reversed_(function):
    return lambda y, c: function(1 - y, 1 - c, zero_division=np.nan)


def undefined_as_nan(function):
    return lambda y, c: function(y, c, zero_division=np.nan)


CELLS = {
    "accuracy": sm.accuracy_score,
    "precision": undefined_as_nan(sm.precision_score),
    "recall": undefined_as_nan(sm.recall_score),
    "specificity": reversed_(sm.recall_score),
    "f1": undefined_as_nan(sm.f1_score),
    "false_positive_rate": lambda y, c: 1 - reversed_(sm.recall_score)(y, c),
    "false_negative_rate": lambda y, c: 1 - undefined_as_nan(sm.recall_score)(y, c),
    "false_discovery_rate": lambda y, c: 1 - undefined_as_nan(sm.precision_score)(y, c),
    "false_omission_rate": lambda y, c: 1 - reversed_(sm.precision_score)(y, c),
    "selection_rate": fm.selection_rate,
    "balanced_accuracy": lambda y, c: sm.balanced_accuracy_score(y, c) if len(set(y)) == 2 else np.nan,
    "matthews_corrcoef": lambda y, c: sm.matthews_corrcoef(y, c) if len(set(y)) == len(set(c)) == 2 else np.nan,
}
KINDS = ("difference", "ratio", "group_min", "group_max")
ODDS = {
    "demographic_parity_difference": fm.demographic_parity_difference,
    "demographic_parity_ratio": fm.demographic_parity_ratio,
    "equal_opportunity_difference": fm.equal_opportunity_difference,
    "equal_opportunity_ratio": fm.equal_opportunity_ratio,
    "equalized_odds_difference": fm.equalized_odds_difference,
    "equalized_odds_ratio": fm.equalized_odds_ratio,
}
PARITY = {
    "predictive_parity_difference": ("precision", "difference"),
    "predictive_parity_ratio": ("precision", "ratio"),
}


def fairlearns(names, y, c, groups):
    """Every gap of metrics by ``MetricFrame``, which leaves a group without a value out; ours says that it has none."""
    frame = fm.MetricFrame(metrics={name: CELLS[name] for name in names}, y_true=y, y_pred=c, sensitive_features=groups)
    gaps = {kind: getattr(frame, kind)() for kind in KINDS}
    found = {}
    for name in names:
        lacking, most, least = frame.by_group[name].isna().any(), gaps["group_max"][name], gaps["group_min"][name]
        for kind in KINDS:
            none = lacking or (kind == "ratio" and not most > 0 <= least)
            found[name, kind] = None if none else float(gaps[kind][name])
    return found


ROW = st.tuples(st.integers(0, 1), st.integers(0, 1), st.integers(0, 1), st.sampled_from("fmx"))


@pytest.mark.filterwarnings("ignore")
@given(rows=st.lists(ROW, min_size=4, max_size=60))
@settings(max_examples=examples(25))
def test_every_gap_of_a_cell_metric_is_that_of_a_metric_frame(slice_of, rows):
    y, c, b, groups = (np.array(column) for column in zip(*rows, strict=True))
    parts = [
        slice_of([(*row[:3], 0.5, 0.5) for row in rows if row[3] == group], (("sex", str(group)),))
        for group in sorted(set(groups))
    ]
    from gates.metrics import find

    for who, calls in ((CANDIDATE, c), (CHAMPION, b)):
        gaps = fairlearns(CELLS, y, calls, groups) if len(parts) > 1 else dict.fromkeys(product(CELLS, KINDS))
        for (name, kind), wanted in gaps.items():
            metric = find(f"{name}_{kind}", "binary")
            found = metric.level(parts, who).value
            assert found == (wanted if wanted is None else pytest.approx(wanted, abs=1e-9)), (metric.name, who)


def people(random, rows=3000, groups="fm", shift=0.0):
    frame = pd.DataFrame({"sex": random.choice(list(groups), rows), "y": random.integers(0, 2, rows)})
    base = frame.y * 0.3 + random.random(rows) * 0.7
    frame["s"] = (base - shift * (frame.sex == "f")).clip(0.001, 0.999).round(4)
    frame["t"] = (frame.y * 0.25 + random.random(rows) * 0.7).clip(0.001, 0.999).round(4)
    frame["user"], frame["w"] = random.integers(0, 400, rows), random.choice([0.5, 1.0, 2.0], rows)
    return frame


def run(folder, frame, gates, **keys):
    sides = [frame[[name]].rename(columns={name: "score"}) for name in "st"]
    return measured(folder, "binary", gates, frame[["y", "sex", "user", "w"]], *sides, **keys)


def test_named_gaps_equal_fairlearns_from_files(tmp_path):
    frame = people(np.random.default_rng(1), groups="fmx", shift=0.1)
    gates = [{"metric": name, "by": "sex", "max": 0.999} for name in (*ODDS, *PARITY)]
    resolved, evidence = run(tmp_path, frame, gates)
    parts = evidence.along(BY)
    for gate in resolved.policy.gates:
        metric, name = metric_of(gate.rule, "binary"), gate.rule.metric
        values = []
        for who, score in ((CANDIDATE, frame.s), (CHAMPION, frame.t)):
            c = (score >= 0.5).astype(int)
            if name in ODDS:
                wanted = ODDS[name](frame.y, c, sensitive_features=frame.sex)
            else:
                metric_name, kind = PARITY[name]
                wanted = fairlearns([metric_name], frame.y, c, frame.sex)[metric_name, kind]
            values.append(wanted)
            assert metric.level(parts, who).value == pytest.approx(wanted, abs=1e-9), name
        assert metric.change(parts).value == pytest.approx(values[0] - values[1], abs=1e-9), name


def test_calibration_within_groups(tmp_path):
    frame = people(np.random.default_rng(2), shift=0.2)
    gates = [
        {"metric": "expected_calibration_error_group_max", "bins": 10, "by": "sex", "max": 0.999},
        {"metric": "calibration_gap_difference", "by": "sex", "max": 0.999},
        {"metric": "calibration_gap_group_min", "by": "sex", "max": 0.999},
    ]
    resolved, evidence = run(tmp_path, frame, gates)
    by = [part for _, part in frame.groupby("sex")]
    gaps = [part.s.mean() - part.y.mean() for part in by]
    errors = [ece(part.y.to_numpy(), part.s.to_numpy(), 10) for part in by]
    found = [metric_of(g.rule, "binary").level(evidence.along(BY), CANDIDATE).value for g in resolved.policy.gates]
    assert found == pytest.approx([max(errors), max(gaps) - min(gaps), min(gaps)], abs=1e-9)


@pytest.mark.parametrize("keys", [{}, {"unit": "user"}, {"weight": "w"}], ids=str)
@pytest.mark.parametrize(
    ("shift", "verdict"), [(0.0, "pass"), (0.25, "fail")], ids=["as fair as the champion", "less fair"]
)
def test_a_gap_may_not_become_worse_than_the_champions(tmp_path, shift, verdict, keys):
    frame = people(np.random.default_rng(3), rows=6000, shift=shift)
    gates = [
        {"metric": name, "by": "sex", "max_worsening": 0.1}
        for name in ("demographic_parity_difference", "equalized_odds_difference", "demographic_parity_ratio")
    ]
    resolved, evidence = run(tmp_path, frame, gates, **keys)
    told = judge(resolved, evidence).gates
    assert [one.verdict for one in told] == [verdict] * 3
    assert all(one.difference.low < one.difference.value < one.difference.high for one in told)


def test_the_error_of_a_change_is_that_of_the_bootstrap(tmp_path):
    random = np.random.default_rng(4)
    frame = people(random, rows=2000, shift=0.15)
    frame["t"] = (frame.s + random.normal(size=2000) * 0.05).clip(0.001, 0.999)
    resolved, evidence = run(
        tmp_path, frame, [{"metric": "selection_rate_difference", "by": "sex", "max_worsening": 0.9}]
    )
    low, high = metric_of(resolved.policy.gates[0].rule, "binary").change(evidence.along(BY)).bounds(0.95)
    calls = np.stack([frame.s >= 0.5, frame.t >= 0.5])
    women = (frame.sex == "f").to_numpy()
    drawn = []
    for _ in range(1000):
        at = random.integers(0, 2000, 2000)
        gaps = abs(calls[:, at][:, women[at]].mean(axis=1) - calls[:, at][:, ~women[at]].mean(axis=1))
        drawn.append(gaps[0] - gaps[1])
    assert (high - low) / 2 == pytest.approx(1.645 * np.std(drawn), rel=0.15)
