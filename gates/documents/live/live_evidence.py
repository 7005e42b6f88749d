"""Live evidence: all that a judge sees of live rows. Counts by window, with digests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gates.documents.evidence import Finding, Slice
from gates.documents.live.prometheus_answer import PrometheusAnswer
from gates.schema.fields import TIME_PATTERN, declare

SCHEMA: Literal["gates/live/v1"] = "gates/live/v1"
ROWS, LABELS = "rows", "labels"  # the two times at which a window is judged


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweringModel:
    """How many rows of a window one model answered."""

    WRITTEN = "whole"
    digest: str = declare("What the log says answered; empty where it says nothing.")
    rows: int = declare("Rows.")
    known: bool = declare("Whether the ledger has promoted or adopted a model of that digest.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnCounts:
    """Rows of a window in each bin of a column's profile."""

    WRITTEN = "whole"
    column: str = declare("The column.")
    measure: Literal["psi", "ks"] = declare("The distance that the bins are made for.")
    counts: tuple[int, ...] = declare("Rows of each bin, in the profile's order; none where the column is not there.")


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedModel:
    """The model that the alias named when a window ended, and the record that promoted it."""

    WRITTEN = "whole"
    digest: str = declare("Digest of its files.")
    version: str = declare("Its version in the registry.")
    record: str = declare("Digest of the record that promoted it.")


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveWindow:
    """What was counted of one window: of all its rows, or of those whose labels have arrived.

    Its rows are those that ``model`` answered.
    """

    WRITTEN = "whole"
    number: int = declare("How many windows lie before it since Monday, 1970-01-05, UTC.")
    start: str = declare("Its first second, UTC.", pattern=TIME_PATTERN)
    end: str = declare("The second after its last one, UTC.", pattern=TIME_PATTERN)
    part: Literal["rows", "labels"] = declare("Whether all rows are counted, or those that have a label.")
    model: WatchedModel | None = declare("The model; null if the alias named none.")
    answered: tuple[AnsweringModel, ...] = declare("How many rows each model answered, by digest.")
    rows: int = declare("Rows of the model.")
    labelled: int | None = declare("Of these, rows with a label; null where labels are not looked at.")
    unreadable: str | None = declare("Why its rows can't be counted; null if they are.")
    lacking: bool = declare("Whether that is because a column is not there.")
    findings: tuple[Finding, ...] = declare("What the contract's rules counted.")
    columns: tuple[ColumnCounts, ...] = declare("Rows by bin of the profile's columns.")
    classes: tuple[str, ...] = declare("Label values, as in evidence.")
    slices: tuple[Slice, ...] = declare("The whole window first, then every slice, as in evidence.")
    scores: tuple[tuple[int, int, int], ...] = declare(
        "(bin of the score, the call, rows), rising, where a metric is estimated without labels.", default=(), late=True
    )
    answers: tuple[PrometheusAnswer, ...] = declare(
        "What a Prometheus answered about the end of the window, if the policy asks one.", default=(), late=True
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveEvidence:
    """The windows that one record judges, in their order, and what they follow."""

    WRITTEN = "whole"
    schema: Literal["gates/live/v1"] = declare("Format of this document.")
    model: str = declare("The policy's model name.")
    measured: str = declare("Digest of the part of the policy that says what to measure.")
    previous: str | None = declare("Digest of the monitoring decision before; null for the first one.")
    windows: tuple[LiveWindow, ...] = declare("By part and time.")
