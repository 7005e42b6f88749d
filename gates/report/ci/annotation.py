"""Write annotations at the lines of the policy that failed, as commands to a job's runner.

What is quoted stays text: a command ends with its line, so line breaks and percent signs are escaped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gates.documents.decision import Code, Decision, GateVerdict, Verdict
from gates.report.headline import accepted
from gates.report.rule_list import by_badness
from gates.report.run_facts import Facts
from gates.schema.yaml_text import Place
from gates.wording import plural

MOST = 9  # the runner shows ten of a level and step; the tenth says how many more there are
MOST_REASONS = 5
LONGEST = 400  # characters of a reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """One annotation."""

    level: str
    file: str
    place: Place
    title: str
    text: str

    def __str__(self) -> str:
        line, column = self.place
        where = f"file={_property(self.file)},line={line},col={column},title={_property(self.title)}"
        return f"::{self.level} {where}::{_data(self.text)}"


def render(decision: Decision, facts: Facts) -> str:
    """Return a line an annotation; nothing where all is well."""
    found = list(_mistakes(decision, facts) if decision.code is Code.COULD_NOT_JUDGE else _verdicts(decision, facts))
    lines = []
    for level in ("error", "warning"):
        notes = [note for note in found if note.level == level]
        lines += [str(note) for note in notes[:MOST]]
        if len(notes) > MOST:
            more = f"{len(notes) - MOST} more; the report has them all"
            lines.append(str(Note(level=level, file=facts.path, place=(1, 1), title="gates", text=more)))
    return "".join(f"{line}\n" for line in lines)


def _verdicts(decision: Decision, facts: Facts) -> Iterator[Note]:
    """Yield one annotation a line of the policy and level: a rule that many slices miss is one annotation."""
    covered, at = accepted(facts), dict(zip(map(id, decision.gates), facts.places, strict=False))
    grouped: dict[tuple[str, Place], list[GateVerdict]] = {}
    for gate in by_badness(decision.gates):
        if gate.verdict in (Verdict.PASS, None):
            continue
        blocks = gate.verdict is Verdict.ERROR or (
            gate not in covered and not facts.observing and (gate.verdict is Verdict.FAIL or facts.strict)
        )
        grouped.setdefault(("error" if blocks else "warning", at.get(id(gate), (1, 1))), []).append(gate)
    for (level, position), gates in grouped.items():
        reasons = [gate.reason[:LONGEST] + (" (accepted)" if gate in covered else "") for gate in gates]
        more = [f"and {len(reasons) - MOST_REASONS} more"] if len(reasons) > MOST_REASONS else []
        worst = gates[0].verdict
        shown = str(worst) if len(gates) == 1 else plural(len(gates), "rule", "rules")
        text = "\n".join([*reasons[:MOST_REASONS], *more])
        yield Note(level=level, file=facts.path, place=position, title=f"{gates[0].id}: {shown}", text=text)


def _mistakes(decision: Decision, facts: Facts) -> Iterator[Note]:
    """Yield mistakes of policy and contract at their own lines; anything else that stopped the run, at the policy's
    first."""
    located = list(facts.located())
    for file, problem in located:
        place = (problem.line, problem.column)
        yield Note(level="error", file=file, place=place, title="gates", text=problem.text[:LONGEST])
    if not located:
        text = decision.reason[:LONGEST]
        yield Note(level="error", file=facts.path, place=(1, 1), title="gates could not judge", text=text)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
