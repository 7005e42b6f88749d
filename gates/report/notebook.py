"""Show what the Python API returns as a small piece of HTML in a notebook. Everything in it is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from gates.documents.decision import Code, Decision, Estimate, GateVerdict, Verdict
from gates.documents.evidence import Evidence
from gates.documents.printed.table_check import Checked
from gates.policy import ResolvedPolicy
from gates.report.escape import flat
from gates.report.headline import headline, sign, word
from gates.report.rule_list import by_badness
from gates.schema.yaml_text import flow
from gates.wording import limit_text, number, plural, rows, signed

MOST = 20  # rows of a table
DIGITS = 19  # of a digest, with its name


def decision(made: Decision) -> str:
    """Return the verdict and why; then the rules, the worst first."""
    judged = by_badness(tuple(gate for gate in made.gates if gate.kind != "data" or gate.verdict is not Verdict.PASS))
    heads = ("", "rule", "limit", "candidate", "change", "rows")
    title = f"{sign(made.verdict)} {headline(made)} ({made.model})"
    return _piece(title, [made.reason], heads, [_bar(gate) for gate in judged])


def _bar(gate: GateVerdict) -> tuple[str, ...]:
    asked = "" if gate.bar is None else limit_text(gate.bar)
    values = _value(gate.candidate), _value(gate.difference, change=True)
    return f"{sign(gate.verdict)} {word(gate.verdict)}", gate.label, asked, *values, f"{gate.n:,}"


def _value(one: Estimate | None, *, change: bool = False) -> str:
    told = signed if change else number
    return f"{told(one.value)} ({told(one.low)} to {told(one.high)})" if one else ""


def evidence(counted: Evidence) -> str:
    """Return what was measured of which models, and on what."""
    models = {"candidate": counted.candidate, "champion": counted.champion, "anchor": counted.anchor}
    named = [f"{name} {model.digest[:DIGITS]}" for name, model in models.items() if model]
    lines = [
        ", ".join(named) or "no model was measured",
        f"{plural(len(counted.slices), 'slice', 'slices')} with the whole, "
        f"{plural(len(counted.findings), 'rule', 'rules')} of the contract counted",
    ]
    tables = [(one.name, f"{one.rows:,}", one.digest[:DIGITS]) for one in counted.tables]
    return _piece(f"Evidence about {counted.model}", lines, ("table", "rows", "digest"), tables)


def policy(resolved: ResolvedPolicy) -> str:
    """Return what must hold, a row a gate, with what was not left at nothing."""
    written = resolved.explained["gates"]
    gates = [
        flow({key: value for key, value in gate.items() if value is not False})[1:-1]
        for gate in (written if isinstance(written, list) else [])
        if isinstance(gate, dict)
    ]
    about = resolved.policy
    lines = [f"{about.task}, on {about.data.holdout}, against models:/{'@'.join(resolved.champion)}"]
    return _piece(f"Policy of {about.model}", lines, ("gate",), [(one,) for one in gates])


def checked(check: Checked) -> str:
    """Return the verdict and why; then the rules that are broken or warned of."""
    loud = [gate for gate in by_badness(check.gates) if gate.verdict is not Verdict.PASS or gate.code is Code.WARNED]
    counts = {finding.rule: finding for finding in check.findings}
    table = [
        (word(gate.verdict), gate.rule, f"{counts[gate.rule].count:,}", ", ".join(counts[gate.rule].examples))
        for gate in loud
        if gate.rule in counts
    ]
    title = f"{sign(check.verdict)} {check.verdict}: {check.table}, {rows(check.rows)}"
    return _piece(title, [check.reason], ("", "rule", "rows", "examples"), table)


def _piece(title: str, lines: Iterable[str], heads: Sequence[str], table: Sequence[Sequence[str]]) -> str:
    paragraphs = "".join(f"<p>{_text(line)}</p>" for line in lines)
    more = f"<p>{len(table) - MOST:,} more</p>" if len(table) > MOST else ""
    head = _row("th", heads)
    body = "".join(_row("td", row) for row in table[:MOST])
    shown = f"<table><thead>{head}</thead><tbody>{body}</tbody></table>" if table else ""
    return f"<div><p><b>{_text(title)}</b></p>{paragraphs}{shown}{more}</div>"


def _row(tag: str, cells: Iterable[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{_text(cell)}</{tag}>' for cell in cells)}</tr>"


def _text(foreign: str) -> str:
    return escape(flat(foreign))
