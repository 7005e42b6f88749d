"""Make of verdicts what gauges show: one entry a rule, one of all that the contract asks, and one an alias. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from gates.documents.decision import GateVerdict, Verdict, rule_label
from gates.documents.live.monitoring_decision import JudgedWindow
from gates.observability.observed_model import ObservedBar
from gates.report.interval import held

NOT_JUDGED = "not_judged"
_SERVED = "served"  # what precedes an alias in the name of its rule
_CONTRACT = "contract"
_SLICES = "slices"
_RANKS = (NOT_JUDGED, *map(str, Verdict))  # where two windows have the same check, the last of these counts


def window_bars(windows: Iterable[JudgedWindow], digest: str) -> Iterator[ObservedBar]:
    """Yield the rules of the newest windows. One about another model than that of ``digest`` says nothing of it."""
    for window in windows:
        about = window.model is not None and window.model.digest == digest
        for rule in window.rules:
            if rule.gate.kind != "data":
                yield _bar(rule.gate, rule.alarm) if about else _silent(rule.gate)
        yield from _contract([one.gate for one in window.rules], about=about)


def decision_bars(gates: Sequence[GateVerdict]) -> Iterator[ObservedBar]:
    """Yield the rules of a promotion's decision."""
    yield from (_bar(gate, None) for gate in gates if gate.kind != "data")
    yield from _contract(gates, about=True)


def alias_bar(alias: str, verdict: str) -> ObservedBar:
    """Return the rule that says whether an alias names what was promoted."""
    return ObservedBar(name=f"{_SERVED}:{alias}", verdict=verdict)


def merged(bars: Iterable[ObservedBar]) -> tuple[ObservedBar, ...]:
    """Return each rule once: of those that share a name the worst."""
    worst: dict[str, ObservedBar] = {}
    for bar in bars:
        known = worst.setdefault(bar.name, bar)
        if _RANKS.index(bar.verdict) > _RANKS.index(known.verdict):
            worst[bar.name] = bar
    return tuple(worst.values())


def folded(bars: Sequence[ObservedBar]) -> tuple[ObservedBar, ...]:
    """Return rules with all slices of each put together: the worst verdict, the most evidence.

    So a slice that fails is never out of sight.
    """
    together = [
        one if not one.family else ObservedBar(name=f"{one.family}@{_SLICES}", verdict=one.verdict) for one in bars
    ]
    evidence: dict[str, float] = {}
    for bar in bars:
        if bar.family and bar.evidence is not None:
            name = f"{bar.family}@{_SLICES}"
            evidence[name] = max(bar.evidence, evidence.get(name, 0.0))
    return tuple(replace(one, evidence=evidence.get(one.name, one.evidence)) for one in merged(together))


def doubted(bars: Iterable[ObservedBar]) -> tuple[ObservedBar, ...]:
    """Return rules without their numbers, as errors: nobody knows which model they would be about."""
    return tuple(ObservedBar(name=one.name, verdict=str(Verdict.ERROR), family=one.family) for one in bars)


def _bar(gate: GateVerdict, alarm: float | None) -> ObservedBar:
    compared = held(gate)
    estimate, limit = compared or (None, gate.bar if gate.metric is None else None)
    return ObservedBar(
        name=gate.label,
        verdict=str(gate.verdict) if gate.verdict else NOT_JUDGED,
        family=_family(gate),
        value=estimate.value if estimate else None,
        low=estimate.low if estimate else None,
        high=estimate.high if estimate else None,
        limit=limit,
        evidence=alarm,
    )


def _family(gate: GateVerdict) -> str:
    return rule_label(gate.id, gate.rule, None, gate.against) if gate.slice else ""


def _silent(gate: GateVerdict) -> ObservedBar:
    return ObservedBar(name=gate.label, verdict=NOT_JUDGED, family=_family(gate))


def _contract(gates: Sequence[GateVerdict], *, about: bool) -> Iterator[ObservedBar]:
    """Yield one entry for each gate that holds rows to the contract, with the worst verdict of its rules."""
    rules = [gate for gate in gates if gate.kind == "data"]
    for name in dict.fromkeys(gate.id for gate in rules):
        judged = [gate for gate in rules if gate.id == name and gate.verdict is not None]
        worst = max(judged, key=lambda gate: gate.badness, default=None)
        verdict = str(worst.verdict) if worst and about else NOT_JUDGED
        yield ObservedBar(name=f"{name}:{_CONTRACT}", verdict=verdict)
