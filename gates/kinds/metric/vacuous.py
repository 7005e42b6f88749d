"""Find rules that decide nothing: no value breaks them, or none keeps them. Not a kind; ``metric`` uses it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from math import isinf

from gates.kinds.metric.rule import MetricRule, SliceLimits
from gates.kinds.protocol import GateMistake
from gates.metrics import Metric
from gates.stats.quantity import Bounds
from gates.wording import written

Decides = Callable[[float, Bounds], bool]  # (limit, the metric's limits)
_HUNDRED = 100


def _span(limits: Bounds) -> float:
    return limits[1] - limits[0]


_NEVER_FAILS: Mapping[str, Decides] = {
    "min": lambda limit, limits: limit <= limits[0],
    "max": lambda limit, limits: limit >= limits[1],
    "max_worsening": lambda limit, limits: limit >= _span(limits),
    "suspicious_gain": lambda limit, limits: limit >= _span(limits),
}
_NEVER_PASSES: Mapping[str, Decides] = {
    "min": lambda limit, limits: limit > limits[1],
    "max": lambda limit, limits: limit < limits[0],
    "min_improvement": lambda limit, limits: limit >= _span(limits),
}
_ORDERED = (  # (the smaller limit, the larger one, why both can't hold)
    ("min", "max", "no value is both"),
    ("min_improvement", "suspicious_gain", "a gain that is asked for would be suspicious"),
)


def mistakes(rule: MetricRule, metric: Metric) -> Iterator[GateMistake]:
    """Yield the rules of a rule, and of its slices, that no model can fail or that none can pass."""
    for path, limits in (((), rule), (("slices",), rule.slices)):
        for rule_name in (*_NEVER_FAILS, *_NEVER_PASSES) if limits else ():
            value = getattr(limits, rule_name, None)
            if value is not None and (why := _why(rule_name, value, metric)):
                yield GateMistake(path=(*path, rule_name), what=why, idle=True)
        yield from (GateMistake(path=(*path, rule_name), what=what, idle=True) for rule_name, what in _crossed(limits))


def _why(rule_name: str, value: float, metric: Metric) -> str | None:
    limits = metric.limits
    if isinf(value):
        return None  # told as a number that is not finite
    for table, ends in ((_NEVER_FAILS, "this rule can't fail"), (_NEVER_PASSES, "no model can pass this rule")):
        if rule_name in table and table[rule_name](value, limits):
            return f"{metric.name} lies {_within(limits)}, so {ends}{_hint(rule_name, value, metric)}"
    return None


def _within(limits: Bounds) -> str:
    low, high = map(written, limits)
    if isinf(limits[1]):
        return f"at {low} or above"
    return f"at {high} or below" if isinf(limits[0]) else f"between {low} and {high}"


def _hint(rule_name: str, value: float, metric: Metric) -> str:
    """Return the number that was meant, where it was written in points or in per cent."""
    level = rule_name in ("min", "max")
    if metric.limits != (0.0, 1.0) or not 1 <= value <= _HUNDRED or (level and value == 1):
        return ""
    unit = "%" if level else "point" if value == 1 else "points"
    return f"; for {written(value)} {unit} write {written(value / _HUNDRED)}"


def _crossed(part: MetricRule | SliceLimits | None) -> Iterator[tuple[str, str]]:
    for smaller, larger, why in _ORDERED:
        one, other = getattr(part, smaller, None), getattr(part, larger, None)
        if one is not None and other is not None and one > other:
            yield smaller, f"{written(one)} is above {larger}: {written(other)}; {why}"
