"""Guess what the columns of the data mean: the task, the label, the positive value, query and keys. Pure.

The user's word goes first. Every guess comes with its reason, so that it can be written next to it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from math import isfinite

from gates.contract.profile import ColumnProfile, Guess, Profile, common, together
from gates.contract.sql import TEMPORAL
from gates.errors import GatesError
from gates.metrics import Task
from gates.schema.fields import Plain
from gates.schema.validation import nearest
from gates.wording import plural

# fmt: off
LABELS = (
    "label", "target", "y", "class", "outcome", "churn", "churned", "default", "defaulted", "fraud", "converted",
    "survived", "malignant", "status",
)
TARGETS = (*LABELS, "species", "category", "price", "quality", "rating")  # of more values than two, too
RELEVANCE = ("relevance", "relevant", "rel", "grade", "gain", "label", "target", "y", "clicked", "click")
QUERIES = ("query", "query_id", "queryid", "qid", "q_id", "search", "search_id", "searchid", "srch_id")
GROUPS = ("group", "group_id", "groupid", "session", "session_id", "sessionid")  # of rankings, and of much else
POSITIVE = (
    "true", "yes", "y", "t", "positive", "pos", "bad", "churn", "churned", "left", "default", "fraud", "malignant",
    "sick", "died",
)
# fmt: on
NATURAL = ({0, 1}, {"0", "1"}, {"false", "true"})  # values of which the policy need not say the positive one
KEYLIKE = re.compile(r"(^|[^a-z])(id|key|uuid|guid|number|nr|rownames?|index)$|[a-z]I[dD]$", re.IGNORECASE)
MANY = 100  # rows from which on a column without repeats is a key whatever its name
FEW = 10  # different whole numbers that are taken for classes
MOST = 100  # classes that gates counts
TWO = 2
NUMBERS = ("integer", "number")
BY_NAME = "guessed by its name"
SAID = "you said so"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What the user said that the columns mean; None is to be guessed."""

    label: str | None = None
    key: str | None = None
    task: Task | None = None
    query: str | None = None


NOTHING = Said()


@dataclass(frozen=True, slots=True, kw_only=True)
class Guessed:
    """The guess, and why the task, the label and the positive value are what they are."""

    guess: Guess
    task: Task
    task_why: str
    label_why: str = ""
    positive_why: str = ""
    query: str | None = None
    query_why: str = ""
    task_said: bool = False


def guess(tables: Sequence[Profile], said: Said) -> Guessed:
    """Say what the columns mean. Raises ``GatesError`` where that can't be as the user says."""
    _refuse(tables, said)
    whole = reduce(together, tables)
    query, query_why = (said.query, "") if said.query is not None else _query(whole, said)
    label, label_why = (
        (said.label, "") if said.label is not None or said.task == "score" else _label(whole, said, query)
    )
    task, task_why = _task(whole, said, label, query)
    if task != "ranking":
        query, query_why = None, ""
    positive: Plain = None
    positive_why = ""
    if task == "binary" and label is not None and all(table[label].is_two_valued for table in tables):
        positive, positive_why = _positive(whole[label])
    keys = (said.key,) if said.key is not None else tuple(_keys(tables, (label, query)))
    return Guessed(
        guess=Guess(label=label, positive=positive, keys=keys),
        task=task,
        task_why=task_why,
        label_why=label_why,
        positive_why=positive_why,
        query=query,
        query_why=query_why,
        task_said=said.task is not None or said.query is not None,
    )


def _refuse(tables: Sequence[Profile], said: Said) -> None:
    """Raise ``GatesError`` for columns that no table has, a key that is none, and options at odds with each other."""
    for name, role in ((said.label, "--label"), (said.key, "--key"), (said.query, "--query")):
        for table in tables:
            if name is not None and name not in table.names:
                raise GatesError(f"{role}: {table.path} has no column {name}{nearest(name, table.names)}")
    if said.key is not None:
        _require_unique(tables, said.key)
    if said.query is not None and said.task not in (None, "ranking"):
        raise GatesError(f"--query: only task: ranking has queries, not {said.task}", hint="Give only one of the two.")
    if said.label is not None and said.task == "score":
        raise GatesError("--label: task: score has no label", hint="Leave out --label, or choose another task.")
    if said.label is not None and said.label == said.query:
        raise GatesError(f"--query: {said.query} can't be the label and the query")


