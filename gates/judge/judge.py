"""Judge evidence by a policy. Pure: no clock, no network, no data, no randomness."""

from __future__ import annotations

from collections import Counter

from gates.documents.decision import SCHEMA, Code, Decision, GateVerdict, ModelRef, Verdict, worst
from gates.documents.evidence import Evidence
from gates.errors import GatesError
from gates.judge.consistency import contradiction
from gates.policy import ResolvedPolicy
from gates.schema.canonical import digest
from gates.wording import all_of


def judge(resolved: ResolvedPolicy, evidence: Evidence) -> Decision:
    """Return every gate's verdicts in the policy's order, and the worst of them.

    Raises ``GatesError`` where the evidence was measured under a policy that asks for other counts, or can't
    have been measured at all: it may have been handed over by somebody hostile.
    """
    if evidence.measured != resolved.measured:
        raise GatesError(
            "the evidence was measured under another policy (data, slices, gates or contract changed since)",
            hint="Run gates measure again.",
        )
    wrong = contradiction(resolved, evidence)
    if wrong:
        raise GatesError(f"the evidence contradicts itself: {wrong}", hint="Run gates measure again.")
    terms = resolved.terms()
    gates = tuple(verdict for gate in resolved.gates for verdict in gate.module.judge(gate.rule, evidence, terms))
    verdict, code, reason = _overall(gates)
    candidate, champion = evidence.candidate, evidence.champion
    return Decision(
        schema=SCHEMA,
        verdict=verdict,
        code=code,
        reason=reason,
        model=evidence.model,
        confidence=resolved.policy.confidence,
        candidate=ModelRef(digest=candidate.digest, version=candidate.version) if candidate else None,
        champion=ModelRef(digest=champion.digest, version=champion.version) if champion else None,
        gates=gates,
        evidence=digest(evidence),
        policy=resolved.digest,
        used=None if terms.reuse is None else evidence.used,
        reuse=terms.reuse,
    )


def _overall(gates: tuple[GateVerdict, ...]) -> tuple[Verdict, Code, str]:
    judged = [gate for gate in gates if gate.verdict is not None]
    later = "".join(f"; {count} not judged ({why})" for why, count in _waiting(gates).items())
    worst_gate = worst(judged)
    models = [gate for gate in judged if gate.metric]
    if worst_gate is None or (worst_gate.verdict is Verdict.PASS and not models):
        return Verdict.INCONCLUSIVE, Code.NOTHING_JUDGED, f"no rule of the model was judged{later}"
    assert worst_gate.verdict is not None  # noqa: S101 -- ``worst`` looks at judged ones only
    if worst_gate.verdict is Verdict.PASS:
        holding = all_of(len(models), "judged rule holds", "judged rules hold")
        return worst_gate.verdict, worst_gate.code, f"{holding}{later}"
    return worst_gate.verdict, worst_gate.code, worst_gate.reason


def _waiting(gates: tuple[GateVerdict, ...]) -> Counter[str]:
    """Tell why rules were not judged, and how many for each reason."""
    return Counter(
        "too few rows" if gate.code is Code.TOO_FEW_ROWS else gate.reason for gate in gates if gate.verdict is None
    )
