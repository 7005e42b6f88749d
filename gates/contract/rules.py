"""What a rule of a contract is: something that can be counted in a table, and what the count may be.

How a rule is counted is told by ``record`` and ``tables``, which make these.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, isfinite
from typing import Literal

from gates.contract.columns import Columns
from gates.evidence import Finding
from gates.fields import Plain

Severity = Literal["error", "warn"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What is allowed, both ends included: of the rows counted, or (``share``) of their share in all rows."""

    low: float = -inf
    high: float = inf
    share: bool = False

    def keep(self, value: float) -> bool:
        """Whether a finite value lies within."""
        return isfinite(value) and self.low <= value <= self.high


NONE = Bounds(high=0)


def share(finding: Finding) -> float:
    """The share of the rows that were counted; of no rows, none."""
    return finding.count / finding.rows if finding.rows else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule. ``id`` is stable and no two rules of a contract share it; ``asks`` says it in words.

    ``count`` gives SQL of an aggregate over the table, a whole number, or None where it asks nothing of these
    columns. A rule that looks at a second table (``beside``: ``train``, or a path) has ``query`` instead: SQL of
    rows (label, count here, count there); ``value`` makes of its finding what is held against ``bounds``.
    ``example`` gives SQL of a value to show and of the rows to show it of, or None where nothing may be shown.
    """

    id: str
    asks: str
    count: Callable[[Columns], str | None] | None = None
    query: Callable[[str, str, Columns], str] | None = None
    value: Callable[[Finding], float] | None = None
    example: Callable[[Columns], tuple[str, str] | None] | None = None
    bounds: Bounds = NONE
    severity: Severity = "error"
    columns: tuple[str, ...] = ()
    tables: tuple[str, ...] = ("train", "holdout")
    beside: str | None = None

    def held(self, finding: Finding) -> float:
        """The number that is held against the bounds."""
        if self.value:
            return self.value(finding)
        return share(finding) if self.bounds.share else finding.count


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """All rules of a contract, record first, in the file's order; ``written`` is the file's value."""

    written: Plain
    rules: tuple[Rule, ...]

    def plain(self) -> Plain:
        """The file's value: what a digest is made of."""
        return self.written
