"""Print a comparison of two contracts or policies: one row per rule that differs, and whether the second is looser."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gates.documents.printed.diff import Change as PolicyChange
from gates.documents.printed.diff import ChangeKind, Effect
from gates.documents.printed.diff import SchemaChange as ContractChange
from gates.report.terminal.verdicts import console
from gates.schema.fields import Plain
from gates.schema.yaml_text import flow
from gates.wording import all_of, counted, printable

WORDS: Final = {ChangeKind.UNKNOWN: "can't be determined", Effect.UNKNOWN: "can't be determined"}
Change = ContractChange | PolicyChange


def render(changes: Sequence[Change], worse: str, *, width: int = 120, colour: bool = False) -> str:
    """Return text for a terminal of ``width`` columns; escape codes only where ``colour``. ``worse`` is what the second
    one must not be: looser, weaker."""
    from rich.text import Text

    out, terminal = console(width, colour=colour)
    if changes:
        terminal.print(_table(sorted(changes, key=_kept)))
    loose = sum(not _kept(change) for change in changes)
    last = (
        f"❌ {worse}, or it can't be determined, in {loose} of {counted(len(changes), 'change')}"
        if loose
        else _all_kept(len(changes))
    )
    terminal.print(Text(last, style=f"bold {'red' if loose else 'green'}"))
    return out.getvalue()


def _kept(change: Change) -> bool:
    return not (change.kind.weakens if isinstance(change, PolicyChange) else change.kind.loosens)


def _all_kept(changes: int) -> str:
    return f"✅ stricter in {all_of(changes, 'change', 'changes')}" if changes else "✅ no rule differs"


def _table(changes: list[Change]) -> object:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column("change", no_wrap=True)
    for title in ("rule", "before", "after"):
        table.add_column(title, overflow="fold")
    for change in changes:
        style = "green" if _kept(change) else "red"
        said = (_said(side) for side in (change.before, change.after))
        table.add_row(
            Text(WORDS.get(change.kind, str(change.kind)), style=style), Text(printable(change.rule)), *map(Text, said)
        )
    return table


def _said(side: Plain) -> str:
    """Return a value as YAML would have it; keys without their braces."""
    if side is None or side is True:
        return "–" if side is None else "asked for"
    return printable(flow(side)[1:-1] if isinstance(side, dict) else flow(side))
