"""What the ledger says of a model's live rows, for reports and sites."""

from __future__ import annotations

from dataclasses import dataclass

from gates.documents.live.monitoring_decision import JudgedWindow


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnSpread:
    """How a column was distributed when a model was promoted, and in a window: shares of rows, bin by bin."""

    column: str
    version: str
    window: str  # when it began
    bins: tuple[str, ...]
    then: tuple[float, ...]
    now: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchHistory:
    """The newest windows that were judged, the oldest of them first, and the newest record of them."""

    record: int
    at: str
    verdict: str
    reason: str
    windows: tuple[JudgedWindow, ...]
    spreads: tuple[ColumnSpread, ...] = ()
