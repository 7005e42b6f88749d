"""A quantity: a value with bounds at any confidence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from math import inf
from statistics import NormalDist
from typing import ClassVar

Bounds = tuple[float, float]
ANYWHERE: Bounds = (-inf, inf)


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """What of an error is due to training: its share of the squared error, and how far a bound lies by it alone."""

    share: float
    half: Callable[[float], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """A value with bounds on demand.

    ``bounds(confidence)`` gives a lower and an upper bound, each of which alone holds with that confidence; an infinite
    one where the rows bound nothing. ``limits``: what it can be at all. ``exact``: the bounds hold as promised however
    far out they are asked. ``rows``: of how many rows it is an exact share. ``parts`` holds the values that it was made
    of, such as each group's.
    """

    value: float
    bounds: Callable[[float], Bounds]
    method: str
    limits: Bounds = ANYWHERE
    exact: bool = False
    rows: float | None = None
    parts: tuple[float | None, ...] = ()
    training: Training | None = None  # where several seeds were trained


@dataclass(frozen=True, slots=True, kw_only=True)
class Undefined:
    """A quantity that the counts do not define. It has no bounds that anybody could read.

    ``why`` says what is missing; ``small``: it is missing in one group, not as such.
    """

    why: str
    small: bool = False
    parts: tuple[float | None, ...] = ()
    value: ClassVar[None] = None


Found = Quantity | Undefined


@cache
def z(confidence: float) -> float:
    """Return the standard normal quantile, confidence in (0, 1)."""
    return NormalDist().inv_cdf(confidence)


def wider(quantity: Quantity, other: Found | None) -> Quantity:
    """Return the first, with the further bound of both on each side; the first alone where the other is undefined."""
    if not isinstance(other, Quantity):
        return quantity

    def bounds(confidence: float) -> Bounds:
        (low, high), (least, most) = quantity.bounds(confidence), other.bounds(confidence)
        return max(quantity.limits[0], min(low, least)), min(quantity.limits[1], max(high, most))

    return replace(quantity, bounds=bounds, rows=None)
