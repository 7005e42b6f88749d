"""What a metric's name means: scikit-learn's value, fairlearn's for the gaps; undefined is told, never 0."""

from __future__ import annotations

import math

import fairlearn.metrics as fm
import numpy as np
import pytest
import sklearn.metrics as sm
from extent import examples
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from gates.documents.evidence import CANDIDATE, CHAMPION, Slice
from gates.metrics import ANY_TASK, find, table
from gates.metrics.definition import NO_SCORES
from gates.metrics.delong import estimated
from gates.stats.proportions import exact
from gates.stats.quantity import Quantity

NAN = float("nan")


def balanced(y, c, _s):
    return sm.balanced_accuracy_score(y, c) if len(set(y)) == 2 else NAN


def matthews(y, c, _s):
    return sm.matthews_corrcoef(y, c) if len(set(y)) == len(set(c)) == 2 else NAN


def auc(y, _c, s):
    return sm.roc_auc_score(y, s) if len(set(y)) == 2 else NAN


def precision(label):
    return lambda y, c, _s: sm.precision_score(y, c, pos_label=label, zero_division=np.nan) if c else NAN


def recall(label):
    return lambda y, c, _s: sm.recall_score(y, c, pos_label=label, zero_division=np.nan) if y else NAN


def one_less(function):
    return lambda y, c, s: 1 - function(y, c, s)


PLAIN = {
    "accuracy": lambda y, c, _s: sm.accuracy_score(y, c) if y else NAN,
    "balanced_accuracy": balanced,
    "precision": precision(1),
    "recall": recall(1),
    "specificity": recall(0),
    "f1": lambda y, c, _s: sm.f1_score(y, c, zero_division=np.nan) if y else NAN,
    "false_positive_rate": one_less(recall(0)),
    "false_negative_rate": one_less(recall(1)),
    "false_discovery_rate": one_less(precision(1)),
    "false_omission_rate": one_less(precision(0)),
    "selection_rate": lambda y, c, _s: fm.selection_rate(y, c) if y else NAN,
    "matthews_corrcoef": matthews,
    "roc_auc": auc,
}
SHARES = {*PLAIN} - {"balanced_accuracy", "f1", "matthews_corrcoef", "roc_auc"}
GROUPED = {
    "demographic_parity_difference": fm.demographic_parity_difference,
    "demographic_parity_ratio": fm.demographic_parity_ratio,
    "equal_opportunity_difference": fm.equal_opportunity_difference,
    "equal_opportunity_ratio": fm.equal_opportunity_ratio,
}

BIT = st.integers(0, 1)
SCORE = st.sampled_from([0.0, 0.25, 0.5, 0.500001, 1.0, 1e-12]) | st.floats(0, 1)
ROW = st.tuples(BIT, BIT, BIT, SCORE, SCORE)
ROWS = st.lists(ROW, min_size=1, max_size=40)
ONE_CLASS = st.lists(ROW, max_size=10).map(lambda rows: [(1, *row[1:]) for row in rows])
NONE_CALLED = st.lists(ROW, max_size=10).map(lambda rows: [(row[0], 0, 0, *row[3:]) for row in rows])


def column(rows, index):
    return [row[index] for row in rows]


def same(found, expected):
    """Both undefined, or equal to 1e-9."""
    if math.isnan(expected):
        assert found.value is None
        assert found.why
    else:
        assert found.value == pytest.approx(expected, abs=1e-9)
        assert isinstance(found.value, float)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", PLAIN)
@given(rows=ROWS | ONE_CLASS | NONE_CALLED)
@example(rows=[])
@example(rows=[(1, 1, 1, 0.5, 0.5)])
@example(rows=[(0, 1, 0, 0.5, 0.5), (1, 1, 0, 0.5, 0.5)])
@settings(max_examples=examples(50))
def test_equals_scikit_learn(slice_of, name, rows):
    part, metric = slice_of(rows), find(name, "binary")
    y = column(rows, 0)
    candidate = PLAIN[name](y, column(rows, 1), column(rows, 3))
    champion = PLAIN[name](y, column(rows, 2), column(rows, 4))
    same(metric.level([part], CANDIDATE), candidate)
    same(metric.level([part], CHAMPION), champion)
    same(metric.change([part]), candidate - champion)


def fairlearn_s(name, y, calls, groups):
    """Its value where it has one; it calls 0/0 a rate of 0, which ours does not."""
    if len(set(groups)) < 2:
        return NAN
    if name.startswith("equal") and {group for group, label in zip(groups, y, strict=True) if label} != set(groups):
        return NAN
    return GROUPED[name](y, calls, sensitive_features=groups)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", GROUPED)
