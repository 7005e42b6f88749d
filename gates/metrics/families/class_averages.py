"""Functions of how many rows of each class are called right, labelled so and called so, with their bounds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gates.documents.evidence import CANDIDATE, CHAMPION, Slice
from gates.metrics.support import Support
from gates.stats import jackknife
from gates.stats.proportions import exact, mover_mean, square_and_add
from gates.stats.quantity import Bounds, Found, Quantity, Undefined

Margins = tuple[list[float], list[float], list[float]]  # by class: rows called right, labelled so, called so
Value = Callable[[Margins], float | None]


def accuracy(margins: Margins) -> float | None:
    """Share of rows called right."""
    hits, labels, _ = margins
    total = sum(labels)
    return sum(hits) / total if total else None


def balanced_accuracy(margins: Margins) -> float | None:
    """Mean recall over the classes of the labels."""
    hits, labels, _ = margins
    recalls = [hit / label for hit, label in zip(hits, labels, strict=True) if label]
    return sum(recalls) / len(recalls) if recalls else None


def kappa(margins: Margins) -> float | None:
    """Cohen's kappa: agreement beyond what the margins give by chance."""
    hits, labels, calls = margins
    total = sum(labels)
    chance = sum(label * call for label, call in zip(labels, calls, strict=True))
    return (total * sum(hits) - chance) / (total * total - chance) if total * total > chance else None


def _share(of: str, hits: float, label: float, call: float) -> float | None:
    among = {"precision": call, "recall": label, "f1": (label + call) / 2}[of]
    return hits / among if among else None


def averaged(margins: Margins, *, of: str, average: str) -> float | None:
    """Precision, recall or F1, averaged over the classes that occur: ``macro`` each alike, ``weighted`` by their
    labels, ``micro`` over all rows. None where a class that counts has none: no row of it is called, or labelled."""
    if average == "micro":
        return _share(of, *map(sum, margins))
    found = [(_share(of, *one), one[1]) for one in zip(*margins, strict=True) if one[1] or one[2]]
    counted = [(value, weight if average == "weighted" else 1.0) for value, weight in found]
    total = sum(weight for _, weight in counted)
    if not total or any(value is None for value, weight in counted if weight):
        return None
    return sum(value * weight for value, weight in counted if value is not None) / total


def _margins(cells: Iterable[tuple[int, int, float]], size: int) -> Margins:
    """Of (label, call, weight)."""
    hits, labels, calls = [0.0] * size, [0.0] * size, [0.0] * size
    for label, call, weight in cells:
        labels[label] += weight
        calls[call] += weight
        hits[label] += weight if label == call else 0
    return hits, labels, calls


def _influences(
    table: Mapping[tuple[int, int], int], size: int, statistic: Value
) -> tuple[float, dict[Any, float]] | None:
    """The value, and what leaving out one row of each (label, call) adds to it. Margins are all that changes."""
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
    """Rows by label and one model's call."""
    table: dict[tuple[int, int], int] = {}
    for cell in slice_.cells:
        at = cell[0], cell[2 if who == CHAMPION else 1]
        table[at] = table.get(at, 0) + cell[3]
    return table


def _found(part: Slice, who: int) -> Margins:
    return _margins(((*at, rows) for at, rows in _called(part, who).items()), _sized(part))


def _moved(slice_: Slice, statistic: Value, who: int) -> list[float] | None:
    """What leaving out one row of each of the slice's cells adds to one model's value."""
    influences = _influences(_called(slice_, who), _sized(slice_), statistic)
    place = 2 if who == CHAMPION else 1
    return influences and [influences[1][cell[0], cell[place]] for cell in slice_.cells]


def _of_buckets(slice_: Slice, statistic: Value, support: float, *signs: int) -> jackknife.Spread | None:
    """Of both models' values, each times its sign (candidate, champion), by leaving out buckets of units."""
    size = _sized(slice_)
    held: dict[int, list[tuple[int, int, int, int]]] = {}
    for bucket, *cell in slice_.weights:
        held.setdefault(bucket, []).append((cell[0], cell[1], cell[2], cell[3]))
    asked = [(place, sign) for place, sign in enumerate(signs, 1) if sign]
    rows = [
        [
            total
            for place, _ in asked
            for column in _margins(((cell[0], cell[place], cell[3]) for cell in cells), size)
            for total in column
        ]
        for cells in held.values()
    ]

    def value(*totals: float) -> float | None:
        found = 0.0
        for at, (_, sign) in enumerate(asked):
            hits, labels, calls = (list(totals[(3 * at + one) * size : (3 * at + one + 1) * size]) for one in range(3))
            own = statistic((hits, labels, calls))
            if own is None:
                return None
            found += sign * own
        return found

    return jackknife.of_buckets(rows, value, support)


