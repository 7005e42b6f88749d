"""What the label column means: classes, or numbers; as SQL of a class's number or a value."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from gates.contract.sql import literal, quoted
from gates.documents.slices import edge_text
from gates.errors import GatesError
from gates.measure.engines import Engine
from gates.measure.holdout.tables import OpenTable
from gates.policy import Policy
from gates.schema.fields import Plain
from gates.wording import counted, have

MAX_CLASSES = 100
TOTAL = 0.001  # so far from 1 the scores of a row's classes may add up: what rounding to three decimals makes of them
_SHOWN = 5
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")  # of text that is a number; 1e2, 1_0, nan and inf are names
_BOOLEANS = {"false": 0.0, "true": 1.0}
_OTHER = {"0": "1", "1": "0", "false": "true", "true": "false"}  # the class beside one that goes without saying

Kind = Literal["text", "number", "boolean", "value"]  # of classes; ``value``: the labels are numbers, not classes


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """Classes as text; binary: negative, positive; of more those that occur, in their order, and then those that don't.
    None where labels are values, or there are none.

    ``kind`` says when two spellings are one class: 1 and 1.0, true and True. ``absent``: the classes that no row of the
    holdout has.
    """

    classes: tuple[str, ...]
    kind: Kind
    absent: tuple[str, ...] = ()

    @property
    def positive(self) -> str:
        """The positive class of a binary task."""
        return self.classes[-1]

    def same(self, one: str, other: str) -> bool:
        """Tell whether two texts name the same class."""
        return self._plain(one) == self._plain(other)

    def named(self, text: str) -> str | None:
        """Return the class that a text names, if it is one."""
        return next((name for name in self.classes if self.same(name, text)), None)

    def also(self, names: Sequence[str]) -> Labels:
        """Return the labels with further classes that no row of the holdout has."""
        new = tuple(name for name in dict.fromkeys(names) if self.named(name) is None)
        return Labels(classes=self.classes + new, kind=self.kind, absent=self.absent + new)

    def _plain(self, text: str) -> str | float:
        """Return what is the same of two spellings of one class; true is 1 where the classes are 0 and 1."""
        if self.kind == "number":
            found = _number(text)
            return text if found is None else found
        low = text.lower()
        if self.kind == "boolean":
            return next((word for word, number in _BOOLEANS.items() if _number(low) == number), low)
        return text

    def is_one(self, column: str, *classes: str) -> str:
        """Return the SQL of whether a column of labels or calls holds one of these classes."""
        text = f"CAST({column} AS VARCHAR)"
        if self.kind == "text":
            return f"{text} IN ({', '.join(map(literal, classes))})"
        numbers = [_BOOLEANS.get(name, _number(name)) for name in classes]
        listed = ", ".join(literal(number) for number in numbers if number is not None)
        value = f"TRY_CAST({text} AS DOUBLE)"
        if self.kind == "boolean" or {_number(name) for name in self.classes} == {0.0, 1.0}:
            words = " ".join(f"WHEN {literal(word)} THEN {literal(number)}" for word, number in _BOOLEANS.items())
            value = f"CASE lower({text}) {words} ELSE {value} END"
        return f"{value} IN ({listed})" if listed else "FALSE"

    def value(self, column: str) -> str:
        """Return the SQL of the number of the class that a column holds, or of the number that it is."""
        if self.kind == "value":
            return f"CAST({column} AS DOUBLE)"
        cases = " ".join(f"WHEN {self.is_one(column, name)} THEN {place}" for place, name in enumerate(self.classes))
        return f"CAST(CASE {cases} END AS TINYINT)"

    def plain(self) -> dict[str, Any]:
        """Return the labels as JSON, for another process or machine."""
        return {"classes": self.classes, "kind": self.kind, "absent": self.absent}

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> Labels:
        """Return the inverse of ``plain``."""
        return cls(classes=tuple(told["classes"]), kind=told["kind"], absent=tuple(told["absent"]))


def _number(text: str) -> float | None:
    """Read a text that is written as a number, or return None; -0 is 0."""
    try:
        return float(text) + 0.0 if "_" not in text else None
    except ValueError:
        return None


def _kind(values: Sequence[str], category: str) -> Kind:
    """Return what the classes are, such that those which differ in the column differ here, too."""
    written = category == "string" and all(map(_NUMBER.fullmatch, values))
    numbers = written or category in ("integer", "number")
    if {value.lower() for value in values} <= _BOOLEANS.keys():
        alike = len({value.lower() for value in values}) < len(values)
        return "text" if alike else "boolean"
    return "number" if numbers and len({_number(value) for value in values}) == len(values) else "text"


def known_labels(classes: Sequence[str]) -> Labels:
    """Return the labels of rows that have none, from the classes that evidence names."""
    return Labels(classes=tuple(classes), kind=_kind(classes, "string"))


def read_labels(engine: Engine, opened: OpenTable, policy: Policy) -> Labels:
    """Return what labels there are. Raises ``GatesError`` for those that are missing, or don't fit the task."""
    data = policy.data
    if data.label is None:
        return Labels(classes=(), kind="value")
    column = opened.require(data.label, "data.label")
    if policy.task in ("binary", "multiclass"):
        return _classes(engine, opened, policy, data.label)
    if not (data.label in opened.seen and opened.seen[data.label].is_number):
        raise GatesError(
            f"{data.label} holds {opened.told(data.label)}; task: {policy.task} needs numbers", where="data.label"
        )
    value = f"CAST({column} AS DOUBLE)"
    ((bad, negative),) = engine.run(
        f"SELECT count_if({column} IS NULL OR NOT isfinite({value})), count_if({value} < 0) FROM {quoted(opened.name)}",
    )
    if bad:
        raise GatesError(
            f"{counted(bad, 'row')} of {opened.path} {have(bad)} no number in {data.label}", where="data.label"
        )
    if policy.task == "ranking" and negative:
        raise GatesError(
            f"{counted(negative, 'row')} of {opened.path} {have(negative)} a relevance below 0", where="data.label"
        )
    return Labels(classes=(), kind="value")


