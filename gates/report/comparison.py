"""Two contracts compared, on a terminal: a row a rule that differs, and whether the second may take more."""

from __future__ import annotations

from typing import Final

from gates.contract.changes import Change, Kind
from gates.contract.compare import NOT_LOOSER, Comparison
from gates.emit import flow
from gates.report.terminal import console, flat

WORDS: Final = {Kind.UNKNOWN: "can't be told"}


def render(comparison: Comparison, *, width: int = 120, colour: bool = False) -> str:
    """Text for a terminal of ``width`` columns; escape codes only where ``colour``."""
    from rich.text import Text

    out, told = console(width, colour=colour)
    changes = comparison.changes
    if changes:
        told.print(_table(sorted(changes, key=lambda change: change.kind in NOT_LOOSER)))
    loose = sum(change.kind not in NOT_LOOSER for change in changes)
    last = f"❌ looser, or it can't be told, in {loose} of {len(changes)} changes" if loose else _kept(len(changes))
    told.print(Text(last, style=f"bold {'red' if loose else 'green'}"))
    return out.getvalue()


def _kept(changes: int) -> str:
    return f"✅ stricter in all {changes} changes" if changes else "✅ no rule differs"


def _table(changes: list[Change]) -> object:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column("change", no_wrap=True)
    for title in ("rule", "before", "after"):
        table.add_column(title, overflow="fold")
    for change in changes:
        style = "green" if change.kind in NOT_LOOSER else "red"
        said = ("–" if side is None else flat(flow(side)[1:-1]) for side in (change.before, change.after))
        table.add_row(
            Text(WORDS.get(change.kind, str(change.kind)), style=style), Text(flat(change.rule)), *map(Text, said)
        )
    return table
