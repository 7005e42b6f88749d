"""What a table looks like: the input for a first contract. Pure; ``gates.measure.profiling`` fills it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from gates.contract.sql import Category
from gates.schema.fields import Plain

MOST_VALUES = 20  # of an enum
REPEATED = 10  # rows that a value of an enum needs on average
LONGEST_VALUE = 60  # characters of a value of an enum
SAFE = 2**53 - 1  # beyond it JSON's numbers are not exact, so the contract names none
TWO = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnProfile:
    """What was seen in a column. ``category`` is None where nothing was seen, or tables disagree about it.

    ``low`` and ``high`` are the finite numbers at the ends (text for dates and times), ``values`` all values with
    their rows where there are few, ``unique`` whether none is missing and none repeats, ``distinct`` about how many
    values there are, ``lengths`` those of text, ``format`` the one that all of its dates keep.
    """

    name: str
    category: Category | None
    rows: int
    nulls: int = 0
    low: Plain = None
    high: Plain = None
    below: int = 0  # rows of minus infinity
    above: int = 0  # rows of infinity
    nan: int = 0
    values: tuple[tuple[Plain, int], ...] | None = None
    unique: bool = False
    distinct: int = 0
    lengths: tuple[int, int] | None = None
    format: str | None = None

    @property
    def null_share(self) -> float:
        """The share of missing values."""
        return self.nulls / self.rows if self.rows else 0.0

    @property
    def is_enum(self) -> bool:
        """Whether its few values look like all that there are."""
        if self.values is None or self.category not in ("string", "integer"):
            return False
        most = MOST_VALUES if self.category == "string" else TWO
        short = all(len(str(value)) <= LONGEST_VALUE for value, _ in self.values)
        return short and 0 < len(self.values) <= most and self.rows >= REPEATED * len(self.values)

    @property
    def is_two_valued(self) -> bool:
        """Whether it could be a label: two values, none missing."""
        return self.values is not None and len(self.values) == TWO and not (self.nulls or self.nan)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What was seen in a table: its number of rows, and its columns in their order."""

    path: str
    rows: int
    columns: tuple[ColumnProfile, ...]

    def __getitem__(self, name: str) -> ColumnProfile:
        return next(one for one in self.columns if one.name == name)

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names."""
        return tuple(one.name for one in self.columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """What columns mean: which is the label and which of its values is positive, and which are keys.

    ``apart``: there are two tables, and no value of the first key stands in both.
    """

    label: str | None = None
    positive: Plain = None
    keys: tuple[str, ...] = ()
    apart: bool = False


def common(tables: Sequence[Profile]) -> Iterator[str]:
    """Return the columns that all tables have, in the first one's order."""
    return (name for name in tables[0].names if all(name in table.names for table in tables))


def together(first: Profile, second: Profile) -> Profile:
    """Return what two tables have in common, so that both keep what is inferred: fewer rows, wider ranges, fewer
    columns."""
    columns = tuple(_both(first[name], second[name]) for name in common((first, second)))
    return Profile(path=first.path, rows=min(first.rows, second.rows), columns=columns)


def _both(ours: ColumnProfile, theirs: ColumnProfile) -> ColumnProfile:
    for a, b in ((ours, theirs), (theirs, ours)):
        if a.nulls == a.rows:  # an empty column says nothing
            return replace(b, rows=a.rows + b.rows, nulls=a.nulls + b.nulls, unique=False)
    numbers = {ours.category, theirs.category} == {"integer", "number"}
    category: Category | None = "number" if numbers else ours.category if ours.category == theirs.category else None
    counts: dict[Plain, int] = dict(ours.values or ())
    for value, n in theirs.values or ():
        counts[value] = counts.get(value, 0) + n
    few = ours.values is not None and theirs.values is not None and len(counts) <= MOST_VALUES
    known = category is not None
    lengths = [length for side in (ours, theirs) for length in side.lengths or ()]
    return ColumnProfile(
        name=ours.name,
        category=category,
        rows=ours.rows + theirs.rows,
        nulls=ours.nulls + theirs.nulls,
        low=_end(min, ours.low, theirs.low) if known else None,
        high=_end(max, ours.high, theirs.high) if known else None,
        below=ours.below + theirs.below,
        above=ours.above + theirs.above,
        nan=ours.nan + theirs.nan,
        values=tuple(counts.items()) if few and known else None,
        unique=ours.unique and theirs.unique,
        distinct=max(ours.distinct, theirs.distinct),
        lengths=(min(lengths), max(lengths)) if lengths else None,
        format=ours.format if ours.format == theirs.format else None,
    )


def _end(pick: Callable[..., Plain], *ends: Plain) -> Plain:
    return pick((end for end in ends if end is not None), default=None)
