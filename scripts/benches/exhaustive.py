"""Every holdout of a few rows there can be, with its chance under a declared truth: how often verdicts at the limit are
wrong, added up without drawing anything.

    scripts/bench exhaustive [--rows 8]

A metric's limit lies exactly at its true value; a lower bound above it would pass what is worse, an upper one below it
would fail what is better. Neither may happen more often than 5 in 100 (``SIDE`` of scripts/bench coverage).
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from gates.documents.evidence import BUCKETS, CANDIDATE, Moments, Ranks, RankSums, Slice
from gates.measure.statistics.computed import estimated
from gates.measure.statistics.curves import CURVES
from gates.metrics import find
from gates.metrics.definition import Metric

CONFIDENCE = 0.95
PARAMETERS: Mapping[str, tuple[tuple[str, object], ...]] = {
    "cost": (("costs", ((0.0, 1.0), (5.0, 0.0))),),
    "expected_calibration_error": (("bins", 2),),
    "precision_at": (("share", 0.5),),
    "recall_at": (("share", 0.5),),
    "lift_at": (("share", 0.5),),
}
SCORES = (0.1, 0.5, 0.9)


def outcomes(n: int, cells: int) -> Iterator[tuple[int, ...]]:
    """Every way in which n rows fall into so many cells."""
    if cells == 1:
        yield (n,)
        return
    for first in range(n + 1):
        for rest in outcomes(n - first, cells - 1):
            yield (first, *rest)


def chance(counts: Sequence[int], chances: Sequence[float]) -> float:
    """Of these counts: multinomial."""
    found = math.lgamma(sum(counts) + 1)
    for count, one in zip(counts, chances, strict=True):
        if count and not one:
            return 0.0
        found += (count * math.log(one) if count else 0.0) - math.lgamma(count + 1)
    return math.exp(found)


@dataclass(frozen=True, slots=True)
class Family:
    """Metrics that look at the same cells: what a slice of counts is, and chances of the cells under several truths."""

    task: str
    names: tuple[str, ...]
    make: Callable[[Sequence[int]], Slice]
    truths: tuple[tuple[float, ...], ...]
    changes: bool = False


def part(rows: int, **held: object) -> Slice:
    """A slice of the whole holdout."""
    empty: dict[str, object] = {"cells": (), "weights": (), "ranks": None, "moments": (), "computed": ()}
    return Slice(dimension="", key=(), rows=rows, **(empty | held))  # type: ignore[arg-type]


# --- calls of one model, and of two --------------------------------------------------------------------------------

ONE = [(y, c, -1) for y in (0, 1) for c in (0, 1)]
TWO = [(y, c, b) for y in (0, 1) for c in (0, 1) for b in (0, 1)]


def celled(cells: Sequence[tuple[int, int, int]]) -> Callable[[Sequence[int]], Slice]:
    """Slices of rows by label and calls."""

    def make(counts: Sequence[int]) -> Slice:
        held = tuple((*cell, n) for cell, n in zip(cells, counts, strict=True) if n)
        return part(sum(counts), cells=held)

    return make


def called(positives: float, recall: float, specificity: float) -> tuple[float, ...]:
    """Chances of (tn, fp, fn, tp)."""
    negatives = 1 - positives
    return negatives * specificity, negatives * (1 - specificity), positives * (1 - recall), positives * recall


def paired(positives: float, rates: Sequence[tuple[float, float]], together: float) -> tuple[float, ...]:
    """Chances of the eight cells: of negatives and of positives how often the candidate and the champion call."""
    found = []
    for share, (c, b) in zip((1 - positives, positives), rates, strict=True):
        both = c * b + together * (min(c, b) - c * b)
        found += [share * one for one in (1 - c - b + both, b - both, c - both, both)]
    return tuple(max(0.0, one) for one in found)


# --- scores of three sizes -----------------------------------------------------------------------------------------

SCORED = list(product((0, 1), SCORES))


def scored(counts: Sequence[int]) -> Slice:
    """Rows by label and score, with all that metrics of scores are made of."""
    rows = [at for at, n in zip(SCORED, counts, strict=True) for _ in range(n)]
    y, s = np.array([label for label, _ in rows]), np.array([score for _, score in rows])
    calls = (s >= 0.5).astype(int)
    cells: dict[tuple[int, int], int] = {}
    for label, call in zip(y.tolist(), calls.tolist(), strict=True):
        cells[label, call] = cells.get((label, call), 0) + 1
    table = np.column_stack([np.arange(len(y)) % BUCKETS, y, s, np.ones(len(y))])
    computed = []
    for name in CURVES:
        metric = binary(name)
        computed.append(
            estimated(metric.statistic.id, name, [[table]], CURVES[name], dict(metric.statistic.parameters))
        )
    losses = {
        "log_loss": -np.log(np.where(y == 1, s, 1 - s)),
        "brier_score": (s - y) ** 2,
        "calibration_gap": s - y,
    }
    return part(
        len(y),
        cells=tuple((label, call, -1, n) for (label, call), n in sorted(cells.items())),
        ranks=ranked(y, s),
        moments=tuple(summed(name, one) for name, one in losses.items()),
        computed=tuple(computed),
    )


def ranked(y: np.ndarray, s: np.ndarray) -> Ranks:
    """Sums of placements of one model's scores."""

    def of(label: int) -> RankSums:
        own, others = s[y == label][:, None], s[y != label][None, :]
        beats = (own > others) if label else (own < others)
        placed = (2 * beats + (own == others)).sum(axis=1)
        return RankSums(rows=len(placed), a=int(placed.sum()), b=0, aa=int(placed @ placed), bb=0, ab=0)

    return Ranks(positives=of(1), negatives=of(0), buckets=())


