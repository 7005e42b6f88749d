"""Monitoring decision: the verdicts of live windows, and what the watch over each rule has seen so far."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from gates.documents.decision import Code, GateVerdict, Verdict
from gates.documents.live.live_evidence import ROWS, WatchedModel
from gates.schema.fields import TIME_PATTERN, declare

SCHEMA: Literal["gates/monitoring/v1"] = "gates/monitoring/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedRule:
    """The outcome of one rule in one window."""

    WRITTEN = "whole"
    gate: GateVerdict = declare("The verdict and its numbers; the reference stands in the champion's place.")
    alarm: float | None = declare("Evidence against it so far, over what makes an alarm: 1 is one. Null: not watched.")


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedWindow:
    """The outcome of one window."""

    WRITTEN = "whole"
    start: str = declare("Its first second, UTC.", pattern=TIME_PATTERN)
    end: str = declare("The second after its last one, UTC.", pattern=TIME_PATTERN)
    part: Literal["rows", "labels"] = declare("Whether all rows were judged, or those that have a label.")
    model: WatchedModel | None = declare("The model that it is about.")
    rows: int = declare("Rows of that model.")
    labelled: int | None = declare("Of these, rows with a label; null where labels were not looked at.")
    verdict: Verdict = declare("The worst verdict.")
    rules: tuple[WatchedRule, ...] = declare("In the policy's order.")


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchState:
    """What the watch over one rule has seen: it goes on from here in the next window."""

    WRITTEN = "whole"
    rule: str = declare("The rule's name, such as recall:min@region=LATAM.")
    terms: str = declare("Digest of limit, model and reference: where one of them changes, the watch begins again.")
    logs: tuple[float, ...] = declare("Logarithms of its detectors; none before the first window that counted.")
    windows: int = declare("How many of the last windows have made the evidence what it is.")
    building: tuple[tuple[int, float], ...] = declare(
        "(phase, value) of the first windows, where these are the reference."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitoringDecision:
    """All verdicts of the windows that one record judges."""

    WRITTEN = "whole"
    schema: Literal["gates/monitoring/v1"] = declare("Format of this document.")
    model: str = declare("The policy's model name.")
    verdict: Verdict = declare("The worst verdict of these windows.")
    code: Code = declare("The reason of the worst verdict.")
    reason: str = declare("Why, in one plain sentence.")
    confidence: float = declare("The confidence of each bound.")
    false_alarm_every: int = declare("In how many windows all rules together may raise one false alarm.")
    evidence: str = declare("Digest of the live evidence.")
    policy: str = declare("Digest of the policy with its contract.")
    previous: str | None = declare("Digest of the monitoring decision before; null for the first one.")
    windows: tuple[JudgedWindow, ...] = declare("By part and time.")
    rows_until: str | None = declare("Until when all rows have been judged, UTC.", pattern=TIME_PATTERN)
    labels_until: str | None = declare("Until when labels have been judged, UTC.", pattern=TIME_PATTERN)
    states: tuple[WatchState, ...] = declare("What each rule's watch has seen, by its name.")

    @property
    def newest(self) -> Iterator[tuple[JudgedWindow, WatchedRule]]:
        """Yield each rule as its newest window has it."""
        found = {one.gate.label: (window, one) for window in self.windows for one in window.rules}
        yield from found.values()

    def until(self, part: str) -> str | None:
        """Return until when a part has been judged; None where it never was."""
        return self.rows_until if part == ROWS else self.labels_until
