"""How many rows a metric rests on: often only the rarer ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from math import isfinite

from gates.documents.evidence import Slice
from gates.stats.quantity import Bounds

FEW = 20  # rows: of fewer, values of any size leave it open what the next one is like

Support = Callable[[Slice, int], int]  # of a slice and of the rows, or queries, that were counted


def rows_of(part: Slice, rows: int) -> int:
    """Return all of them; where rows belong together or are weighted, the buckets that hold any."""
    return _buckets(part, lambda _: True) if part.weights else rows


def rarest(part: Slice, rows: int) -> int:
    """Return those of the rarest class among the labels."""
    return min(_of_classes(part), default=rows)


def rarer(slice_: Slice, rows: int) -> int:
    """Return those of the rarer of a binary task's two classes: where one of them does not occur nothing is known of
    it, as of a class of one row."""
    found = list(_of_classes(slice_))
    return min(found) if len(found) > 1 else min(1, rows)


def enough(least: int, each: float = 1) -> Support:
    """Return those of the rarer class, of which ``each`` counts as so much of one, if there are at least that many; as
    of one row where there are fewer."""

    def found(part: Slice, rows: int) -> int:
        many = rarer(part, rows)
        return max(1, int(many * each)) if many >= least else min(1, rows)

    return found


def rarest_called(part: Slice, rows: int) -> int:
    """Return those of the rarest class among the labels, or among either model's calls."""
    return min((*_of_classes(part), *_of_classes(part, 1), *_of_classes(part, 2)), default=rows)


def positives(part: Slice, rows: int) -> int:
    """Return those of the class that is looked for."""
    return _buckets(part, lambda cell: cell[0] == 1) if part.weights else _rows(part, lambda cell: cell[0] == 1) or rows


def _rows(part: Slice, held: Callable[[tuple[int, ...]], bool]) -> int:
    return sum(cell[3] for cell in part.cells if held(cell))


def _buckets(part: Slice, held: Callable[[tuple[int, ...]], bool]) -> int:
    return len({bucket for bucket, *cell in part.weights if cell[3] and held(tuple(cell))})


def _of_classes(slice_: Slice, column: int = 0) -> Iterable[int]:
    """Count the rows, or the buckets that hold any, of each class among labels (0), or a model's calls (1, 2)."""
    if not slice_.weights:
        rows: Counter[int] = Counter()
        for cell in slice_.cells:
            if cell[column] >= 0:
                rows[cell[column]] += cell[3]
        return rows.values()
    seen = {(cell[column], bucket) for bucket, *cell in slice_.weights if cell[3] and cell[column] >= 0}
    return Counter(one for one, _ in seen).values()


def known(support: float, rows: float, limits: Bounds) -> float:
    """Return what a value rests on whose rows may have any size: on nothing, where there are so few of them that one
    which would change it all is as likely as not among those that were not seen."""
    return support if isfinite(limits[1] - limits[0]) or rows >= FEW else min(1.0, rows)
