"""Write a gate's numbers as text: values, bounds, what a rule asks for, and its interval beside the limit."""

from __future__ import annotations

from collections.abc import Mapping

from gates.documents.decision import Estimate, GateVerdict
from gates.kinds.metric.comparison import COMPARISONS
from gates.wording import apart, limit_text, number, signed

HALF = 6  # characters on each side of the limit
TITLE = "worse │ better"
ASKS = {
    "min": "at least {}",
    "max": "at most {}",
    "max_worsening": "worse by at most {}",
    "min_improvement": "better by at least {}",
    "suspicious_gain": "not better by more than {}",
}
SIGNS = {"min": "≥ {}", "max": "≤ {}", "max_worsening": "worse ≤ {}", "min_improvement": "better ≥ {}"}


def held(gate: GateVerdict) -> tuple[Estimate, float] | None:
    """Return what was held against the limit, in the metric's own direction, and where on its scale the limit lies.
    None where nothing was."""
    rule = COMPARISONS.get(gate.rule)
    judged = gate.difference if rule and rule.compares else gate.candidate
    if judged is None or gate.bar is None:
        return None
    return judged, up(gate) * rule.at(gate.bar) if rule and rule.compares else gate.bar


def figures(gate: GateVerdict, estimate: Estimate, *, change: bool = False) -> tuple[str, str]:
    """Return a value and its bounds. What was held against the limit has as many digits as show on which side of it
    each lies. ``change``: with signs."""
    text, found = signed if change else number, held(gate)
    edge = found[1] if found and found[0] is estimate else None
    value, low, high = (
        text(one, 0) if edge is None else apart(text, one, edge)
        for one in (estimate.value, estimate.low, estimate.high)
    )
    return value, f"{low} to {high}"


def within(gate: GateVerdict, estimate: Estimate | None, *, change: bool = False) -> str:
    """Return a value with its bounds: ``0.81 (0.79 to 0.83)``; empty where there is none."""
    return "{} ({})".format(*figures(gate, estimate, change=change)) if estimate else ""


def asked(gate: GateVerdict, words: Mapping[str, str] = ASKS) -> str | None:
    """Return what a rule asks for, in words or in ``SIGNS``; None where they have none for it."""
    return words[gate.rule].format(limit_text(gate.bar)) if gate.rule in words and gate.bar is not None else None


def up(gate: GateVerdict) -> int:
    """Return +1 where larger is better for the rule, -1 where smaller is."""
    return COMPARISONS[gate.rule].sign(gate.better or 1)


def drawn(gate: GateVerdict) -> str:
    """Draw the number that was held against the limit ``│``, and its bounds; right of it is better.

    Each rule has a scale of its own. Empty where there is nothing to draw.
    """
    found = held(gate) if gate.rule in COMPARISONS else None
    if found is None:
        return ""
    (judged, edge), sign = found, up(gate)
    low, value, high = sorted(sign * (end - edge) for end in (judged.low, judged.value, judged.high))
    reach = max(-low, high) or 1.0
    line = [" "] * (2 * HALF + 1)
    first, middle, last = (HALF + _place(end / reach) for end in (low, value, high))
    line[HALF] = "│"
    for place in range(first, last + 1):
        line[place] = "┼" if place == HALF else "─"
    line[middle] = "●"
    return "".join(line)


def _place(share: float) -> int:
    """Return how many characters from the limit something is drawn; what lies beside it never stands on it."""
    return round(share * HALF) or (share > 0) - (share < 0)
