"""Of all holdouts of a few rows there can be: verdicts at the limit err as often as they may at most. No drawing."""

from __future__ import annotations

import pytest

from gates.documents.evidence import CANDIDATE

MOST = 0.06  # nominal are 5 in 100


@pytest.fixture(scope="module")
def bench(benches):
    return benches("exhaustive")


def test_every_outcome_is_there_once(bench):
    found = list(bench.outcomes(4, 3))
    assert len(found) == len(set(found)) == 15
    assert sum(bench.chance(one, (0.2, 0.3, 0.5)) for one in found) == pytest.approx(1)


@pytest.mark.parametrize(
    ("place", "rows"),
    [(0, (1, 2, 5, 8)), (1, (1, 3)), (2, (2, 3)), (3, (1, 2, 6)), (4, (1, 3))],
    ids=["calls", "two models", "scores", "values", "classes"],
)
def test_verdicts_at_the_limit_are_seldom_wrong(bench, place, rows):
    for n in rows:
        for one in bench.enumerated(bench.FAMILIES[place], n):
            assert one.worst <= MOST, one


def test_half_of_seven_rows_is_not_half(bench):
    """The top half of 7 rows is 3 or 4 of them, so that recall there says little of recall at a half."""
    truth = (0.45, 0.05, 0.0, 0.0, 0.025, 0.475)  # chances of (label, score)
    family = next(one for one in bench.FAMILIES if "recall_at" in one.names)
    metric, wrong = bench.binary("recall_at"), 0.0
    value = metric.level([family.make([round(one * 2000) for one in truth])], CANDIDATE).value
    for counts in bench.outcomes(7, len(truth)):
        seen = bench.chance(counts, truth)
        told = metric.level([family.make(counts)], CANDIDATE) if seen else None
        wrong += seen if told is not None and told.value is not None and told.bounds(0.95)[1] < value else 0.0
    assert wrong <= MOST


def test_bounds_that_are_too_narrow_are_found(bench, monkeypatch):
    """A negative control: bounds at half the width err far more often."""
    from gates.metrics import confusion

    def narrow(successes, n):
        return confusion.jackknife.Quantity(
            value=successes / n,
            bounds=lambda _: (successes / n - 0.05, successes / n + 0.05),
            method="narrow",
            limits=(0.0, 1.0),
        )

    monkeypatch.setattr(confusion, "share", narrow)

    found = bench.enumerated(bench.FAMILIES[0], 5, ["accuracy"])
    assert max(one.worst for one in found) > 0.3


@pytest.mark.parametrize("p", [0.8, 0.95, 0.99])
@pytest.mark.parametrize("n", [50, 200])
def test_slices_at_the_limit_are_blamed_in_no_more_than_five_of_a_hundred(benches, n, p):
    """Exactly: each slice's successes are binomial, and Holm's first step decides whether any is blamed."""
    corner = benches("corner")
    assert max(corner.errors_of_a_share(n, p)) <= 0.05
    for many in (12, 100):
        assert corner.blamed(many, n, p) <= 0.05
