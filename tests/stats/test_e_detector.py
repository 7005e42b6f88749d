"""The watch over windows: known values, what holds of any value, and a small, seeded part of ``scripts/bench monitor``,
with rules beside it that have no stated rate of false alarms."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gates.stats.distributions.chisquare import below
from gates.stats.drift import MEASURES
from gates.stats.e_detector import (
    EVENTS,
    MOST,
    SHIFTS,
    against,
    expected_events,
    grown,
    is_exact,
    of_normal,
    said,
    strength,
)
from gates.stats.proportions import share, wilson
from gates.stats.quantity import Quantity, z

EVERY = 365
CLOSE = 1e-6


@pytest.fixture(scope="module")
def watches(benches):
    return benches("watches")


def normal(value, error=1.0):
    return Quantity(value=value, bounds=lambda c: (value - z(c) * error, value + z(c) * error), method="normal")


def log_mixture(logs):
    return math.log(sum(map(math.exp, logs)) / len(logs))


# --- known values -------------------------------------------------------------------------------------------------


def test_the_detector_of_known_windows():
    logs, seen = (), []
    for standard in (1, 2, 3, 3):
        logs = grown(logs, of_normal(standard))
        seen.append(log_mixture(logs))
    assert seen == pytest.approx([0.030051, 2.126933, 5.666165, 9.532310], abs=1e-6)


def test_an_alarm_is_where_the_evidence_reaches_the_windows_and_rules():
    assert math.log(EVERY) == pytest.approx(5.899897, abs=1e-6)
    level = 5.899897 + math.log(10)
    for over, alarm in ((1e-5, True), (-1e-5, False)):
        assert (against((level + over,) * 4, EVERY, 10) >= 1) is alarm
    assert against((), EVERY, 10) == 0
    assert math.isfinite(against((1e6,) * 4, EVERY, 1))


def of_psi(bins, live, then):
    """Counts of ten bins with a given PSI: the first half have more rows, the others fewer."""
    low, high = 0.0, 0.99
    even = [(then // bins,) * bins, then]
    for _ in range(200):
        by = (low + high) / 2
        parts = [(live / bins * (1 + (by if place % 2 else -by)), even[0][place]) for place in range(bins)]
        value = MEASURES["psi"](parts).value
        low, high = (by, high) if value < 0.18 else (low, by)
    return parts


def test_the_strength_of_a_known_psi():
    """0.18 on 1,000 and 20,000 rows in ten bins, where 0.1 is allowed."""
    distance = MEASURES["psi"](of_psi(10, 1_000, 20_000))
    assert distance.value == pytest.approx(0.18, abs=1e-12)
    quantity = Quantity(value=distance.value, bounds=lambda confidence: distance.bounds(confidence, 1), method="")
    unit = 1 / 1_000 + 1 / 20_000
    p = 1 - below(0.18 / unit, 9, 0.1 / unit)
    assert p == pytest.approx(0.0014357565, abs=1e-9)
    assert -NormalDist().inv_cdf(p) == pytest.approx(2.981168, abs=1e-6)
    assert strength(quantity, 0.1, -1) == pytest.approx(2.981168, abs=1e-6)


def test_the_strength_of_a_share_is_that_of_its_exact_test():
    """170 of 200 where 0.9 is asked for: the chance of so few, summed up."""
    p = sum(math.comb(200, k) * 0.9**k * 0.1 ** (200 - k) for k in range(171))
    assert strength(share(170, 200), 0.9, 1) == pytest.approx(-NormalDist().inv_cdf(p), abs=CLOSE)


# --- what holds of any value --------------------------------------------------------------------------------------

VALUES = st.floats(-20, 20, allow_nan=False)
SHARES = st.integers(20, 2_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
LIMITS = st.floats(0.02, 0.98)


@settings(deadline=None)
@given(st.integers(1, 300), LIMITS, st.sampled_from([-1, 1]))
def test_what_a_share_says_is_1_on_average_at_its_limit_and_less_where_it_is_kept(n, limit, sign):
    """However few rows: summed up over all counts, by the standard library's numbers."""
    windows = [said(share(count, n), limit, sign) for count in range(n + 1)]
    kept = limit + sign * 0.3 * (1 - limit if sign > 0 else limit)
    for p, most in ((limit, 1.0), (kept, 1.0)):
        chances = [math.comb(n, count) * p**count * (1 - p) ** (n - count) for count in range(n + 1)]
        for place in range(len(SHIFTS)):
            mean = math.fsum(
                chance * math.exp(window[place]) for chance, window in zip(chances, windows, strict=True) if chance
            )
            assert mean <= most + 1e-9
            if p == limit:
                assert mean == pytest.approx(1, rel=1e-9)


