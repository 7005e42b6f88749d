"""Functions of how many rows of each class are called right, labelled so and called so, with their bounds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from gates.documents.evidence import CANDIDATE, CHAMPION, Slice
from gates.metrics.support import Support
from gates.stats import jackknife
from gates.stats.proportions import mover_mean, share, square_and_add
from gates.stats.quantity import Bounds, Found, Quantity, Undefined, wider

Margins = tuple[list[float], list[float], list[float]]  # by class: rows called right, labelled so, called so
Value = Callable[[Margins], float | None]


def accuracy(margins: Margins) -> float | None:
    """Return the share of rows called right."""
    hits, labels, _ = margins
    total = sum(labels)
    return sum(hits) / total if total else None


def balanced_accuracy(margins: Margins) -> float | None:
    """Return the mean recall over the classes of the labels."""
    hits, labels, _ = margins
    recalls = [hit / label for hit, label in zip(hits, labels, strict=True) if label]
    return sum(recalls) / len(recalls) if recalls else None


def kappa(margins: Margins) -> float | None:
    """Return Cohen's kappa: agreement beyond what the margins give by chance."""
    hits, labels, calls = margins
    total = sum(labels)
    chance = sum(label * call for label, call in zip(labels, calls, strict=True))
    return (total * sum(hits) - chance) / (total * total - chance) if total * total > chance else None


def _share(of: str, hits: float, label: float, call: float) -> float | None:
    among = {"precision": call, "recall": label, "f1": (label + call) / 2}[of]
    return hits / among if among else None


def averaged(margins: Margins, *, of: str, average: str) -> float | None:
    """Average precision, recall or F1 over the classes that occur: ``macro`` each alike, ``weighted`` by their labels,
    ``micro`` over all rows.

    None where a class that counts has no value: no row of it is called, or labelled.
    """
    if average == "micro":
        return _share(of, *map(sum, margins))
    found = [(_share(of, *one), one[1]) for one in zip(*margins, strict=True) if one[1] or one[2]]
    counted = [(value, weight if average == "weighted" else 1.0) for value, weight in found]
    total = sum(weight for _, weight in counted)
    if not total or any(value is None for value, weight in counted if weight):
        return None
    return sum(value * weight for value, weight in counted if value is not None) / total


def _margins(cells: Iterable[tuple[int, int, float]], size: int) -> Margins:
    """Add up hits, labels and calls by class, from cells of (label, call, weight)."""
    hits, labels, calls = [0.0] * size, [0.0] * size, [0.0] * size
    for label, call, weight in cells:
        labels[label] += weight
        calls[call] += weight
        hits[label] += weight if label == call else 0
    return hits, labels, calls


def _influences(
    table: Mapping[tuple[int, int], int], size: int, statistic: Value
) -> tuple[float, dict[Any, float]] | None:
    """Return the value, and what leaving out one row of each (label, call) adds to it. Margins are all that changes."""
    margins = _margins(((*at, rows) for at, rows in table.items()), size)
    value = statistic(margins)
    if value is None:
        return None
    hits, labels, calls = margins
    influences = {}
    for label, call in table:
        for step in (-1, 1):
            labels[label] += step
            calls[call] += step
            hits[label] += step if label == call else 0
            if step < 0:
                without = statistic(margins)
        influences[label, call] = 0.0 if without is None else without - value
    return value, influences


def _sized(part: Slice) -> int:
    return 1 + max((place for cell in part.cells for place in cell[:3]), default=0)


def _called(slice_: Slice, who: int) -> dict[tuple[int, int], int]:
    """Return rows by label and one model's call."""
    table: dict[tuple[int, int], int] = {}
    for cell in slice_.cells:
        at = cell[0], cell[2 if who == CHAMPION else 1]
        table[at] = table.get(at, 0) + cell[3]
    return table


def _moved(slice_: Slice, statistic: Value, who: int) -> list[float] | None:
    """Return what leaving out one row of each of the slice's cells adds to one model's value."""
    influences = _influences(_called(slice_, who), _sized(slice_), statistic)
    place = 2 if who == CHAMPION else 1
    return influences and [influences[1][cell[0], cell[place]] for cell in slice_.cells]


def _bucketed(slice_: Slice, who: int) -> list[Margins]:
    """Return one model's margins in each bucket of units, in weights."""
    size, place = _sized(slice_), 2 if who == CHAMPION else 1
    held: dict[int, list[tuple[int, int, int]]] = {}
    for bucket, *cell in slice_.weights:
        held.setdefault(bucket, []).append((cell[0], cell[place], cell[3]))
    return [_margins(cells, size) for cells in held.values()]


def _of_buckets(models: Sequence[Sequence[Margins]], statistic: Value, support: float) -> jackknife.Spread | None:
    """Return the spread of one model's value, or of the difference of two, by leaving out buckets of units."""

    def value(*totals: float) -> float | None:
        size = len(totals) // (3 * len(models))
        columns = [list(totals[at : at + size]) for at in range(0, len(totals), size)]
        found = [statistic((columns[at], columns[at + 1], columns[at + 2])) for at in range(0, len(columns), 3)]
        return None if None in found else found[0] - sum(found[1:])  # type: ignore[operator, arg-type] # no None

    rows = [[total for one in bucket for column in one for total in column] for bucket in zip(*models, strict=True)]
    return jackknife.of_buckets(rows, value, support)


