"""A decision rendered, one module a format. Computes nothing: it prints the numbers that were judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gates.asks import Change
from gates.decision import Code, Decision, GateVerdict, Verdict
from gates.words import plural


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a report says about the run besides the decision."""

    policy: str = "gates.yaml"
    version: str = ""
    commit: str | None = None
    run_url: str | None = None
    reproduce: str = "gates run"
    base: str | None = None  # the commit whose policy judged, too
    weakened: tuple[Change, ...] = ()  # what the policy asks less for than that one


SIGNS: Final = {
    Verdict.PASS: "✅",
    Verdict.INCONCLUSIVE: "❔",
    Verdict.FAIL: "❌",
    Verdict.ERROR: "💥",
    None: "➖",
}


def sign(verdict: Verdict | None) -> str:
    """A verdict's sign; always printed beside its word, never alone."""
    return SIGNS[verdict]


def word(verdict: Verdict | None) -> str:
    """A verdict's word."""
    return str(verdict) if verdict else "not judged"


def headline(decision: Decision) -> str:
    """The first line: may this model ship? Every absence has its own."""
    models = [gate for gate in decision.gates if gate.kind != "data" and gate.verdict is not None]
    worst = sum(gate.verdict is decision.verdict for gate in models)
    if decision.code is Code.COULD_NOT_JUDGE:
        return "could not judge"
    if decision.code is Code.NOTHING_JUDGED:
        return "cannot tell yet — nothing was judged"
    if not worst:
        uncounted = decision.verdict is Verdict.ERROR
        return "could not judge — the data contract" if uncounted else "do not merge yet — the data breaks its contract"
    holding = plural(worst, "bar holds", "bars hold")
    if decision.verdict is Verdict.PASS and decision.champion is None:
        return f"first run — {holding}, nothing to compare with yet"
    return {
        Verdict.PASS: f"ready to merge — {'all ' if worst > 1 else ''}{holding}",
        Verdict.INCONCLUSIVE: f"cannot tell yet — {worst} of {len(models)} bars undecided",
        Verdict.FAIL: f"do not merge yet — {worst} of {len(models)} bars failed",
        Verdict.ERROR: f"could not judge — {worst} of {len(models)} bars could not be held",
    }[decision.verdict]


def waiting(decision: Decision) -> list[str]:
    """One line a reason for the bars that were not judged."""
    reasons: dict[str, int] = {}
    for gate in decision.gates:
        if gate.verdict is None:
            reasons[gate.reason] = reasons.get(gate.reason, 0) + 1
    return [f"{plural(count, 'bar', 'bars')} not judged: {reason}" for reason, count in reasons.items()]


def by_badness(gates: tuple[GateVerdict, ...]) -> list[GateVerdict]:
    """Worst first, otherwise in the policy's order."""
    return sorted(gates, key=lambda gate: -(gate.verdict.badness if gate.verdict else 0))
