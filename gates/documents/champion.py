"""What the ledger says about the models that an alias has named. Data alone; ``gates.ledger`` reads it."""

from __future__ import annotations

from dataclasses import dataclass

from gates.documents.decision import Decision, Estimate, GateVerdict
from gates.documents.record import Record, Waiver


@dataclass(frozen=True, slots=True, kw_only=True)
class Champion:
    """A move of an alias. ``record`` is what moved it, ``digest`` that record's; ``decision`` is what the model was
    promoted on, None where it can't be read. ``judged`` is the record that promoted it: another one after a
    rollback."""

    record: Record
    digest: str
    judged: Record
    decision: Decision | None

    @property
    def version(self) -> str:
        """The version in the registry."""
        return self.record.after.version if self.record.after else "?"

    @property
    def waivers(self) -> tuple[Waiver, ...]:
        """What somebody accepted so that it could be promoted."""
        return self.judged.waivers


def measured(decision: Decision) -> list[tuple[GateVerdict, Estimate]]:
    """Return the candidate's value of each metric on the whole holdout, once a gate."""
    by_gate: dict[str, tuple[GateVerdict, Estimate]] = {}
    for gate in decision.gates:
        if gate.metric and gate.candidate and not gate.slice and not gate.against:
            by_gate.setdefault(gate.id, (gate, gate.candidate))
    return list(by_gate.values())
