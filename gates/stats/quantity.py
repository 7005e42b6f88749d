"""A quantity: a point value that can say how far off it may be, at any confidence asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist

Bounds = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """A value with bounds on demand.

    ``bounds(confidence)`` gives a lower and an upper bound, each of which alone holds with that
    confidence. ``value`` is None where the quantity is undefined; ``why`` then says what is missing.
    ``parts`` holds the values that it was made of, such as each group's.
    """

    value: float | None
    bounds: Callable[[float], Bounds]
    method: str
    why: str = ""
    small: bool = False  # undefined for want of rows in one group, not as such
    parts: tuple[float | None, ...] = ()
    training: float | None = None  # share of the squared error that is due to training, where several seeds were


def undefined(why: str, *, small: bool = False, parts: tuple[float | None, ...] = ()) -> Quantity:
    """A quantity that these counts do not define."""
    return Quantity(value=None, bounds=lambda _: (0.0, 0.0), method="", why=why, small=small, parts=parts)


@cache
def z(confidence: float) -> float:
    """The standard normal quantile, confidence in (0, 1)."""
    return NormalDist().inv_cdf(confidence)
