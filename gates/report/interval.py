"""An interval as a little bar of characters: where it lies beside what was asked for."""

from __future__ import annotations

from gates.decision import Estimate, GateVerdict

HALF = 6  # characters on each side of the bar
TITLE = "worse │ better"


def drawn(gate: GateVerdict) -> str:
    """The number that was held against the bar, and its bounds; right of the bar ``│`` is better. Each gate has a scale
    of its own. Empty where there is nothing to draw."""
    edge, estimate = _held(gate)
    if edge is None or estimate is None:
        return ""
    up = _up(gate)
    low, value, high = sorted(up * (end - edge) for end in (estimate.low, estimate.value, estimate.high))
    reach = max(-low, high) or 1.0
    line = [" "] * (2 * HALF + 1)
    first, middle, last = (HALF + _place(end / reach) for end in (low, value, high))
    line[HALF] = "│"
    for place in range(first, last + 1):
        line[place] = "┼" if place == HALF else "─"
    line[middle] = "●"
    return "".join(line)


def _place(share: float) -> int:
    """Characters from the bar; what lies beside it never stands on it."""
    return round(share * HALF) or (share > 0) - (share < 0)


def _held(gate: GateVerdict) -> tuple[float | None, Estimate | None]:
    """The bar on the scale of what is held against it."""
    if gate.bar is None or gate.rule not in _SIDES:
        return None, None
    if gate.rule in ("min", "max"):
        return gate.bar, gate.candidate
    sign = _up(gate) * (1 if gate.rule == "min_improvement" else -1)
    return sign * gate.bar, gate.difference


_SIDES = {"min": 1, "max": -1, "max_worsening": 0, "min_improvement": 0}


def _up(gate: GateVerdict) -> int:
    """+1 where larger is better, -1 where smaller is."""
    return _SIDES[gate.rule] or gate.better or 1
