"""The comment, the job summary and ``report.md``. Always fits into GitHub's comment."""

from __future__ import annotations

import html
from collections.abc import Iterable

from gates.asks import Effect
from gates.decision import Code, Decision, Estimate, GateVerdict, Verdict
from gates.emit import flow
from gates.fields import Plain
from gates.report import Facts, by_badness, headline, sign, waiting, word
from gates.report.escape import code, text
from gates.slices import key_text
from gates.words import bar_text, number, percent, plural, rows, signed

LIMIT = 64_000  # GitHub takes 65,536 characters; the rest is for the marker
MOST_ROWS = 40  # of one table
MOST_MOVED = 5
MOST_WEAKER = 10


def render(decision: Decision, facts: Facts) -> str:
    """The whole report, verdict first. What doesn't fit is folded into a count, least important first."""
    for parts in ((), ("measured",), ("measured", "passed"), ("measured", "passed", "moved")):
        report = _render(decision, facts, without=parts)
        if len(report) <= LIMIT:
            return report
    return "\n\n".join([*_weaker(facts), *_opening(decision)])


def _render(decision: Decision, facts: Facts, *, without: tuple[str, ...]) -> str:
    models = [gate for gate in decision.gates if gate.kind != "data"]
    loud = by_badness(tuple(gate for gate in models if gate.verdict not in (Verdict.PASS, None)))
    passed = [gate for gate in models if gate.verdict is Verdict.PASS]
    sections = [*_weaker(facts), *_opening(decision)]
    if loud:
        sections.append(_table(decision, loud))
    if passed and "passed" not in without:
        more = "more " if loud else ""
        held = f"✅ {plural(len(passed), f'{more}bar holds', f'{more}bars hold')}"
        sections.append(_folded(held, _table(decision, passed)) if loud else _table(decision, passed))
    elif passed:
        sections.append(f"✅ {plural(len(passed), 'bar holds', 'bars hold')}.")
    sections += [f"{sign(None)} {text(line)}." for line in waiting(decision)]
    if "moved" not in without:
        sections += _moved(models)
    sections += [*_fairness(models), *_data(decision), *_next(decision, facts)]
    if "measured" not in without:
        sections.append(_folded("How this was measured", "\n".join(_measured(decision, facts))))
    sections.append(_footer(decision, facts))
    return "\n\n".join(sections) + "\n"


def _weaker(facts: Facts) -> list[str]:
    """What the policy asks less for than that of the base commit: the first thing to be seen."""
    if not facts.weakened:
        return []
    told = plural(len(facts.weakened), "rule asks", "rules ask")
    base = f" than at {code(facts.base[:7])}" if facts.base else ""
    lines = [
        f"- {code(change.rule)}: {_asked(change.before)} → {_asked(change.after)}"
        + (" (which is stricter can't be told)" if change.kind is Effect.UNKNOWN else "")
        for change in facts.weakened[:MOST_WEAKER]
    ]
    if len(facts.weakened) > MOST_WEAKER:
        lines.append(f"- {len(facts.weakened) - MOST_WEAKER} more: {code('gates policy diff')}")
    note = "Both policies judged, and the worse verdict counts. A weaker policy takes an approval of its own."
    return [f"## ⚠️ gates: {told} for less{base}", "\n".join(lines), note]


def _asked(value: Plain) -> str:
    if value is None or value is True:
        return "–" if value is None else "asked for"
    return code(flow(value))


def _opening(decision: Decision) -> list[str]:
    told = f"## {sign(decision.verdict)} gates: {headline(decision)} ({code(decision.model)})"
    lines = decision.reason.splitlines() if decision.code is Code.COULD_NOT_JUDGE else [decision.reason]
    listed = [f"- {text(line.strip())}" for line in lines[:MOST_ROWS] if line.strip()]
    if len(listed) > 1:
        return [told, f"**Why:** {len(listed)} mistakes.", "\n".join(listed)]
    return [told, f"**Why:** {text(decision.reason)}."]


def _folded(summary: str, inner: str) -> str:
    return f"<details><summary>{summary}</summary>\n\n{inner}\n\n</details>"


def _table(decision: Decision, gates: Iterable[GateVerdict]) -> str:
    shown = list(gates)
    champion = f"Champion v{text(decision.champion.version or '?')}" if decision.champion else "Champion"
    lines = [
        f"| | Gate | {champion} | Candidate | Change (bounds) | Rule |",
        "|:--|:--|--:|--:|--:|:--|",
        *(_row(gate) for gate in shown[:MOST_ROWS]),
    ]
    if len(shown) > MOST_ROWS:
        lines.append(f"| | {len(shown) - MOST_ROWS} more | | | | |")
    return "\n".join(lines)


def _row(gate: GateVerdict) -> str:
    name = code(gate.id) + (f" in {code(key_text(gate.slice))}" if gate.slice else "")
    level = gate.rule in ("min", "max")
    cells = (
        f"{sign(gate.verdict)} {word(gate.verdict)}",
        name,
        _value(gate.champion, bounds=False),
        _value(gate.candidate, bounds=level),
        _change(gate.difference),
        _rule(gate),
    )
    return f"| {' | '.join(cells)} |"


def _value(estimate: Estimate | None, *, bounds: bool) -> str:
    if estimate is None:
        return "–"
    shown = f"**{number(estimate.value)}**" if bounds else number(estimate.value)
    return f"{shown} ({number(estimate.low)} to {number(estimate.high)})" if bounds else shown


