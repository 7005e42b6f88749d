"""Print a look at an experiment on a terminal: what was counted, each rule, the weeks, and the verdict last."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gates.documents.decision import Verdict
from gates.documents.live.experiment_decision import ExperimentDecision
from gates.documents.live.experiment_history import ExperimentPlan
from gates.errors import Exit
from gates.ledger.ledger import Entry
from gates.report.escape import line
from gates.report.headline import sign, word
from gates.report.terminal.verdicts import COLOURS, console
from gates.wording import number, plural, printable

if TYPE_CHECKING:
    from rich.text import Text

_EXITS = {Verdict.FAIL: Exit.STOP, Verdict.ERROR: Exit.INPUT}


def exit_code(decision: ExperimentDecision) -> Exit:
    """Return 1 where a gate fails, 2 where the log can't be judged, else 0: what is undecided goes on."""
    return _EXITS.get(decision.verdict, Exit.SHIP)


def render(decision: ExperimentDecision, entry: Entry | None, plan: ExperimentPlan, *, width: int, colour: bool) -> str:
    """Write a look, for people."""
    out, terminal = console(width, colour=colour)
    for told in _lines(decision, entry, plan):
        terminal.print(told)
    return out.getvalue()


def markdown(decision: ExperimentDecision, entry: Entry | None, plan: ExperimentPlan) -> str:
    """Write the same for the run's page, the verdict first."""
    *rest, last = (line(one.plain) for one in _lines(decision, entry, plan))
    return f"**{last}**\n\n" + "\n".join(f"- {one}" for one in rest)


def _lines(decision: ExperimentDecision, entry: Entry | None, plan: ExperimentPlan) -> Iterator[Text]:
    from rich.text import Text

    models = f"v{decision.challenger.version} beside champion v{decision.champion.version}"
    units = f"{decision.closed:,} of {plural(decision.exposed, 'unit', 'units')} closed"
    end = ", the planned end" if decision.planned else ""
    day = plural(decision.days, "day", "days")
    yield Text(printable(f"{models}: look {decision.look}{end}, {day}, {units}"), style="bold")
    yield Text(_planned(decision, plan), style="dim")
    loud = [gate for gate in decision.gates if gate.verdict is not Verdict.PASS or gate.kind == "metric"]
    for gate in sorted(loud, key=lambda gate: gate.badness, reverse=True):
        style = COLOURS[gate.verdict] if gate.verdict else "dim"
        yield Text(printable(f"{sign(gate.verdict)} {word(gate.verdict)} {gate.label}: {gate.reason}"), style=style)
    quiet = len(decision.gates) - len(loud)
    if quiet:
        yield Text(f"{sign(Verdict.PASS)} {plural(quiet, 'check of the log holds', 'checks of the log hold')}")
    for week in decision.weeks:
        sides = [number(value) if value is not None else "–" for value in (week.champion, week.challenger)]
        told = f"   week {week.week + 1}: {week.gate} {sides[0]} and {sides[1]} ({plural(week.units, 'unit', 'units')})"
        yield Text(printable(told), style="dim")
    where = f" (record {entry.record.sequence})" if entry else " (not recorded)"
    ended = ", the experiment has ended" if decision.final else ""
    last = f"{sign(decision.verdict)} {decision.model}: {decision.reason}{ended}{where}"
    yield Text(printable(last), style=f"bold {COLOURS[decision.verdict]}")


def _planned(decision: ExperimentDecision, plan: ExperimentPlan) -> str:
    """Say how far the look is from the planned end."""
    plan_line = f"   planned: {plan.units:,} closed units, and {plan.min_days} to {plan.max_days} days"
    day = plan.end_day(decision)
    if decision.spent:
        return plan_line if decision.planned else f"{plan_line}; the planned end has been"
    if day is None:
        return plan_line
    likely = f"about day {day}" if day <= plan.max_days else f"not before day {plan.max_days}, when the experiment ends"
    return f"{plan_line}; the planned end is {likely}"
