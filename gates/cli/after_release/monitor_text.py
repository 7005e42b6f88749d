"""Print judged windows on a terminal: the newest of each part, worst rules first, then what earlier ones found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gates.documents.decision import Verdict
from gates.documents.live.monitoring_decision import JudgedWindow, MonitoringDecision
from gates.errors import Exit
from gates.ledger.ledger import Entry
from gates.report.alert_text import window_title
from gates.report.headline import sign, word
from gates.report.terminal.verdicts import COLOURS, console
from gates.wording import plural, printable

if TYPE_CHECKING:
    from rich.text import Text

MOST = 5  # earlier windows that are shown
_EXITS = {Verdict.FAIL: Exit.STOP, Verdict.ERROR: Exit.INPUT}


def exit_code(decision: MonitoringDecision) -> Exit:
    """Return 1 for an alarm, 2 where something could not be judged, else 0: what is undecided is watched further."""
    return _EXITS.get(decision.verdict, Exit.SHIP)


def render(decision: MonitoringDecision, entry: Entry | None, *, width: int, colour: bool) -> str:
    """Write what was judged, for people."""
    out, terminal = console(width, colour=colour)
    for line in _lines(decision, entry):
        terminal.print(line)
    return out.getvalue()


def _lines(decision: MonitoringDecision, entry: Entry | None) -> Iterator[Text]:
    from rich.text import Text

    newest = {window.part: window for window in decision.windows}
    for window in newest.values():
        yield Text(printable(window_title(window)), style="bold")
        yield from _rules(window)
    earlier = [one for one in decision.windows if one not in newest.values()]
    bad = [one for one in earlier if one.verdict in (Verdict.FAIL, Verdict.ERROR)]
    if earlier:
        told = f", {len(bad)} of them with an alarm or an error" if bad else ""
        yield Text(f"{plural(len(earlier), 'earlier window', 'earlier windows')}{told}")
    for window in bad[-MOST:]:
        worst = max((rule.gate for rule in window.rules), key=lambda gate: gate.badness)
        yield Text(f"{sign(window.verdict)} {window.start[:16]}: {printable(worst.reason)}", style="red")
    style = f"bold {COLOURS[decision.verdict]}"
    where = f" (record {entry.record.sequence})" if entry else " (not recorded)"
    yield Text(printable(f"{sign(decision.verdict)} {decision.model}: {decision.reason}{where}"), style=style)


def _rules(window: JudgedWindow) -> Iterator[Text]:
    from rich.text import Text

    gates = sorted((rule.gate for rule in window.rules), key=lambda gate: gate.badness, reverse=True)
    loud = [gate for gate in gates if gate.verdict is not Verdict.PASS]
    for gate in loud:
        style = COLOURS[gate.verdict] if gate.verdict else "dim"
        yield Text(printable(f"{sign(gate.verdict)} {word(gate.verdict)} {gate.label}: {gate.reason}"), style=style)
    passed = len(gates) - len(loud)
    if passed:
        yield Text(f"{sign(Verdict.PASS)} {plural(passed, 'rule holds', 'rules hold')}")