def _require_unique(tables: Sequence[Profile], key: str) -> None:
    for table in tables:
        column = table[key]
        if not column.unique:
            what = (
                f"{plural(column.nulls, 'row lacks', 'rows lack')} it"
                if column.nulls
                else "its values repeat, or are neither text nor integers"
            )
            raise GatesError(
                f"--key: {key} can't be the key of {table.path}: {what}",
                hint="Name a column whose values don't repeat.",
            )


def classes(column: ColumnProfile) -> tuple[Plain, ...]:
    """Return the values of a column that has few, without those that are no number."""
    values = (value for value, _ in column.values or ())
    return tuple(value for value in values if not isinstance(value, float) or isfinite(value))


def missing(column: ColumnProfile, task: Task) -> int:
    """Count the rows whose label can't be judged."""
    endless = column.below + column.above if task != "binary" else 0
    return column.nulls + column.nan + endless


def _number_of(column: ColumnProfile) -> int:
    """Return how many values a column has; an estimate where they are many."""
    return len(classes(column)) if column.values is not None else max(column.distinct, TWO + 1)


def _told(column: ColumnProfile) -> str:
    """Write how many values a column has: exactly where they are few."""
    n = _number_of(column)
    return f"{'' if column.values is not None else 'about '}{n:,} value{'' if n == 1 else 's'}"


def _fitting(column: ColumnProfile) -> tuple[Task, str] | None:
    """Return the task of which a column could be the label, and why; None where it can be none."""
    n, listed = _number_of(column), column.values is not None
    if column.category is None or column.category in TEMPORAL or n < TWO:
        return None
    if listed and n == TWO:
        return "binary", f"{_name(column)} has two values"
    if column.category == "string":
        fits = n <= MOST and not column.unique
        return ("multiclass", f"{_name(column)} is text of {_told(column)}") if fits else None
    whole = listed and all(float(value).is_integer() for value in classes(column))
    if whole and n <= FEW:
        return "multiclass", f"{_name(column)} is {n} whole numbers; if they are amounts: regression"
    return "regression", f"{_name(column)} is a number of {_told(column)}"


def _name(column: ColumnProfile) -> str:
    """Return a name that a comment can hold."""
    return column.name if column.name.isprintable() and len(column.name) <= MOST else "the label"


def _two(column: ColumnProfile) -> str | None:
    return None if _number_of(column) == TWO and column.values is not None else f"has {_told(column)}, and it takes two"


def _some(column: ColumnProfile) -> str | None:
    n = _number_of(column)
    return None if TWO <= n <= MOST else f"has {_told(column)}, and it takes 2 to {MOST}"


def _numeric(column: ColumnProfile) -> str | None:
    return None if column.category in NUMBERS else "holds no numbers, and it takes some"


def _relevance(column: ColumnProfile) -> str | None:
    negative = column.low is not None and column.category in NUMBERS and column.low < 0
    return "is below 0, and no relevance is" if negative else _numeric(column)


_UNFIT: Mapping[Task, Callable[[ColumnProfile], str | None]] = {
    "binary": _two,
    "multiclass": _some,
    "regression": _numeric,
    "ranking": _relevance,
}


def _unfit(column: ColumnProfile, task: Task) -> str | None:
    """Return why a column can't be the label of a task; None if it can."""
    if column.category is None:
        return "is empty, or has different types in the two tables"
    if column.category in TEMPORAL:
        return f"is a {column.category}, and a label is a class or a number"
    return _UNFIT[task](column)


def _task(whole: Profile, said: Said, label: str | None, query: str | None) -> tuple[Task, str]:
    """Guess the task, and say why. Raises ``GatesError`` where the label that was named fits none, or not the one
    named."""
    wanted = said.task or ("ranking" if said.query is not None else None)
    if wanted == "ranking" and query is None:
        raise GatesError(
            "--task: no column looks like the query that rows are ranked for", hint="Name it with --query."
        )
    if wanted is not None:
        if label is not None and (why := _unfit(whole[label], wanted)):
            raise GatesError(f"{label} can't be the label of task: {wanted}: it {why}", where="--label")
        return wanted, SAID if said.task else "you named the query"
    if label is None:
        return "binary", "the only task without a label; others: multiclass, regression, ranking, score"
    if query is not None and _ranks(whole, query, label):
        return "ranking", f"{_name(whole[label])} says how well a row fits its {_name(whole[query])}"
    fitting = _fitting(whole[label])
    if fitting is None:
        why = _unfit(whole[label], "multiclass") or "has no value twice, and classes repeat"
        raise GatesError(f"{label} can't be a label: it {why}", where="--label", hint="Name a class or a number.")
    return fitting