def _change(difference: Estimate | None) -> str:
    if difference is None:
        return "–"
    noise = ", noise" if difference.low <= 0 <= difference.high else ""
    return f"{signed(difference.value)} ({signed(difference.low)} to {signed(difference.high)}){noise}"


_RULES = {
    "min": "at least {}",
    "max": "at most {}",
    "max_worsening": "worse by at most {}",
    "min_improvement": "better by at least {}",
}


def _rule(gate: GateVerdict) -> str:
    if gate.rule in _RULES and gate.bar is not None:
        return _RULES[gate.rule].format(bar_text(gate.bar))
    return code(gate.rule)


def _moved(gates: Iterable[GateVerdict]) -> list[str]:
    """Slices whose difference is more than noise; the largest first."""
    compared = {(g.id, key_text(g.slice)): g for g in gates if g.slice and g.difference is not None}.values()
    moved = [g for g in compared if g.difference and not g.difference.low <= 0 <= g.difference.high]
    if not compared:
        return []
    told = f"**Slices that moved:** {len(moved)} of {len(compared)} (the rest stayed inside noise)"
    if not moved:
        return [told]
    moved.sort(key=lambda g: -abs(g.difference.value if g.difference else 0))
    lines = ["| Slice | Rows | Metric | Champion → candidate | Change |", "|:--|--:|:--|:--|--:|"]
    for gate in moved[:MOST_MOVED]:
        values = f"{_value(gate.champion, bounds=False)} → {_value(gate.candidate, bounds=False)}"
        lines.append(
            f"| {code(key_text(gate.slice or {}))} | {gate.n:,} | {code(gate.metric or gate.id)} | {values} "
            f"| {_change(gate.difference)} |"
        )
    return [told, "\n".join(lines)]


def _fairness(gates: Iterable[GateVerdict]) -> list[str]:
    fair = [gate for gate in gates if gate.by]
    return [
        f"**Fairness:** {sign(gate.verdict)} {text(gate.reason)}."
        + (f" By group: {', '.join(_group(*one) for one in list(gate.groups.items())[:12])}." if gate.groups else "")
        for gate in fair
    ]


def _group(name: str, value: float | None) -> str:
    return f"{code(name)} {'undefined' if value is None else number(value)}"


def _data(decision: Decision) -> list[str]:
    gates = [gate for gate in decision.gates if gate.kind == "data"]
    if not gates:
        return []
    broken = [gate for gate in gates if gate.verdict is not Verdict.PASS]
    tables = {gate.id.removeprefix("data."): gate.n for gate in gates}
    counts = ", ".join(f"{text(name)} {rows(n)}" for name, n in tables.items())
    if not broken:
        return [f"**Data:** ✅ the contract holds ({plural(len(gates), 'rule', 'rules')}; {counts})."]
    lines = [f"- {sign(gate.verdict)} {text(gate.reason)}" for gate in broken[:MOST_ROWS]]
    told = f"{len(gates) - len(broken)} of {plural(len(gates), 'rule', 'rules')} of the contract hold ({counts}):"
    return ["\n".join([f"**Data:** {told}", "", *lines])]


def _next(decision: Decision, facts: Facts) -> list[str]:
    again = "push: this comment updates itself" if facts.run_url else "run it again"
    steps = {
        Verdict.FAIL: f"If the loss is real, mend the model and {again}.",
        Verdict.ERROR: f"Mend what is named above and {again}.",
        Verdict.INCONCLUSIVE: "More holdout rows, or a larger change, would settle it.",
    }
    if decision.code is Code.NOTHING_JUDGED:
        steps[Verdict.INCONCLUSIVE] = "Give a gate a bar that needs no champion: min or max."
    if not any(gate.kind != "data" and gate.verdict for gate in decision.gates):
        steps[Verdict.FAIL] = f"Mend the data, or the contract if it asks too much, and {again}."
    told = f"{steps[decision.verdict]} " if decision.verdict in steps else ""
    return [f"**What to do next:** {told}See it where you are: {code(facts.reproduce)}"]


def _measured(decision: Decision, facts: Facts) -> list[str]:
    lines = []
    if decision.confidence is not None:
        lines.append(
            f"- Each bound alone holds with {percent(decision.confidence)} confidence. A bar passes when the whole "
            "interval clears it, fails when all of it misses, and is inconclusive between."
        )
    if decision.champion:
        lines.append("- Candidate and champion were scored on the same rows; differences are paired.")
        lines.append(f"- Champion: version {text(decision.champion.version or '?')}, {code(decision.champion.digest)}.")
    if any(gate.slice for gate in decision.gates):
        lines.append(
            "- A slice is blamed only where that survives Holm's correction over all slices of its rule: the bound "
            "of a slice that would blame it is the corrected one, so it lies further out."
        )
    methods = sorted({gate.method for gate in decision.gates if gate.method})
    if methods:
        lines.append(f"- Methods: {', '.join(methods)}.")
    lines.append(f"- Rules: {code(facts.policy)}" + (f", {code(decision.policy)}." if decision.policy else "."))
    return lines


def _footer(decision: Decision, facts: Facts) -> str:
    parts = [f"Commit {code(facts.commit[:7])}"] if facts.commit else []
    if facts.run_url:
        parts.append(f'<a href="{html.escape(facts.run_url)}">run</a>')
    if decision.evidence:
        parts.append(f"evidence {code(decision.evidence[:19])}")
    if decision.code is not Code.COULD_NOT_JUDGE and decision.candidate:
        parts.append(f"model {code(decision.candidate.digest[:19])}")
    return f"<sub>{' · '.join([*parts, f'gates {facts.version}'])}</sub>"
