"""How a rule compares a quantity with its limit, and the rule of three verdicts. Not a kind; kinds use it.

With one-sided bounds L and U, oriented so that larger is better: L >= limit passes, U < limit fails, anything
else is inconclusive, and so is a value without bounds. A value that is not a number is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite, isnan

from gates.documents.decision import Code, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How one rule reads: against the champion or not, which way is up, and where the oriented limit lies."""

    compares: bool
    sign: Callable[[int], int]  # of the metric's own direction
    at: Callable[[float], float]
    broken: Code
    alarm: bool = False  # silent while the value itself keeps the limit, however wide its bounds


COMPARISONS: Mapping[str, Comparison] = {
    "min": Comparison(compares=False, sign=lambda _: 1, at=lambda limit: limit, broken=Code.BELOW_BAR),
    "max": Comparison(compares=False, sign=lambda _: -1, at=lambda limit: -limit, broken=Code.ABOVE_BAR),
    "max_worsening": Comparison(
        compares=True, sign=lambda better: better, at=lambda limit: -limit, broken=Code.BELOW_BAR
    ),
    "min_improvement": Comparison(
        compares=True, sign=lambda better: better, at=lambda limit: limit, broken=Code.BELOW_BAR
    ),
    "suspicious_gain": Comparison(
        compares=True, sign=lambda better: -better, at=lambda limit: -limit, broken=Code.SUSPICIOUS, alarm=True
    ),
}


def outcome(value: float, low: float, high: float, limit: float, *, alarm: bool = False) -> Verdict:
    """Return the three-valued rule on oriented numbers; values that are not finite, and bounds that are no numbers, are
    an error, never a pass.

    An ``alarm`` passes where the value itself keeps the limit.
    """
    if not (isfinite(value) and isfinite(limit)) or isnan(low) or isnan(high):
        return Verdict.ERROR
    if low >= limit or (alarm and value >= limit):
        return Verdict.PASS
    return Verdict.FAIL if high < limit else Verdict.INCONCLUSIVE
