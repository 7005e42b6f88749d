"""Hold what a Prometheus said about the end of a window against the policy's limits.

A share of events has bounds, so it is watched over windows as the metrics are. A value has none: it passes or fails in
its window, and no rate of false alarms can be stated for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from gates.documents.live.live_evidence import LiveWindow
from gates.documents.live.monitoring_decision import WatchedRule
from gates.kinds.metric.subject import absent
from gates.kinds.promql.promql_rule import KEY, PromqlRule
from gates.kinds.promql.promql_verdict import EventCounts, events, held
from gates.monitoring.live_rules import Subject


def of_share(rule: PromqlRule, window: LiveWindow) -> Subject:
    """Return the share of bad events, or why nothing can be said of it."""
    assert rule.max is not None  # noqa: S101 -- ``mistakes`` refuses a share without one
    counts = events(rule, window.answers)
    bare = Subject(gate=rule.name, kind=KEY, rule="max", limit=rule.max, n=0, noun=("event", "events"))
    if not isinstance(counts, EventCounts):
        return replace(bare, outcome=absent(counts.verdict, counts.code, f"{rule.title}: {counts.reason}"))
    expected = counts.total * min(rule.max, 1 - rule.max)
    return replace(bare, n=round(counts.total), judged=counts.share, live=counts.share, events=expected)


def of_value(rule: PromqlRule, window: LiveWindow, confidence: float) -> Iterator[WatchedRule]:
    """Yield what an expression came to; a fail is one in this window already."""
    yield from (WatchedRule(gate=one, alarm=None) for one in held(rule, window.answers, confidence))
