"""Print a checked table on a terminal: what is broken, what is only a warning, and how much holds."""

from __future__ import annotations

from gates.documents.decision import Code, GateVerdict, Verdict
from gates.documents.evidence import Finding
from gates.documents.printed.table_check import Checked
from gates.report.headline import sign, word
from gates.report.rule_list import by_badness
from gates.report.terminal.verdicts import COLOURS, console
from gates.wording import plural, printable, rows

WARNING = "⚠️"


def render(checked: Checked, *, width: int = 120, colour: bool = False) -> str:
    """Return text for a terminal of ``width`` columns; escape codes only where ``colour``."""
    from rich.text import Text

    out, terminal = console(width, colour=colour)
    broken = [gate for gate in by_badness(checked.gates) if gate.verdict is not Verdict.PASS]
    warned = [gate for gate in checked.gates if gate.code is Code.WARNED]
    if broken or warned:
        terminal.print(_table([*broken, *warned], {finding.rule: finding for finding in checked.findings}))
    for gate in (*broken, *warned):
        terminal.print(Text(f"{_sign(gate)} {printable(gate.reason)}", style=_style(gate)))
    held = len(checked.gates) - len(broken) - len(warned)
    terminal.print(Text(f"{sign(Verdict.PASS)} {held} of {plural(len(checked.gates), 'rule holds', 'rules hold')}"))
    if checked.skipped:
        names = printable(", ".join(checked.skipped))
        terminal.print(Text(f"{sign(None)} {len(checked.skipped)} skipped: they need training data: {names}"))
    last = f"{printable(checked.table)}, {rows(checked.rows)}: {_LAST[checked.verdict]}"
    terminal.print(Text(f"{sign(checked.verdict)} {last}", style=f"bold {COLOURS[checked.verdict]}"))
    return out.getvalue()


_LAST = {
    Verdict.PASS: "the contract holds",
    Verdict.INCONCLUSIVE: "whether the contract holds can't be determined",
    Verdict.FAIL: "the contract is broken",
    Verdict.ERROR: "could not be checked against the contract",
}


def _sign(gate: GateVerdict) -> str:
    return WARNING if gate.code is Code.WARNED else sign(gate.verdict)


def _style(gate: GateVerdict) -> str:
    return "yellow" if gate.code is Code.WARNED or gate.verdict is None else COLOURS[gate.verdict]


def _table(gates: list[GateVerdict], findings: dict[str, Finding]) -> object:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column("verdict", no_wrap=True)
    table.add_column("rule", overflow="fold")
    table.add_column("rows", justify="right", no_wrap=True)
    table.add_column("share", justify="right", no_wrap=True)
    table.add_column("examples", overflow="fold")
    for gate in gates:
        finding = findings.get(gate.rule)
        table.add_row(
            Text(f"{_sign(gate)} {'warned' if gate.code is Code.WARNED else word(gate.verdict)}", style=_style(gate)),
            Text(printable(gate.rule)),
            *(_counted(finding) if finding else ("–", "–")),
            Text(printable(", ".join(finding.examples)) if finding else ""),
        )
    return table


def _counted(finding: Finding) -> tuple[str, str]:
    """Return rows that a rule counted, and their share; of a distance to another table there is neither."""
    if finding.parts:
        return "–", "–"
    if finding.rule == "rows" or not finding.rows:  # all of them, always
        return f"{finding.count:,}", "–"
    return f"{finding.count:,}", f"{100 * finding.count / finding.rows:.3g} %"
