"""Evidence: all that a judge sees. Counts and whole-number sums, a slice at a time, with digests.

However many rows there were, evidence stays small. Everything in it is an integer or text, so any engine,
row order and thread count gives the same bytes. How rows become evidence is ``gates.measure``'s business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from gates.fields import declare
from gates.slices import Dimension, Key

SCHEMA: Literal["gates/evidence/v1"] = "gates/evidence/v1"
CANDIDATE, CHAMPION = 0, 1  # which of the two models a number is about


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table that was read: its name in the policy, the digest of its rows, and how many they are."""

    WRITTEN = "whole"
    name: str = declare("train or holdout")
    digest: str = declare("Digest of column names, types and the multiset of rows; row order does not matter.")
    rows: int = declare("Number of rows.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a training says of its model: claims, for gates of the kind `require`."""

    WRITTEN = "whole"
    parameters: dict[str, str | int | float | bool] = declare("What it was trained with.")
    tags: dict[str, str] = declare("Whatever else.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model that was measured."""

    WRITTEN = "whole"
    digest: str = declare("Digest of the sorted file manifest.")
    version: str | None = declare("Version in the registry; null for a candidate.")
    unscored: str | None = declare("Why it could not be scored on these rows; null where it was.")
    facts: Facts | None = declare("What the training says of it; null where it said nothing.", default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class RankSums:
    """Sums over the rows of one class of doubled placements (DeLong's structural components).

    A row's doubled placement is twice the number of rows of the other class that its score beats (for a
    positive: lower ones; for a negative: higher ones), plus the number of ties: a whole number.
    """

    WRITTEN = "whole"
    rows: int = declare("Rows of this class.")
    a: int = declare("Sum of the candidate's doubled placements.", big=True)
    b: int = declare("Sum of the champion's; 0 without a champion.", big=True)
    aa: int = declare("Sum of the candidate's squares.", big=True)
    bb: int = declare("Sum of the champion's squares.", big=True)
    ab: int = declare("Sum of the products.", big=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranks:
    """What ROC-AUC and DeLong's paired variance need, exactly, at any number of rows."""

    WRITTEN = "whole"
    positives: RankSums = declare("Sums over the positive rows.")
    negatives: RankSums = declare("Sums over the negative rows.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """The counts of one slice of the holdout.

    ``cells`` holds ``(label, candidate's call, champion's call, rows)``, classes as indices into
    ``Evidence.classes``; the champion's call is -1 without one. Empty cells are left out.
    """

    WRITTEN = "whole"
    dimension: str = declare("The dimension's id; empty for the whole holdout.")
    key: Key = declare("(column, value) pairs.")
    cells: tuple[tuple[int, ...], ...] = declare("(label, candidate's call, champion's call, rows), sorted.")
    ranks: Ranks | None = declare("Placement sums where a gate needs ranks and both models have scores.")

    @property
    def rows(self) -> int:
        """Number of rows in the slice."""
        return sum(cell[-1] for cell in self.cells)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Rows of one bin or value in a table and in the one beside it; for KS the gap's numerator and denominator."""

    WRITTEN = "whole"
    label: str | None = declare("The bin; null for missing values.")
    here: int = declare("Rows of the table.", big=True)
    there: int = declare("Rows of the table beside it.", big=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one rule of the contract counted in one table."""

    WRITTEN = "whole"
    table: str = declare("train or holdout")
    rule: str = declare("The rule's id, such as ``tenure.minimum``.")
    rows: int = declare("Rows looked at.")
    count: int = declare("Rows that the rule counts: violations, nulls, or holders of a value.")
    examples: tuple[str, ...] = declare("Up to five distinct offending values, most frequent first.")
    parts: tuple[Part, ...] = declare("Counts beside another table, for rules that look at one.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Sufficient statistics of a candidate and, where there is one, the champion, on the same rows."""

    WRITTEN = "whole"
    schema: Literal["gates/evidence/v1"] = declare("Format of this document.")
    model: str = declare("The policy's model name.")
    measured: str = declare("Digest of the part of the policy that says what to measure.")
    classes: tuple[str, ...] = declare("Label values; binary: the negative, then the positive one.")
    tables: tuple[Table, ...] = declare("The tables read.")
    findings: tuple[Finding, ...] = declare("What the contract's rules counted.")
    candidate: Model | None = declare("Null where the data stopped the run before a model was measured.")
    champion: Model | None = declare("Null where there is no champion yet.")
    slices: tuple[Slice, ...] = declare("The whole holdout first, then every slice, sorted.")

    def along(self, dimension: Dimension) -> Sequence[Slice]:
        """The slices of a dimension; of ``OVERALL``, the whole holdout alone."""
        return tuple(part for part in self.slices if part.dimension == dimension.id)
