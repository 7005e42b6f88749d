"""What a declared document asks for: a flat table, each row with the direction in which it is stricter.

Two such tables are compared row by row. Where a field does not say which way is stricter, of two values it can't be
determined: so a key that somebody adds to the policy is never taken to be harmless.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, Literal

from gates.schema.fields import Plain, Stricter, declare, plain, written

POLICY_DIFF: Literal["gates/policy-diff/v1"] = "gates/policy-diff/v1"
CONTRACT_DIFF: Literal["gates/contract-diff/v1"] = "gates/contract-diff/v1"


class Effect(StrEnum):
    """What became of something that is asked for. ``UNKNOWN``: which of two is stricter can't be determined."""

    WEAKER = "weaker"
    STRICTER = "stricter"
    NEW = "new"
    GONE = "gone"
    UNKNOWN = "unknown"

    @property
    def weakens(self) -> bool:
        """Whether something may pass now that did not before. What can't be determined counts as if it did."""
        return self not in (Effect.STRICTER, Effect.NEW)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One thing that is asked for: its value, and which of two values is the stricter one."""

    value: Plain
    stricter: Stricter | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that two documents ask for differently."""

    WRITTEN = "whole"
    rule: str = declare("What is asked for, such as `roc_auc.min`.")
    kind: Effect = declare("What changed; unknown: which is stricter can't be determined, and counts as weaker.")
    before: Any = declare("What the first asks for; null if it asks for nothing.")
    after: Any = declare("What the second asks for; null if it asks for nothing.")

    @property
    def told(self) -> str:
        """``roc_auc.min: 0.8 -> 0.75 (weaker)``, ``slices.region (gone)``."""
        if (self.before is True and self.after is None) or (self.before is None and self.after is True):
            return f"{self.rule} ({self.kind})"
        sides = ("–" if side is None else str(side) for side in (self.before, self.after))
        word = "which is stricter can't be determined" if self.kind is Effect.UNKNOWN else self.kind
        return f"{self.rule}: {' -> '.join(sides)} ({word})"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PolicyDiff:
    """Two policies, with their contracts, compared."""

    WRITTEN = "whole"
    schema: Literal["gates/policy-diff/v1"] = declare("Format of this document.")
    weaker: bool = declare("Whether the second may let something pass that the first does not.")
    changes: tuple[Change, ...] = declare("What they ask for differently: the policy's keys, gates, then the contract.")


class ChangeKind(StrEnum):
    """What became of a rule. ``INCOMPATIBLE``: each refuses something that the other takes."""

    STRICTER = "stricter"
    LOOSER = "looser"
    NEW = "new"
    GONE = "gone"
    INCOMPATIBLE = "incompatible"
    UNKNOWN = "unknown"

    @property
    def loosens(self) -> bool:
        """Whether the second contract may take what the first refuses. What can't be determined counts as if it did."""
        return self not in (ChangeKind.STRICTER, ChangeKind.NEW)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SchemaChange:
    """One rule of which the two contracts say different things."""

    WRITTEN = "whole"
    rule: str = declare("The rule's id, such as ``tenure.minimum``.")
    kind: ChangeKind = declare(
        "What changed; incompatible: each refuses something that the other accepts; unknown: can't be determined."
    )
    before: dict[str, Plain] | None = declare("What the first contract says; null if it says nothing.")
    after: dict[str, Plain] | None = declare("What the second contract says; null if it says nothing.")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ContractDiff:
    """Two contracts compared."""

    WRITTEN = "whole"
    schema: Literal["gates/contract-diff/v1"] = declare("Format of this document.")
    looser: bool = declare("Whether the second may accept what the first refuses.")
    changes: tuple[SchemaChange, ...] = declare("Rules that differ: columns, the row, the table, then what is shown.")


Named = tuple[str, Ask]


def asks(value: Any, name: str = "") -> Iterator[Named]:
    """Yield the rows of a declared dataclass, by its fields; ``name`` stands before theirs. A class that knows better
    brings ``asks(name)``."""
    if hasattr(value, "asks"):
        yield from value.asks(name)
        return
    for field in dataclasses.fields(value):
        inner, stricter = getattr(value, field.name), field.metadata["stricter"]
        yield from _of_field(inner, f"{name}.{written(field)}" if name else written(field), stricter)


def _of_field(value: Any, name: str, stricter: Stricter | None) -> Iterator[Named]:
    if stricter == "free" or (value is None and stricter not in (None, "earlier")):
        return
    if stricter == "each":
        for item in value:
            yield from _of_item(item, name)
    elif stricter is None and _is_declared(value):
        yield from asks(value, name)
    else:
        yield name, Ask(value=plain(value), stricter=stricter)


def _of_item(item: Any, name: str) -> Iterator[Named]:
    if hasattr(item, "asks"):
        yield from item.asks(name)
        return
    named = f"{name}.{getattr(item, 'id', item)}"
    yield from one(named)
    if _is_declared(item):
        yield from asks(item, named)


def _is_declared(value: Any) -> bool:
    """Tell whether its fields say what they ask for; a class with a form of its own is one value."""
    return dataclasses.is_dataclass(value) and not hasattr(value, "SCHEMA")


def one(name: str) -> Iterator[Named]:
    """Yield something that is asked for or not, without a value."""
    yield name, Ask(value=True)


def compare(before: Mapping[str, Ask], after: Mapping[str, Ask]) -> Iterator[Change]:
    """Yield what differs, in the first one's order; what is new stands last."""
    for rule in dict.fromkeys((*before, *after)):
        a, b = before.get(rule), after.get(rule)
        kind = _moved(a, b) if a and b else Effect.GONE if a else Effect.NEW
        before_, after_ = (side and side.value for side in (a, b))
        if kind and not before_ is after_ is None:  # what is not set asks for nothing, whether there or not
            yield Change(rule=rule, kind=kind, before=before_, after=after_)


def _moved(before: Ask, after: Ask) -> Effect | None:
    if before.value == after.value and isinstance(before.value, bool) == isinstance(after.value, bool):
        return None
    if before.stricter == after.stricter == "fewer":
        return Effect.STRICTER if set(after.value) < set(before.value) else Effect.WEAKER
    a, b = _strictness(before), _strictness(after)
    if a is None or b is None or before.stricter != after.stricter:
        return Effect.UNKNOWN
    return Effect.STRICTER if b > a else Effect.WEAKER


def _strictness(ask: Ask) -> float | None:
    """Return how strict a value is, of which the larger is stricter; None where there is no such order."""
    match ask.stricter, ask.value:
        case "larger", int() | float():
            return float(ask.value)
        case "smaller", int() | float():
            return -float(ask.value)
        case "earlier", None:
            return 0
        case "earlier", str():
            return -float("".join(filter(str.isdecimal, ask.value)))
        case tuple() as order, str() if ask.value in order:
            return order.index(ask.value)
    return None
