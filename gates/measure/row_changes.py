"""Find the rows that got worse and better against the champion, by their keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gates.contract.sql import literal, quoted
from gates.documents.changed_rows import LONGEST, SCHEMA, ChangedRow, ChangedRows
from gates.measure.engines import Engine
from gates.measure.holdout.labels import Labels
from gates.measure.holdout.predictions import Predicted
from gates.measure.holdout.tables import OpenTable
from gates.metrics import Task
from gates.wording import number


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsAsked:
    """What a report may show of the rows: how many of each direction, by which key, with which columns."""

    most: int
    key: str
    columns: tuple[str, ...] = ()


def changed_rows(
    engine: Engine,
    holdout: OpenTable,
    task: Task,
    labels: Labels,
    models: tuple[Predicted, Predicted],
    asked: RowsAsked,
    evidence: str,
) -> ChangedRows:
    """Return the rows that changed. ``models``: candidate and champion; ``evidence``: its digest.

    Of classes a row got worse where the champion called it right and the candidate wrong; of numbers, where the
    candidate is further off, and of `task: score`, where its score is lower.
    """
    ours, theirs = (model.name for model in models)
    for column in asked.columns:
        holdout.require(column, "report.columns")
    worse, size = _compared(task, scored=all(model.scored for model in models))
    source = (
        f"SELECT h.row_key, h.label, b.call AS their_call, b.score AS their_score, a.call AS our_call, "
        f"a.score AS our_score, {worse} AS worse, {size} AS size FROM gates_rows AS h "
        f"JOIN {ours} AS a ON a.row_key = h.row_key JOIN {theirs} AS b ON b.row_key = h.row_key"
    )
    engine.run(f"CREATE OR REPLACE TEMP TABLE row_changes AS SELECT * FROM ({source}) WHERE worse <> 0")
    ((worse_rows, better_rows),) = engine.run("SELECT count_if(worse > 0), count_if(worse < 0) FROM row_changes")
    worst, best = (_rows(engine, holdout, task, labels, asked, sign) for sign in (1, -1))
    return ChangedRows(
        schema=SCHEMA,
        evidence=evidence,
        key=asked.key,
        columns=asked.columns,
        worse=int(worse_rows),
        better=int(better_rows),
        worst=worst,
        best=best,
    )


def _compared(task: Task, *, scored: bool) -> tuple[str, str]:
    """Write SQL of whether a row got worse (1), better (-1) or neither (0), and of how much."""
    if task == "score":
        gap = "(b.score - a.score)"
    elif task == "regression":
        gap = "(abs(a.call - h.label) - abs(b.call - h.label))"
    else:
        right = [f"CASE WHEN {model}.call = h.label THEN 1 ELSE 0 END" for model in "ab"]
        far = "abs(a.score - b.score)" if scored and task == "binary" else "CAST(0.0 AS DOUBLE)"
        return f"({right[1]}) - ({right[0]})", far
    return f"CASE WHEN {gap} > 0 THEN 1 WHEN {gap} < 0 THEN -1 ELSE 0 END", f"abs({gap})"


def _rows(
    engine: Engine, holdout: OpenTable, task: Task, labels: Labels, asked: RowsAsked, sign: int
) -> tuple[ChangedRow, ...]:
    chosen = engine.run(
        "SELECT row_key, label, their_call, their_score, our_call, our_score FROM row_changes "
        f"WHERE worse = {sign} ORDER BY size DESC, row_key LIMIT {asked.most}"
    )
    values = _values(engine, holdout, asked, [str(row[0]) for row in chosen])

    def told(call: float | None, score: float | None) -> str:
        if task in ("regression", "score"):
            value = call if task == "regression" else score
            return "–" if value is None else number(float(value))
        name = _class_of(labels, call)
        return name if score is None or task != "binary" else f"{name} ({number(float(score))})"

    return tuple(
        ChangedRow(
            key=_cut(str(key)),
            label=_cut(_label(task, labels, label)),
            champion=_cut(told(their_call, their_score)),
            candidate=_cut(told(our_call, our_score)),
            columns=tuple(None if value is None else _cut(value) for value in values[str(key)]),
        )
        for key, label, their_call, their_score, our_call, our_score in chosen
    )


def _label(task: Task, labels: Labels, label: float | None) -> str:
    if label is None:
        return "–"
    return number(float(label)) if task in ("regression", "score") else _class_of(labels, label)


def _class_of(labels: Labels, number_: float | None) -> str:
    if number_ is None or not 0 <= int(number_) < len(labels.classes):
        return "another class"
    return labels.classes[int(number_)]


def _values(
    engine: Engine, holdout: OpenTable, asked: RowsAsked, keys: Sequence[str]
) -> dict[str, tuple[str | None, ...]]:
    """Return the named columns' values, as text, of each key."""
    if not keys or not asked.columns:
        return dict.fromkeys(keys, ())
    key = f"CAST({quoted(asked.key)} AS VARCHAR)"
    columns = ", ".join(f"CAST({quoted(column)} AS VARCHAR)" for column in asked.columns)
    listed = ", ".join(literal(one) for one in keys)
    rows = engine.run(f"SELECT {key}, {columns} FROM {quoted(holdout.name)} WHERE {key} IN ({listed})")
    return {str(row[0]): tuple(None if one is None else str(one) for one in row[1:]) for row in rows}


def _cut(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= LONGEST else f"{flat[: LONGEST - 1]}…"
