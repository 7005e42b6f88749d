"""A small, seeded part of ``scripts/bench coverage``: intervals hold as often as they say, verdicts err no more."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts/benches/coverage.py"
REPEATS = 600
NOISE = 0.03  # more than three standard errors of 600 repeats


@pytest.fixture(scope="module")
def bench():
    spec = importlib.util.spec_from_file_location("bench_coverage", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.mark.parametrize(
    "scene",
    [
        ("calls", 1_000, 0.1, True),
        pytest.param(("calls", 10_000, 0.5, False), marks=pytest.mark.slow),
        pytest.param(("multiclass", 1_000, 0.5, True, 3), marks=pytest.mark.slow),
        pytest.param(("auc", 1_000, 0.1, True), marks=pytest.mark.slow),
        ("auc", 1_000, 0.5, True, "units"),
        ("regression", 1_000, 0.5, True, "normal"),
    ],
    ids=str,
)
def test_intervals_hold(bench, monkeypatch, scene):
    monkeypatch.setattr(bench, "DEAR", {})
    found = bench.cover(bench.Scene(*scene), REPEATS)
    assert found
    for one in found:
        assert one.held >= bench.LOW - NOISE, one
        if one.name != "roc_auc difference":  # the wider of two bounds may hold more often than it says
            assert one.held <= bench.HIGH + NOISE, one
        assert max(one.below, one.above) <= bench.SIDE + NOISE, one


@pytest.mark.parametrize("scene", [("fairness", 1_000, 0.5, False, 5), ("fairness", 1_000, 0.5, True, 2)], ids=str)
def test_gaps_are_never_too_narrow(bench, monkeypatch, scene):
    """Corrected for the number of pairs they may be wider than promised."""
    monkeypatch.setattr(bench, "DEAR", {})
    for one in bench.cover(bench.Scene(*scene), 300):
        assert one.held >= bench.LOW - NOISE, one
        assert max(one.below, one.above) <= bench.SIDE + NOISE, one


@pytest.mark.parametrize("rows", [200, 1_000])
def test_errors_that_few_rows_carry_seldom_pass_wrongly(bench, rows):
    """Log-normal ones, whose squares' largest are missing in most holdouts. A bias has errors of both signs."""
    for one in bench.cover(bench.Scene("regression", rows, 0.5, False, "skewed"), REPEATS):
        if not one.name.startswith("bias"):
            assert max(one.below, one.above) <= 0.06 + NOISE, one


@pytest.mark.slow
def test_units_of_rare_classes_are_never_too_sure(bench, monkeypatch):
    monkeypatch.setattr(bench, "DEAR", {})
    for one in bench.cover(bench.Scene("classes of units", 1_000, 0.5, True, 3), 200):
        assert max(one.below, one.above) <= bench.SIDE + 0.05, one  # three standard errors


def test_a_worse_candidate_seldom_passes(bench):
    for name, ours, point in bench.worse(1_000, REPEATS):
        assert ours <= bench.SIDE + NOISE * (1 if name != "roc_auc" else 2), name  # a quarter of the repeats
        assert point > 0.3, name


def test_slices_that_lie_at_the_limit_are_seldom_blamed(bench):
    ours, point = bench.families(200, 100)
    assert ours <= 0.05 + 0.06
    assert point > 0.9


def test_a_reused_holdout_does_not_flatter(bench):
    (_, uncharged), (_, one), (promoted, charged) = bench.reused("min_improvement", 8)
    assert promoted <= 0.5
    assert charged <= 0.2 < one < uncharged
