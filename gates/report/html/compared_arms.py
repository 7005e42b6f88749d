"""Show an experiment: how it stands, its units beside the plan, each rule look by look, and the weeks of exposure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from gates.documents.decision import Estimate, GateVerdict, Verdict
from gates.documents.live.experiment_decision import ExperimentDecision, WeekEffect
from gates.documents.live.experiment_history import ExperimentHistory, JudgedGate
from gates.documents.live.experiment_step import ComparedModel
from gates.report.headline import sign, word
from gates.report.html import over_days, pictures
from gates.report.html.over_days import EndMarks, LookMark
from gates.report.interval import held
from gates.wording import counted, limit_text, number, plural, signed

MOST_CHARTS = 12
SHORT = 12  # digits of a model's digest
ASKED = {"min_improvement": "better by at least", "max_worsening": "worse by at most"}


def told(history: ExperimentHistory, others: Sequence[ExperimentHistory] = ()) -> dict[str, Any]:
    """Return what the section has. ``others``: experiments before it, the oldest first."""
    last = history.last
    return {
        "sign": sign(last.verdict if last and history.stopped is None else None),
        "told": history.told,
        "record": history.record,
        "at": _at(history.started),
        "models": [_model("champion", history.champion), _model("challenger", history.challenger)],
        "when": _when(history, last),
        "arms": list(_arms(history)),
        "rules": list(_rules(last)) if last else [],
        "charts": list(_charts(history)),
        "weeks": list(_weeks(history)),
        "others": [
            (one.record, one.started[:10], f"v{one.challenger.version} beside v{one.champion.version}", one.told)
            for one in reversed(others)
        ],
    }


def _at(time: str) -> str:
    return time.removesuffix("Z").replace("T", " ")


def _model(arm: str, model: ComparedModel) -> tuple[str, str, str, str]:
    shown = model.digest.removeprefix("sha256:")[:SHORT]
    return arm, model.version, shown, model.digest


def _when(history: ExperimentHistory, last: ExperimentDecision | None) -> str:
    """Say on which day the newest look was, and when the planned end is."""
    plan = history.plan
    if plan is None or last is None:
        return "" if plan is None else f"{plan.min_days} to {plan.max_days} days, {plan.units:,} units planned"
    day = (
        f"look {last.look}: the outcomes cover {plural(last.days, 'day', 'days')} of {plan.min_days} to {plan.max_days}"
    )
    units = f"{last.closed:,} of {plan.units:,} planned units are closed"
    spent = next((one for one in history.looks if one.planned), None)
    ends = (
        f"; planned end about {history.end}" if history.end else f"; planned end was look {spent.look}" if spent else ""
    )
    return f"{day}, {units}{ends}"


def _arms(history: ExperimentHistory) -> Iterator[dict[str, Any]]:
    for arm in history.arms:
        planned = max(1.0, arm.planned)
        yield {
            "arm": arm.arm,
            "version": arm.model.version,
            "exposed": f"{arm.exposed:,}",
            "closed": f"{arm.closed:,}",
            "planned": f"{round(arm.planned):,}",
            "share": min(100.0, 100 * arm.closed / planned),
        }


def _rules(last: ExperimentDecision) -> Iterator[tuple[str, str, str, str]]:
    """Yield each rule of the newest look, the worst first; checks of the log that hold are counted alone."""
    loud = [one for one in last.gates if one.verdict is not Verdict.PASS or one.kind in ("metric", "promql")]
    for gate in sorted(loud, key=lambda one: one.badness, reverse=True):
        yield sign(gate.verdict), word(gate.verdict), gate.label, gate.reason
    quiet = len(last.gates) - len(loud)
    if quiet:
        yield sign(Verdict.PASS), word(Verdict.PASS), "log", f"{counted(quiet, 'check')} of the log without a flaw"


def _charts(history: ExperimentHistory) -> Iterator[dict[str, Any]]:
    """Yield a chart a rule that has numbers, in the policy's order."""
    limits = {(one.name, one.rule): one for one in history.gates}
    names = {gate.label: gate for look in history.looks for gate in look.gates if _judged(gate, limits)}
    for label in list(names)[:MOST_CHARTS]:
        every = [
            (day, look, gate, judged)
            for day, look in zip(history.days, history.looks, strict=True)
            for gate in look.gates
            if gate.label == label and (judged := _judged(gate, limits)) is not None
        ]
        limit = every[-1][3][1]
        marks = [
            LookMark(day=day, judged=judged[0], verdict=word(gate.verdict), planned=look.planned)
            for day, look, gate, judged in every
        ]
        asked = limits.get((names[label].id, names[label].rule))
        yield {
            "name": f"{label}{_asked(asked, names[label])}",
            "picture": over_days.looks(f"{label} in {counted(len(marks), 'look')}", marks, limit, _ends(history)),
            "rows": [
                (f"{look.look}: {look.until[:10]}", f"{look.closed:,}", word(gate.verdict), signed(judged[0].value),
                 _bounds(judged[0]), "planned end" if look.planned else "every look")
                for _, look, gate, judged in reversed(every)
            ],
        }  # fmt: skip


def _judged(gate: GateVerdict, limits: dict[tuple[str, str], JudgedGate]) -> tuple[Estimate, float] | None:
    """Return what was judged and where its limit lies; of a Prometheus's answer as everywhere else."""
    known = limits.get((gate.id, gate.rule))
    if known is None:
        return held(gate)
    return (gate.difference, known.limit) if gate.difference else None


def _asked(asked: JudgedGate | None, gate: GateVerdict) -> str:
    if asked is None or gate.bar is None:
        return ""
    share = f"{limit_text(100 * gate.bar)} %" if asked.relative else limit_text(gate.bar)
    return f" ({ASKED[asked.rule]} {share})"


def _bounds(one: Estimate) -> str:
    return f"{signed(one.low)} to {signed(one.high)}"


def _ends(history: ExperimentHistory) -> EndMarks:
    plan, last = history.plan, history.last
    assert plan is not None  # noqa: S101 -- charts are of an experiment whose policy is read
    assert last is not None  # noqa: S101 -- and that was looked at
    spent = [day for day, look in zip(history.days, history.looks, strict=True) if look.planned]
    day = spent[0] if spent else plan.end_day(last) if history.runs else None
    if day is not None and day > plan.max_days:
        day = None
    return EndMarks(min_days=plan.min_days, units_day=day, last=max(day or 0, history.days[-1]))


def _weeks(history: ExperimentHistory) -> Iterator[dict[str, Any]]:
    """Yield the weeks of each gate that has a value in one: shown, and not judged."""
    sides = {(one.week, one.gate): one for one in history.last.weeks} if history.last else {}
    for gate in history.gates:
        rows = [one for one in history.weeks if one.gate == gate.name]
        points = [(f"week {one.week + 1}"[-6:], one.difference, "") for one in rows if one.difference]
        if rows:
            yield {
                "name": gate.name,
                "picture": pictures.series(f"{gate.name} by week of exposure", points),
                "rows": [
                    (one.week + 1, f"{one.units:,}",
                     *_sides(sides.get((one.week, one.gate))),
                     signed(one.difference.value) if one.difference else "–",
                     _bounds(one.difference) if one.difference else "too few units")
                    for one in rows
                ],
            }  # fmt: skip


def _sides(week: WeekEffect | None) -> tuple[str, str]:
    return ("–", "–") if week is None else (_number(week.champion), _number(week.challenger))


def _number(value: float | None) -> str:
    return "–" if value is None else number(value)
