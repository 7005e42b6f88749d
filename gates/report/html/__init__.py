"""Render the decision as one HTML file, without network or other files. The template escapes all foreign text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from gates.contract.rules.reference_rules import GAP
from gates.documents.decision import Decision, GateVerdict
from gates.documents.evidence import Evidence, Finding
from gates.report.headline import (
    acceptance,
    acceptances,
    accepted,
    first_line,
    reuse,
    rows_changed,
    sign,
    waiting,
    why,
    word,
)
from gates.report.html import classes, compared_arms, past, pictures, plots, residuals, watched_windows
from gates.report.html.score_curves import Scores
from gates.report.interval import SIGNS, asked, figures, held
from gates.report.rule_list import RuleList, remark
from gates.report.run_facts import Facts
from gates.schema.canonical import digest
from gates.wording import limit_text, number, percent

if TYPE_CHECKING:
    import jinja2

MOST_GROUPS = 50
START = 0.5  # of the threshold explorer, where no policy names another


def render(decision: Decision, facts: Facts) -> str:
    """Return the page. Pictures of scores and tables of data are there where ``facts.evidence`` is."""
    shown, words = first_line(decision, facts)
    rules = RuleList.of(decision, accepted(facts))
    gates = [*rules.loud, *rules.accepted, *rules.passed]
    page: dict[str, Any] = {
        "decision": decision,
        "facts": facts,
        "sign": shown,
        "headline": words,
        "verdict": str(facts.verdict(decision)),
        "why": why(decision, facts),
        "rows": [_row(gate) for gate in (*rules.loud, *rules.accepted)],
        "held": [_row(gate) for gate in rules.passed],
        "verdicts": sorted({word(gate.verdict) for gate in gates}),
        "waiting": waiting(decision),
        "acceptance": acceptance(decision, facts),
        "reuse": reuse(decision),
        "changed": rows_changed(facts),
        "accepted": acceptances(facts),
        "groups": [_groups(gate) for gate in gates if gate.groups],
        "data": [
            (sign(gate.verdict), word(gate.verdict), gate.reason) for gate in decision.gates if gate.kind == "data"
        ],
        "digests": list(_digests(decision, facts)),
        "methods": sorted({gate.method for gate in gates if gate.method}),
        "confidence": percent(decision.confidence) if decision.confidence else None,
        "light": _safe(pictures.variables("light")),
        "dark": _safe(pictures.variables("dark")),
        "marks": _safe(pictures.MARKS),
        "threshold": f"{START if facts.threshold is None else facts.threshold:.2f}",
        "called": None if facts.threshold is None else limit_text(facts.threshold),
        **_measured(facts.evidence),
        **past.told(decision, facts.champions),
        "watch": watched_windows.told(facts.watch) if facts.watch else None,
        "trial": compared_arms.told(facts.experiments[-1], facts.experiments[:-1]) if facts.experiments else None,
    }
    return _template().render(page)


@cache
def _template() -> jinja2.Template:
    import jinja2

    loader = jinja2.PackageLoader("gates.report", "html")
    return jinja2.Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    ).get_template("page.html.j2")


def _safe(text: str) -> Any:
    """Return text of ours that is HTML already."""
    import markupsafe

    return markupsafe.Markup(text)  # noqa: S704 -- pictures hold numbers and words of this module alone


def _row(gate: GateVerdict) -> dict[str, Any]:
    judged = held(gate)
    value, bounds = figures(gate, judged[0], change=judged[0] is gate.difference) if judged else ("–", "")
    models = [number(one.value) for one in (gate.champion, gate.candidate) if one]
    return {
        "label": gate.label,
        "verdict": word(gate.verdict),
        "sign": sign(gate.verdict),
        "n": gate.n,
        "models": " → ".join(models) or "–",
        "value": value,
        "bounds": bounds,
        "sort": judged[0].value if judged else "",
        "rule": asked(gate, SIGNS) or gate.rule,
        "remark": remark(gate),
        "picture": _safe(pictures.forest(gate, axis=True)),
    }


def _groups(gate: GateVerdict) -> dict[str, Any]:
    groups = sorted((gate.groups or {}).items(), key=lambda item: (item[1] is None, -(item[1] or 0.0)))
    most = max((value for _, value in groups if value is not None), default=0.0)
    return {
        "name": gate.id,
        "verdict": word(gate.verdict),
        "sign": sign(gate.verdict),
        "reason": gate.reason,
        "left": max(0, len(groups) - MOST_GROUPS),
        "rows": [
            (
                name,
                "undefined" if value is None else number(value),
                100 * max(0.0, value or 0.0) / most if most > 0 else 0,
            )
            for name, value in groups[:MOST_GROUPS]
        ],
    }


def _digests(decision: Decision, facts: Facts) -> Iterator[tuple[str, str]]:
    yield "decision", digest(decision)
    for name, sha256 in (
        ("evidence", decision.evidence),
        ("policy", decision.policy),
        ("candidate", decision.candidate and decision.candidate.digest),
        ("champion", decision.champion and decision.champion.digest),
    ):
        if sha256:
            yield name, sha256
    for table in facts.evidence.tables if facts.evidence else ():
        yield table.name, table.digest
    if facts.champions:
        yield f"ledger's record {facts.champions[-1].record.sequence}", facts.champions[-1].digest


def _measured(evidence: Evidence | None) -> dict[str, Any]:
    """Return what only the evidence knows: curves, confusion matrices, findings with their distributions."""
    if evidence is None:
        return {"plots": [], "confusion": [], "classes": [], "explorer": None, "drift": [], "tables": []}
    explorer = _explorer(evidence)
    return {
        "plots": [(title, _safe(picture)) for title, picture in _plots(evidence)],
        "explorer": _safe(json.dumps(explorer)) if explorer else None,
        "drift": [_drift(one) for one in evidence.findings if _shows_bins(one)],
        "tables": [(table.name, table.rows, table.digest) for table in evidence.tables],
        **classes.told(evidence),
    }


def _plots(evidence: Evidence) -> Iterator[tuple[str, str]]:
    models = [Scores.of(curve) for curve in evidence.curves]
    two = [one for one, curve in zip(models, evidence.curves, strict=True) if curve.counts == "labels"]
    for title, lines, axes, diagonal in (
        ("ROC", [(one.model, one.roc()) for one in two], ("false positive rate", "true positive rate"), True),
        ("Precision and recall", [(one.model, one.precision_recall()) for one in two], ("recall", "precision"), False),
        ("Calibration", [(one.model, one.calibration()) for one in models], _calibrated(evidence), True),
    ):
        if any(points for _, points in lines):
            drawn = [(name, points) for name, points in lines if points]
            yield title, plots.curves(title, drawn, axes, diagonal=diagonal)
    for one, curve in zip(models, evidence.curves, strict=True):
        title = f"Scores of the {one.model}"
        spread = [("negatives", one.spread(0)), ("positives", one.spread(1))]
        of = "the class" if curve.counts == "labels" else "right, and of wrong calls"
        yield title, plots.bars(title, spread, ("score", f"share of {of}"))
    yield from residuals.drawn(evidence.fits)


def _calibrated(evidence: Evidence) -> tuple[str, str]:
    of_calls = any(curve.counts == "calls" for curve in evidence.curves)
    return ("mean score of the call", "share right") if of_calls else ("mean score", "share positive")


def _explorer(evidence: Evidence) -> list[dict[str, Any]]:
    """Return for the threshold explorer each model's rows by class, and what is called at each threshold."""
    models = [Scores.of(curve) for curve in evidence.curves if curve.counts == "labels"]
    return [{"model": one.model, "totals": one.totals, "at": one.thresholds()} for one in models]


def _shows_bins(finding: Finding) -> bool:
    """Tell whether its parts are the bins of two tables, rather than numbers of another meaning."""
    return any(part.there for part in finding.parts[1:]) and finding.parts[-1].label != GAP


def _drift(finding: Finding) -> dict[str, Any]:
    here, there = sum(part.here for part in finding.parts) or 1, sum(part.there for part in finding.parts) or 1
    return {
        "name": f"{finding.table}: {finding.rule}",
        "rows": [
            (part.label if part.label is not None else "(missing)", 100 * part.here / here, 100 * part.there / there)
            for part in finding.parts[:MOST_GROUPS]
        ],
    }
