"""The issue about a model that serves: its title, its body, and the comment where a rule begins or ceases to fail."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence

from gates.documents.decision import GateVerdict, Verdict
from gates.documents.live.monitoring_decision import JudgedWindow
from gates.monitoring.alert_state import AlertState, StandingAlarm
from gates.report.escape import code, flat, text
from gates.report.headline import sign, word
from gates.report.rule_list import by_badness
from gates.wording import counted, percent, plural, rows

PARTS = {"rows": "all rows", "labels": "labelled rows"}
LONGEST_NAME = 100  # characters of a model's name in a title
ROOM = 15_000  # characters of a list; GitHub takes 65,536 of a body, which has at most three lists


def title(model: str, state: AlertState) -> str:
    """Return the issue's title: ``telco-churn: 2 alarms``."""
    return f"{flat(model, LONGEST_NAME)}: {_count(state)}"


def _count(state: AlertState) -> str:
    if state.passing:
        return "all rules hold again"
    verdicts = [one.rule.gate.verdict for one in state.standing]
    kinds = ((Verdict.FAIL, "alarm"), (Verdict.ERROR, "error"))
    found = [counted(verdicts.count(verdict), noun) for verdict, noun in kinds if verdict in verdicts]
    return ", ".join(found) or "no alarm now, but not settled yet"


def body(model: str, state: AlertState, policy: str) -> str:
    """Return the issue's text without its marker. ``policy``: its path, for commands."""
    return "\n\n".join(_sections(model, state, policy))


def _sections(model: str, state: AlertState, policy: str) -> Iterator[str]:
    yield _first_line(model, state)
    failing = _failing(state)
    earlier = [one for one in state.standing if one.name not in failing]
    if earlier:
        told = (f"{_line(one.rule.gate)} {_since(one)}" for one in earlier)
        yield f"### Failed earlier, and has not passed since\n\n{_fitting(told, len(earlier))}"
    for part, window in state.newest.items():
        yield from _newest(state, part, window)
    yield f"Record {state.record.sequence} of the ledger has all numbers: {code(state.record.digest)}"
    yield _steps(state, policy)
    yield (
        "This issue is closed once every rule passes in two windows running, of all rows and of labelled ones. What is "
        "undecided, not judged or missing closes nothing."
    )


def _first_line(model: str, state: AlertState) -> str:
    versions = [window.model.version for window in state.newest.values() if window and window.model]
    named = f"{text(model)} v{text(versions[0])}" if versions else text(model)
    if not state.standing:
        return f"{sign(Verdict.PASS if state.passing else Verdict.INCONCLUSIVE)} **{named}: {_count(state)}.**"
    first = state.standing[0].rule.gate
    since = min(one.since for one in state.standing)
    return f"{sign(first.verdict)} **{named}: {_count(state)}**, since {_time(since)}. {text(first.reason)}"


def _failing(state: AlertState) -> set[tuple[str, str]]:
    """Return the names of the rules that fail, or can't be judged, in the newest windows."""
    return {
        (part, one.gate.label)
        for part, window in state.newest.items()
        for one in (window.rules if window else ())
        if one.gate.verdict in (Verdict.FAIL, Verdict.ERROR)
    }


def _newest(state: AlertState, name: str, window: JudgedWindow | None) -> Iterator[str]:
    if window is None:
        yield f"### No window was judged yet of {PARTS[name]}"
        return
    yield f"### {text(window_title(window))}"
    if name in state.overdue:
        yield f"⚠️ **A later window should have been judged by now.** {code('gates monitor')} says what keeps it."
    since = {one.name: one for one in state.standing}
    gates = [one for one in by_badness(tuple(one.gate for one in window.rules)) if one.verdict is not Verdict.PASS]
    alarms = ((gate, since.get((name, gate.label))) for gate in gates)
    told = (f"{_line(gate)} {_since(alarm)}" if alarm else _line(gate) for gate, alarm in alarms)
    lines = [_fitting(told, len(gates))] if gates else []
    passed = len(window.rules) - len(gates)
    if passed:
        lines.append(f"- {sign(Verdict.PASS)} {plural(passed, 'rule holds', 'rules hold')}")
    yield "\n".join(lines)


def window_title(window: JudgedWindow) -> str:
    """Name a window: its times, its part, the model and its rows."""
    model = f"v{window.model.version}, " if window.model else ""
    labelled = ""
    if window.labelled is not None and window.rows:
        labelled = f", {percent(round(window.labelled / window.rows, 3))} labelled"
    return f"{_time(window.start)} to {_time(window.end)}, {PARTS[window.part]}: {model}{rows(window.rows)}{labelled}"


def _line(gate: GateVerdict) -> str:
    return f"- {sign(gate.verdict)} {word(gate.verdict)} {code(gate.label)}: {text(gate.reason)}"


def _since(alarm: StandingAlarm) -> str:
    return f"(since {_time(alarm.since)})"


def _time(written: str) -> str:
    return written[:16].replace("T", " ")


def _fitting(lines: Iterable[str], count: int) -> str:
    """Return as many of ``count`` lines as there is room for, and how many are left out."""
    kept: list[str] = []
    room = ROOM
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            kept.append(f"- and {counted(count - len(kept), 'other')}; the record has them")
            break
        kept.append(line)
    return "\n".join(kept)


def _steps(state: AlertState, policy: str) -> str:
    windows = [window.start for window in state.newest.values() if window]
    since = min([*windows, *(one.since for one in state.standing)])
    named = [] if policy == "gates.yaml" else ["--policy", policy]
    look = shlex.join(["gates", "monitor", *named, "--since", since])
    back = shlex.join(["gates", "rollback", *named])
    steps = [
        f"- Look at these windows again: {code(look)}",
        f"- Serve the model before this one: {code(f'{back} --reason WHY')}",
    ]
    return "\n".join(steps)


def comment(begun: Sequence[StandingAlarm], ceased: Sequence[StandingAlarm], sequence: int) -> str:
    """Return the comment about the rules that began or ceased to fail, as a record found; empty where none did."""
    parts = []
    if begun:
        lines = (f"{_line(one.rule.gate)} ({PARTS[one.part]}, since {_time(one.since)})" for one in begun)
        fail = plural(len(begun), "rule fails", "rules fail")
        parts.append(f"**{fail} now:**\n\n{_fitting(lines, len(begun))}")
    if ceased:
        lines = (f"- {code(one.rule.gate.label)} ({PARTS[one.part]})" for one in ceased)
        fail = plural(len(ceased), "rule fails", "rules fail")
        parts.append(f"**{fail} no longer:**\n\n{_fitting(lines, len(ceased))}")
    return "\n\n".join([*parts, f"Record {sequence}."]) if parts else ""
