"""Say how many rows or units each rule needs to reveal a distance from its limit, from a decision's bounds. Pure."""

from __future__ import annotations

from math import ceil, sqrt

from gates.documents.decision import Decision, GateVerdict
from gates.documents.live.experiment_decision import ExperimentDecision
from gates.documents.printed.power_table import SCHEMA, PowerTable, RulePower
from gates.schema.canonical import digest
from gates.stats.power import POWER, rows_to_settle, times_the_rows

_COMPARED = ("max_worsening", "min_improvement")  # limits on the difference from another model


def power_plan(
    decision: Decision | ExperimentDecision,
    effect: float | None,
    rows_a_day: float | None,
    *,
    slices: bool = False,
    narrower: float = 1.0,
) -> PowerTable:
    """Return what each rule of a decision can show, and how many rows it needs.

    ``effect``: the distance from the limit that is to be revealed, in the metric's unit. None: for a comparison with
    another model its limit, so that a model as good as that one passes; for others where the value lies now.
    ``rows_a_day``: to give days, too. ``narrower``: how wide bounds will be, as a share of those that were judged by.
    """
    asked = [gate for gate in decision.gates if gate.metric is not None and (slices or gate.slice is None)]
    known = {gate.label: distance for gate in asked if (distance := _distance(gate, effect)) is not None}
    return PowerTable(
        schema=SCHEMA,
        model=decision.model,
        of="unit" if isinstance(decision, ExperimentDecision) else "row",
        decision=digest(decision),
        confidence=decision.confidence,
        power=POWER,
        rows_a_day=rows_a_day,
        rules=tuple(_rule(gate, known[gate.label], rows_a_day, narrower) for gate in asked if gate.label in known),
        unbounded=tuple(gate.label for gate in asked if gate.label not in known),
    )


def _distance(gate: GateVerdict, effect: float | None) -> float | None:
    """Return the distance that a rule is to reveal; None where it has no bounds."""
    judged = gate.difference if gate.rule in _COMPARED else gate.candidate
    if gate.detectable is None or gate.bar is None or judged is None:
        return None
    if effect is not None:
        return effect
    if gate.rule in _COMPARED and gate.bar:
        return abs(gate.bar)
    return abs(judged.value - gate.bar)


def _rule(gate: GateVerdict, distance: float, rows_a_day: float | None, narrower: float) -> RulePower:
    detectable = (gate.detectable or 0.0) * narrower
    always = detectable * sqrt(gate.training or 0.0)  # the error of trainings, which no number of rows makes smaller
    needed = _needed(gate.n, detectable, distance, always)
    days = None if needed is None or not rows_a_day else ceil(needed / rows_a_day)
    return RulePower(rule=gate.label, rows=gate.n, detectable=detectable, distance=distance, needed=needed, days=days)


def _needed(rows: int, detectable: float, distance: float, always: float) -> int | None:
    """Return rows that reveal a distance: fewer than now, where these show more than is asked."""
    times = times_the_rows(detectable, distance, always)
    if times is None or distance <= detectable:
        return rows_to_settle(rows, detectable, distance, always)
    return max(1, ceil(rows * times))