@dataclass(frozen=True, slots=True, kw_only=True)
class Averaged:
    """A function of the margins. ``bounds``: of a model's, given what leaving out rows shows."""

    value: Value
    limits: Bounds
    why: str
    support: Support
    bounds: Callable[[Margins, Quantity, float], Bounds] = lambda _, jackknifed, confidence: jackknifed.bounds(
        confidence
    )
    method: str = "jackknife"

    def level(self, slices: Sequence[Slice], who: int) -> Found:
        """One model's value."""
        slice_ = slices[0]
        k = self.support(slice_, slice_.rows)
        if slice_.weights:
            spread = _of_buckets(slice_, self.value, k, *((0, 1) if who == CHAMPION else (1, 0)))
            return jackknife.quantity(spread, self.limits, "jackknife") if spread else Undefined(why=self.why)
        margins = _found(slice_, who)
        value, moved = self.value(margins), _moved(slice_, self.value, who)
        if value is None or moved is None:
            return Undefined(why=self.why)
        spread = replace(jackknife.of_influences(value, [cell[3] for cell in slice_.cells], moved), support=k)
        left_out = jackknife.quantity(spread, self.limits, "jackknife")

        def bounds(confidence: float) -> Bounds:
            low, high = self.bounds(margins, left_out, confidence)
            return max(self.limits[0], low), min(self.limits[1], high)

        return replace(left_out, bounds=bounds, method=self.method)

    def change(self, slices: Sequence[Slice]) -> Found:
        """Candidate less champion: each one's own bounds and how the two are correlated."""
        slice_ = slices[0]
        k, width = self.support(slice_, slice_.rows), self.limits[1] - self.limits[0]
        if slice_.weights:
            ours, theirs, apart = (_of_buckets(slice_, self.value, k, *signs) for signs in ((1, 0), (0, 1), (1, -1)))
            if not (ours and theirs and apart):
                return Undefined(why=self.why)
            return jackknife.difference(ours, theirs, apart, (-width, width), "jackknife-paired")
        levels = [self.level(slices, who) for who in (CANDIDATE, CHAMPION)]
        moved = [_moved(slice_, self.value, who) for who in (CANDIDATE, CHAMPION)]
        defined = [one for one in levels if isinstance(one, Quantity)]
        if len(defined) < len(levels) or moved[0] is None or moved[1] is None:
            return Undefined(why=self.why)
        shared = jackknife.correlated([cell[3] for cell in slice_.cells], moved[0], moved[1])
        return square_and_add(defined[0], defined[1], shared * (1 - 1 / k))


def of_shares(of: Callable[[float, float, float], tuple[float, float]], turned: Callable[[float], float]) -> Any:
    """Bounds of a mean over classes from each one's own: ``of`` gives a class's (hits, rows among), ``turned`` makes
    of that share the class's value."""

    def bounds(margins: Margins, _: Quantity, confidence: float) -> Bounds:
        shares = [of(*one) for one in zip(*margins, strict=True) if one[1] or one[2]]
        parts = [(hits / n, *(exact(hits, n, confidence) if n > 1 else (0.0, 1.0))) for hits, n in shares if n]
        return mover_mean([(turned(p), turned(low), turned(high)) for p, low, high in parts])

    return bounds


def wider(one: Any, margins: Margins, left_out: Quantity, confidence: float) -> Bounds:
    """The wider of some bounds and of those from leaving out rows."""
    ends = one(margins, left_out, confidence), left_out.bounds(confidence)
    return min(low for low, _ in ends), max(high for _, high in ends)


def of_agreement(margins: Margins, _: Quantity, confidence: float) -> Bounds:
    """Kappa is the share called right, less what chance gives and over what that leaves: so are its bounds."""
    hits, labels, calls = margins
    n = sum(labels)
    chance = sum(label * call for label, call in zip(labels, calls, strict=True)) / (n * n)
    low, high = ((end - chance) / (1 - chance) for end in exact(sum(hits), n, confidence))
    return low, high
