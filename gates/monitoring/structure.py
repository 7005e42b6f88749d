"""Check what must be so before a window says anything about a model: rows, a known model, labels."""

from __future__ import annotations

from collections.abc import Iterator

from gates.documents.decision import Code, GateVerdict, Verdict
from gates.documents.live.live_evidence import LABELS, LiveWindow
from gates.policy.monitor_section import Monitor
from gates.wording import counted, percent, rows

GATE = "live"  # the name of these checks


def checks(window: LiveWindow, monitor: Monitor) -> Iterator[GateVerdict]:
    """Yield each check; what is missing is never a pass."""
    if window.unreadable is not None:
        code = Code.MISSING_COLUMN if window.lacking else Code.COULD_NOT_JUDGE
        yield _check("rows", Verdict.ERROR, code, window.unreadable)
        return
    yield _models(window)
    yield _rows(window)
    if window.part == LABELS and window.rows:
        yield _labels(window, monitor)


def _check(rule: str, verdict: Verdict, code: Code, reason: str, n: int = 0) -> GateVerdict:
    return GateVerdict.without_metric(id=GATE, kind=GATE, rule=rule, verdict=verdict, code=code, reason=reason, n=n)


def _models(window: LiveWindow) -> GateVerdict:
    unknown = [one for one in window.answered if not one.known]
    n = sum(one.rows for one in window.answered)
    if unknown:
        named = ", ".join(f"{one.digest[:19] or 'no model'} ({rows(one.rows)})" for one in unknown[:3])
        more = f" and {counted(len(unknown) - 3, 'other')}" if len(unknown) > 3 else ""  # three are named
        what = f"models answered that the ledger does not know: {named}{more}"
        return _check("models", Verdict.ERROR, Code.UNKNOWN_MODEL, what, n)
    return _check("models", Verdict.PASS, Code.WITHIN_BAR, "every model that answered was promoted", n)


def _rows(window: LiveWindow) -> GateVerdict:
    if window.model is None:
        return _check("rows", Verdict.ERROR, Code.NO_CHAMPION, "nothing was promoted when this window ended")
    if not window.rows:
        others = sum(one.rows for one in window.answered)
        beside = f"; other models answered {rows(others)}" if others else ""
        what = f"version {window.model.version} answered no row{beside}"
        return _check("rows", Verdict.ERROR, Code.NO_ROWS, what)
    what = f"version {window.model.version} answered {rows(window.rows)}"
    return _check("rows", Verdict.PASS, Code.WITHIN_BAR, what, window.rows)


def _labels(window: LiveWindow, monitor: Monitor) -> GateVerdict:
    found = (window.labelled or 0) / window.rows
    shown, asked = percent(round(found, 3)), percent(monitor.min_labelled)
    if found < monitor.min_labelled:
        what = f"{shown} of this window's predictions have a label; you ask for {asked}"
        return _check("labels", Verdict.INCONCLUSIVE, Code.LABELS_MISSING, what, window.rows)
    what = f"{shown} of this window's predictions have a label"
    return _check("labels", Verdict.PASS, Code.WITHIN_BAR, what, window.rows)
