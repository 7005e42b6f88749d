"""The one list of rules that every report shows: worst first, each with its numbers and what they don't say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from gates.documents.decision import Decision, GateVerdict, Verdict
from gates.kinds.metric.comparison import COMPARISONS
from gates.report.interval import held, up
from gates.wording import number

MOST_GROUPS = 12  # whose values are named


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleList:
    """The rules about the model, divided by what a reader has to do about them; each part the worst first."""

    loud: Sequence[GateVerdict]  # neither passed nor accepted
    accepted: Sequence[GateVerdict]
    passed: Sequence[GateVerdict]

    @classmethod
    def of(cls, decision: Decision, covered: Sequence[GateVerdict]) -> RuleList:
        """Divide a decision's rules. ``covered``: those that somebody accepted. Rules that were not judged are in no
        part."""
        judged = by_badness(tuple(gate for gate in decision.gates if gate.kind != "data" and gate.verdict is not None))
        return cls(
            loud=[gate for gate in judged if gate.verdict is not Verdict.PASS and gate not in covered],
            accepted=[gate for gate in judged if gate in covered],
            passed=[gate for gate in judged if gate.verdict is Verdict.PASS and gate not in covered],
        )


def by_badness(gates: tuple[GateVerdict, ...]) -> list[GateVerdict]:
    """Sort gates, the worst first.

    Those that are alike go by rounds: what is of all rows, the worst slice of each rule, the second of each; otherwise
    in the policy's order.
    """
    rounds: dict[int, int] = {}
    seen: dict[tuple[object, ...], int] = {}
    for index in sorted(range(len(gates)), key=lambda index: -_missed(gates[index])):
        gate = gates[index]
        if gate.slice and gate.verdict not in (Verdict.PASS, None):
            family = (gate.id, gate.rule, gate.against, gate.verdict)
            rounds[index] = seen[family] = seen.get(family, 0) + 1
    order = sorted(range(len(gates)), key=lambda one: (-gates[one].badness, rounds.get(one, 0)))
    return [gates[index] for index in order]


def _missed(gate: GateVerdict) -> float:
    """Return by how much the value misses its limit; what has no value misses most."""
    found = held(gate) if gate.rule in COMPARISONS else None
    return inf if found is None else up(gate) * (found[1] - found[0].value)


def remark(gate: GateVerdict) -> str:
    """Return what the numbers in a rule's row don't say: its notes, and each group's value of a fairness gate.

    Where a row has no numbers, that is the whole reason.
    """
    numbers = gate.metric is not None and held(gate) is not None
    told = list(gate.notes) if numbers else [gate.reason]
    return "; ".join([*told, *([f"by group: {groups_text(gate)}"] if gate.groups else [])])


def groups_text(gate: GateVerdict) -> str:
    """Return each group with its value."""
    groups = gate.groups or {}
    told = [f"{name} {'undefined' if value is None else number(value)}" for name, value in groups.items()]
    more = f" and {len(told) - MOST_GROUPS} more" if len(told) > MOST_GROUPS else ""
    return ", ".join(told[:MOST_GROUPS]) + more