@dataclass(frozen=True, slots=True)
class CalledClasses:
    """What one model calls of several classes: its margins in rows, and each bucket's in weights, if there are any."""

    margins: Margins
    held: Sequence[Margins]

    @staticmethod
    def of(slice_: Slice, who: int) -> CalledClasses:
        """Return what the candidate, or the champion, calls."""
        margins = _margins(((*at, rows) for at, rows in _called(slice_, who).items()), _sized(slice_))
        return CalledClasses(margins, _bucketed(slice_, who) if slice_.weights else ())

    def share(self, of: Callable[[Margins], tuple[float, float]]) -> Quantity | None:
        """Return a share with exact bounds; ``of`` gives (hits, rows among). None where there is nothing among."""
        hits, among = of(self.margins)
        if not self.held:
            return share(hits, among) if among else None
        return jackknife.share_of_buckets([of(one) for one in self.held], among)


ClassBounds = Callable[[CalledClasses, float], Bounds]
ClassShare = Callable[[float, float, float], tuple[float, float]]  # of a class's margins: hits, and among how much


@dataclass(frozen=True, slots=True, kw_only=True)
class Averaged:
    """A function of the margins.

    ``bounds``: of what a model calls. Where there are none, those from leaving out rows hold; ``both``, and of units:
    the further ones of these and those.
    """

    value: Value
    limits: Bounds
    why: str
    support: Support
    bounds: ClassBounds | None = None
    both: bool = False
    method: str = "jackknife"

    def level(self, slices: Sequence[Slice], who: int) -> Found:
        """Return one model's value."""
        slice_ = slices[0]
        called = CalledClasses.of(slice_, who)
        spread = self._spread(slice_, called, who)
        if spread is None:
            return Undefined(why=self.why)
        left_out = jackknife.quantity(spread, self.limits, "jackknife")
        if self.bounds is None:
            return left_out
        own = replace(left_out, bounds=partial(self._own, self.bounds, called), method=self.method)
        if called.held:
            return wider(left_out, own)
        return wider(own, left_out) if self.both else own

    def _own(self, bounds: ClassBounds, called: CalledClasses, confidence: float) -> Bounds:
        low, high = bounds(called, confidence)
        return max(self.limits[0], low), min(self.limits[1], high)

    def _spread(self, slice_: Slice, called: CalledClasses, who: int) -> jackknife.Spread | None:
        """Return the spread of one model's value, by leaving out rows, or buckets of units."""
        support = self.support(slice_, slice_.rows)
        if called.held:
            return _of_buckets([called.held], self.value, support)
        value, moved = self.value(called.margins), _moved(slice_, self.value, who)
        if value is None or moved is None:
            return None
        return replace(jackknife.of_influences(value, [cell[3] for cell in slice_.cells], moved), support=support)

    def change(self, slices: Sequence[Slice]) -> Found:
        """Return the candidate less champion: each one's own bounds and how the two are correlated."""
        slice_ = slices[0]
        support = self.support(slice_, slice_.rows)
        levels = [self.level(slices, who) for who in (CANDIDATE, CHAMPION)]
        if slice_.weights:
            return self._of_units(slice_, levels, support)
        moved = [_moved(slice_, self.value, who) for who in (CANDIDATE, CHAMPION)]
        defined = [one for one in levels if isinstance(one, Quantity)]
        if len(defined) < len(levels) or moved[0] is None or moved[1] is None:
            return Undefined(why=self.why)
        shared = jackknife.correlated([cell[3] for cell in slice_.cells], moved[0], moved[1])
        return square_and_add(defined[0], defined[1], shared * (1 - 1 / support))

    def _of_units(self, slice_: Slice, levels: Sequence[Found], support: float) -> Found:
        ours, theirs = (_bucketed(slice_, who) for who in (CANDIDATE, CHAMPION))
        spreads = [_of_buckets(models, self.value, support) for models in ([ours], [theirs], [ours, theirs])]
        found, width = [one for one in spreads if one], self.limits[1] - self.limits[0]
        if len(found) < len(spreads):
            return Undefined(why=self.why)
        return jackknife.of_units(found, levels, (-width, width), support)


def of_shares(
    of: Callable[[float, float, float], tuple[float, float]], turned: Callable[[float], float]
) -> ClassBounds:
    """Return bounds of a mean over classes from each one's own: ``of`` gives a class's (hits, rows among), ``turned``
    makes of that share the class's value."""

    def class_share(place: int, margins: Margins) -> tuple[float, float]:
        return of(*(column[place] for column in margins))

    def bounds(called: CalledClasses, confidence: float) -> Bounds:
        parts = []
        for place in range(len(called.margins[0])):
            one = partial(class_share, place)
            if share_ := called.share(one):
                low, high = (
                    share_.bounds(confidence) if one(called.margins)[1] > 1 else (0.0, 1.0)
                )  # a row bounds nothing
                parts.append((turned(share_.value), turned(low), turned(high)))
        return mover_mean(parts)

    return bounds


def of_agreement(called: CalledClasses, confidence: float) -> Bounds:
    """Return kappa's bounds from those of the share called right: kappa is that share less chance, over what chance
    leaves."""
    _, labels, calls = called.margins
    n = sum(labels)
    chance = sum(label * call for label, call in zip(labels, calls, strict=True)) / (n * n)
    right = called.share(lambda margins: (sum(margins[0]), sum(margins[1])))
    assert right is not None  # noqa: S101 -- asked where there are rows
    low, high = ((end - chance) / (1 - chance) for end in right.bounds(confidence))
    return low, high