def summed(id_: str, values: np.ndarray) -> Moments:
    """The sum and the sum of squares, as the engine sums them."""
    totals = [int(math.ldexp(float(one), 60)) << (Moments.UNIT - 60) for one in (values.sum(), (values * values).sum())]
    return Moments(id=id_, rows=len(values), sums=(totals[0],), products=(totals[1],), buckets=())


def scoring(positives: float, of_negatives: Sequence[float], of_positives: Sequence[float]) -> tuple[float, ...]:
    """Chances of the cells, where each class's scores have these shares."""
    return (*((1 - positives) * one for one in of_negatives), *(positives * one for one in of_positives))


# --- values --------------------------------------------------------------------------------------------------------

ERRORS = (0.0, 1.0, 4.0)


def valued(counts: Sequence[int]) -> Slice:
    """Rows by the size of their error."""
    errors = np.repeat(np.array(ERRORS), counts)
    return part(len(errors), moments=(summed("absolute_error", errors), summed("squared_error", errors**2)))


# --- classes -------------------------------------------------------------------------------------------------------

THREE = [(y, c, -1) for y in range(3) for c in range(3)]


def classed(shares: Sequence[float], right: float) -> tuple[float, ...]:
    """Chances of the nine cells: each class is called right with the same chance."""
    return tuple(shares[y] * (right if y == c else (1 - right) / 2) for y, c, _ in THREE)


