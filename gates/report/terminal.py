"""The decision on a terminal: a table, the sentences of what did not pass, the verdict."""

from __future__ import annotations

import io

from gates.decision import Decision, Estimate, GateVerdict, Verdict
from gates.report import Facts, by_badness, headline, sign, word
from gates.slices import key_text
from gates.words import bar_text, number, signed

COLOURS = {Verdict.PASS: "green", Verdict.INCONCLUSIVE: "yellow", Verdict.FAIL: "red", Verdict.ERROR: "red"}


def render(decision: Decision, facts: Facts, *, width: int = 110, colour: bool = False) -> str:
    """Text for a terminal of ``width`` columns; escape codes only where ``colour``."""
    from rich.console import Console
    from rich.text import Text

    out = io.StringIO()
    console = Console(
        file=out, width=width, force_terminal=colour, no_color=not colour, highlight=False, emoji=False, markup=False
    )
    shown = [gate for gate in decision.gates if gate.kind != "data" or gate.verdict is not Verdict.PASS]
    held = len(decision.gates) - len(shown)
    if shown:
        console.print(_table(shown))
    if held:
        console.print(f"data: {held} rules of the contract hold")
    for gate in by_badness(decision.gates):
        if gate.verdict in (Verdict.INCONCLUSIVE, Verdict.FAIL, Verdict.ERROR):
            console.print(Text(f"{sign(gate.verdict)} {gate.reason}", style=COLOURS[gate.verdict]))
    last = Text(f"{sign(decision.verdict)} {headline(decision)}", style=f"bold {COLOURS[decision.verdict]}")
    console.print(last)
    console.print(Text(f"   {decision.reason}"))
    return out.getvalue()


def _table(gates: list[GateVerdict]) -> object:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title, justify in (("", "left"), ("gate", "left"), ("slice", "left")):
        table.add_column(title, justify=justify)  # type: ignore[arg-type] # rich wants its own literals
    for title in ("champion", "candidate", "change", "bar", "rows"):
        table.add_column(title, justify="right")
    for gate in gates:
        style = COLOURS[gate.verdict] if gate.verdict else "dim"
        level = gate.rule in ("min", "max")
        table.add_row(
            Text(f"{sign(gate.verdict)} {word(gate.verdict)}", style=style),
            gate.id,
            Text(key_text(gate.slice) if gate.slice else ""),
            _value(gate.champion),
            _interval(gate.candidate) if level else _value(gate.candidate),
            _change(gate.difference),
            Text(_bar(gate)),
            f"{gate.n:,}",
        )
    return table


def _value(estimate: Estimate | None) -> str:
    return number(estimate.value) if estimate else "–"


def _interval(estimate: Estimate | None) -> str:
    return f"{number(estimate.value)} ({number(estimate.low)}…{number(estimate.high)})" if estimate else "–"


def _change(estimate: Estimate | None) -> str:
    return f"{signed(estimate.value)} ({signed(estimate.low)}…{signed(estimate.high)})" if estimate else "–"


_SIGNS = {"min": "≥ {}", "max": "≤ {}", "max_worsening": "≥ −{} change", "min_improvement": "≥ +{} change"}


def _bar(gate: GateVerdict) -> str:
    return _SIGNS[gate.rule].format(bar_text(gate.bar)) if gate.rule in _SIGNS and gate.bar is not None else gate.rule
