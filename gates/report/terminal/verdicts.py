"""Print the decision on a terminal: the rules, worst first, then the verdict and why."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING

from gates.documents.decision import Decision, Estimate, GateVerdict, Verdict
from gates.report.headline import (
    WARNING,
    acceptance,
    acceptances,
    accepted,
    first_line,
    reason_lines,
    reuse,
    rows_changed,
    sign,
    waiting,
    why,
    word,
)
from gates.report.interval import SIGNS, TITLE, asked, drawn, within
from gates.report.rule_list import RuleList, by_badness, remark
from gates.report.run_facts import Facts
from gates.wording import number, plural, printable, rows

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

TABLE_WIDTH = 110  # columns; below, numbers of the table would be cut
PICTURE_WIDTH = 140  # from here on there is room for the little pictures, too
MOST_PASSED = 10  # rules that hold and are shown
INDENT = 3  # of what stands below a rule
COLOURS = {Verdict.PASS: "green", Verdict.INCONCLUSIVE: "yellow", Verdict.FAIL: "red", Verdict.ERROR: "red"}
COLUMNS = ("verdict", "rule", "champion → candidate", "judged (bounds)", "limit", "rows")
LEFT = 2  # of the columns stand at the left of their width
RULE = 1  # the column of names, which gives way where there is no room


def render(decision: Decision, facts: Facts | None = None, *, width: int = 120, colour: bool = False) -> str:
    """Return text for a terminal of ``width`` columns; escape codes only where ``colour``."""
    facts = facts or Facts()
    out, terminal = console(width, colour=colour)
    for line in _lines(decision, facts, width):
        terminal.print(line, soft_wrap=line.style == "dim")
    return out.getvalue()


def _lines(decision: Decision, facts: Facts, width: int) -> Iterator[Text]:
    from rich.text import Text

    rules = RuleList.of(decision, accepted(facts))
    shown = [*rules.loud, *rules.accepted, *rules.passed[:MOST_PASSED]]
    yield from _table(shown, width) if width >= TABLE_WIDTH else _stacked(shown, width)
    left = len(rules.passed) - MOST_PASSED
    held = sum(gate.kind == "data" and gate.verdict is Verdict.PASS for gate in decision.gates)
    notes = [f"{sign(Verdict.PASS)} {plural(left, 'more rule holds', 'more rules hold')}"] if left > 0 else []
    notes += [f"{sign(Verdict.PASS)} {_held(held)}"] if held else []
    notes += [f"{sign(None)} {line}" for line in waiting(decision)]
    yield from (Text(printable(note)) for note in [*notes, *filter(None, [rows_changed(facts), reuse(decision)])])
    yield from (Text(printable(line), style="yellow") for line in acceptances(facts))
    reason = why(decision, facts)
    for gate in by_badness(tuple(gate for gate in decision.gates if gate.kind == "data")):
        if gate.verdict not in (Verdict.PASS, None) and gate.reason != reason:  # that one comes last
            yield Text(f"{sign(gate.verdict)} {printable(gate.reason)}", style=COLOURS[gate.verdict])
    for line in facts.weaker:
        yield Text(f"{WARNING} weaker than before: {printable(line)}", style="yellow")
    yield Text(printable(" ".join(first_line(decision, facts))), style=f"bold {COLOURS[facts.verdict(decision)]}")
    yield from (Text(f"{' ' * INDENT}{printable(line)}") for line in reason_lines(decision, reason))
    if facts.commit:
        about = f"commit {facts.commit[:7]}{facts.about_commit}; again: {facts.reproduce}"
        yield Text(f"{' ' * INDENT}{printable(about)}", style="dim")
    if told := acceptance(decision, facts):
        command, others = told
        yield Text(f"{' ' * INDENT}can be accepted: {command}{f'  ({others})' if others else ''}", style="dim")


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


def _style(gate: GateVerdict) -> str:
    return COLOURS[gate.verdict] if gate.verdict else "dim"


def _stacked(gates: Sequence[GateVerdict], width: int) -> Iterator[Text]:
    """Yield a gate on lines of its own, for a window too narrow for the table."""
    from rich.text import Text

    for gate in gates:
        yield Text(f"{sign(gate.verdict)} {word(gate.verdict)} {printable(_name(gate))}", style=_style(gate))
        yield Text(f"{' ' * INDENT}{_models(gate)}; judged {_judged(gate)}; {_bar(gate)}; {rows(gate.n)}")
        yield from _remark(gate, width)


def _table(gates: Sequence[GateVerdict], width: int) -> Iterator[Text]:
    """Yield a line of numbers a gate, with its remark below. A name that is too long has a line of its own."""
    from rich.cells import cell_len
    from rich.text import Text

    if not gates:
        return
    pictures = width >= PICTURE_WIDTH
    titles = (*COLUMNS, *([TITLE] if pictures else []))
    cells = [_cells(gate, pictures=pictures) for gate in gates]
    wide = [max(map(cell_len, column)) for column in zip(titles, *cells, strict=True)]
    others = sum(wide) - wide[RULE] + 2 * len(wide)
    wide[RULE] = max(len(COLUMNS[RULE]), min(wide[RULE], width - others))

    def line(row: Sequence[str]) -> str:
        return "  ".join(
            _padded(cell, room, left=at < LEFT) for at, (cell, room) in enumerate(zip(row, wide, strict=True))
        )

    yield Text(line(titles).rstrip(), style="bold")
    for gate, row in zip(gates, cells, strict=True):
        first = f"{row[0]:<{wide[0] - cell_len(row[0]) + len(row[0])}}"
        start, rest = Text(first, style=_style(gate)), line(row)[len(first) :]
        if cell_len(row[RULE]) > wide[RULE]:
            yield start + f"  {row[RULE]}"
            start, rest = Text(" " * wide[0]), line(("", "", *row[LEFT:]))[wide[0] :]
        yield start + rest.rstrip()
        yield from _remark(gate, width)
    yield Text("")


def _padded(cell: str, room: int, *, left: bool) -> str:
    from rich.cells import cell_len

    space = " " * max(0, room - cell_len(cell))
    return cell + space if left else space + cell


def _cells(gate: GateVerdict, *, pictures: bool) -> tuple[str, ...]:
    verdict = f"{sign(gate.verdict)} {word(gate.verdict)}"
    numbers = (_models(gate), _judged(gate), _bar(gate), f"{gate.n:,}")
    return (verdict, printable(_name(gate)), *numbers, *([drawn(gate)] if pictures else []))


def _remark(gate: GateVerdict, width: int) -> Iterator[Text]:
    """Yield what the numbers don't say, below them."""
    from rich.text import Text

    for line in wrap(printable(remark(gate)), max(width - INDENT, INDENT), break_on_hyphens=False):
        yield Text(f"{' ' * INDENT}{line}")


def _name(gate: GateVerdict) -> str:
    return gate.label + (f" (found among {gate.searched:,})" if gate.searched else "")


def _models(gate: GateVerdict) -> str:
    return f"{_value(gate.champion)} → {_value(gate.candidate)}" if gate.champion else _value(gate.candidate)


def _value(estimate: Estimate | None) -> str:
    return number(estimate.value) if estimate else "–"


def _judged(gate: GateVerdict) -> str:
    """Return the number that was held against the limit, with its bounds."""
    level = gate.rule in ("min", "max")
    estimate = gate.candidate if level else gate.difference
    return within(gate, estimate, change=not level) or "–"


def _bar(gate: GateVerdict) -> str:
    return asked(gate, SIGNS) or gate.rule
