"""What is computed from counts equals leaving rows, or units, out one by one; Obuchowski's variance its definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from extent import examples
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gates.documents.evidence import CANDIDATE, Ranks, RankSums, Slice
from gates.metrics import find
from gates.metrics.confusion import of_candidate, of_champion
from gates.metrics.delong import auc_difference, estimated
from gates.metrics.families.classification import f1, matthews
from gates.stats import jackknife
from gates.stats.jackknife import UNSEEN

EIGHT = st.tuples(*[st.integers(1, 12)] * 8)


def left_out(counts, statistic):
    """The statistic without each row, row by row."""
    found = []
    for place, count in enumerate(counts):
        kept = [*counts[:place], count - 1, *counts[place + 1 :]]
        found += [statistic(*kept)] * count
    return np.array(found)


@pytest.mark.parametrize("statistic", [f1, matthews])
@given(counts=st.tuples(*[st.integers(2, 20)] * 4))
@settings(max_examples=examples(20))
def test_leaving_out_one_row_of_each_cell_is_leaving_out_every_row(statistic, counts):
    n, without = sum(counts), left_out(counts, statistic)
    spread = jackknife.of_rows(counts, statistic)
    assert spread.value == statistic(*counts)
    assert spread.error == pytest.approx(math.sqrt((n - 1) / n * ((without - without.mean()) ** 2).sum()), rel=1e-9)


@given(counts=EIGHT)
@settings(max_examples=examples(20))
def test_correlation_is_that_of_the_values_without_each_row(counts):
    sides = [lambda *cells, of=of: f1(*of(cells)) for of in (of_candidate, of_champion)]
    one, other = (left_out(counts, side) for side in sides)
    assert jackknife.correlation(counts, *sides) == pytest.approx(np.corrcoef(one, other)[0, 1], abs=1e-9)


def test_what_was_never_seen_to_differ_is_not_taken_to_be_the_same():
    sides = [lambda *cells, of=of: f1(*of(cells)) for of in (of_candidate, of_champion)]
    assert 0 < UNSEEN < 1
    assert 0.5 < jackknife.correlation((50, 0, 0, 9, 8, 0, 0, 33), *sides) < 1


@given(rows=st.lists(st.tuples(*[st.integers(0, 2)] * 3), min_size=8, max_size=40))
@settings(max_examples=examples(30))
@pytest.mark.parametrize("name", ["precision_weighted", "f1_weighted"])
def test_multiclass_errors_are_those_of_rows_left_out(name, rows):
    def part(held):
        cells = {row: held.count(row) for row in held}
        return Slice(
            dimension="",
            key=(),
            rows=len(held),
            cells=tuple((*cell, n) for cell, n in sorted(cells.items())),
            weights=(),
            ranks=None,
            moments=(),
            computed=(),
        )

    metric, n = find(name, "multiclass"), len(rows)
    whole = metric.level([part(rows)], CANDIDATE)
    without = [metric.level([part(rows[:place] + rows[place + 1 :])], CANDIDATE).value for place in range(n)]
    assume(whole.value is not None and None not in without and 0 < whole.value < 1)
    left = np.array(without)
    error = math.sqrt((n - 1) / n * ((left - left.mean()) ** 2).sum())
    low, high = (math.log(end / (1 - end)) for end in whole.bounds(0.6))
    half = scipy.stats.t.ppf(0.6, n - 1) * error / (whole.value * (1 - whole.value))
    assume(error > 1e-9)
    assert high - low == pytest.approx(2 * half, rel=1e-6)


def test_obuchowski_equals_its_definition():
    """Every pair of rows compared, and the components summed by unit (Biometrics 1997;53:567)."""
    random = np.random.default_rng(5)
    unit = random.integers(25, size=160)
    y = (random.random(160) < 0.35).astype(int)
    s, t = np.round(random.normal(size=(2, 160)) + y, 1)

    def components(score):
        pairs = np.sign(score[y == 1][:, None] - score[y == 0][None, :]) / 2 + 0.5
        return pairs.mean(), pairs.mean(axis=1), pairs.mean(axis=0)

    (a, a10, a01), (b, b10, b01) = components(s), components(t)
    m, n = (y == 1).sum(), (y == 0).sum()
    own = np.zeros(160)
    own[y == 1] = (a10 - b10 - (a - b)) / m
    own[y == 0] = (a01 - b01 - (a - b)) / n
    sums = np.bincount(unit, weights=own, minlength=25)
    held = [np.bincount(unit, weights=y == label) for label in (0, 1)]
    k = min(one.sum() ** 2 / (one**2).sum() for one in held)  # units of one size that would hold as much of the class
    error = math.sqrt(k / (k - 1) * (sums**2).sum())

    def doubled(one, label):
        held = np.zeros(160)
        held[y == 1], held[y == 0] = 2 * n * one[0], 2 * m * one[1]
        return np.bincount(unit, weights=held * (y == label), minlength=25)

    columns = [np.bincount(unit, weights=y == label, minlength=25) for label in (1, 0)]
    columns += [doubled(one, label) for one in ((a10, a01), (b10, b01)) for label in (1, 0)]
    none = RankSums(rows=0, a=0, b=0, aa=0, bb=0, ab=0)
    buckets = tuple((at, *(round(column[at]) for column in columns)) for at in range(25))
    held = Ranks(
        positives=RankSums(rows=int(m), a=0, b=0, aa=0, bb=0, ab=0),
        negatives=RankSums(rows=int(n), a=0, b=0, aa=none.aa, bb=0, ab=0),
        buckets=buckets,
    )
    assert auc_difference(held).value == pytest.approx(a - b, abs=1e-12)
    found = estimated(held, 1, -1)
    assert found.squared == pytest.approx(error**2, rel=1e-9)
    assert found.freedom == pytest.approx(min(k - 1, 3 * (sums**2).sum() ** 2 / (sums**4).sum()), rel=1e-9)
    low, high = auc_difference(held).bounds(0.95)
    half = scipy.stats.t.ppf(0.95, found.freedom) * error
    assert low <= a - b - half + 1e-9
    assert high >= a - b + half - 1e-9


def test_few_buckets_that_matter_are_few_degrees_of_freedom():
    assert jackknife.freedom([1.0] * 100) == 99
    assert jackknife.freedom([1.0, -1.0, 1.0] + [1e-6] * 197) == pytest.approx(9, rel=1e-3)
    assert jackknife.freedom([0.0] * 10) == 9
    assert jackknife.freedom([5.0]) == 1


def test_positives_of_one_unit_alone_tell_nothing():
    buckets = ((0, 3, 5, 30, 30, 30, 30), *((at, 0, 5, 0, 20, 0, 20) for at in range(1, 30)))
    positives, negatives = (RankSums(rows=n, a=0, b=0, aa=0, bb=0, ab=0) for n in (3, 150))
    held = Ranks(positives=positives, negatives=negatives, buckets=buckets)
    assert auc_difference(held).bounds(0.95) == (-1.0, 1.0)
