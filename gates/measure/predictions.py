"""Predictions of one model on the holdout: found, checked against its rows, and put beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from gates.contract.columns import literal, quoted
from gates.errors import GatesError
from gates.measure.engines import Engine
from gates.measure.labels import Labels
from gates.measure.tables import Opened, open_table, run
from gates.metrics import Task
from gates.policy import Policy
from gates.validate import nearest

_SHOWN = 5
FORMS: Mapping[Task, str] = {
    "binary": "It needs a column score (probability of the positive class) or prediction (the class).",
    "multiclass": "It needs a column score_CLASS (its probability) for every class, or prediction (the class).",
    "regression": "It needs a column prediction (the value).",
    "ranking": "It needs a column score (larger is ranked higher).",
    "score": "It needs a column score, or the columns that the gates name with `of`.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicted:
    """A model's predictions as a table ``name(k, call, score, score_0, ..., of0, ...)`` of the engine, in their own
    order; ``k`` is the key, where there is one.

    ``call``: the class's number, or the value; ``classes``: how many columns ``score_N`` there are; ``columns``: what
    further columns are called there, by their names in the predictions.
    """

    name: str
    scored: bool  # whether there are scores, not only calls
    classes: int = 0
    columns: Mapping[str, str] = field(default_factory=dict)


def place(
    engine: Engine,
    file: Path,
    name: str,
    policy: Policy,
    labels: Labels,
    further: Sequence[str] = (),
    *,
    must: bool = True,
    where: str = "TRUE",
    secret: bool = False,
) -> Predicted:
    """Read a predictions file and match it to the holdout's rows, by key or by order.

    ``further``: columns of numbers that gates name with `of`; a file that ``must`` not may lack them.
    ``where``: SQL that holds of the rows that are wanted. Where the key is ``secret`` no message names one.
    Raises ``GatesError`` naming how many rows, and which, don't match or hold no usable number.
    """
    view = open_table(engine, file.parent, file.name, f"{name} predictions")
    form = _FORMS[policy.task](engine, view, policy, labels)
    columns = _further(engine, view, policy, further, must=must)
    if where != "TRUE":
        name_ = quoted(f"{view.name} in part")
        run(engine, f"CREATE OR REPLACE VIEW {name_} AS SELECT * FROM {quoted(view.name)} WHERE {where}")
        view = replace(view, name=f"{view.name} in part")
    key = f"CAST({quoted(policy.data.key)} AS VARCHAR) AS k, " if policy.data.key else ""
    scores = "".join(f", {score} AS score_{place}" for place, score in enumerate(form.scores))
    scores += "".join(f", {_double(column)} AS {told}" for column, told in columns.items())
    taken = f"SELECT {key}{form.call} AS call, {form.score} AS score{scores} FROM {quoted(view.name)} p"
    run(engine, f"CREATE OR REPLACE TEMP TABLE {name} AS {taken}")
    _match(engine, name, view, policy, secret=secret)
    return Predicted(name=name, scored=form.scored, classes=len(form.scores), columns=columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    """SQL of what is taken from the predictions ``p``."""

    call: str
    score: str = "CAST(NULL AS DOUBLE)"
    scores: tuple[str, ...] = ()
    scored: bool = False


def _double(column: str) -> str:
    return f"CAST(p.{quoted(column)} AS DOUBLE) + 0.0"  # + 0.0: -0.0 and 0.0 tie


def _binary(engine: Engine, view: Opened, policy: Policy, labels: Labels) -> _Form:
    _need(view, policy, "score", "prediction")
    scored = "score" in view.columns
    if scored:
        _check_numbers(engine, view, policy, "score", unit=True)
    if "prediction" in view.columns:
        _check_calls(engine, view, labels)
    call = (  # a model that calls for itself is taken at its word; the threshold is for scores alone
        labels.value("p.prediction")
        if "prediction" in view.columns
        else f"CAST(CASE WHEN p.score >= {literal(policy.predict.threshold)} THEN 1 ELSE 0 END AS TINYINT)"
    )
    return _Form(call=call, score=_double("score") if scored else "CAST(NULL AS DOUBLE)", scored=scored)


def _multiclass(engine: Engine, view: Opened, policy: Policy, labels: Labels) -> _Form:
    columns = [f"score_{name}" for name in labels.classes]
    held = [column for column in columns if column in view.columns]
    if "prediction" not in view.columns or held:
        _need(view, policy, "prediction", *columns[:1])
        if len(held) < len(columns):
            lacking = ", ".join(column for column in columns if column not in view.columns)
            raise GatesError(f"the predictions lack {lacking}", where=view.path, mend=FORMS["multiclass"])
    for column in held:
        _check_numbers(engine, view, policy, column, unit=True)
    if "prediction" in view.columns:
        _check_calls(engine, view, labels)
        return _Form(call=labels.value("p.prediction"), scores=tuple(map(_double, held)), scored=bool(held))
    values = [_double(column) for column in held]
    cases = " ".join(  # the first class of the highest score, as scikit-learn's argmax
        f"WHEN {' AND '.join(f'{value} >= {other}' for other in values if other is not value) or 'TRUE'} THEN {place}"
        for place, value in enumerate(values)
    )
    return _Form(call=f"CAST(CASE {cases} END AS TINYINT)", scores=tuple(values), scored=True)


def _regression(engine: Engine, view: Opened, policy: Policy, _labels: Labels) -> _Form:
    _need(view, policy, "prediction")
    _check_numbers(engine, view, policy, "prediction")
    return _Form(call=_double("prediction"))


def _ranking(engine: Engine, view: Opened, policy: Policy, _labels: Labels) -> _Form:
    _need(view, policy, "score")
    _check_numbers(engine, view, policy, "score")
    return _Form(call="CAST(NULL AS DOUBLE)", score=_double("score"), scored=True)


def _score(engine: Engine, view: Opened, policy: Policy, _labels: Labels) -> _Form:
    if "score" not in view.columns:
        return _Form(call="CAST(NULL AS DOUBLE)")
    _check_numbers(engine, view, policy, "score")
    return _Form(call="CAST(NULL AS DOUBLE)", score=_double("score"), scored=True)


_FORMS: Mapping[Task, Callable[[Engine, Opened, Policy, Labels], _Form]] = {
    "binary": _binary,
    "multiclass": _multiclass,
    "regression": _regression,
    "ranking": _ranking,
    "score": _score,
}


def _further(engine: Engine, view: Opened, policy: Policy, wanted: Sequence[str], *, must: bool) -> dict[str, str]:
    """Further columns of numbers, and what each is called in the table."""
    for column in wanted if must else ():
        if column not in view.columns:
            known = nearest(column, view.columns) or f"; they have {', '.join(list(view.columns)[:20])}"
            raise GatesError(f"the predictions lack {column}, which a gate names with `of`{known}", where=view.path)
    held = [column for column in wanted if column in view.columns]
    for column in held:
        _check_numbers(engine, view, policy, column)
    return {column: f"of{place}" for place, column in enumerate(held)}


def _need(view: Opened, policy: Policy, *columns: str) -> None:
    form = FORMS[policy.task]
    if not set(columns) & view.columns.keys():
        raise GatesError(f"the predictions have the columns {', '.join(view.columns)}", where=view.path, mend=form)
    if policy.data.key and policy.data.key not in view.columns:
        raise GatesError(f"the predictions lack the key column {policy.data.key}", where=view.path)


def _match(engine: Engine, name: str, view: Opened, policy: Policy, *, secret: bool) -> None:
    """The same rows on both sides, or an error that says how many differ and which."""
    ((expected,),) = run(engine, "SELECT count(*) FROM gates_rows")
    ((given,),) = run(engine, f"SELECT count(*) FROM {name}")
    if not policy.data.key:
        if expected != given:
            raise GatesError(
                f"{given:,} predictions for {expected:,} holdout rows",
                where=view.path,
                mend="Predict every row of GATES_HOLDOUT once, in its order, or set data.key.",
            )
        return
    for what, sql in (
        ("predictions have no key", f"SELECT k FROM {name} WHERE k IS NULL"),
        ("keys stand twice", f"SELECT k FROM {name} GROUP BY k HAVING count(*) > 1"),
        ("holdout rows have no prediction", f"SELECT k FROM gates_rows EXCEPT SELECT k FROM {name}"),
        ("predictions belong to no holdout row", f"SELECT k FROM {name} EXCEPT SELECT k FROM gates_rows"),
    ):
        ((wrong,),) = run(engine, f"SELECT count(*) FROM ({sql})")
        if wrong and secret:
            raise GatesError(f"{wrong:,} {what} ({policy.data.key} is x-sensitive: none is named)", where=view.path)
        if wrong:
            first = run(engine, f"SELECT k FROM ({sql}) ORDER BY k LIMIT {_SHOWN}")
            shown = ", ".join(str(row[0]) for row in first if row[0] is not None) + (", …" if wrong > _SHOWN else "")
            which = f" ({policy.data.key}: {shown})" if first[0][0] is not None else f" in {policy.data.key}"
            raise GatesError(f"{wrong:,} {what}{which}", where=view.path, mend=_spelt(engine, name))


def _spelt(engine: Engine, name: str) -> str | None:
    """How to fix keys of which none is the holdout's: another program may have made 7 or 7.0 of 007."""
    ((same,),) = run(engine, f"SELECT count(*) FROM gates_rows WHERE k IN (SELECT k FROM {name})")
    if same:
        return None
    ours, theirs = (run(engine, f"SELECT min(k) FROM {table}")[0][0] for table in ("gates_rows", name))
    return f"No key is the holdout's: write them as there, {ours}, not {theirs}; read them as text, with dtype=str."


