"""Confusion matrices that scores imply: known values, which scores are strange, and how often the bounds hold."""

from __future__ import annotations

import random
from collections import Counter
from math import exp, sqrt
from typing import Any

import pytest

from gates.stats import jackknife
from gates.stats.expected_cells import CalibratedBin, calibrated, expected, unseen

BINS = (
    CalibratedBin(low=0, high=4, negatives=90, positives=10, uncalled=50, called=0),
    CalibratedBin(low=5, high=9, negatives=40, positives=60, uncalled=10, called=40),
)


def share_right(cells: Any) -> float | None:
    tn, fp, fn, tp = cells
    return (tn + tp) / (tn + fp + fn + tp)


def test_the_estimate_by_hand() -> None:
    """45 of 50 and 4 of 10 uncalled, 24 of 40 called: 73 of 100 are expected to be right.

    Of the reference a row in the first bin moves it by 50/100 of its share's change, one in the second by 30/100, less
    the uncalled: the variance is (0.5)^2 x 0.09/100 + (0.3)^2 x 0.24/100, of the live rows that of values 0.9, 0.4 and
    0.6 at 50, 10 and 40 rows: (0.5 x 0.81 + 0.1 x 0.16 + 0.4 x 0.36 - 0.73^2) / 100.
    """
    assert [round(cell, 9) for cell in BINS[1].cells] == [4, 16, 6, 24]
    spread = expected(BINS, share_right)
    assert spread is not None
    assert spread.value == pytest.approx(0.73)
    reference = 0.25 * 0.09 / 100 + 0.09 * 0.24 / 100
    live = (0.405 + 0.016 + 0.144 - 0.5329) / 100
    assert spread.error == pytest.approx(sqrt(reference + live), rel=0.02), "the jackknife's are of n - 1"


def test_neighbours_are_merged_until_there_are_rows_enough() -> None:
    reference = [(1, 60, 20), (2, 10, 10), (4, 30, 70), (7, 1, 98), (9, 0, 60), (11, 0, 50)]
    bins = calibrated(reference, [(0, 0, 5), (3, 1, 7), (4, 0, 1), (8, 1, 2), (40, 1, 3)])
    told = [(one.low, one.high, one.negatives, one.positives, one.uncalled, one.called) for one in bins]
    assert told == [(1, 2, 70, 30, 5, 0), (4, 4, 30, 70, 1, 7), (7, 11, 1, 208, 0, 5)]
    assert calibrated([(1, 50, 49)], [(1, 0, 5)]) == ()
    assert calibrated([], [(1, 0, 5)]) == ()


def test_a_few_rows_beyond_are_chance_and_many_are_not() -> None:
    known = [(1, 9000, 0), (2, 50, 50)]
    for live, strange in (((98, 2), False), ((990, 150), True), ((8, 1), False), ((900, 90), False)):
        bins = calibrated(known, [(1, 0, live[0]), (2, 1, live[1])])
        assert (unseen(bins, 0.95) is not None) is strange, live


def test_a_label_that_no_row_had_is_not_impossible() -> None:
    pure = (
        CalibratedBin(low=0, high=4, negatives=100, positives=0, uncalled=50, called=0),
        CalibratedBin(low=5, high=9, negatives=0, positives=100, uncalled=0, called=50),
    )
    spread = expected(pure, share_right)
    assert spread is not None
    assert spread.value == 1
    assert 0.001 < spread.error < 0.01
    assert expected(pure[:1], METRICS["precision"]) is None, "nothing is called"


def simulated(draw: random.Random, mean: float, n: int, other: float = 0.0) -> list[tuple[int, int, bool]]:
    """(bin of the score, the call, the label) of rows whose score is the chance of a label, of which some are then the
    other one."""
    rows = []
    for _ in range(n):
        score = 1 / (1 + exp(-draw.gauss(mean, 1.2)))
        label = (draw.random() < score) != (draw.random() < other)
        rows.append((int(score * 200), int(score >= 0.5), label))
    return rows


METRICS: dict[str, Any] = {
    "accuracy": share_right,
    "recall": lambda cells: cells[3] / (cells[2] + cells[3]),
    "precision": lambda cells: cells[3] / (cells[1] + cells[3]) if cells[1] + cells[3] else None,
}


def covered(shift: float, other: float, times: int) -> dict[str, float]:
    """How often 95 % bounds of each metric contain its value among rows that have moved."""
    draw = random.Random(20261130)  # noqa: S311 -- not a secret
    many = Counter((label, call) for _, call, label in simulated(draw, -1 + shift, 200_000, other))
    cells = [many[key] for key in ((False, 0), (False, 1), (True, 0), (True, 1))]
    hits = dict.fromkeys(METRICS, 0)
    for _ in range(times):
        then = Counter((at, label) for at, _, label in simulated(draw, -1, 2000))
        reference = [(at, then[at, False], then[at, True]) for at in sorted({at for at, _ in then})]
        live = Counter((at, call) for at, call, _ in simulated(draw, -1 + shift, 1000, other))
        bins = calibrated(reference, [(*key, live[key]) for key in sorted(live)])
        for name, metric in METRICS.items():
            spread = expected(bins, metric)
            assert spread is not None
            low, high = jackknife.quantity(spread, (0.0, 1.0), "").bounds(0.975)
            hits[name] += low <= metric(cells) <= high
    return {name: count / times for name, count in hits.items()}


def test_bounds_hold_where_only_the_rows_have_moved() -> None:
    for shift in (0.0, 0.6):
        held = covered(shift, 0, 200)
        assert min(held.values()) >= 0.9, (shift, held)


def test_bounds_don_t_hold_where_labels_have_moved() -> None:
    """The negative control: a simulation that could not fail would hold here, too."""
    assert max(covered(0.6, 0.3, 40).values()) <= 0.1
