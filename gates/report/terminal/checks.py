"""Print what `gates doctor` found: first what is wrong and how to fix it, then how much is fine."""

from __future__ import annotations

from typing import Final

from gates.documents.diagnosis import CheckState, Diagnosis, Looked
from gates.report.terminal.verdicts import console
from gates.wording import plural, printable

SIGNS: Final = {
    CheckState.OK: "✅",
    CheckState.SKIPPED: "➖",
    CheckState.UNKNOWN: "❔",
    CheckState.MISSING: "❌",
    CheckState.UNSAFE: "❌",
}
COLOURS: Final = {CheckState.UNSAFE: "red", CheckState.MISSING: "red", CheckState.UNKNOWN: "yellow"}


def render(diagnosis: Diagnosis, *, width: int = 120, colour: bool = False) -> str:
    """Return text for a terminal of ``width`` columns; escape codes only where ``colour``."""
    from rich.text import Text

    out, told = console(width, colour=colour)
    states = list(CheckState)
    for one in sorted(diagnosis.checks, key=lambda one: -states.index(one.state)):
        if one.findings:
            told.print(Text(f"{SIGNS[one.state]} {one.id}: {one.asks}", style=f"bold {COLOURS[one.state]}"))
            for finding in one.findings:
                told.print(Text(f"   {finding.state} {printable(finding.where)}: {printable(finding.what)}"))
            told.print(Text(f"   → {one.mend}", style="dim"))
    for state, words in (
        (CheckState.OK, "ok"),
        (CheckState.SKIPPED, "not checked: no token"),
    ):
        names = [one.id for one in diagnosis.checks if one.state is state]
        if names:
            told.print(Text(f"{SIGNS[state]} {len(names)} {words}: {', '.join(names)}"))
    told.print(Text(_last(diagnosis.checks), style="bold"))
    return out.getvalue()


def _last(checks: tuple[Looked, ...]) -> str:
    bad = sum(one.state in (CheckState.MISSING, CheckState.UNSAFE) for one in checks)
    if bad:
        return f"{plural(bad, 'check', 'checks')} of {len(checks)} found something missing or unsafe"
    return "nothing is missing or unsafe, as far as gates can see"
