"""Print the decision on a terminal: a table, the reasons of what did not pass, the verdict."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from gates.documents.decision import Decision, Estimate, GateVerdict, Verdict
from gates.report.headline import (
    WARNING,
    acceptances,
    accepted,
    by_badness,
    commands,
    first_line,
    reason_lines,
    reuse,
    sign,
    waiting,
    why,
    word,
)
from gates.report.interval import SIGNS, TITLE, asked, drawn, within
from gates.report.run_facts import Facts
from gates.wording import number, plural, printable, rows

if TYPE_CHECKING:
    from rich.console import Console

TABLE_WIDTH = 110  # columns; below, numbers of the table would be cut
PICTURE_WIDTH = 140  # from here on there is room for the little pictures, too
COLOURS = {Verdict.PASS: "green", Verdict.INCONCLUSIVE: "yellow", Verdict.FAIL: "red", Verdict.ERROR: "red"}


def render(decision: Decision, facts: Facts | None = None, *, width: int = 120, colour: bool = False) -> str:
    """Return text for a terminal of ``width`` columns; escape codes only where ``colour``."""
    from rich.text import Text

    facts = facts or Facts()
    out, terminal = console(width, colour=colour)
    shown = by_badness(tuple(gate for gate in decision.gates if gate.kind != "data" and gate.verdict is not None))
    if shown and width >= TABLE_WIDTH:
        terminal.print(_table(shown, pictures=width >= PICTURE_WIDTH))
    for gate in shown if width < TABLE_WIDTH else ():
        terminal.print(_stacked(gate))
    held = sum(gate.kind == "data" and gate.verdict is Verdict.PASS for gate in decision.gates)
    notes = ([f"{sign(Verdict.PASS)} {_held(held)}"] if held else []) + [
        f"{sign(None)} {line}" for line in waiting(decision)
    ]
    notes += filter(None, [reuse(decision)])
    for note in notes:
        terminal.print(Text(printable(note)))
    for line in acceptances(facts):
        terminal.print(Text(printable(line), style="yellow"))
    covered, reason = accepted(facts), why(decision, facts)
    for gate in by_badness(decision.gates):
        if gate in covered or gate.verdict in (Verdict.PASS, None):
            continue
        if gate.reason != reason:  # that one comes last
            terminal.print(Text(f"{sign(gate.verdict)} {printable(gate.reason)}", style=COLOURS[gate.verdict]))
    for line in facts.weaker:
        terminal.print(Text(f"{WARNING} weaker than before: {printable(line)}", style="yellow"))
    terminal.print(
        Text(printable(" ".join(first_line(decision, facts))), style=f"bold {COLOURS[facts.verdict(decision)]}")
    )
    for line in reason_lines(decision, reason):
        terminal.print(Text(f"   {printable(line)}"))
    for line in commands(decision, facts):
        terminal.print(Text(f"   can be accepted: {line}", style="dim"), soft_wrap=True)
    return out.getvalue()


def console(width: int, *, colour: bool) -> tuple[io.StringIO, Console]:
    """Return where to print, and what prints there: no markup, no emoji codes, no guesses at what a number is."""
    from rich.console import Console

    out = io.StringIO()
    made = Console(
        file=out, width=width, force_terminal=colour, no_color=not colour, highlight=False, emoji=False, markup=False
    )
    return out, made


def _held(count: int) -> str:
    return plural(count, "rule of the data contract holds", "rules of the data contract hold")


def _stacked(gate: GateVerdict) -> object:
    """Return a gate on lines of its own, for a window too narrow for the table."""
    from rich.text import Text

    style = COLOURS[gate.verdict] if gate.verdict else "dim"
    numbers = f"{_models(gate)}; judged {_judged(gate)}; {_bar(gate)}; {rows(gate.n)}"
    return Text(f"{sign(gate.verdict)} {word(gate.verdict)} {printable(_name(gate))}", style=style) + Text(
        f"\n   {numbers}"
    )


def _name(gate: GateVerdict) -> str:
    return gate.label + (f" (found among {gate.searched:,})" if gate.searched else "")


def _models(gate: GateVerdict) -> str:
    return f"{_value(gate.champion)} → {_value(gate.candidate)}" if gate.champion else _value(gate.candidate)


def _table(gates: list[GateVerdict], *, pictures: bool) -> object:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column("verdict", no_wrap=True)
    table.add_column("rule", overflow="fold")
    for title in ("champion → candidate", "judged (bounds)", "limit", "rows"):
        table.add_column(title, justify="right", no_wrap=True)
    if pictures:
        table.add_column(TITLE, no_wrap=True)
    for gate in gates:
        table.add_row(
            Text(f"{sign(gate.verdict)} {word(gate.verdict)}", style=COLOURS[gate.verdict] if gate.verdict else "dim"),
            Text(printable(_name(gate))),
            _models(gate),
            _judged(gate),
            _bar(gate),
            f"{gate.n:,}",
            *([drawn(gate)] if pictures else []),
        )
    return table


def _value(estimate: Estimate | None) -> str:
    return number(estimate.value) if estimate else "–"


def _judged(gate: GateVerdict) -> str:
    """Return the number that was held against the limit, with its bounds."""
    level = gate.rule in ("min", "max")
    estimate = gate.candidate if level else gate.difference
    return within(gate, estimate, change=not level) or "–"


def _bar(gate: GateVerdict) -> str:
    return asked(gate, SIGNS) or gate.rule
