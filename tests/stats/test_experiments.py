"""Bounds, sample ratios and errors of experiments: against published figures, and against other ways to the same."""

from __future__ import annotations

from math import log, sqrt

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.stats import norm

from gates.stats.experiments.arm_ratio import ArmSums, difference
from gates.stats.experiments.confidence_sequence import EARLY, early, planned, rate
from gates.stats.experiments.sample_ratio import is_broken, log_evidence

CHAMPION = ArmSums(n=20_000, x=10_000, y=200_000, xx=16_000, xy=110_000, yy=2_600_000)
CHALLENGER = ArmSums(n=20_000, x=10_500, y=201_000, xx=17_000, xy=115_000, yy=2_620_000)


@pytest.mark.parametrize(("n", "width"), [(4_000, 3.663045), (10_000, 3.399756), (20_000, 3.355199)])
def test_a_bound_before_the_end_lies_where_the_design_says(n: int, width: float) -> None:
    assert early(n, 40_000, 0.95) == pytest.approx(width, abs=5e-7)


def test_the_planned_end_spends_the_rest() -> None:
    assert planned(0.95) == pytest.approx(1.750686, abs=5e-7)
    assert norm.sf(planned(0.95)) + EARLY * 0.05 == pytest.approx(0.05)


TWO_SIDED = {100: 0.9084379437, 1_000: 0.1219075315, 10_000: 0.0303520899, 100_000: 0.0102512287}


@pytest.mark.parametrize("n", TWO_SIDED)
def test_the_mixture_is_that_of_confseq(n: int) -> None:
    """confseq 0.0.11, normal_mixture_bound(n, 0.05, 10,000, 0.05) / n, two-sided."""
    x, alpha = n * rate(10_000, 0.05 / 2), 0.05
    assert sqrt((x + 1) / x * log((x + 1) / alpha**2)) / sqrt(n) == pytest.approx(TWO_SIDED[n], abs=1e-10)


ONE_SIDED = {  # (in closed form, exact), for units / 2 = 10,000 and 0.05
    100: (0.9028338299, 0.8883259273),
    1_000: (0.1163424090, 0.1149268180),
    10_000: (0.0277909424, 0.0276607088),
    100_000: (0.0094510753, 0.0094393916),
}


def exact(n: int, alpha: float, rho2: float) -> float:
    """Where the evidence of the half-normal mixture itself reaches 1/α, by integration and a search."""
    spread = sqrt(rho2)

    def log_evidence_of(mean: float) -> float:
        center, precision = n * mean / (n + 1 / rho2), n + 1 / rho2
        area = quad(lambda effect: norm.pdf(effect, center, 1 / sqrt(precision)), 0, center + 40 / sqrt(precision))[0]
        return log(2 * area) + (n * mean) ** 2 / (2 * precision) - log(spread * sqrt(precision))

    return float(brentq(lambda mean: log_evidence_of(mean) - log(1 / alpha), 1e-6, 10, xtol=1e-13))


@pytest.mark.parametrize("n", ONE_SIDED)
def test_the_closed_form_lies_a_little_outside_the_exact_mixture(n: int) -> None:
    confidence = 1 - 0.05 / EARLY
    closed = early(n, 20_000, confidence) / sqrt(n)
    assert closed == pytest.approx(ONE_SIDED[n][0], abs=1e-10)
    of_mixture = exact(n, 0.05, rate(10_000, 0.05))
    assert of_mixture == pytest.approx(ONE_SIDED[n][1], abs=1e-6)
    assert 1 < closed / of_mixture < 1.02


@pytest.mark.parametrize(("counts", "evidence"), [((5_200, 4_800), 5.613613), ((5_250, 4_750), 10.072489)])
def test_the_sample_ratio_is_that_of_the_paper(counts: tuple[int, int], evidence: float) -> None:
    assert log_evidence(counts, (0.5, 0.5)) == pytest.approx(evidence, abs=5e-7)
    assert is_broken(counts, (0.5, 0.5)) == (evidence > log(1000))


def test_no_unit_says_nothing() -> None:
    assert log_evidence((0, 0), (0.9, 0.1)) == pytest.approx(0)


def test_the_ratios_error_is_the_delta_methods() -> None:
    assert (CHAMPION.ratio, CHALLENGER.ratio) == (0.05, pytest.approx(0.0522388060, abs=5e-11))
    assert CHAMPION.variance == pytest.approx(2.875143757e-7, abs=5e-17)
    assert CHALLENGER.variance == pytest.approx(3.003732744e-7, abs=5e-17)
    assert difference(CHAMPION, CHALLENGER) == pytest.approx((0.0022388060, 0.0007667383), abs=5e-11)


def test_a_relative_margin_needs_no_ratio_of_ratios() -> None:
    value, error = difference(CHAMPION, CHALLENGER, 0.02) or (0.0, 0.0)
    assert value == pytest.approx(0.0522388060 - 0.98 * 0.05, abs=1e-9)
    assert error == pytest.approx(sqrt(3.003732744e-7 + 0.98**2 * 2.875143757e-7), abs=1e-12)


def test_it_is_the_spread_of_ratios_of_drawn_units() -> None:
    """Users of very different habits, drawn again and again."""
    chance = np.random.default_rng(7)

    def drawn() -> ArmSums:
        y = chance.lognormal(1, 1, 2_000)
        x = y * chance.beta(1, 15, 2_000)
        sums = {"x": x.sum(), "y": y.sum(), "xx": (x * x).sum(), "xy": (x * y).sum(), "yy": (y * y).sum()}
        return ArmSums(n=2_000, **{name: float(value) for name, value in sums.items()})

    arms = [drawn() for _ in range(2_000)]
    ratios = [arm.ratio or 0.0 for arm in arms]
    assert np.mean([arm.variance or 0.0 for arm in arms]) == pytest.approx(float(np.var(ratios)), rel=0.1)


@pytest.mark.parametrize(
    "sums",
    [
        ArmSums(n=0, x=0, y=0, xx=0, xy=0, yy=0),
        ArmSums(n=1, x=1, y=1, xx=1, xy=1, yy=1),
        ArmSums(n=5, x=0, y=0, xx=0, xy=0, yy=0),
    ],
)
def test_too_little_has_no_error(sums: ArmSums) -> None:
    assert sums.variance is None
    assert difference(CHAMPION, sums) is None
