"""Turn a model's output into the columns of predictions. A frame is read by its names; output without names by its
shape, and refused if that is ambiguous.

It runs in the process that loads the model, beside pandas.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from gates.measure.holdout.labels import TOTAL, Labels
from gates.metrics import Task
from gates.wording import counted

if TYPE_CHECKING:
    from gates.measure.holdout.scoring import ScoringRequest

Returns = Literal["score", "prediction"]
_SHOWN = 5
_FORMS: Mapping[Task, str] = {
    "binary": "return a frame with the column score (probability of {positive}), prediction (the class), or one named "
    "like each class",
    "multiclass": "return a frame with a column named like each class (its probability), or prediction (the class)",
    "regression": "return one number a row, or a frame with the column prediction",
    "ranking": "return one number a row, or a frame with the column score",
    "score": "return one number a row, or a frame with the column score and those that gates name with `of`",
}


class UnfitError(Exception):
    """The model works, but not for this holdout."""


@dataclass(frozen=True, kw_only=True)
class ToldAnswer:
    """What a model says of what it returns: the classes of its columns, the names of its signature, and whether it
    returns classes or scores."""

    classes: Sequence[str] | None = None
    names: Sequence[str] | None = None
    returns: Returns | None = None


def frame(returned: Any, given: Any, answer: ToldAnswer, asked: ScoringRequest) -> Any:
    """Return the columns that predictions have, a row a row of ``given``, the frame that the model was asked about.

    Raises ``UnfitError`` for what does not fit the task, or could mean two things.
    """
    import pandas

    if isinstance(returned, Mapping):
        returned = pandas.DataFrame(dict(returned))
    if isinstance(returned, pandas.Series):
        named = returned.name in ("score", "prediction", *asked.further)
        table = returned.to_frame() if named else returned.to_frame(name=0)
    elif isinstance(returned, pandas.DataFrame):
        table = returned
    else:
        table = _of_array(returned, len(given), answer)
    table = _in_order(table, given, asked.key)
    _refuse_rows(table, given)
    named = not isinstance(table.columns, pandas.RangeIndex)
    made = (_named(table, asked) if named else None) or _unnamed(table.to_numpy(), answer, asked)
    return pandas.DataFrame(made)


def _of_array(returned: Any, rows: int, answer: ToldAnswer) -> Any:
    import numpy
    import pandas

    if hasattr(returned, "toarray"):
        returned = returned.toarray()  # sparse
    values = numpy.asarray(returned)
    if values.ndim == 0 or values.ndim > 2:
        raise UnfitError(f"it returned {_form(values)} for {counted(rows, 'row')}")
    table = pandas.DataFrame(values)
    if answer.names and values.ndim == 2 and len(answer.names) == values.shape[1]:
        table.columns = list(answer.names)
    return table


def _form(values: Any) -> str:
    if values.ndim < 2:
        return counted(values.size, "value")
    return "an array of " + " x ".join(f"{size:,}" for size in values.shape)


def _in_order(table: Any, given: Any, key: str | None) -> Any:
    """Return the rows in the order of those that were given: by the key, where it was returned."""
    import pandas

    table = table.copy()
    if not isinstance(table.columns, pandas.RangeIndex):
        table.columns = [str(name) for name in table.columns]
        twice = table.columns[table.columns.duplicated()]
        if len(twice):
            raise UnfitError(f"it returned two columns {twice[0]}")
    if key is not None and key in table.columns and key in given.columns:
        keys = pandas.Index(table[key])
        wanted = pandas.Index(given[key])
        strange, lacking = keys.difference(wanted), wanted.difference(keys)
        for what, wrong in (
            ("repeats the keys", keys[keys.duplicated()].unique()),
            ("returned unknown keys", strange),
            ("returned nothing for the keys", lacking),
        ):
            if len(wrong):
                raise UnfitError(f"it {what} {_few([str(one) for one in wrong])} ({key})")
        return table.drop(columns=[key]).iloc[keys.get_indexer(wanted)].reset_index(drop=True)
    index = table.index
    if not index.equals(given.index) and len(index) == len(given) and set(index) == set(given.index):
        raise UnfitError(
            "it returned the rows in another order, by their index; return them in the given order"
            + (f", or with the column {key}" if key else "")
        )
    return table.reset_index(drop=True)


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")


def _refuse_rows(table: Any, given: Any) -> None:
    rows, columns = table.shape
    if rows != len(given):
        returned = counted(rows, "value") if columns == 1 else f"{counted(rows, 'row')} of {columns}"
        of = "" if columns == 1 else " columns"
        raise UnfitError(f"it returned {returned}{of} for {counted(len(given), 'row')}")


def _named(table: Any, asked: ScoringRequest) -> dict[str, Any] | None:
    """Read a model's answer by the names of its columns; None where it is one column whose name says nothing."""
    names = list(table.columns)
    columns: dict[str, Any] = {}
    if asked.task in ("binary", "multiclass"):
        columns |= _by_class({name: table[name] for name in names}, asked.labels, asked.task)
    wanted = {"binary": ("score", "prediction"), "multiclass": ("prediction",), "regression": ("prediction",)}
    for name in (*wanted.get(asked.task, ("score",)), *asked.further):
        if name in names:
            columns[name] = table[name]
    if set(columns) - set(asked.further) or (columns and asked.task == "score"):
        return columns
    if len(names) == 1 and not columns:
        return None
    raise UnfitError(f"it returned the columns {_few(names)}; {_wanted(asked)}")