@given(rows=st.lists(st.tuples(ROW, st.sampled_from("abc")), min_size=1, max_size=40))
@example(rows=[((1, 0, 0, 0.5, 0.5), "a"), ((1, 0, 0, 0.5, 0.5), "b")])
@example(rows=[((1, 1, 0, 0.5, 0.5), "a")])
@settings(max_examples=examples(40))
def test_equals_fairlearn(slice_of, name, rows):
    groups = [group for _, group in rows]
    parts = [slice_of([row for row, g in rows if g == group], (("g", group),)) for group in sorted(set(groups))]
    y = [row[0] for row, _ in rows]
    for who, index in ((CANDIDATE, 1), (CHAMPION, 2)):
        same(
            find(name, "binary").level(parts, who),
            fairlearn_s(name, y, [row[index] for row, _ in rows], groups),
        )


@pytest.mark.parametrize("name", [name for name in table("binary") if name.startswith(tuple(PLAIN))])
def test_only_an_exact_share_says_of_how_many_rows_it_is(slice_of, name):
    """The share of the worst group is none: it was chosen, so it lies lower than a share of its rows alone."""
    rows = [(i % 3 == 0, i % 4 == 0, i % 5 == 0, i / 60, (i * 7 % 60) / 60) for i in range(60)]
    parts = [slice_of(rows[start::2], (("g", group),)) for start, group in enumerate("ab")]
    metric = find(name, "binary")
    whole = [metric.level([slice_of(rows)], CANDIDATE)] if name in PLAIN else []
    for found in (*whole, metric.level(parts, CANDIDATE), metric.change(parts)):
        if isinstance(found, Quantity) and found.rows is not None:
            for confidence in (0.9, 0.999):
                assert found.bounds(confidence) == pytest.approx(
                    exact(found.value * found.rows, found.rows, confidence)
                )
    assert [one.rows is not None for one in whole] == [name in SHARES] * len(whole)


def delong(y, s, t):
    """AUC's structural components row by row, with numpy's covariance (DeLong 1988, equations 3 to 6)."""
    positives, negatives = ([(a, b) for label, a, b in zip(y, s, t, strict=True) if label == one] for one in (1, 0))

    def psi(x, z):
        return 1.0 if x > z else 0.5 if x == z else 0.0

    v10 = np.array([[np.mean([psi(x[k], z[k]) for z in negatives]) for k in (0, 1)] for x in positives])
    v01 = np.array([[np.mean([psi(x[k], z[k]) for x in positives]) for k in (0, 1)] for z in negatives])
    return v10.mean(axis=0), [(np.cov(v.T) / len(v), len(v)) for v in (v10, v01)]


@given(st.lists(st.tuples(BIT, BIT, BIT, SCORE, SCORE), min_size=4, max_size=30))
def test_delong_equals_its_definition(slice_of, rows):
    y, s, t = column(rows, 0), column(rows, 3), column(rows, 4)
    assume(2 <= sum(y) <= len(y) - 2)
    (a, b), parts = delong(y, s, t)
    metric, part = find("roc_auc", "binary"), slice_of(rows)
    assert metric.level([part], CANDIDATE).value == pytest.approx(a, abs=1e-9)
    assert metric.change([part]).value == pytest.approx(a - b, abs=1e-9)
    for weights in ((1, -1), (1, 0), (0, 1)):
        held = np.array(weights, dtype=float)
        error = sum(max(0.0, float(held @ covariance @ held)) for covariance, _ in parts)
        assert estimated(part.ranks, *weights).squared == pytest.approx(error, abs=1e-12)


@given(st.lists(st.tuples(BIT, BIT, BIT, SCORE, SCORE), min_size=2, max_size=30))
def test_an_auc_is_never_certain(slice_of, rows):
    """Neither a level nor a difference, however well the models separate the rows, or are alike."""
    assume(0 < sum(column(rows, 0)) < len(rows))
    part, k = slice_of(rows), min(sum(column(rows, 0)), len(rows) - sum(column(rows, 0)))
    metric = find("roc_auc", "binary")
    for quantity, width in ((metric.level([part], CANDIDATE), 0.5), (metric.change([part]), 0.5)):
        low, high = quantity.bounds(0.95)
        assert low <= quantity.value <= high
        assert high - low >= width / (k + 1)


