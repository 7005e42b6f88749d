"""Count one window of live rows: what the contract, the profile and the metrics need of it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from gates.documents.evidence import Evidence, Finding, Slice
from gates.documents.live.drift_profile import DriftProfile
from gates.documents.live.live_evidence import (
    LABELS,
    ROWS,
    AnsweringModel,
    ColumnCounts,
    LiveWindow,
    WatchedModel,
)
from gates.errors import Exit, GatesError
from gates.measure.contract_check import findings
from gates.measure.holdout.models import ModelOutput
from gates.measure.holdout.predictions import is_predicted
from gates.measure.holdout.tables import MissingColumnError, OpenTable
from gates.measure.live import drift_bins, score_calls
from gates.measure.live.live_tables import LiveTables
from gates.measure.live.window_times import WindowTime, text_of
from gates.measure.measurement import Measurement
from gates.policy import ResolvedPolicy
from gates.policy.live_policies import live_rules, of_part


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """Who serves: the model that the alias named at a time, the digests that the ledger knows, and the profile and the
    classes of a promotion by the digest of its record."""

    model_at: Callable[[datetime], WatchedModel | None]
    known: frozenset[str]
    profiles: Mapping[str, DriftProfile]
    classes: Mapping[str, tuple[str, ...]]


@dataclass(slots=True, kw_only=True)
class _Counts:
    """What was counted of the rows of one model."""

    labelled: int = 0
    unreadable: str | None = None
    lacking: bool = False
    findings: tuple[Finding, ...] = ()
    columns: tuple[ColumnCounts, ...] = ()
    classes: tuple[str, ...] = ()
    slices: tuple[Slice, ...] = ()
    scores: tuple[tuple[int, int, int], ...] = ()


def counted(
    tables: LiveTables, window: WindowTime, part: str, serving: Serving, environ: Mapping[str, str]
) -> LiveWindow:
    """Count a part of one window. Rows that can't be counted are those of ``unreadable``."""
    model = serving.model_at(window.end)
    answered = tables.answered(window)
    named = tables.monitor.model is not None
    mine = sum(rows for digest, rows in answered if not named or (model is not None and digest == model.digest))
    by_model = tuple(
        AnsweringModel(digest=digest, rows=rows, known=not named or digest in serving.known)
        for digest, rows in answered
    )
    rows = mine if model is not None else 0
    counts = _Counts()
    if rows and model is not None:
        try:
            taken = tables.take(window, model.digest)
            counts = _count(tables, taken, part, serving, model, environ)
        except GatesError as error:
            if error.exit_code is Exit.OUTSIDE:
                raise
            told = f"{error.what} ({error.hint})" if error.hint else error.what
            counts = _Counts(unreadable=told, lacking=isinstance(error, MissingColumnError))
    return LiveWindow(
        number=window.number,
        start=text_of(window.start),
        end=text_of(window.end),
        part="labels" if part == LABELS else "rows",
        model=model,
        answered=by_model,
        rows=rows,
        labelled=counts.labelled if part == LABELS else None,
        unreadable=counts.unreadable,
        lacking=counts.lacking,
        findings=counts.findings,
        columns=counts.columns,
        classes=counts.classes,
        slices=counts.slices,
        scores=counts.scores,
    )


def _count(
    tables: LiveTables,
    taken: OpenTable,
    part: str,
    serving: Serving,
    model: WatchedModel,
    environ: Mapping[str, str],
) -> _Counts:
    counts = _Counts()
    if part == ROWS:
        if tables.monitor.checks_data:
            counts.findings = tuple(_findings(tables, taken))
        profile, classes = serving.profiles.get(model.record), serving.classes.get(model.record)
        if tables.monitor.drifts and profile is not None:
            counts.columns = drift_bins.count(tables.engine, taken, profile)
        if tables.monitor.estimates and classes and "score" in taken.columns:
            counts.scores = score_calls.count(tables.engine, taken, tables.resolved, classes)
    else:
        counts.labelled = tables.labelled(taken)
    derived = of_part(tables.resolved, part)
    if derived is not None and (part == ROWS or counts.labelled):
        evidence = _metrics(tables, taken, derived, model, environ, labelled=part == LABELS)
        counts.classes, counts.slices = evidence.classes, evidence.slices
    return counts


def _findings(tables: LiveTables, taken: OpenTable) -> Sequence[Finding]:
    """Hold the rows of a window to the contract's rules of one table. What is logged beside the features is no column
    of the table that the contract is about."""
    contract = tables.resolved.contract
    assert contract is not None  # noqa: S101 -- ``mistakes`` refuses a policy without one
    rules = tuple(replace(rule, tables=(taken.name,)) for rule in live_rules(tables.resolved))
    named = {column for rule in rules for column in rule.columns}
    monitor, further = tables.monitor, tables.resolved.needs.columns
    beside = {monitor.key, monitor.time, monitor.model, tables.policy.data.label}
    beside |= {name for name in taken.columns if is_predicted(name, further)}
    columns = {name: kind for name, kind in taken.columns.items() if name in named or name not in beside}
    return findings(tables.engine, replace(taken, columns=columns), replace(contract, rules=rules), lambda _: None)


def _metrics(
    tables: LiveTables,
    taken: OpenTable,
    derived: ResolvedPolicy,
    model: WatchedModel,
    environ: Mapping[str, str],
    *,
    labelled: bool,
) -> Evidence:
    """Count what the metrics need, by the very code that counts a holdout."""
    with tempfile.TemporaryDirectory(prefix="gates-window-") as made:
        folder = Path(made)
        tables.write(derived, folder, taken, labelled=labelled)
        measurement = Measurement(derived, folder, folder, environ=environ, now=tables.now, threads=tables.threads)
        return measurement.evidence((), [ModelOutput(digest=model.digest, folder=folder)])