@settings(deadline=None)
@given(SHARES, LIMITS, st.sampled_from([-1, 1]))
def test_the_worse_a_share_the_more_it_says(counted, limit, sign):
    successes, n = counted
    better = min(n, successes + 1) if sign > 0 else max(0, successes - 1)
    worse, best = said(share(successes, n), limit, sign), said(share(better, n), limit, sign)
    assert all(a >= b - CLOSE for a, b in zip(worse, best, strict=True))


def test_what_many_rows_say_is_what_a_normal_value_says():
    n, limit, shift = 4_000_000, 0.4, 2.0
    count = round(n * limit - shift * math.sqrt(n * limit * (1 - limit)))
    assert said(share(count, n), limit, 1) == pytest.approx(of_normal(shift), abs=0.01)


@pytest.mark.parametrize("limit", [0.0, 1.0])
def test_a_limit_at_the_end_of_the_scale_has_no_likelihood_ratio(limit):
    quantity = share(3, 200)
    assert not is_exact(quantity, limit)
    assert said(quantity, limit, -1) == of_normal(strength(quantity, limit, -1))


@given(VALUES, VALUES, st.floats(0.01, 10), st.sampled_from([-1, 1]))
def test_the_strength_of_a_normal_value_is_its_distance_in_errors(value, limit, error, sign):
    expected = min(MOST, max(-MOST, sign * (limit - value) / error))
    assert strength(normal(value, error), limit, sign) == pytest.approx(expected, abs=CLOSE)


@settings(deadline=None)
@given(SHARES, LIMITS, st.sampled_from([-1, 1]))
def test_the_strength_of_a_share_has_the_sign_of_being_beyond(counted, limit, sign):
    successes, n = counted
    found = strength(share(successes, n), limit, sign)
    assert -MOST <= found <= MOST
    beyond = sign * (successes / n - limit) < 0
    assert found >= 0 if beyond else found <= 0


@settings(deadline=None)
@given(SHARES, LIMITS, st.sampled_from([-1, 1]))
def test_the_worse_a_share_the_stronger(counted, limit, sign):
    successes, n = counted
    better = min(n, successes + 1) if sign > 0 else max(0, successes - 1)
    assert strength(share(successes, n), limit, sign) >= strength(share(better, n), limit, sign) - CLOSE


@settings(deadline=None)
@given(SHARES, LIMITS, st.floats(0, 0.02), st.sampled_from([-1, 1]))
def test_the_stricter_a_limit_the_stronger(counted, limit, more, sign):
    quantity = share(*counted)
    assert strength(quantity, limit + sign * more, sign) >= strength(quantity, limit, sign) - CLOSE


@given(st.sampled_from([-1, 1]))
def test_a_value_without_bounds_says_nothing(sign):
    quantity = Quantity(value=0.3, bounds=lambda _: (-math.inf, math.inf), method="")
    assert strength(quantity, 0.5, sign) == 0
    assert strength(quantity, 0.1, sign) == 0


@given(st.lists(st.floats(-MOST, MOST), min_size=1, max_size=40), st.floats(0, 3))
def test_evidence_grows_with_every_window_that_is_worse(standards, more):
    mild, worse = (), ()
    for standard in standards:
        mild, worse = grown(mild, of_normal(standard)), grown(worse, of_normal(standard + more))
        assert all(a <= b for a, b in zip(mild, worse, strict=True))
        assert len(mild) == len(SHIFTS)
    assert against(mild, EVERY, 3) <= against(worse, EVERY, 3)
    assert against(mild, EVERY, 3) == pytest.approx(3 * against(mild, 3 * EVERY, 3))


@given(st.integers(1, 20))
def test_what_is_expected_of_a_detector_grows_by_one_a_window(windows):
    """Without any change, by numerical integration over each window's normal distance."""
    grid = np.linspace(-12, 12, 4_001)
    weights = np.exp(-grid * grid / 2) / np.exp(-grid * grid / 2).sum()
    for shift, step in zip(SHIFTS, range(len(SHIFTS)), strict=True):
        mean = 0.0
        for _ in range(windows):
            factor = float((weights * np.exp(shift * grid - shift * shift / 2)).sum())
            mean = (1 + mean) * factor
        assert mean == pytest.approx(windows, rel=1e-6)
        assert grown(grown((), of_normal(0.0)), of_normal(0.5))[step] == pytest.approx(
            math.log1p(math.exp(-shift * shift / 2)) + shift * 0.5 - shift * shift / 2
        )


