"""Print on a terminal how many rows each rule needs."""

from __future__ import annotations

from gates.documents.printed.power_table import PowerTable, RulePower
from gates.report.terminal.verdicts import console
from gates.wording import number, percent, plural, printable

_COLUMNS = ("rule", "to reveal", "{}s now", "they reveal", "{}s needed")


def render(table: PowerTable, *, width: int = 120, colour: bool = False) -> str:
    """Return text for a terminal of ``width`` columns; escape codes only where ``colour``."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    out, terminal = console(width, colour=colour)
    columns = (*_COLUMNS, "days") if table.rows_a_day else _COLUMNS
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for name in columns:
        shown.add_column(name.format(table.of), overflow="fold", justify="left" if name == "rule" else "right")
    for rule in table.rules:
        style = "green" if rule.needed is not None and rule.needed <= rule.rows else "yellow"
        shown.add_row(*(Text(printable(cell), style=style) for cell in _cells(rule)[: len(columns)]))
    if table.rules:
        terminal.print(shown)
    sure = percent(table.confidence) if table.confidence else "no"
    such = "experiments" if table.of == "unit" else "holdouts"
    said = f"Revealed is what {percent(table.power)} of such {such} show, by bounds that are {sure} sure."
    terminal.print(Text(said))
    if table.unbounded:
        lacking = plural(len(table.unbounded), "rule has", "rules have")
        terminal.print(Text(f"{lacking} no bounds yet: {printable(', '.join(table.unbounded))}"))
    return out.getvalue()


def _cells(rule: RulePower) -> tuple[str, ...]:
    revealed = "–" if rule.detectable is None else number(rule.detectable)
    needed = f"over {100 * rule.rows:,}" if rule.needed is None else f"{rule.needed:,}"
    days = "–" if rule.days is None else f"{rule.days:,}"
    return rule.rule, number(rule.distance), f"{rule.rows:,}", revealed, needed, days