def _wrong_rows(engine: Engine, view: Opened, column: str, condition: str) -> tuple[int, str]:
    """How many rows are wrong, and the first of them."""
    numbered = f"(SELECT row_number() OVER () AS gates_row, {quoted(column)} FROM {quoted(view.name)})"
    ((count,),) = run(engine, f"SELECT count(*) FROM {quoted(view.name)} WHERE {condition}")
    if not count:
        return 0, ""
    rows = run(engine, f"SELECT gates_row FROM {numbered} WHERE {condition} ORDER BY gates_row LIMIT {_SHOWN}")
    return count, ", ".join(str(row[0]) for row in rows) + (", …" if count > _SHOWN else "")


def _check_numbers(engine: Engine, view: Opened, policy: Policy, column: str, *, unit: bool = False) -> None:
    """Every value a finite number; ``unit``: within 0 and 1."""
    form = FORMS[policy.task]
    name, seen = quoted(column), view.seen.get(column)
    if not seen or not (seen.is_number or seen.category == "string"):  # NaN makes a CSV's column text
        raise GatesError(f"{column} is {view.columns[column]}, not a number", where=view.path, mend=form)
    value = f"TRY_CAST({name} AS DOUBLE)"
    bad = f"NOT coalesce(isfinite({value}), FALSE)"
    checks = [("are not a number", bad)]
    if unit:
        checks.append(("lie outside 0 to 1", f"NOT ({bad}) AND {value} NOT BETWEEN 0 AND 1"))
    for what, condition in checks:
        count, which = _wrong_rows(engine, view, column, condition)
        if count:
            plural = "scores" if column == "score" else f"values of {column}"
            raise GatesError(f"{count:,} {plural} {what} (row {which})", where=view.path, mend=form)
    if not seen.is_number:
        raise GatesError(f"{column} is {view.columns[column]}, not a number", where=view.path, mend=form)


def _check_calls(engine: Engine, view: Opened, labels: Labels) -> None:
    known = labels.is_one("prediction", *labels.classes)
    count, which = _wrong_rows(engine, view, "prediction", f"NOT coalesce({known}, FALSE)")
    if count:
        *others, last = labels.classes
        named = f"neither {others[0]} nor {last}" if len(others) == 1 else f"none of {', '.join(labels.classes[:10])}"
        raise GatesError(f"{count:,} predictions are {named} (row {which})", where=view.path)