LIMITS = {"matthews_corrcoef": (-1, 1)}


@pytest.mark.parametrize("name", PLAIN)
@given(rows=ROWS)
@settings(max_examples=examples(15))
def test_bounds_hold_the_value_stay_in_range_and_widen(slice_of, name, rows):
    part, metric = slice_of(rows), find(name, "binary")
    low_limit, high_limit = LIMITS.get(name, (0, 1))
    quantities = [
        (metric.level([part], CANDIDATE), low_limit, high_limit),
        (metric.change([part]), low_limit - high_limit, high_limit - low_limit),
    ]
    for quantity, least, most in quantities:
        if quantity.value is None:
            continue
        (l80, h80), (l95, h95) = quantity.bounds(0.80), quantity.bounds(0.95)
        assert least <= l95 <= l80
        assert h80 <= h95 <= most
        assert l80 - 1e-12 <= quantity.value <= h80 + 1e-12


@pytest.mark.parametrize("name", GROUPED)
@given(counts=st.lists(st.tuples(*[st.integers(0, 30)] * 4), min_size=2, max_size=4))
@settings(max_examples=examples(40))
def test_bounds_of_gaps_hold_the_value_stay_in_range_and_widen(name, counts):
    labels = ((0, 0), (0, 1), (1, 0), (1, 1))
    parts = [
        Slice(
            dimension="g",
            key=(("g", str(index)),),
            rows=sum(group),
            cells=tuple((*at, -1, n) for at, n in zip(labels, group, strict=True) if n),
            weights=(),
            ranks=None,
            moments=(),
            computed=(),
        )
        for index, group in enumerate(counts)
    ]
    quantity = find(name, "binary").level(parts, CANDIDATE)
    if quantity.value is None:
        assert quantity.why
        return
    (l80, h80), (l95, h95) = quantity.bounds(0.80), quantity.bounds(0.95)
    assert 0 <= l95 <= l80 <= quantity.value + 1e-12
    assert quantity.value - 1e-12 <= h80 <= h95 <= 1
    assert len(quantity.parts) == len(parts)


def made(entry):
    """The metric of a row of the table, with whatever parameters it needs."""
    given = {
        "of": "latency",
        "above": 1.0,
        "per": "rows",
        "q": 0.5,
        "k": 10,
        "alpha": 0.9,
        "within": 1.0,
        "bins": 10,
        "costs": ((0, 1), (5, 0)),
    }
    names = [name for name, default in entry.takes.items() if default is not None and name != "share"]
    return entry.make(tuple(sorted((name, given[name]) for name in names)))


EVERY = [(task, name) for task in ANY_TASK for name in table(task)]


@pytest.mark.parametrize(("task", "name"), EVERY)
def test_nothing_is_undefined(task, name):
    nothing = Slice(dimension="", key=(), rows=0, cells=(), weights=(), ranks=None, moments=(), computed=())
    for parts in ([nothing], [nothing, nothing]):
        quantity = made(table(task)[name]).level(parts, CANDIDATE)
        assert quantity.value is None
        assert quantity.why


def test_without_scores_there_is_no_auc():
    part = Slice(
        dimension="",
        key=(),
        rows=10,
        cells=((0, 0, 0, 5), (1, 1, 1, 5)),
        weights=(),
        ranks=None,
        moments=(),
        computed=(),
    )
    assert find("roc_auc", "binary").level([part], CANDIDATE).why == NO_SCORES
    assert find("roc_auc", "binary").change([part]).why == NO_SCORES


def test_a_group_without_positives_is_too_small_and_named(slice_of):
    parts = [
        slice_of([(1, 1, 1, 0.5, 0.5), (0, 0, 0, 0.5, 0.5)], (("sex", "f"),)),
        slice_of([(0, 1, 1, 0.5, 0.5)] * 2, (("sex", "m"),)),
    ]
    quantity = find("equal_opportunity_difference", "binary").level(parts, CANDIDATE)
    assert quantity.small
    assert quantity.why == "no row is positive in group sex=m (2 rows)"
    assert quantity.parts == (1.0, None)


@pytest.mark.parametrize(("task", "name"), EVERY)
def test_every_metric_says_what_it_is(task, name):
    entry = table(task)[name]
    metric = made(entry)
    assert metric.name.split("[")[0] == entry.name == name
    assert metric.doc == entry.doc
    assert metric.doc.endswith(".")
    assert metric.better == entry.better in (-1, 0, 1)
