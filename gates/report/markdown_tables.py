"""Write the tables and lists of the Markdown report: rules, slices that moved, fairness, data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gates.documents.changed_rows import ChangedRows
from gates.documents.decision import Decision, Estimate, GateVerdict, Verdict
from gates.documents.slices import key_text
from gates.report.escape import code, line, text
from gates.report.headline import sign, word
from gates.report.interval import asked, figures, within
from gates.report.rule_list import groups_text, remark
from gates.wording import plural, rows

MOST_ROWS = 40  # of one table
MOST_MOVED = 10


def rules(decision: Decision, gates: Sequence[GateVerdict], most: int = MOST_ROWS) -> str:
    """Return a row a rule; those beyond ``most`` are counted in a last row."""
    champion = f"Champion v{text(decision.champion.version or '?')}" if decision.champion else "Champion"
    lines = [
        f"| | Rule | {champion} | Candidate | Change (bounds) | Limit |",
        "|:--|:--|--:|--:|--:|:--|",
        *(_row(gate) for gate in gates[:most]),
    ]
    if len(gates) > most:
        lines.append(f"| | {len(gates) - most} more | | | | |")
    return "\n".join(lines)


def _row(gate: GateVerdict) -> str:
    name = code(gate.label) + (f" (found among {gate.searched:,})" if gate.searched else "")
    if told := remark(gate):
        name += f"<br><sub>{text(told)}</sub>"
    level = gate.rule in ("min", "max")
    cells = (
        f"{sign(gate.verdict)} {word(gate.verdict)}",
        name,
        _value(gate, gate.champion, bounds=False),
        _value(gate, gate.candidate, bounds=level),
        _change(gate),
        asked(gate) or code(gate.rule),
    )
    return f"| {' | '.join(cells)} |"


def _value(gate: GateVerdict, estimate: Estimate | None, *, bounds: bool) -> str:
    if estimate is None:
        return "–"
    value, between = figures(gate, estimate)
    return f"**{value}** ({between})" if bounds else value


def _change(gate: GateVerdict) -> str:
    difference = gate.difference
    if difference is None:
        return "–"
    noise = ", noise" if difference.low <= 0 <= difference.high else ""
    return within(gate, difference, change=True) + noise


def _compared(gate: GateVerdict) -> bool:
    """Tell whether it is of a slice that was declared: of one that was searched for, the change looks larger than it
    is."""
    return bool(gate.slice) and gate.searched is None and gate.difference is not None


def moved(gates: Iterable[GateVerdict], *, shown: Sequence[GateVerdict] = ()) -> tuple[str, str]:
    """Return slices whose difference is more than noise, by metric, the largest change of each first: a line, and a
    table or nothing. Those that are ``shown`` as rules already have no second row."""
    told = {(one.id, one.where) for one in shown}
    compared = {(g.id, g.where): g for g in gates if _compared(g) and not g.against and (g.id, g.where) not in told}
    beyond_noise = [g for g in compared.values() if g.difference and not g.difference.low <= 0 <= g.difference.high]
    if not compared:
        return "", ""
    largest = _largest(beyond_noise)
    cut = ""
    if len(largest) < len(beyond_noise):
        cut = f" ({len(largest)} of them shown, the largest changes of each metric)"
    which = "other slices" if shown else "slices"
    summary = f"**{which.capitalize()} that moved:** {len(beyond_noise)} of {len(compared)} by more than noise{cut}"
    if not beyond_noise:
        return summary, ""
    lines = ["| Slice | Rows | Metric | Champion → candidate | Change |", "|:--|--:|:--|:--|--:|"]
    for gate in largest:
        values = f"{_value(gate, gate.champion, bounds=False)} → {_value(gate, gate.candidate, bounds=False)}"
        lines.append(
            f"| {code(key_text(gate.slice or {}))} | {gate.n:,} | {code(gate.metric or gate.id)} | {values} "
            f"| {_change(gate)} |"
        )
    return summary, "\n".join(lines)


def _largest(gates: Sequence[GateVerdict]) -> list[GateVerdict]:
    """Return the largest changes, at most ``MOST_MOVED``, by metric.

    Changes of different metrics have different units, so each has its own order, and the largest of each is shown
    before the second of any.
    """
    by_metric: dict[str, list[GateVerdict]] = {}
    for gate in sorted(gates, key=lambda one: -abs(one.difference.value if one.difference else 0)):
        by_metric.setdefault(gate.id, []).append(gate)
    rounds = sorted((place, name) for name, ones in by_metric.items() for place in range(len(ones)))
    kept = set(rounds[:MOST_MOVED])
    names = dict.fromkeys(gate.id for gate in gates)  # in the policy's order
    return [gate for name in names for place, gate in enumerate(by_metric[name]) if (place, name) in kept]


def fairness(gates: Iterable[GateVerdict]) -> list[str]:
    """Return a line a fairness gate, with the values of its groups."""
    return [
        f"**Fairness:** {sign(gate.verdict)} {text(gate.reason)}."
        + (f" By group: {text(groups_text(gate))}." if gate.groups else "")
        for gate in gates
        if gate.by
    ]


def row_changes(changed: ChangedRows) -> str:
    """Return the rows that got worse, then those that got better."""
    names = [f"{text(changed.key)}", "Label", "Champion", "Candidate", *map(text, changed.columns)]
    lines = [f"| | {' | '.join(names)} |", f"|:--|{':--|' * len(names)}"]
    for sign_, listed in (("▼ worse", changed.worst), ("▲ better", changed.best)):
        for row in listed:
            values = (
                row.key,
                row.label,
                row.champion,
                row.candidate,
                *("–" if one is None else one for one in row.columns),
            )
            lines.append(f"| {sign_} | {' | '.join(map(text, values))} |")
    return "\n".join(lines)


def data(gates: Iterable[GateVerdict]) -> tuple[str, str]:
    """Tell how the data keeps its contract: a line, and a list of what is broken or nothing."""
    data_gates = [gate for gate in gates if gate.kind == "data"]
    if not data_gates:
        return "", ""
    broken = [gate for gate in data_gates if gate.verdict is not Verdict.PASS]
    tables = {gate.id.removeprefix("data."): gate.n for gate in data_gates}
    counts = ", ".join(f"{text(name)} {rows(n)}" for name, n in tables.items())
    if not broken:
        return f"**Data:** ✅ the contract holds ({plural(len(data_gates), 'rule', 'rules')}; {counts}).", ""
    summary = (
        f"{len(data_gates) - len(broken)} of {plural(len(data_gates), 'rule', 'rules')} of the contract hold ({counts})"
    )
    return f"**Data:** {summary}:", bullets([f"{sign(gate.verdict)} {gate.reason}" for gate in broken])


def bullets(lines: Sequence[str], most: int = MOST_ROWS) -> str:
    """Return a list of foreign lines; those beyond ``most`` are counted in a last one."""
    more = [f"- {len(lines) - most} more"] if len(lines) > most else []
    return "\n".join([*(f"- {line(one)}" for one in lines[:most]), *more])