def _query(whole: Profile, said: Said) -> tuple[str | None, str]:
    """Guess the column that looks like a query's, where a ranking is possible."""
    if said.task not in (None, "ranking"):
        return None, ""
    for known in (*QUERIES, *GROUPS):
        for column in whole.columns:
            several = 0 < TWO * _number_of(column) <= column.rows
            text = column.category in ("string", "integer")
            if column.name.lower() == known and text and several and not column.nulls and column.name != said.label:
                return column.name, BY_NAME
    return None, ""


def _ranks(whole: Profile, query: str, label: str) -> bool:
    """Tell whether a label is a relevance within queries: whole numbers from 0 up, and its name where the query's name
    says less."""
    column = whole[label]
    if column.category != "integer" or column.low is None or column.low < 0 or column.nulls:
        return False
    graded = TWO < _number_of(column) <= FEW and column.low == 0
    return query.lower() in QUERIES or label.lower() in RELEVANCE[:5] or (graded and label.lower() in RELEVANCE)


def _label(whole: Profile, said: Said, query: str | None) -> tuple[str | None, str]:
    """Guess the column that looks most like a label, and say why."""
    task = said.task or ("ranking" if said.query is not None else None)
    names = [name for name in whole.names if name not in (query, said.key)]
    plain = [name for name in names if not missing(whole[name], task or "regression") and not _keylike(whole[name])]
    if query is not None:
        ranked = [name for name in plain if _ranks(whole, query, name)]
        if named := _known(ranked, RELEVANCE):
            return named, BY_NAME
        if query.lower() in QUERIES and ranked and ranked[-1] == names[-1] and task is None:
            return ranked[-1], "guessed: the last column"
    if task is not None:
        fitting = [name for name in plain if _unfit(whole[name], task) is None]
        return _best(fitting, names, TARGETS, "that fits")
    two = [name for name in names if whole[name].is_two_valued]
    if named := _known(two, LABELS):
        return named, BY_NAME
    fitting = [name for name in plain if _fitting(whole[name])]
    if named := _known(fitting, TARGETS):
        return named, BY_NAME
    yes = [name for name in two if _says_yes(whole[name])]
    last = names[-1] if names else None
    if len(yes) == 1 and last not in two:
        return yes[0], "guessed: the only column of yes and no"
    if last in fitting and last not in two:
        return last, "guessed: the last column"
    return _best(two, names, (), "of two values")


def _best(fitting: Sequence[str], names: Sequence[str], known: Sequence[str], what: str) -> tuple[str | None, str]:
    """Return the column that is known by name, else the last one, else the only one."""
    if found := _known(fitting, known):
        return found, BY_NAME
    if fitting and fitting[-1] == names[-1]:
        return fitting[-1], f"guessed: the last column{f', and {what}' if what.startswith('of') else ''}"
    return (fitting[0], f"guessed: the only column {what}") if len(fitting) == 1 else (None, "")


def _says_yes(column: ColumnProfile) -> bool:
    """Tell whether two values are those of a label: 0 and 1, no and yes."""
    values = {value for value, _ in column.values or ()}
    return values in NATURAL or any(str(value).lower() in POSITIVE for value in values)


def _known(names: Sequence[str], known: Sequence[str]) -> str | None:
    return next((name for one in known for name in names if name.lower() == one), None)


def _keylike(column: ColumnProfile) -> bool:
    return bool(column.unique and (column.category == "string" or KEYLIKE.search(column.name)))


def _positive(label: ColumnProfile) -> tuple[Plain, str]:
    """Guess the positive one of two values, and say why; none where that goes without saying."""
    counts = dict(label.values or ())
    if set(counts) in NATURAL and label.category != "number":
        return max(counts), ""
    if label.category in NUMBERS:
        return max(counts), "guessed: the larger one"
    texts = {str(value).lower(): value for value in counts}
    for known in POSITIVE:
        if known in texts:
            return texts[known], BY_NAME
    return min(counts, key=lambda value: (counts[value], str(value))), "guessed: the rarer one"


def _keys(tables: Sequence[Profile], others: Sequence[str | None]) -> list[str]:
    """Return columns without repeats that look like keys by name; else the first one of all, given enough rows."""
    unique = [name for name in common(tables) if name not in others and all(table[name].unique for table in tables)]
    named = [name for name in unique if KEYLIKE.search(name)]
    enough = all(table.rows >= MANY for table in tables)
    return named or (unique[:1] if enough else [])
