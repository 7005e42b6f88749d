"""Read one model's predictions on the holdout, check them against its rows, and join the two."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from gates.contract.sql import literal, quoted
from gates.errors import GatesError
from gates.measure.engines import Engine
from gates.measure.holdout.labels import TOTAL, Labels
from gates.measure.holdout.matching import SHOWN, match_rows
from gates.measure.holdout.tables import OpenTable, open_table, shortest
from gates.metrics import Task
from gates.policy import Policy
from gates.schema.validation import nearest
from gates.wording import counted, plural

_SCORE = "score_"
_CALLS = ("score", "prediction")
FORMS: Mapping[Task, str] = {
    "binary": "It needs a column score (probability of the positive class) or prediction (the class).",
    "multiclass": "It needs a column score_CLASS (its probability) for every class, or prediction (the class).",
    "regression": "It needs a column prediction (the value).",
    "ranking": "It needs a column score (larger is ranked higher).",
    "score": "It needs a column score, or the columns that the gates name with `of`.",
}


def is_predicted(column: str, further: Sequence[str]) -> bool:
    """Tell whether predictions may have a column of that name; ``further``: those that gates name with `of`."""
    return column in _CALLS or column.startswith(_SCORE) or column in further


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicted:
    """A model's predictions as a table ``name(row_key, call, score, score_0, ..., of0, ...)`` of the engine, in their
    own order; ``row_key`` is there where the policy names a key.

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
    public_policy = replace(policy, data=replace(policy.data, key=None)) if secret else policy  # rows by their number
    form = _FORMS[policy.task](engine, view, public_policy, labels)
    columns = _further(engine, view, public_policy, further, must=must)
    if policy.data.key and policy.data.key not in view.columns:
        raise GatesError(f"the predictions lack the key column {policy.data.key}", where=view.path)
    if where != "TRUE":
        name_ = quoted(f"{view.name} in part")
        engine.run(f"CREATE OR REPLACE VIEW {name_} AS SELECT * FROM {quoted(view.name)} WHERE {where}")
        view = replace(view, name=f"{view.name} in part")
    key = f"CAST({quoted(policy.data.key)} AS VARCHAR) AS row_key, " if policy.data.key else ""
    scores = "".join(f", {score} AS score_{place}" for place, score in enumerate(form.scores))
    scores += "".join(f", {_double(view, column)} AS {alias}" for column, alias in columns.items())
    taken = f"SELECT {key}{form.call} AS call, {form.score} AS score{scores} FROM {quoted(view.name)} p"
    engine.run(f"CREATE OR REPLACE TEMP TABLE {name} AS {taken}")
    match_rows(engine, name, view, policy, secret=secret)
    return Predicted(name=name, scored=form.scored, classes=len(form.scores), columns=columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    """SQL of what is taken from the predictions ``p``."""

    call: str
    score: str = "CAST(NULL AS DOUBLE)"
    scores: tuple[str, ...] = ()
    scored: bool = False


def _double(view: OpenTable, column: str) -> str:
    """Write SQL of a number as a double; + 0.0: -0.0 and 0.0 tie."""
    return f"({shortest(view, column, f'p.{quoted(column)}')} + 0.0)"


def _reached(view: OpenTable, threshold: float) -> str:
    """Return the SQL of whether a score is at least the threshold; the double of the threshold's 32-bit float is,
    too."""
    score = _double(view, "score")
    (narrow,) = struct.unpack("f", struct.pack("f", threshold))
    return f"({score} >= {literal(threshold)} OR {score} = {literal(float(narrow))})"


def binary_form(engine: Engine, view: OpenTable, policy: Policy, labels: Labels) -> _Form:
    """Return the SQL of scores and calls of two classes. Raises ``GatesError`` for those that are none."""
    _need(view, policy, "score", "prediction")
    scored = "score" in view.columns
    if scored:
        _check_numbers(engine, view, policy, "score", unit=True)
    if "prediction" in view.columns:
        _check_calls(engine, view, policy, labels)
    call = (  # a model that calls for itself is taken at its word; the threshold is for scores alone
        labels.value("p.prediction")
        if "prediction" in view.columns
        else f"CAST(CASE WHEN {_reached(view, policy.predict.threshold)} THEN 1 ELSE 0 END AS TINYINT)"
    )
    return _Form(call=call, score=_double(view, "score") if scored else "CAST(NULL AS DOUBLE)", scored=scored)


def _multiclass(engine: Engine, view: OpenTable, policy: Policy, labels: Labels) -> _Form:
    score_of = _columns_of(view, labels)
    needed = [name for name in labels.classes if name not in labels.absent]
    if "prediction" not in view.columns or score_of:
        _need(view, policy, "prediction", *(score_of or {"": f"score_{needed[0]}"}).values())
        lacking = [f"score_{name}" for name in needed if name not in score_of]
        if lacking:
            raise GatesError(f"the predictions lack {', '.join(lacking)}", where=view.path, hint=FORMS["multiclass"])
    for column in score_of.values():
        _check_numbers(engine, view, policy, column, unit=True)
    if score_of:
        _check_totals(engine, view, policy, list(score_of.values()))
    zero = "CAST(0.0 AS DOUBLE)"  # of a class that the model does not know, and no row has
    values = [_double(view, score_of[name]) if name in score_of else zero for name in labels.classes]
    if "prediction" in view.columns:
        _check_calls(engine, view, policy, labels)
        return _Form(call=labels.value("p.prediction"), scores=tuple(values) if score_of else (), scored=bool(score_of))
    plain = [f"CAST(p.{quoted(score_of[name])} AS DOUBLE)" if name in score_of else zero for name in labels.classes]
    cases = " ".join(  # the first class of the highest score, as scikit-learn's argmax
        f"WHEN {' AND '.join(f'{value} >= {other}' for at, other in enumerate(plain) if at != place)} THEN {place}"
        for place, value in enumerate(plain)
    )
    return _Form(call=f"CAST(CASE {cases} END AS TINYINT)", scores=tuple(values), scored=True)


def scored_classes(engine: Engine, file: Path, name: str, policy: Policy) -> list[str]:
    """Return the classes that a predictions file of several classes gives a score of, by its columns."""
    if policy.task != "multiclass":
        return []
    view = open_table(engine, file.parent, file.name, f"{name} predictions")
    named = [column for column in view.columns if column.startswith(_SCORE) and column in view.seen]
    return [column.removeprefix(_SCORE) for column in named if view.seen[column].is_number]


def _columns_of(view: OpenTable, labels: Labels) -> dict[str, str]:
    """Return the column with each class's score: score_1 is that of a class 1.0, too."""
    columns: dict[str, str] = {}
    for column in view.columns:
        class_ = labels.named(column.removeprefix(_SCORE)) if column.startswith(_SCORE) else None
        if class_ is not None and class_ in columns:
            raise GatesError(f"{columns[class_]} and {column} are scores of the same class, {class_}", where=view.path)
        if class_ is not None:
            columns[class_] = column
    return columns


def _check_totals(engine: Engine, view: OpenTable, policy: Policy, columns: Sequence[str]) -> None:
    """Return the scores of a row add up to 1."""
    total = " + ".join(f"CAST({quoted(column)} AS DOUBLE)" for column in columns)
    wrong = f"abs({total} - 1.0) > {literal(TOTAL + 1e-9)}"
    count, which = _wrong_rows(engine, view, policy, wrong)
    if count:
        ((low, high),) = engine.run(f"SELECT min({total}), max({total}) FROM {quoted(view.name)} WHERE {wrong}")
        raise GatesError(
            f"the scores of {counted(count, 'row')} don't add up to 1 ({which}): "
            f"{', '.join(columns[:SHOWN])} together are {_span(low, high)}",
            where=view.path,
            hint=f"Scores are probabilities: those of a row's classes add up to 1, within {TOTAL:g}.",
        )


def _span(low: float, high: float) -> str:
    return f"{low:.6g}" if low == high else f"{low:.6g} to {high:.6g}"


def _regression(engine: Engine, view: OpenTable, policy: Policy, _labels: Labels) -> _Form:
    _need(view, policy, "prediction")
    _check_numbers(engine, view, policy, "prediction")
    return _Form(call=_double(view, "prediction"))


def _ranking(engine: Engine, view: OpenTable, policy: Policy, _labels: Labels) -> _Form:
    _need(view, policy, "score")
    _check_numbers(engine, view, policy, "score")
    return _Form(call="CAST(NULL AS DOUBLE)", score=_double(view, "score"), scored=True)


def _score(engine: Engine, view: OpenTable, policy: Policy, _labels: Labels) -> _Form:
    if "score" not in view.columns:
        return _Form(call="CAST(NULL AS DOUBLE)")
    _check_numbers(engine, view, policy, "score")
    return _Form(call="CAST(NULL AS DOUBLE)", score=_double(view, "score"), scored=True)


_FORMS: Mapping[Task, Callable[[Engine, OpenTable, Policy, Labels], _Form]] = {
    "binary": binary_form,
    "multiclass": _multiclass,
    "regression": _regression,
    "ranking": _ranking,
    "score": _score,
}


def _further(engine: Engine, view: OpenTable, policy: Policy, wanted: Sequence[str], *, must: bool) -> dict[str, str]:
    """Return further columns of numbers, and what each is called in the table."""
    for column in wanted if must else ():
        if column not in view.columns:
            known = nearest(column, view.columns) or f"; they have {', '.join(list(view.columns)[:20])}"
            raise GatesError(f"the predictions lack {column}, which a gate names with `of`{known}", where=view.path)
    columns = [column for column in wanted if column in view.columns]
    for column in columns:
        _check_numbers(engine, view, policy, column)
    return {column: f"of{place}" for place, column in enumerate(columns)}


def _need(view: OpenTable, policy: Policy, *columns: str) -> None:
    form = FORMS[policy.task]
    if not set(columns) & view.columns.keys():
        raise GatesError(f"the predictions have the columns {', '.join(view.columns)}", where=view.path, hint=form)


def _wrong_rows(engine: Engine, view: OpenTable, policy: Policy, condition: str) -> tuple[int, str]:
    """Tell how many rows are wrong, and the first of them, by their key where there is one."""
    ((count,),) = engine.run(f"SELECT count(*) FROM {quoted(view.name)} WHERE {condition}")
    if not count:
        return 0, ""
    key = policy.data.key if policy.data.key in view.columns else None
    named = "row_number() OVER ()" if key is None else f"CAST({quoted(key)} AS VARCHAR)"
    numbered = f"(SELECT {named} AS gates_row, * FROM {quoted(view.name)})"
    rows = engine.run(f"SELECT gates_row FROM {numbered} WHERE {condition} ORDER BY gates_row LIMIT {SHOWN}")
    told = ", ".join(str(row[0]) for row in rows) + (", …" if count > SHOWN else "")
    return count, f"{key}: {told}" if key else f"{'row' if count == 1 else 'rows'} {told}"


def _check_numbers(engine: Engine, view: OpenTable, policy: Policy, column: str, *, unit: bool = False) -> None:
    """Return every value a finite number; ``unit``: within 0 and 1."""
    form = FORMS[policy.task]
    name, seen = quoted(column), view.seen.get(column)
    wrong = GatesError(f"{column} holds {view.told(column)}, not numbers", where=view.path, hint=form)
    if not seen or not (seen.is_number or seen.category == "string"):  # NaN makes a CSV's column text
        raise wrong
    value = f"TRY_CAST({name} AS DOUBLE)"
    bad = f"NOT coalesce(isfinite({value}), FALSE)"
    checks = [(("is not a number", "are not numbers"), bad)]
    if unit:
        outside = f"NOT ({bad}) AND {value} NOT BETWEEN 0 AND 1"
        checks.append((("lies outside 0 to 1", "lie outside 0 to 1"), outside))
    for (singular, many), condition in checks:
        count, which = _wrong_rows(engine, view, policy, condition)
        if count:
            what = "score" if column == "score" else f"value of {column}"
            several = "scores" if column == "score" else f"values of {column}"
            hint = "A score is a probability, from 0 to 1." if unit and "lie" in singular else form
            raise GatesError(
                f"{plural(count, f'{what} {singular}', f'{several} {many}')} ({which})", where=view.path, hint=hint
            )
    if not seen.is_number:
        raise wrong


def _check_calls(engine: Engine, view: OpenTable, policy: Policy, labels: Labels) -> None:
    known = f"coalesce({labels.is_one('prediction', *labels.classes)}, FALSE)"
    count, which = _wrong_rows(engine, view, policy, f"NOT {known}")
    if not count:
        return
    *others, last = labels.classes
    named = f"neither {others[0]} nor {last}" if len(others) == 1 else f"none of {', '.join(labels.classes[:10])}"
    strange = engine.run(
        f"SELECT DISTINCT CAST(prediction AS VARCHAR) AS v FROM {quoted(view.name)} WHERE NOT {known} "
        f"ORDER BY v LIMIT {SHOWN}",
    )
    values = [str(row[0]) for row in strange if row[0] is not None]
    shown = f": {', '.join(values)}" if values else ""
    raise GatesError(
        f"{plural(count, 'prediction is', 'predictions are')} {named} ({which}){shown}",
        where=view.path,
        hint="Write the classes as in the holdout; name a class that is missing there in data.classes.",
    )