def _wanted(asked: ScoringRequest) -> str:
    return _FORMS[asked.task].format(positive=asked.labels.classes[-1] if asked.labels.classes else "")


def _by_class(columns: Mapping[str, Any], labels: Labels, task: Task) -> dict[str, Any]:
    """Return the scores of the classes that columns are named after: ``stay``, or ``score_stay``."""
    by_class: dict[str, Any] = {}
    for name, values in columns.items():
        bare = name.removeprefix("score_")
        class_ = labels.named(bare)
        if class_ is None and name.startswith("score_") and task == "multiclass":
            class_ = bare  # a class that the holdout lacks
        if class_ is not None:
            if class_ in by_class:
                raise UnfitError(f"two of its columns are named after the class {class_}")
            by_class[class_] = values
    return _scores(by_class, labels, task) if by_class else {}


def _scores(by_class: Mapping[str, Any], labels: Labels, task: Task) -> dict[str, Any]:
    """Return scores by class -> the columns of the predictions. Of two classes the positive one's is enough."""
    needed = [labels.positive] if task == "binary" else [one for one in labels.classes if one not in labels.absent]
    lacking = [one for one in needed if one not in by_class]
    if lacking:
        raise UnfitError(f"it knows the classes {', '.join(by_class)}, not {', '.join(lacking)}")
    if task == "binary":
        if len(by_class) > 2:
            raise UnfitError(f"it knows the classes {', '.join(by_class)}, and task: binary has two")
        if len(by_class) == 2:
            _refuse_total(by_class)
        return {"score": by_class[labels.positive]}
    return {f"score_{name}": values for name, values in by_class.items()}


def _refuse_total(by_class: Mapping[str, Any]) -> None:
    """Refuse scores of two classes that don't add up to 1, as only one of them is handed on."""
    import numpy

    total: Any = sum(numpy.asarray(values, dtype=float) for values in by_class.values())
    wrong = numpy.flatnonzero(numpy.abs(total - 1) > TOTAL + 1e-9)
    if len(wrong):
        raise UnfitError(
            f"in {counted(len(wrong), 'row')}, first in row {wrong[0] + 1}, the scores of {' and '.join(by_class)} "
            f"add up to {total[wrong[0]]:.6g}, not 1: they are not probabilities"
        )


def _unnamed(values: Any, answer: ToldAnswer, asked: ScoringRequest) -> dict[str, Any]:
    """Read a model's answer by its form alone."""
    columns = values.shape[1]
    if asked.task not in ("binary", "multiclass"):
        if columns != 1:
            raise UnfitError(f"it returned {counted(columns, 'column')}; {_wanted(asked)}")
        return {"prediction" if asked.task == "regression" else "score": values[:, 0]}
    if columns == 1:
        return {_meaning(values[:, 0], answer, asked): values[:, 0]}
    names = answer.classes or _as_sorted(columns, asked)
    if len(names) != columns:
        raise UnfitError(f"it returned {counted(columns, 'column')} for the classes {', '.join(names)}")
    named: dict[str, Any] = {}
    for at, name in enumerate(names):
        named[asked.labels.named(name) or name] = values[:, at]
    return _scores(named, asked.labels, asked.task)


def _as_sorted(columns: int, asked: ScoringRequest) -> Sequence[str]:
    """Return the classes of columns without names: sorted, as scikit-learn's, and negative before positive. Where these
    are two orders, which one is meant is unclear."""
    labels = asked.labels
    if columns != len(labels.classes):
        raise UnfitError(
            f"it returned {counted(columns, 'column')} for {counted(len(labels.classes), 'class')}, "
            f"{', '.join(labels.classes)}; {_wanted(asked)}"
        )
    by: Callable[[str], Any] = float if labels.kind == "number" else str
    if list(labels.classes) != sorted(labels.classes, key=by):
        raise UnfitError(
            f"it returned {counted(columns, 'column')} without names, and {' before '.join(labels.classes)} is not "
            f"their sorted order: which is which? {_wanted(asked).capitalize()}"
        )
    return labels.classes


def _meaning(values: Any, answer: ToldAnswer, asked: ScoringRequest) -> Returns:
    """Tell whether one value a row is a score or the class. Text, booleans and whole numbers are classes, fractions
    scores; what is of the numbers 0.0 and 1.0 alone, which are the classes, too, could be both."""
    import numpy

    if asked.task == "multiclass":
        return "prediction"
    declared = answer.returns or asked.returns
    if declared:
        return declared
    if values.dtype.kind == "O":
        kinds = {type(value) for value in values}
        if not kinds <= {float, numpy.float32, numpy.float64}:
            return "prediction"
        values = values.astype(float)
    if values.dtype.kind != "f" or asked.labels.kind == "text":
        return "score" if values.dtype.kind == "f" else "prediction"
    distinct = numpy.unique(values)
    if any(asked.labels.named(repr(float(value))) is None for value in distinct):
        return "score"
    if any(value < 0 or value > 1 for value in distinct):
        return "prediction"
    raise UnfitError(
        f"it returned {' and '.join(f'{value:g}' for value in distinct)} alone, which may be classes or their "
        "probabilities; write predict.returns: prediction (classes) or score (probabilities), or "
        f"{_wanted(asked)}"
    )
