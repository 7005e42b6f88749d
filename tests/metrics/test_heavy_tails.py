"""Losses that few rows carry: the bound towards larger ones lies further, until there are enough rows."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest

from gates.documents.evidence import CANDIDATE, Moments, Slice
from gates.metrics import find

UNIT = 2**Moments.UNIT
PINBALL = (("alpha", 0.9),)


def whole(value: float) -> int:
    return int(math.ldexp(value, 60)) << (Moments.UNIT - 60)


def summed(id_: str, *columns: np.ndarray) -> Moments:
    products = tuple(whole(float(a @ b)) for at, a in enumerate(columns) for b in columns[at:])
    sums = tuple(whole(float(one.sum())) for one in columns)
    return Moments(id=id_, rows=len(columns[0]), sums=sums, products=products, buckets=())


def holdout(errors: np.ndarray) -> Slice:
    """Predictions that are off by so much."""
    y = np.resize(np.array([-3.0, -1.0, 1.0, 3.0]), len(errors))
    pinball = find("pinball_loss", "regression", PINBALL).statistic
    assert pinball is not None
    moments = (
        summed("absolute_error", abs(errors)),
        summed("squared_error", errors**2),
        summed("explained", errors**2, y, y * y),
        summed(pinball.id, np.where(errors >= 0, 0.9 * errors, -0.1 * errors)),
    )
    return Slice(dimension="", key=(), rows=len(errors), cells=(), weights=(), ranks=None, moments=moments, computed=())


def spread(kind: str, rows: int) -> np.ndarray:
    """Errors at even shares of a distribution, of both signs in turn."""
    shares = (np.arange(rows) + 0.5) / rows
    normal = np.array([NormalDist().inv_cdf(share) for share in shares])
    exponential = -np.log1p(-shares) * np.resize([1, -1], rows)
    return {"normal": normal, "exponential": exponential, "log-normal": np.exp(normal) * np.resize([1, -1], rows)}[kind]


def reach(name: str, errors: np.ndarray) -> float:
    """How far the bound lies away from a perfect value, as a share of the value's own distance from it."""
    found = find(name, "regression", PINBALL if "pinball" in name else ()).level([holdout(errors)], CANDIDATE)
    low, high = found.bounds(0.95)
    return (1 - low) / (1 - found.value) if name == "r2" else high / found.value


NAMES = ("mae", "mse", "rmse", "r2", "pinball_loss")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("rows", [500, 2_000])
def test_a_heavy_tail_moves_the_bound_beyond_what_the_rows_show(name: str, rows: int) -> None:
    """Exponential tails are the last that plain bounds are right for."""
    exponential, heavy = (reach(name, spread(kind, rows)) - 1 for kind in ("exponential", "log-normal"))
    assert heavy > 1.5 * exponential


@pytest.mark.parametrize(("name", "most"), [("mae", 0.06), ("mse", 0.13), ("rmse", 0.07), ("r2", 0.14)])
def test_lighter_tails_move_nothing(name: str, most: float) -> None:
    """A negative control, at 500 rows: what Student's t says of normal errors, and not more."""
    assert reach(name, spread("normal", 500)) - 1 < most


@pytest.mark.parametrize("name", NAMES)
def test_enough_rows_have_the_tail_themselves(name: str) -> None:
    """The same rows a thousand times over: nothing is lacking any more."""
    errors = spread("log-normal", 300)
    sizes = [reach(name, np.tile(errors, times)) - 1 for times in (1, 10, 1_000)]
    assert sizes[0] > sizes[1] > sizes[2]
    assert sizes[2] < 0.012


def test_the_near_bound_stays_where_it_was() -> None:
    """A fail is as sure as it was: only the bound that could pass lies further."""
    found = find("rmse", "regression").level([holdout(spread("log-normal", 2_000))], CANDIDATE)
    low, high = found.bounds(0.95)
    assert found.value - low < 0.35 * found.value
    assert high - found.value > 2 * (found.value - low)


def test_rmse_is_the_root_of_mse() -> None:
    part = holdout(spread("log-normal", 800))
    mse, rmse = (find(name, "regression").level([part], CANDIDATE) for name in ("mse", "rmse"))
    assert rmse.value == pytest.approx(math.sqrt(mse.value))
    assert rmse.bounds(0.9) == pytest.approx([math.sqrt(end) for end in mse.bounds(0.9)])
