"""Functions of (label, call) counts: of one model, and of two models on the same rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from gates.documents.evidence import CANDIDATE, CHAMPION, Slice
from gates.stats import jackknife
from gates.stats.proportions import paired_difference, share, square_and_add
from gates.stats.quantity import Bounds, Found, Quantity, Undefined, wider

NAMES = {"tn": (0, 0), "fp": (0, 1), "fn": (1, 0), "tp": (1, 1)}  # (label, call)
Confusion = Callable[..., float | None]  # (tn, fp, fn, tp) -> value
JOINT = [(label, candidate, champion) for label in (0, 1) for candidate in (0, 1) for champion in (0, 1)]


def confusion(slice_: Slice, who: int) -> tuple[int, int, int, int]:
    """Return (tn, fp, fn, tp) of one model."""
    counts = dict.fromkeys(NAMES.values(), 0)
    for label, candidate, champion, rows in slice_.cells:
        counts[label, champion if who == CHAMPION else candidate] += rows
    return counts[0, 0], counts[0, 1], counts[1, 0], counts[1, 1]


def joint(slice_: Slice) -> list[int]:
    """Return rows by (label, candidate's call, champion's call), in the order of ``JOINT``."""
    counts = dict.fromkeys(JOINT, 0)
    for label, candidate, champion, rows in slice_.cells:
        counts[label, candidate, max(champion, 0)] += rows
    return list(counts.values())


def buckets(slice_: Slice) -> list[list[int]]:
    """Return the same in weights, bucket by bucket, where rows belong together or are weighted."""
    by_bucket: dict[int, dict[tuple[int, int, int], int]] = {}
    for bucket, label, candidate, champion, weight in slice_.weights:
        cells = by_bucket.setdefault(bucket, dict.fromkeys(JOINT, 0))
        cells[label, candidate, max(champion, 0)] += weight
    return [list(cells.values()) for cells in by_bucket.values()]


def of_candidate(cells: Sequence[float]) -> tuple[float, float, float, float]:
    """Return the candidate's (tn, fp, fn, tp) out of eight joint cells."""
    a, b, c, d, e, f, g, h = cells
    return a + b, c + d, e + f, g + h


def of_champion(cells: Sequence[float]) -> tuple[float, float, float, float]:
    """Return the champion's (tn, fp, fn, tp) out of eight joint cells."""
    a, b, c, d, e, f, g, h = cells
    return a + c, b + d, e + g, f + h


SIDES = (of_candidate, of_champion)


@cache
def _places(names: str) -> tuple[int, ...]:
    """Tell where the named cells stand in a confusion matrix."""
    return tuple(list(NAMES).index(name) for name in names.split())


@dataclass(frozen=True, slots=True)
class Called:
    """What one model calls of a slice: its confusion matrix in rows, and each bucket's in weights, if there are any."""

    cells: tuple[int, int, int, int]
    held: list[tuple[float, float, float, float]]

    @staticmethod
    def of(slice_: Slice, who: int) -> Called:
        """Return what the candidate, or the champion, calls."""
        return Called(confusion(slice_, who), [SIDES[who](one) for one in buckets(slice_)] if slice_.weights else [])

    def counts(self, hits: str, among: str) -> tuple[int, int]:
        """Return (hits, among) in rows, both named by cells of the confusion matrix."""
        return sum([self.cells[place] for place in _places(hits)]), sum([self.cells[place] for place in _places(among)])

    def share(self, hits: str, among: str) -> Quantity | None:
        """Return the share of hits with exact bounds; None where there is nothing among."""
        hit, rows = self.counts(hits, among)
        if not self.held:
            return share(hit, rows) if rows else None
        ours, all_ = _places(hits), _places(among)
        return jackknife.share_of_buckets(
            [(sum([one[place] for place in ours]), sum([one[place] for place in all_])) for one in self.held], rows
        )


