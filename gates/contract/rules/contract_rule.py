"""A rule of a contract: something that can be counted in a table, and the counts that are allowed.

``row_rules`` and ``table_rules`` make these, and say how each is counted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite
from typing import Final, Literal, Protocol

from gates.contract.sql import Column, Columns
from gates.documents.decision import Code
from gates.documents.evidence import Finding
from gates.schema.fields import Plain, declare
from gates.stats.drift import Distance

Severity = Literal["error", "warn"]
SEVERITY: Final = "What breaking it does: error stops the run, warn is only reported."


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowedRange:
    """What is allowed, both ends included: of the rows counted, or (``share``) of their share in all rows."""

    low: float = -inf
    high: float = inf
    share: bool = False

    def keep(self, value: float) -> bool:
        """Tell whether a finite value lies within."""
        return isfinite(value) and self.low <= value <= self.high


NONE = AllowedRange(high=0)


def share(finding: Finding) -> float:
    """Return the share of the rows that were counted; of no rows, none."""
    return finding.count / finding.rows if finding.rows else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSide:
    """One of two tables: its name in the engine, what people call it, and its columns."""

    name: str
    path: str
    columns: Columns


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractRule:
    """One rule. ``id`` is stable and no two rules of a contract share it; ``asks`` says it in words.

    ``count`` gives SQL of an aggregate over the table, a whole number, or None where it asks nothing of these
    columns. A rule that looks at a second table (``beside``: ``train``, or a path) has ``query`` instead: SQL of
    rows (label, count here, count there); ``value`` makes of its finding what is held against ``bounds``, or
    ``distance`` an estimate whose bounds are.
    ``derive`` gives SQL by name of what ``count`` and ``split`` call by that name, so that it is made once a row.
    ``split`` gives further aggregates by name, which become parts of the finding; ``judge`` says of a finding what no
    bounds can: a code, ``WITHIN_BAR`` where the rule is kept, and a sentence.
    ``example`` gives a column to show and SQL of the rows to show it of, or None where nothing may be shown.
    ``columns`` and ``columns_beside`` must be there, in the table and in the second one.
    """

    id: str
    asks: str
    count: Callable[[Columns], str | None] | None = None
    derive: Callable[[Columns], Mapping[str, str]] | None = None
    split: Callable[[Columns], Mapping[str, str]] | None = None
    judge: Callable[[Finding], tuple[Code, str]] | None = None
    query: Callable[[TableSide, TableSide], str] | None = None
    value: Callable[[Finding], float] | None = None
    distance: Callable[[Finding], Distance] | None = None
    example: Callable[[Columns], tuple[Column, str] | None] | None = None
    bounds: AllowedRange = NONE
    severity: Severity = "error"
    columns: tuple[str, ...] = ()
    tables: tuple[str, ...] = ("train", "holdout")
    beside: str | None = None
    columns_beside: tuple[str, ...] = ()
    clock: bool = False  # what it counts depends on when it is asked

    def held(self, finding: Finding) -> float:
        """Return the number that is held against the bounds."""
        if self.value:
            return self.value(finding)
        return share(finding) if self.bounds.share else finding.count


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """Which values may be shown as examples of what broke a rule."""

    values: int = declare("How many at most; 0 for none.", default=5, minimum=0, maximum=5)
    min_cell: int = declare(
        "Only values that at least this many of the broken rows have: a rare one may identify a person.",
        default=1,
        minimum=1,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """All rules of a contract, record first, in the file's order; ``written`` is the file's value, ``hidden`` are
    the columns whose values may be shown nowhere."""

    written: Plain
    rules: tuple[ContractRule, ...]
    hidden: frozenset[str] = frozenset()
    shown: Shown = Shown()

    def plain(self) -> str:
        """Return the file's value as JSON, in the file's order, which reports keep and some rules need: what a digest
        is made of."""
        return json.dumps(self.written, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a table rule may want to know: the columns that the record names, in their order, those whose values may
    be shown nowhere, and as which entry of ``table`` it stands, from 1."""

    columns: tuple[str, ...] = ()
    hidden: frozenset[str] = frozenset()
    place: int = 1


class TableRule(Protocol):
    """One entry of ``table``, as it is written."""

    def rule(self, known: Known, /) -> ContractRule:
        """Return the rule that it makes."""
        ...


def listed(columns: Sequence[str]) -> str:
    """Return columns in a sentence or an id."""
    return ", ".join(columns)
