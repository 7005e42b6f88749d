"""Show what live rows said: each rule's value and bounds window by window, and how columns are distributed now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from gates.documents.decision import Verdict
from gates.documents.live.monitoring_decision import JudgedWindow, WatchedRule
from gates.documents.live.watch_history import ColumnSpread, WatchHistory
from gates.report.alert_text import PARTS
from gates.report.headline import sign, word
from gates.report.html import pictures
from gates.report.interval import held
from gates.wording import counted, limit_text, number

MOST_CHARTS = 12


def told(history: WatchHistory) -> dict[str, Any]:
    """Return what the section has: the newest windows with their rules, the charts and the spreads."""
    newest = {window.part: window for window in history.windows}
    verdict = next((one for one in Verdict if str(one) == history.verdict), None)
    return {
        "sign": sign(verdict),
        "reason": history.reason,
        "record": history.record,
        "at": history.at.removesuffix("Z").replace("T", " "),
        "newest": [_newest(window) for window in newest.values()],
        "charts": list(_charts(history.windows, newest.values())),
        "spreads": [_spread(one) for one in history.spreads],
    }


def _newest(window: JudgedWindow) -> dict[str, Any]:
    model = f"v{window.model.version}, " if window.model else ""
    loud = [one for one in window.rules if one.gate.verdict is not Verdict.PASS]
    return {
        "title": f"{window.start[:16].replace('T', ' ')}, {PARTS[window.part]}: {model}{counted(window.rows, 'row')}",
        "rules": [
            (sign(one.gate.verdict), word(one.gate.verdict), one.gate.label, one.gate.reason)
            for one in sorted(loud, key=_badness, reverse=True)
        ],
        "held": len(window.rules) - len(loud),
    }


def _badness(one: WatchedRule) -> int:
    return one.gate.badness


def _charts(windows: Sequence[JudgedWindow], newest: Any) -> Iterator[dict[str, Any]]:
    """Yield a chart a rule that has numbers, those that did not pass in the newest windows first."""
    rules = sorted((one for window in newest for one in window.rules), key=_badness, reverse=True)
    labels = [one.gate.label for one in rules if held(one.gate) is not None]
    for label in labels[:MOST_CHARTS]:
        every = [(window, one) for window in windows for one in window.rules if one.gate.label == label]
        measured = [(window, one, judged) for window, one in every if (judged := held(one.gate)) is not None]
        limit = measured[-1][2][1]
        points = [(window.start[5:10], judged[0], f" {word(one.gate.verdict)}") for window, one, judged in measured]
        yield {
            "name": f"{label} ({limit_text(limit)})",
            "picture": pictures.series(f"{label} in {counted(len(points), 'window')}", points, limit),
            "rows": [
                (window.start[:16].replace("T", " "), word(one.gate.verdict), number(judged[0].value),
                 f"{number(judged[0].low)} to {number(judged[0].high)}", _alarm(one.alarm))
                for window, one, judged in reversed(measured)
            ],
        }  # fmt: skip


def _alarm(level: float | None) -> str:
    return "–" if level is None else "yes" if level >= 1 else f"{round(100 * level)} %"


def _spread(one: ColumnSpread) -> dict[str, Any]:
    return {
        "name": f"{one.column}: v{one.version} when it was promoted, and in the window of {one.window[:10]}",
        "rows": [
            (name, 100 * then, 100 * now)
            for name, then, now in zip(one.bins, one.then, one.now, strict=True)
            if then or now
        ],
    }