@dataclass(frozen=True, slots=True)
class Proportion:
    """A share: ``hits`` out of ``among``, both named by cells of the confusion matrix."""

    hits: str
    among: str
    empty: str  # what is missing when nothing is among

    def counts(self, part: Slice, who: int) -> tuple[int, int]:
        """Return (hits, among) of one model in one slice."""
        return Called.of(part, who).counts(self.hits, self.among)

    def level(self, slices: Sequence[Slice], who: int) -> Found:
        """Return the share with exact bounds; of units or weighted rows with as many rows as their variance is
        worth."""
        return Called.of(slices[0], who).share(self.hits, self.among) or Undefined(why=self.empty)

    def _support(self, slice_: Slice) -> int:
        """Count the buckets in which a model has anything among, and return the fewer of both models'."""
        places = _places(self.among)
        return min(
            sum(any(one[place] for place in places) for one in Called.of(slice_, who).held)
            for who in (CANDIDATE, CHAMPION)
        )

    @property
    def statistic(self) -> Confusion:
        """The share as a function of the confusion matrix."""
        hits, among = _places(self.hits), _places(self.among)

        def value(*cells: float) -> float | None:
            total = sum([cells[place] for place in among])
            return sum([cells[place] for place in hits]) / total if total else None

        return value

    @property
    def fixed(self) -> bool:
        """Whether ``among`` depends on the label alone, so that both models share their denominator."""
        return self.among in ("tn fp fn tp", "fn tp", "tn fp")

    def change(self, slices: Sequence[Slice]) -> Found:
        """Return the paired difference: Newcombe's where the denominator is shared, else square and add."""
        slice_ = slices[0]
        if slice_.weights or not self.fixed:
            return change(self.level, self.statistic, (-1.0, 1.0), self.empty, self._support)(slices)
        table = self.paired(slice_)
        if not sum(table):
            return Undefined(why=self.empty)
        value = (table[1] - table[2]) / sum(table)
        return Quantity(
            value=value,
            bounds=lambda c: paired_difference(*table, c),
            method="newcombe-paired",
            limits=(-1.0, 1.0),
        )

    def paired(self, slice_: Slice) -> tuple[int, int, int, int]:
        """Count a ``fixed`` share's rows: both models hit, the candidate alone, the champion alone, neither."""
        hits = {NAMES[name] for name in self.hits.split()}
        among = {NAMES[name][0] for name in self.among.split()}
        table = {(True, True): 0, (True, False): 0, (False, True): 0, (False, False): 0}
        for label, candidate, champion, rows in slice_.cells:
            if label in among:
                table[(label, candidate) in hits, (label, champion) in hits] += rows
        both, first, second, neither = table.values()
        return both, first, second, neither


def rarest(part: Slice) -> int:
    """Count the buckets that hold the rarer class, where rows belong together or are weighted."""
    held = buckets(part)
    found = [sum(any(one[4 * label : 4 * label + 4]) for one in held) for label in (0, 1)]
    return min((k for k in found if k), default=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """A function of the confusion matrix other than a share. ``bounds``: of what a model calls, at a confidence."""

    value: Confusion
    limits: Bounds
    why: str  # what is missing where it is undefined
    bounds: Callable[[Called, float], Bounds]
    method: str
    exact: bool = False
    support: Callable[[Slice], int] = rarest

    def level(self, slices: Sequence[Slice], who: int) -> Found:
        """Return one model's value; of units or weighted rows the wider of the same bounds and of leaving out
        buckets."""
        slice_ = slices[0]
        called = Called.of(slice_, who)
        value = self.value(*called.cells)
        if value is None:
            return Undefined(why=self.why)
        quantity = Quantity(
            value=value,
            bounds=lambda c: self.bounds(called, c),
            method=self.method,
            limits=self.limits,
            exact=self.exact,
        )
        if not called.held:
            return quantity
        spread = jackknife.of_buckets(called.held, self.value, self.support(slice_))
        return (
            wider(jackknife.quantity(spread, self.limits, "jackknife"), quantity) if spread else Undefined(why=self.why)
        )

    def change(self, slices: Sequence[Slice]) -> Found:
        """Return the candidate less champion, paired."""
        width = self.limits[1] - self.limits[0]
        return change(self.level, self.value, (-width, width), self.why, self.support)(slices)


def change(
    level: Callable[[Sequence[Slice], int], Found],
    statistic: Confusion,
    limits: Bounds,
    why: str,
    support: Callable[[Slice], int],
) -> Callable[[Sequence[Slice]], Found]:
    """Return the paired difference of any function of the confusion matrix: from each model's own bounds and how the
    two are correlated; of units or weighted rows by leaving out buckets of them."""

    def one(*cells: float) -> float | None:
        return statistic(*of_candidate(cells))

    def other(*cells: float) -> float | None:
        return statistic(*of_champion(cells))

    def gap(*cells: float) -> float | None:
        ours, theirs = one(*cells), other(*cells)
        return None if ours is None or theirs is None else ours - theirs

    def of_buckets(slice_: Slice) -> Found:
        held, k = buckets(slice_), support(slice_)
        apart, ours, theirs = (jackknife.of_buckets(held, side, k) for side in (gap, one, other))
        if not (apart and ours and theirs):
            return Undefined(why=why)
        levels = [level([slice_], who) for who in (CANDIDATE, CHAMPION)]
        return jackknife.of_units((ours, theirs, apart), levels, limits, k)

    def made(slices: Sequence[Slice]) -> Found:
        if slices[0].weights:
            return of_buckets(slices[0])
        ours, theirs = level(slices, CANDIDATE), level(slices, CHAMPION)
        if isinstance(ours, Undefined) or isinstance(theirs, Undefined):
            return Undefined(why=why)
        return square_and_add(ours, theirs, jackknife.correlation(joint(slices[0]), one, other))

    return made
