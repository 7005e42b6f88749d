"""A small, seeded look at how often each method's one-sided bounds hold: about as often as it says."""

from __future__ import annotations

import numpy as np
import pytest
from gates.stats.resample import bootstrap, draws

from gates.metrics.classification import f1
from gates.stats.proportions import mover_difference, mover_ratio, paired_difference, wilson

ROUNDS = 1500
SURE = 0.95
SLACK = 0.03  # three standard errors of 1,500 rounds, and what Wilson's bounds are known to lack on one side


def held(bounds, truth):
    """Shares of rounds in which the lower, and the upper, bound held."""
    lows, highs = np.array(bounds).T
    return np.mean(lows <= truth), np.mean(highs >= truth)


@pytest.mark.parametrize(("n", "p"), [(60, 0.5), (200, 0.1), (1000, 0.8)])
def test_wilson(n, p):
    drawn = np.random.default_rng(1).binomial(n, p, ROUNDS)
    assert min(held([wilson(int(k), n, SURE) for k in drawn], p)) >= SURE - SLACK


@pytest.mark.parametrize("cells", [(0.6, 0.1, 0.1, 0.2), (0.7, 0.08, 0.02, 0.2), (0.9, 0.02, 0.05, 0.03)])
def test_paired(cells):
    drawn = np.random.default_rng(2).multinomial(300, cells, ROUNDS)
    bounds = [paired_difference(*map(int, row), SURE) for row in drawn]
    assert min(held(bounds, cells[1] - cells[2])) >= SURE - SLACK


@pytest.mark.parametrize(("p1", "p2"), [(0.3, 0.3), (0.6, 0.45)])
def test_independent(p1, p2):
    random = np.random.default_rng(3)
    pairs = list(zip(random.binomial(120, p1, ROUNDS), random.binomial(250, p2, ROUNDS), strict=True))
    ends = [(int(a) / 120, *wilson(int(a), 120, SURE), int(b) / 250, *wilson(int(b), 250, SURE)) for a, b in pairs]
    assert min(held([mover_difference(*one) for one in ends], p1 - p2)) >= SURE - SLACK
    assert min(held([mover_ratio(*one) for one in ends], p1 / p2)) >= SURE - SLACK


def test_bootstrap():
    cells = (0.7, 0.08, 0.07, 0.15)
    drawn = np.random.default_rng(4).multinomial(400, cells, 120)
    bounds = []
    for row in drawn:
        bounds.append(bootstrap([int(count) for count in row], f1, (0.0, 1.0), "coverage").bounds(SURE))
        draws.cache_clear()
    assert min(held(bounds, f1(*cells))) >= SURE - 0.06  # 120 rounds