def _classes(engine: Engine, opened: OpenTable, policy: Policy, label: str) -> Labels:
    column = opened.seen.get(label)
    double = column is not None and column.is_double
    value = f"({quoted(label)} + 0.0)" if double else quoted(label)  # -0.0 is 0
    missing = f"NOT isfinite(CAST({value} AS DOUBLE))" if double else "FALSE"
    text = f"CASE WHEN {missing} THEN NULL ELSE CAST({value} AS VARCHAR) END"
    counts = engine.run(f"SELECT {text} AS v, count(*) FROM {quoted(opened.name)} GROUP BY 1 ORDER BY 1")
    nulls = sum(rows for value, rows in counts if value is None)
    if nulls:
        raise GatesError(
            f"{counted(nulls, 'row')} of {opened.path} {have(nulls)} no label in {label}", where="data.label"
        )
    values = [str(value) for value, _ in counts]
    declared = [_text(one) for one in policy.data.classes]
    label_kind = _kind(values, column.category if column else "string")
    if declared and label_kind != "text" and _kind(declared, "string") != label_kind:
        label_kind = "text"
    values = [value.lower() for value in values] if label_kind == "boolean" else values
    occurring = Labels(classes=tuple(values), kind=label_kind)
    if declared:
        _all_declared(occurring, declared, label)
    _refuse_many(policy, label, values)
    if policy.task == "binary":
        return _binary(occurring, declared, label, policy.data.positive)
    absent = [one for one in declared if occurring.named(one) is None]
    if len(values) + len(absent) < 2:
        raise GatesError(
            f"{label} has one value only, {values[0]}",
            where="data.label",
            hint="Name all classes in data.classes.",
        )
    ordered = sorted(values, key=lambda text: _number(text) or 0.0) if label_kind == "number" else sorted(values)
    return Labels(classes=tuple(ordered), kind=label_kind).also(absent)


def _all_declared(occurring: Labels, declared: Sequence[str], label: str) -> None:
    strange = [one for one in occurring.classes if not any(occurring.same(one, other) for other in declared)]
    if strange:
        raise GatesError(
            f"{label} holds {', '.join(strange[:_SHOWN])}, which data.classes does not name",
            where="data.classes",
            hint="Name every class.",
        )


def _refuse_many(policy: Policy, label: str, values: Sequence[str]) -> None:
    most = 2 if policy.task == "binary" else MAX_CLASSES
    if len(values) <= most:
        return
    shown = ", ".join(values[:_SHOWN]) + (", …" if len(values) > _SHOWN else "")
    others = "multiclass (these are classes) or " if policy.task == "binary" and len(values) <= MAX_CLASSES else ""
    raise GatesError(
        f"{label} has {counted(len(values), 'value')} ({shown}); "
        f"task: {policy.task} has {'two' if most == 2 else f'at most {most}'}",
        where="data.label",
        hint=f"Write task: {others}regression (a number is predicted).",
    )


def _binary(occurring: Labels, declared: Sequence[str], label: str, positive: Plain) -> Labels:
    """Order the two classes, negative and positive. Where the holdout has only one, the other is the declared one, or
    goes without saying."""
    classes = occurring.also(declared).classes
    either = " or ".join(map(repr, classes))
    wanted = _positive(classes, positive, either)
    named = Labels(classes=classes, kind=occurring.kind).named(wanted)
    if named is None:
        raise GatesError(
            f"{wanted} does not occur in {label}; its values are {', '.join(classes)}",
            where="data.positive",
            hint=f"Write data.positive: {either}.",
        )
    other = next((one for one in classes if one != named), _OTHER.get(_short(named, occurring.kind), f"not {named}"))
    absent = tuple(one for one in (other, named) if occurring.named(one) is None)
    return Labels(classes=(other, named), kind=occurring.kind, absent=absent)


def _short(name: str, kind: Kind) -> str:
    number = _number(name)
    return edge_text(number) if kind == "number" and number is not None else name


def _positive(values: Sequence[str], declared: Plain, either: str) -> str:
    if declared is None:
        for pair in (("false", "true"), ("0", "1"), ("0.0", "1.0")):
            if {value.lower() for value in values} <= set(pair):
                return pair[1]
        raise GatesError(
            f"which of {' and '.join(values)} is positive?",
            where="data.positive",
            hint=f"Write data.positive: {either}.",
        )
    return _text(declared)


def _text(declared: Plain) -> str:
    """Return a class as the policy writes it, as text."""
    if isinstance(declared, bool):
        return "true" if declared else "false"
    return edge_text(float(declared)) if isinstance(declared, int | float) else str(declared)
