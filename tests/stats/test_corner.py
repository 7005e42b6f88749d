"""A small, seeded part of ``scripts/bench coverage --only corner``: few positives and lopsided rows."""

from __future__ import annotations

import pytest

REPEATS = 500
MOST = 0.06 + 0.02  # nominal are 5 in 100, 6 are meant; two standard errors of the repeats


@pytest.fixture(scope="module")
def bench(benches):
    return benches("corner")


def worst(found):
    """The share of wrong verdicts in the worst scene."""
    return max(one.worst for one in found)


def test_losses_of_few_positives(bench):
    """A good model's few large losses are seldom among few rows."""
    assert worst(bench.losses(REPEATS, [(5, 0.99), (8, 0.995)], ())) <= MOST


def test_differences_of_losses_lean_as_the_worse_model_does(bench):
    assert worst(bench.losses(REPEATS, (), [(15, (0.975, 0.995), 0.95)])) <= MOST


def test_average_precision_is_too_large_on_average(bench):
    assert worst(bench.curves(200, [(15, 0.75)], ["average_precision"])) <= 0.06
