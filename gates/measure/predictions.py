"""Predictions of one model on the holdout: found, checked against its rows, and put beside them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gates.contract.columns import literal, quoted
from gates.errors import GatesError
from gates.measure.labels import Labels
from gates.measure.tables import Opened, open_table, run
from gates.policy import Policy

_SHOWN = 5
FORM = "It needs a column score (probability of the positive class) or prediction (the class)."


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicted:
    """A model's predictions as a table ``name(pos, call, score)`` of the engine."""

    name: str
    scored: bool  # whether there are scores, not only calls


def place(connection: Any, file: Path, name: str, policy: Policy, labels: Labels) -> Predicted:
    """Read a predictions file and match it to the holdout's rows, by key or by order.

    Raises ``GatesError`` naming how many rows, and which, don't match or hold no usable number.
    """
    view = open_table(connection, file.parent, file.name, f"{name} predictions")
    _check_columns(view, policy)
    _match(connection, view, policy)
    scored = "score" in view.columns
    if scored:
        _check_scores(connection, view)
    if "prediction" in view.columns:
        _check_calls(connection, view, labels)
    call = (  # a model that calls for itself is taken at its word; the threshold is for scores alone
        labels.is_positive("p.prediction")
        if "prediction" in view.columns
        else f"CAST(p.score >= {literal(policy.predict.threshold)} AS TINYINT)"
    )
    score = "CAST(p.score AS DOUBLE) + 0.0" if scored else "CAST(NULL AS DOUBLE)"  # + 0.0: -0.0 and 0.0 tie
    key = f"CAST({quoted(policy.data.key)} AS VARCHAR)" if policy.data.key else "NULL"
    given = ", ".join(column for column in ("score", "prediction") if column in view.columns)
    source = f"(SELECT row_number() OVER () - 1 AS gates_pos, {key} AS gates_key, {given} FROM {quoted(view.name)})"
    matched = "p.gates_key = r.k" if policy.data.key else "p.gates_pos = r.pos"
    run(
        connection,
        f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT r.pos, {call} AS call, {score} AS score "
        f"FROM gates_rows r JOIN {source} p ON {matched}",
    )
    return Predicted(name=name, scored=scored)


def _check_columns(view: Opened, policy: Policy) -> None:
    if not {"score", "prediction"} & view.columns.keys():
        raise GatesError(f"the predictions have the columns {', '.join(view.columns)}", where=view.path, mend=FORM)
    if policy.data.key and policy.data.key not in view.columns:
        raise GatesError(f"the predictions lack the key column {policy.data.key}", where=view.path)
    if "score" in view.columns and not ("score" in view.seen and view.seen["score"].is_number):
        raise GatesError(f"score is {view.columns['score']}, not a number", where=view.path, mend=FORM)


def _match(connection: Any, view: Opened, policy: Policy) -> None:
    """The same rows on both sides, or an error that says how many differ and which."""
    ((expected,),) = run(connection, "SELECT count(*) FROM gates_rows")
    ((given,),) = run(connection, f"SELECT count(*) FROM {quoted(view.name)}")
    if not policy.data.key:
        if expected != given:
            raise GatesError(
                f"{given:,} predictions for {expected:,} holdout rows",
                where=view.path,
                mend="Predict every row of GATES_HOLDOUT once, in its order, or set data.key.",
            )
        return
    key = f"CAST({quoted(policy.data.key)} AS VARCHAR)"
    predicted = f"(SELECT {key} AS k FROM {quoted(view.name)})"
    for what, sql in (
        ("predictions have no key", f"SELECT k FROM {predicted} WHERE k IS NULL"),
        ("keys stand twice", f"SELECT k FROM {predicted} GROUP BY k HAVING count(*) > 1"),
        ("holdout rows have no prediction", f"SELECT k FROM gates_rows EXCEPT SELECT k FROM {predicted}"),
        ("predictions belong to no holdout row", f"SELECT k FROM {predicted} EXCEPT SELECT k FROM gates_rows"),
    ):
        wrong = [row[0] for row in run(connection, f"SELECT k FROM ({sql}) ORDER BY k")]
        if wrong:
            shown = ", ".join(str(k) for k in wrong[:_SHOWN] if k is not None) + (", …" if len(wrong) > _SHOWN else "")
            which = f" ({policy.data.key}: {shown})" if shown else f" in {policy.data.key}"
            raise GatesError(f"{len(wrong):,} {what}{which}", where=view.path)


def _wrong_rows(connection: Any, view: Opened, column: str, condition: str) -> tuple[int, str]:
    rows = run(
        connection,
        f"SELECT gates_row FROM (SELECT row_number() OVER () AS gates_row, {column} FROM {quoted(view.name)}) "
        f"WHERE {condition} ORDER BY gates_row",
    )
    shown = ", ".join(str(row[0]) for row in rows[:_SHOWN])
    return len(rows), shown + (", …" if len(rows) > _SHOWN else "")


def _check_scores(connection: Any, view: Opened) -> None:
    bad = "score IS NULL OR NOT isfinite(CAST(score AS DOUBLE))"
    for what, condition in (
        ("are not a number", bad),
        ("lie outside 0 to 1", f"NOT ({bad}) AND (score < 0 OR score > 1)"),
    ):
        count, which = _wrong_rows(connection, view, "score", condition)
        if count:
            raise GatesError(f"{count:,} scores {what} (row {which})", where=view.path, mend=FORM)


def _check_calls(connection: Any, view: Opened, labels: Labels) -> None:
    known = labels.is_one("prediction", *labels.classes)
    count, which = _wrong_rows(connection, view, "prediction", f"NOT coalesce({known}, FALSE)")
    if count:
        raise GatesError(
            f"{count:,} predictions are neither {labels.negative} nor {labels.positive} (row {which})", where=view.path
        )
