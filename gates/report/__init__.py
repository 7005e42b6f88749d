"""A decision rendered, one module a format. Computes nothing: it prints the numbers that were judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from gates.decision import Code, Decision, GateVerdict, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a report says about the run besides the decision."""

    policy: str = "gates.yaml"
    version: str = ""
    commit: str | None = None
    run_url: str | None = None
    reproduce: str = "gates run"


class Format(Protocol):
    """A way to render a decision."""

    def render(self, decision: Decision, facts: Facts) -> str:
        """The whole report as text."""
        ...


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
    worst = [gate for gate in decision.gates if gate.verdict is decision.verdict]
    bars = len(decision.gates)
    if decision.code is Code.COULD_NOT_JUDGE:
        return "could not judge"
    if decision.verdict is Verdict.ERROR:
        return f"could not judge — {len(worst)} of {bars} bars could not be held"
    if decision.verdict is Verdict.FAIL:
        broken_data = all(gate.kind == "data" for gate in worst)
        what = "the data breaks its contract" if broken_data else f"{len(worst)} of {bars} bars failed"
        return f"do not merge yet — {what}"
    if decision.code is Code.NOTHING_JUDGED:
        return "cannot tell yet — nothing was judged"
    if decision.verdict is Verdict.INCONCLUSIVE:
        return f"cannot tell yet — {len(worst)} of {bars} bars undecided"
    if decision.champion is None:
        return "first run — what could be judged holds; there is no champion to compare with yet"
    return f"ready to merge — all {len(worst)} bars hold"


def by_badness(gates: tuple[GateVerdict, ...]) -> list[GateVerdict]:
    """Worst first, otherwise in the policy's order."""
    return sorted(gates, key=lambda gate: -(gate.verdict.badness if gate.verdict else 0))
