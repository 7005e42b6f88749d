"""Find the line in ``gates.yaml`` that a verdict comes from."""

from __future__ import annotations

from gates.documents.decision import Decision, GateVerdict
from gates.policy import Gate, ResolvedPolicy
from gates.schema.yaml_text import Path, Place, Source


def places(source: Source, resolved: ResolvedPolicy, decision: Decision) -> tuple[Place, ...]:
    """Return line and column of each of the decision's gates; of what the policy only implies, those of its cause."""
    return tuple(source.where(_path(source, resolved, verdict)) for verdict in decision.gates)


def _path(source: Source, resolved: ResolvedPolicy, verdict: GateVerdict) -> Path:
    for index, gate in enumerate(resolved.policy.gates):
        if _made(gate, verdict):
            inside = ("slices",) if verdict.slice and verdict.by is None else ()
            rule: Path = ("gates", index, *inside, verdict.rule)
            return rule if rule in source.places else ("gates", index, gate.kind)
    return ("data", "contract")


def _made(gate: Gate, verdict: GateVerdict) -> bool:
    if gate.kind != verdict.kind:
        return False
    table = verdict.id.removeprefix("data.")  # a gate on data gives verdicts a table
    return table in gate.rule.data if gate.kind == "data" else gate.module.name(gate.rule) == verdict.id
