"""What the label column means: classes, or numbers; as SQL of a class's number or a value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from gates.contract.columns import literal, quoted
from gates.errors import GatesError
from gates.fields import Plain
from gates.measure.engines import Engine
from gates.measure.tables import Opened, run
from gates.policy import Policy
from gates.slices import edge_text

MAX_CLASSES = 100
_TWO = 2
_SHOWN = 5

Kind = Literal["text", "number", "boolean", "value"]  # of classes; ``value``: the labels are numbers, not classes


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """Classes as text, in their order; binary: negative, positive. None where labels are values, or there are none.

    ``kind`` says when two spellings are one class: 1 and 1.0, true and True.
    """

    classes: tuple[str, ...]
    kind: Kind

    @property
    def positive(self) -> str:
        """The positive class of a binary task."""
        return self.classes[-1]

    def same(self, one: str, other: str) -> bool:
        """Whether two texts name the same class."""
        if self.kind == "number":
            return _number(one) is not None and _number(one) == _number(other)
        return one.lower() == other.lower() if self.kind == "boolean" else one == other

    def is_one(self, column: str, *classes: str) -> str:
        """SQL: whether a column of labels or calls holds one of these classes."""
        text = f"CAST({column} AS VARCHAR)"
        if self.kind == "number":
            return f"TRY_CAST({text} AS DOUBLE) IN ({', '.join(literal(_number(name)) for name in classes)})"
        names = ", ".join(literal(name) for name in classes)
        return f"lower({text}) IN ({names})" if self.kind == "boolean" else f"{text} IN ({names})"

    def value(self, column: str) -> str:
        """SQL: the number of the class that a column holds, or the number that it is."""
        if self.kind == "value":
            return f"CAST({column} AS DOUBLE)"
        cases = " ".join(f"WHEN {self.is_one(column, name)} THEN {place}" for place, name in enumerate(self.classes))
        return f"CAST(CASE {cases} END AS TINYINT)"


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _kind(values: Sequence[str]) -> Kind:
    if {value.lower() for value in values} <= {"true", "false"}:
        return "boolean"
    return "text" if any(_number(value) is None for value in values) else "number"


def read_labels(engine: Engine, opened: Opened, policy: Policy) -> Labels:
    """What labels there are. Raises ``GatesError`` for those that are missing, or don't fit the task."""
    data = policy.data
    if data.label is None:
        return Labels(classes=(), kind="value")
    column = opened.require(data.label, "data.label")
    if policy.task in ("binary", "multiclass"):
        return _classes(engine, opened, policy, data.label)
    if not (data.label in opened.seen and opened.seen[data.label].is_number):
        raise GatesError(
            f"{data.label} is {opened.columns[data.label]}; task: {policy.task} has numbers", where="data.label"
        )
    value = f"CAST({column} AS DOUBLE)"
    ((bad, negative),) = run(
        engine,
        f"SELECT count_if({column} IS NULL OR NOT isfinite({value})), count_if({value} < 0) FROM {quoted(opened.name)}",
    )
    if bad:
        raise GatesError(f"{bad:,} rows of {opened.path} have no number in {data.label}", where="data.label")
    if policy.task == "ranking" and negative:
        raise GatesError(f"{negative:,} rows of {opened.path} have a relevance below 0", where="data.label")
    return Labels(classes=(), kind="value")


def _classes(engine: Engine, opened: Opened, policy: Policy, label: str) -> Labels:
    column = quoted(label)
    found = run(
        engine,
        f"SELECT CAST({column} AS VARCHAR) AS v, count(*) FROM {quoted(opened.name)} GROUP BY 1 ORDER BY 1",
    )
    nulls = sum(rows for value, rows in found if value is None)
    if nulls:
        raise GatesError(f"{nulls:,} rows of {opened.path} have no label in {label}", where="data.label")
    values = [str(value) for value, _ in found]
    most = _TWO if policy.task == "binary" else MAX_CLASSES
    if len(values) > most:
        shown = ", ".join(values[:_SHOWN])
        has = "has two" if most == _TWO else f"has at most {most}"
        raise GatesError(f"{label} has {len(values)} values ({shown}); task: {policy.task} {has}", where="data.label")
    kind = _kind(values)
    if policy.task == "multiclass":
        if len(values) < _TWO:
            raise GatesError(f"{label} has one value only, {values[0]}", where="data.label")
        ordered = sorted(values, key=lambda text: _number(text) or 0.0) if kind == "number" else sorted(values)
        return Labels(classes=tuple(one.lower() if kind == "boolean" else one for one in ordered), kind=kind)
    return _binary(values, kind, label, policy.data.positive)


def _binary(values: Sequence[str], kind: Kind, label: str, declared: Plain) -> Labels:
    wanted = _positive(values, declared)
    labels = Labels(classes=(wanted,), kind=kind)
    positive = next((value for value in values if labels.same(value, wanted)), None)
    if positive is None:
        raise GatesError(
            f"{wanted} does not occur in {label}; its values are {', '.join(values)}",
            where="data.positive",
            mend=f"Write data.positive: {' or '.join(map(repr, values))}.",
        )
    pair = (next((value for value in values if value != positive), f"not {positive}"), positive)
    return Labels(classes=tuple(one.lower() for one in pair) if kind == "boolean" else pair, kind=kind)


def _positive(values: Sequence[str], declared: Plain) -> str:
    if declared is None:
        for pair in (("false", "true"), ("0", "1"), ("0.0", "1.0")):
            if {value.lower() for value in values} <= set(pair):
                return pair[1]
        raise GatesError(
            f"which of {' and '.join(values)} is positive?",
            where="data.positive",
            mend=f"Write data.positive: {' or '.join(map(repr, values))}.",
        )
    if isinstance(declared, bool):
        return "true" if declared else "false"
    return edge_text(float(declared)) if isinstance(declared, int | float) else str(declared)


def described(labels: Labels) -> dict[str, Any]:
    """The labels as JSON, for the process that scores."""
    return {"classes": labels.classes, "kind": labels.kind}