@pytest.mark.parametrize(("n", "p"), [(40, 0.5), (100, 0.2), (200, 0.1), (200, 0.9), (400, 0.95), (20_000, 0.001)])
@pytest.mark.parametrize("more", [-9, 0, 7])
def test_events_of_a_share_are_those_of_its_rows(n, p, more):
    """Exactly so: with as many as are asked for, a window counts; with a row less it does not."""
    assert expected_events(share(round(n * p) + more, n), p, n) == 20 == EVENTS
    assert expected_events(share(round(n * p) + more, n - 1), p, n - 1) < EVENTS


def test_events_of_what_is_as_uncertain_as_a_share_are_those_of_that_share():
    quantity = Quantity(value=0.9, bounds=lambda c: wilson(270, 300, c), method="", limits=(0.0, 1.0))
    assert expected_events(quantity, 0.9, 5_000) == pytest.approx(30)
    assert expected_events(normal(3.0), 0.5, 5_000) == 5_000
    assert expected_events(quantity, 1.0, 5_000) == 5_000


# --- how long until a false alarm: a small part of the bench -------------------------------------------------------


def test_arrays_of_detectors_are_the_detectors(watches):
    standards = np.random.default_rng(3).normal(size=(30, 5))
    logs, alone = watches.fresh((5,)), [()] * 5
    for row in standards:
        logs = watches.grown(logs, watches.of_normal(row))
        alone = [grown(one, of_normal(standard)) for one, standard in zip(alone, row, strict=True)]
    assert logs == pytest.approx(np.array(alone), abs=1e-12)
    for every in (2, 50, 10**6):
        assert list(watches.alarms(logs, 3, every)) == [against(one, every, 3) >= 1 for one in alone]


def test_a_false_alarm_is_as_rare_as_is_said_and_windows_alone_are_not(watches):
    found = watches.run_length(watches.saying(watches.normal()), 10, 200, "small")
    assert found.mean - 3 * found.mean * found.error > EVERY
    shares = watches.run_length(watches.of_table(watches.tabulated(400, 0.9, 1), 400, 0.9), 10, 100, "small")
    assert shares.mean - 3 * shares.mean * shares.error > EVERY
    draw = watches.normal()
    for line in (watches.P, 3.0):
        alone = watches.each_window(line, 10_000)(draw, watches.random(line), 200, 10)
        assert alone.mean() < EVERY / 3
    assert watches.three_of_five(draw, watches.random("5"), 200, 10).mean() < EVERY / 1.5


def test_a_change_is_found_soon(watches):
    assert [watches.delay(shift, 10, 1_000) <= most for shift, most in ((1, 18), (2, 6), (3, 3))] == [True] * 3


def test_the_first_windows_find_a_drop_that_the_newest_ones_learn(watches):
    assert np.median(watches.against_first(3.0, 200, 60)) <= 3
    assert (watches.against_newest(3.0, 200, 60) > 60).mean() > 0.5
    assert (watches.against_first(0.0, 200, EVERY) <= EVERY).mean() < 0.5


def test_what_is_tabulated_of_first_windows_is_what_judges(watches):
    chance, table = np.random.default_rng(4), watches.by_windows(28, 7)
    for _ in range(20):
        first = [(place % 7, float(chance.normal())) for place in range(28)]
        phase, value = int(chance.integers(7)), float(chance.normal() * 2)
        scaled = (value - watches.mean_of(first, phase)) / watches.error_of(first, phase)
        expected = watches.beyond(first, phase, value)
        assert np.interp(scaled, watches.GRID, table) == pytest.approx(expected, abs=0.002)


def test_bounds_of_a_psi_at_its_limit_are_right_and_the_psi_itself_is_not(watches):
    scene = watches.DriftScene(10, 1_000, 20_000, 0.1, "even", "tilted")
    found = watches.blamed(scene, 4_000)
    assert 0.03 <= found.five <= 0.08
    assert found.point > 0.5
    live, then = watches.counts(scene, np.random.default_rng(6), 50)
    line = watches.blamed_from(scene, 0.05)
    for here, there, value in zip(live, then, watches.psi(live, then), strict=True):
        distance = MEASURES["psi"](list(zip(map(int, here), map(int, there), strict=True)))
        assert distance.value == pytest.approx(value, abs=1e-12)
        assert (distance.bounds(0.95, 1)[0] > scene.limit) is bool(value > line)
