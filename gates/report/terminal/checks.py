"""Print what `gates doctor` found: first what is wrong and how to fix it, then how much is fine."""

from __future__ import annotations

from typing import Final

from gates.documents.printed.diagnosis import CheckState, Diagnosis, Looked
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

    out, terminal = console(width, colour=colour)
    states = list(CheckState)
    for check in sorted(diagnosis.checks, key=lambda check: -states.index(check.state)):
        if check.findings:
            terminal.print(Text(f"{SIGNS[check.state]} {check.id}: {check.asks}", style=f"bold {COLOURS[check.state]}"))
            for finding in check.findings:
                terminal.print(Text(f"   {finding.state} {printable(finding.where)}: {printable(finding.what)}"))
            terminal.print(Text(f"   → {check.mend}", style="dim"))
    for state, words in (
        (CheckState.OK, "ok"),
        (CheckState.SKIPPED, "not checked: no token"),
    ):
        names = [check.id for check in diagnosis.checks if check.state is state]
        if names:
            terminal.print(Text(f"{SIGNS[state]} {len(names)} {words}: {', '.join(names)}"))
    terminal.print(Text(_last(diagnosis.checks), style="bold"))
    return out.getvalue()


def _last(checks: tuple[Looked, ...]) -> str:
    bad = sum(one.state in (CheckState.MISSING, CheckState.UNSAFE) for one in checks)
    if bad:
        return f"{plural(bad, 'check', 'checks')} of {len(checks)} found something missing or unsafe"
    return "nothing is missing or unsafe, as far as gates can see"