FAMILIES: tuple[Family, ...] = (
    Family(
        "binary",
        (
            *("accuracy", "recall", "specificity", "precision", "selection_rate", "f1", "balanced_accuracy"),
            *("matthews_corrcoef", "cost"),
        ),
        celled(ONE),
        tuple(called(*one) for one in product((0.1, 0.3, 0.5), (0.6, 0.8, 0.95), (0.7, 0.9, 0.98))),
    ),
    Family(
        "binary",
        ("accuracy", "recall", "precision", "f1", "flip_rate", "negative_flip_rate"),
        celled(TWO),
        tuple(
            paired(positives, rates, together)
            for positives in (0.3, 0.5)
            for rates in (((0.1, 0.1), (0.8, 0.8)), ((0.2, 0.05), (0.7, 0.9)), ((0.02, 0.02), (0.95, 0.98)))
            for together in (0.0, 0.9)
        ),
        changes=True,
    ),
    Family(
        "binary",
        (
            *("roc_auc", "average_precision", "ks_statistic", "precision_at", "recall_at", "lift_at"),
            *("expected_calibration_error", "log_loss", "brier_score", "calibration_gap"),
        ),
        scored,
        tuple(
            scoring(positives, negative, positive)
            for positives in (0.2, 0.5)
            for negative in ((0.6, 0.3, 0.1), (0.9, 0.1, 0.0), (0.34, 0.33, 0.33))
            for positive in ((0.1, 0.3, 0.6), (0.0, 0.05, 0.95), (0.3, 0.0, 0.7))
        ),
    ),
    Family("regression", ("mae", "mse", "rmse"), valued, ((0.5, 0.4, 0.1), (0.2, 0.7, 0.1), (0.9, 0.08, 0.02))),
    Family(
        "multiclass",
        ("accuracy", "balanced_accuracy", "recall_macro", "precision_macro", "f1_macro", "f1_weighted", "cohen_kappa"),
        celled(THREE),
        tuple(classed(shares, right) for shares in ((0.4, 0.4, 0.2), (0.6, 0.3, 0.1)) for right in (0.6, 0.8, 0.95)),
    ),
)


def binary(name: str) -> Metric:
    """A binary metric with the parameters that it is given here."""
    return find(name, "binary", PARAMETERS.get(name, ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    """Of one metric at one truth and number of rows: the chances of a wrong pass and a wrong fail."""

    name: str
    rows: int
    truth: tuple[float, ...]
    passes: float
    fails: float

    @property
    def worst(self) -> float:
        """The larger of both."""
        return max(self.passes, self.fails)


def enumerated(family: Family, rows: int, names: Sequence[str] = ()) -> list[Wrong]:
    """Every metric of a family at every truth."""
    found = []
    made = {counts: family.make(counts) for counts in outcomes(rows, len(family.truths[0]))}
    truths = [(truth, family.make([round(one * 2000) for one in truth])) for truth in family.truths]
    metrics = [
        binary(name) if family.task == "binary" else find(name, family.task)  # type: ignore[arg-type] # a task
        for name in names or family.names
    ]
    for metric in metrics:
        asked = _asked(metric, changes=family.changes)
        bounds = {
            counts: (told.value, *told.bounds(CONFIDENCE))
            for counts, slice_ in made.items()
            for told in [asked([slice_])]
            if told.value is not None
        }
        for truth, large in truths:
            value = asked([large]).value
            if value is None:
                continue
            slack = 1e-9
            passes = sum(chance(at, truth) for at, (_, low, _) in bounds.items() if low > value + slack)
            fails = sum(chance(at, truth) for at, (_, _, high) in bounds.items() if high < value - slack)
            found.append(Wrong(name=metric.name, rows=rows, truth=truth, passes=passes, fails=fails))
    return found


def _asked(metric: Metric, *, changes: bool) -> Callable[[Sequence[Slice]], object]:
    if changes and metric.change is not None:
        return metric.change
    return lambda slices: metric.level(slices, CANDIDATE)


def told(found: Sequence[Wrong]) -> str:
    """Markdown: of each metric the worst of all truths and numbers of rows, in %."""
    names = list(dict.fromkeys(one.name for one in found))
    lines = ["| metric | wrong pass at most, % | wrong fail at most, % |", "|:--|--:|--:|"]
    for name in names:
        own = [one for one in found if one.name == name]
        passes, fails = max(one.passes for one in own), max(one.fails for one in own)
        lines.append(f"| {name} | {100 * passes:.1f} | {100 * fails:.1f} |")
    return "\n".join(lines)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=8, help="up to so many rows")
    given = parser.parse_args()
    for family in FAMILIES:
        cells = len(family.truths[0])
        sizes = [rows for rows in range(1, given.rows + 1) if math.comb(rows + cells - 1, rows) <= 4000]
        found = [one for rows in sizes for one in enumerated(family, rows)]
        kind = "differences" if family.changes else "levels"
        print(f"\n**{family.task}, {kind}, 1 to {max(sizes)} rows, {len(family.truths)} truths**\n")
        print(told(found), flush=True)


if __name__ == "__main__":
    main()
