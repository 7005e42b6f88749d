"""Judged windows of a model that serves, made by hand: a day each, each rule with the verdict that a test says."""

from __future__ import annotations

from collections.abc import Mapping

from gates.documents.decision import Code, GateVerdict, Verdict, worst
from gates.documents.live.live_evidence import WatchedModel
from gates.documents.live.monitoring_decision import SCHEMA, JudgedWindow, MonitoringDecision, WatchedRule
from gates.monitoring.alert_state import WatchRecord

PASS, INCONCLUSIVE, FAIL, ERROR = Verdict
SHA = "sha256:" + "5a" * 32
Verdicts = Mapping[str, Verdict | None]
CODES = {
    PASS: Code.WITHIN_BAR,
    INCONCLUSIVE: Code.ACROSS_BAR,
    FAIL: Code.ALARM,
    ERROR: Code.NO_ROWS,
    None: Code.BUILDING,
}


def rule(label: str, verdict: Verdict | None, reason: str = "") -> WatchedRule:
    """A rule by its label: ``recall:min``, ``recall:min@region=north``."""
    name, _, where = label.partition("@")
    gate, _, limit = name.partition(":")
    column, _, value = where.partition("=")
    kind = "estimate" if gate.startswith("estimate of ") else "metric"
    found = GateVerdict(
        id=gate, kind=kind, metric=gate, rule=limit, bar=0.6, slice={column: value} if where else None, by=None,
        groups=None, n=1000, verdict=verdict, code=CODES[verdict], reason=reason or f"{label} is {verdict}",
        candidate=None, champion=None, difference=None, detectable=None, method=None,
    )  # fmt: skip
    assert found.label == label
    return WatchedRule(gate=found, alarm=None)


def day(number: int) -> str:
    return f"2026-11-{number:02}T00:00:00Z"


def window(
    number: int, verdicts: Verdicts, part: str = "rows", version: str = "12", reasons: Mapping[str, str] | None = None
) -> JudgedWindow:
    """The window of a day of November."""
    rules = tuple(rule(label, verdict, (reasons or {}).get(label, "")) for label, verdict in verdicts.items())
    bad = worst(one.gate for one in rules)
    return JudgedWindow(
        start=day(number), end=day(number + 1), part="labels" if part == "labels" else "rows",
        model=WatchedModel(digest=SHA, version=version, record=SHA), rows=1000,
        labelled=950 if part == "labels" else None, verdict=bad.verdict if bad and bad.verdict else INCONCLUSIVE,
        rules=rules,
    )  # fmt: skip


def record(sequence: int, *windows: JudgedWindow, model: str = "telco-churn") -> WatchRecord:
    """A record of the ledger that judged these windows."""
    bad = worst(one.gate for window in windows for one in window.rules)
    ends = {part: max((one.end for one in windows if one.part == part), default=None) for part in ("rows", "labels")}
    decision = MonitoringDecision(
        schema=SCHEMA, model=model, verdict=bad.verdict if bad and bad.verdict else INCONCLUSIVE,
        code=bad.code if bad else Code.BUILDING, reason=bad.reason if bad else "nothing was judged", confidence=0.95,
        false_alarm_every=365, evidence=SHA, policy=SHA, previous=None, windows=windows, rows_until=ends["rows"],
        labels_until=ends["labels"], states=(),
    )  # fmt: skip
    return WatchRecord(sequence=sequence, digest=SHA, decision=decision)


def recorded(*days: Verdicts | None, part: str = "rows") -> list[WatchRecord]:
    """A record a day, the newest first; None is a day that nobody judged."""
    found = [record(i, window(i, verdicts, part)) for i, verdicts in enumerate(days, 1) if verdicts is not None]
    return found[::-1]
