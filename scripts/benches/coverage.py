"""How often the intervals hold what they promise, and how often verdicts are wrong: by simulation, beside the rules of
peers on the same draws.

    scripts/bench coverage [--repeats 1000] [--only auc,losses,corner]

The hard corner (few positives, excellent models, small slices) stands in ``corner.py``; what can be added up without
drawing in ``exhaustive.py``.

Evidence is built straight from numpy's draws, and goes through the very functions that judge. Whatever is drawn is
seeded: the same arguments give the same tables.
"""

from __future__ import annotations

import argparse
import functools
import math
import os
import platform
import time
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Any

import numpy as np

from gates.documents.evidence import BUCKETS, CANDIDATE, Moments, Ranks, RankSums, Slice
from gates.measure.statistics.computed import estimated
from gates.measure.statistics.curves import CURVES
from gates.metrics import find
from gates.metrics.definition import Metric
from gates.stats.multiplicity import holm
from gates.stats.seeds import pooled

ROWS = (200, 1_000, 10_000, 100_000)
POSITIVES = (0.01, 0.1, 0.5)
FEW = 20  # of the rarer class, or of what a share is of: below, a scene is told apart
LOW, HIGH = 0.935, 0.965  # what a 95 % interval is to hold
SIDE = 0.05  # what a one-sided bound at 0.95 may miss
GROUPS = (2, 5, 12)


@dataclass(frozen=True, slots=True)
class Scene:
    """One point of the grid. ``effect``: the candidate is better than the champion."""

    family: str
    rows: int
    positives: float = 0.5
    effect: bool = False
    of: Any = None  # what else tells scenes of a family apart

    @property
    def few(self) -> bool:
        """Whether the rarer class has hardly a row."""
        return self.rows * min(self.positives, 1 - self.positives) < FEW

    def random(self, salt: str = "") -> np.random.Generator:
        """A generator of its own."""
        return np.random.default_rng(zlib.crc32(f"{self}{salt}".encode()))


@dataclass(frozen=True, slots=True)
class Asked:
    """A metric on drawn slices, with the true level of the candidate and the true difference; None: not asked."""

    metric: Metric
    level: float | None
    change: float | None


def part(rows: int, **held: Any) -> Slice:
    """A slice of the whole holdout."""
    empty = {"cells": (), "weights": (), "ranks": None, "moments": (), "computed": ()}
    return Slice(dimension="", key=(), rows=rows, **(empty | held))


# --- calls: proportions and ratios --------------------------------------------------------------------------------

CALLS = [
    *("accuracy", "recall", "specificity", "precision", "false_omission_rate", "selection_rate"),
    *("f1", "balanced_accuracy", "matthews_corrcoef", "cost", "flip_rate", "negative_flip_rate"),
]
Cells = Sequence[tuple[int, int, int]]
BINARY = [(y, c, b) for y in (0, 1) for c in (0, 1) for b in (0, 1)]


def binary(name: str) -> Metric:
    """A binary metric by its name, with the parameters that the grid gives it."""
    return find(name, "binary", PARAMETERS.get(name, ()))


PARAMETERS: dict[str, Any] = {
    "cost": (("costs", ((0.0, 1.0), (5.0, 0.0))),),
    "expected_calibration_error": (("bins", 10),),
    "precision_at": (("share", 0.1),),
    "recall_at": (("share", 0.1),),
    "lift_at": (("share", 0.1),),
}


def joint(positives: float, rates: Sequence[tuple[float, float]], together: float = 0.6) -> np.ndarray:
    """Chances of the eight cells, where each class's two calls are of the given rates (candidate, champion).

    ``together``: how much of their independence is taken away.
    """
    found = []
    for share, (c, b) in zip((1 - positives, positives), rates, strict=True):
        both = c * b + together * (min(c, b) - c * b)
        found += [share * one for one in (1 - c - b + both, b - both, c - both, both)]
    return np.array(found)


def celled(counts: Sequence[int], cells: Cells = BINARY, key: Any = ()) -> Slice:
    """A slice of drawn counts."""
    held = tuple((*cell, int(n)) for cell, n in zip(cells, counts, strict=True) if n)
    return Slice(
        dimension="g" if key else "",
        key=key,
        rows=int(sum(counts)),
        cells=held,
        weights=(),
        ranks=None,
        moments=(),
        computed=(),
    )


def population(chances: np.ndarray, cells: Cells = BINARY, key: Any = ()) -> Slice:
    """A slice so large that its values are the true ones."""
    return celled([round(float(one) * 10**12) for one in chances], cells, key)


def asked(metrics: Sequence[Metric], truth: Sequence[Slice]) -> list[Asked]:
    """The metrics with their values on a population."""
    return [
        Asked(
            metric,
            metric.level(truth, CANDIDATE).value,
            metric.change(truth).value if metric.change else None,
        )
        for metric in metrics
    ]


def calls(scene: Scene, repeats: int) -> tuple[list[Asked], Iterator[Sequence[Slice]]]:
    """Two classifiers' calls."""
    chances = joint(scene.positives, [(0.08, 0.1), (0.75, 0.7)] if scene.effect else [(0.1, 0.1), (0.7, 0.7)])
    drawn = scene.random().multinomial(scene.rows, chances, repeats)
    return asked([binary(name) for name in CALLS], [population(chances)]), ([celled(one)] for one in drawn)


def of_units(
    random: np.random.Generator, rows: int, chances: np.ndarray, cells: Sequence[tuple[int, int, int]]
) -> Slice:
    """Rows of units of ten, half of which repeat the unit's first."""
    many = len(cells)
    own = random.choice(many, rows, p=chances)
    first = np.repeat(own[::10], 10)[:rows]
    cell = np.where(random.random(rows) < 0.5, first, own)
    bucket = np.repeat(random.integers(BUCKETS, size=-(-rows // 10)), 10)[:rows]
    counts = np.bincount(bucket * many + cell, minlength=BUCKETS * many)
    weights = tuple((int(at // many), *cells[at % many], int(counts[at]) << 30) for at in np.flatnonzero(counts))
    return part(rows, cells=celled(np.bincount(cell, minlength=many), cells).cells, weights=weights)


def units(scene: Scene, repeats: int) -> tuple[list[Asked], Iterator[Sequence[Slice]]]:
    """The same of units of ten rows, whose rows agree: half of them repeat the unit's first."""
    chances = joint(scene.positives, [(0.08, 0.1), (0.75, 0.7)])
    random = scene.random()

    def draw() -> Sequence[Slice]:
        return [of_units(random, scene.rows, chances, BINARY)]

    names = ["accuracy", "recall", "precision", "f1", "balanced_accuracy", "matthews_corrcoef"]
    return asked([binary(name) for name in names], [population(chances)]), (draw() for _ in range(repeats))


CLASSES = (
    *("accuracy", "balanced_accuracy", "cohen_kappa"),
    *("precision_macro", "recall_macro", "f1_macro", "f1_weighted"),
)


def of_classes(size: int, rare: float, right: tuple[float, float]) -> tuple[list[tuple[int, int, int]], np.ndarray]:
    """Cells and chances of calls of so many classes, of which the last is as ``rare``, against the others."""
    shares = np.array([1.0] * (size - 1) + [rare])
    shares /= shares.sum()
    cells, chances = [], []
    for y in range(size):
        for c in range(size):
            for b in range(size):
                one, other = (
                    hit if call == y else (1 - hit) / (size - 1) for call, hit in zip((c, b), right, strict=True)
                )
                cells.append((y, c, b))
                chances.append(shares[y] * one * (0.5 * other + 0.5 * (b == c)))
    weights = np.array(chances)
    return cells, weights / weights.sum()


def multiclass(scene: Scene, repeats: int) -> tuple[list[Asked], Iterator[Sequence[Slice]]]:
    """Calls of ``of`` classes, the last of them rare."""
    cells, chances = of_classes(scene.of, 0.25, (0.8, 0.75) if scene.effect else (0.75, 0.75))
    drawn = scene.random().multinomial(scene.rows, chances, repeats)
    metrics = [find(name, "multiclass") for name in CLASSES]
    return asked(metrics, [population(chances, cells)]), ([celled(one, cells)] for one in drawn)


def class_units(scene: Scene, repeats: int) -> tuple[list[Asked], Iterator[Sequence[Slice]]]:
    """Good models' calls of ``of`` classes, the last of them rare, in units of ten rows that agree."""
    cells, chances = of_classes(scene.of, 0.1, (0.93, 0.9) if scene.effect else (0.9, 0.9))
    random = scene.random()

    def draw() -> Sequence[Slice]:
        return [of_units(random, scene.rows, chances, cells)]

    metrics = [find(name, "multiclass") for name in CLASSES]
    return asked(metrics, [population(chances, cells)]), (draw() for _ in range(repeats))


# --- scores -------------------------------------------------------------------------------------------------------


def placed(own: np.ndarray, others: np.ndarray, *, below: bool) -> np.ndarray:
    """Doubled placements: twice the others below (or above), plus ties."""
    held = np.sort(others)
    left, right = np.searchsorted(held, own, "left"), np.searchsorted(held, own, "right")
    return left + right if below else 2 * len(held) - left - right


def ranks(y: np.ndarray, s: np.ndarray, t: np.ndarray, buckets: np.ndarray | None = None) -> Ranks:
    """Sums of placements of two models' scores."""
    p, q = np.empty(len(y), dtype=np.int64), np.empty(len(y), dtype=np.int64)
    for label in (0, 1):
        own, others = y == label, y != label
        p[own] = placed(s[own], s[others], below=label == 1)
        q[own] = placed(t[own], t[others], below=label == 1)

    def of(label: int) -> RankSums:
        a, b = p[y == label], q[y == label]
        return RankSums(rows=len(a), a=int(a.sum()), b=int(b.sum()), aa=int(a @ a), bb=int(b @ b), ab=int(a @ b))

    held: tuple[tuple[int, ...], ...] = ()
    if buckets is not None:
        columns = [y, 1 - y, p * y, p * (1 - y), q * y, q * (1 - y)]
        sums = [np.bincount(buckets, weights=column, minlength=BUCKETS) for column in columns]
        held = tuple((at, *(int(one[at]) for one in sums)) for at in np.unique(buckets))
    return Ranks(positives=of(1), negatives=of(0), buckets=held)


def auc(scene: Scene, repeats: int) -> tuple[list[Asked], Iterator[Sequence[Slice]]]:
    """Normal scores, of two models that share most of their noise; ``of``: units of ten rows that share more."""
    random = scene.random()
    shift, other = 1.6, 1.5 if scene.effect else 1.6

    def draw() -> Sequence[Slice]:
        n = scene.rows
        together = np.repeat(random.random(-(-n // 10)), 10)[:n] if scene.of else random.random(n)
        y = (together < scene.positives).astype(np.int64)
        common = random.normal(size=n)
        if scene.of:
            common = math.sqrt(0.5) * common + math.sqrt(0.5) * np.repeat(random.normal(size=-(-n // 10)), 10)[:n]
        s = shift * y + 0.9 * common + math.sqrt(0.19) * random.normal(size=n)
        t = other * y + 0.9 * common + math.sqrt(0.19) * random.normal(size=n)
        buckets = np.repeat(random.integers(BUCKETS, size=-(-n // 10)), 10)[:n] if scene.of else None
        return [part(n, ranks=ranks(y, s, t, buckets))]

    level, champion = (NormalDist().cdf(one / math.sqrt(2)) for one in (shift, other))
    return [Asked(binary("roc_auc"), level, level - champion)], (draw() for _ in range(repeats))


@functools.cache
def intercept(positives: float) -> float:
    """Of the logit 1.5 x + intercept whose mean chance is ``positives``."""
    x = np.random.default_rng(0).normal(size=200_000)
    low, high = -12.0, 3.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (low, middle) if (1 / (1 + np.exp(-1.5 * x - middle))).mean() > positives else (middle, high)
    return low


def scored(scene: Scene, random: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels and two models' probabilities: the candidate's nearly right ones, the champion's noisier where it is
    worse."""
    x = random.normal(size=n)
    logit = 1.5 * x + intercept(scene.positives)
    y = (random.random(n) < 1 / (1 + np.exp(-logit))).astype(np.int64)
    s, t = (1 / (1 + np.exp(-logit - width * random.normal(size=n))) for width in noises(scene))
    return y, s, t


def noises(scene: Scene) -> tuple[float, float]:
    """By how much the candidate's and the champion's logits are off."""
    return 0.3, 0.6 if scene.effect else 0.3


def calling(y: np.ndarray, s: np.ndarray, t: np.ndarray) -> tuple[tuple[int, ...], ...]:
    """Rows by label and both models' calls."""
    return celled(np.bincount(4 * y + 2 * (s >= 0.5) + (t >= 0.5), minlength=8)).cells


def summed(id_: str, models: Sequence[np.ndarray], rows: Sequence[np.ndarray] = ()) -> Moments:
    """Sums and products of quantities, as the engine sums them."""
    held = [*models, *rows]

    def whole(value: float) -> int:
        return int(math.ldexp(value, 60)) << (Moments.UNIT - 60)

    products = tuple(whole(float(held[i] @ held[j])) for i in range(len(held)) for j in range(i, len(held)))
    return Moments(
        id=id_, rows=len(held[0]), sums=tuple(whole(float(one.sum())) for one in held), products=products, buckets=()
    )


def losses(scene: Scene, repeats: int) -> tuple[list[Asked], Iterator[Sequence[Slice]]]:
    """Log loss, Brier score and calibration in the large."""
    random = scene.random()

    def quantities(y: np.ndarray, s: np.ndarray) -> dict[str, np.ndarray]:
        return {
            "log_loss": -np.log(np.where(y == 1, s, 1 - s)),
            "brier_score": (s - y) ** 2,
            "calibration_gap": s - y,
        }

    def draw(n: int, random: np.random.Generator) -> Sequence[Slice]:
        y, s, t = scored(scene, random, n)
        ours, theirs = quantities(y, s), quantities(y, t)
        return [
            part(n, cells=calling(y, s, t), moments=tuple(summed(name, [ours[name], theirs[name]]) for name in ours))
        ]

    candidate, champion = (expected_losses(scene.positives, width) for width in noises(scene))
    truth = [Asked(binary(name), value, value - champion[name]) for name, value in candidate.items()]
    return truth, (draw(scene.rows, random) for _ in range(repeats))


@functools.cache
def expected_losses(positives: float, width: float) -> dict[str, float]:
    """True values of a model whose logits are off by so much, summed over a fine grid of both normal numbers."""
    x, off = np.linspace(-8, 8, 801)[:, None], np.linspace(-8, 8, 801)[None, :]
    weights = np.exp(-(x * x + off * off) / 2)
    weights /= weights.sum()
    logit = 1.5 * x + intercept(positives)
    p, s = 1 / (1 + np.exp(-logit)), 1 / (1 + np.exp(-logit - width * off))
    found = {
        "log_loss": -p * np.log(s) - (1 - p) * np.log1p(-s),
        "brier_score": p * (1 - s) ** 2 + (1 - p) * s**2,
        "calibration_gap": s - p,
    }
    return {name: float((value * weights).sum()) for name, value in found.items()}


def averaged(
    metrics: Sequence[Metric],
    draw: Callable[[int, np.random.Generator], Sequence[Slice]],
    scene: Scene,
    rows: int = 1_000_000,
) -> list[Asked]:
    """True values as the mean over some large draws, the same for every number of rows."""
    alike = replace(scene, rows=0)
    if alike not in TRUTHS:
        random = alike.random("truth")
        found = [asked(metrics, draw(rows, random)) for _ in range(4)]
        TRUTHS[alike] = [
            (float(np.mean([one[at].level for one in found])), float(np.mean([one[at].change for one in found])))
            for at in range(len(metrics))
        ]
    return [Asked(metric, *truth) for metric, truth in zip(metrics, TRUTHS[alike], strict=True)]


TRUTHS: dict[Scene, list[tuple[float, float]]] = {}

CURVED = [
    *("average_precision", "ks_statistic", "precision_at", "recall_at", "lift_at"),
    *("expected_calibration_error", "calibration_slope"),
]


def curves(scene: Scene, repeats: int) -> tuple[list[Asked], Iterator[Sequence[Slice]]]:
    """What needs the whole curve of scores."""
    random = scene.random()
    metrics = [binary(name) for name in CURVED]

    def draw(n: int, random: np.random.Generator, buckets: int = BUCKETS) -> Sequence[Slice]:
        y, s, t = scored(scene, random, n)
        bucket = random.integers(buckets, size=n)
        tables = [[np.column_stack([bucket, y, score, np.ones(n)])] for score in (s, t)]
        return [
            part(
                n,
                cells=calling(y, s, t),
                computed=tuple(
                    estimated(metric.statistic.id, name, tables, CURVES[name], dict(metric.statistic.parameters))
                    for name, metric in zip(CURVED, metrics, strict=True)
                ),
            )
        ]

    truth = averaged(metrics, lambda n, random: draw(n, random, buckets=2), scene, 400_000)
    return truth, (draw(scene.rows, random) for _ in range(repeats))


# --- values -------------------------------------------------------------------------------------------------------


ERRORS = {  # their mean size and mean square
    "normal": (math.sqrt(2 / math.pi), 1.0),
    "skewed": (4 * math.exp(0.5) * NormalDist().cdf(0.5) - 2 * math.exp(0.5), math.exp(2) - math.exp(1)),
}


def regression(scene: Scene, repeats: int) -> tuple[list[Asked], Iterator[Sequence[Slice]]]:
    """Errors that are normal, or ``of`` "skewed": log-normal ones."""
    random = scene.random()
    sizes = (1.0, 1.1) if scene.effect else (1.0, 1.0)

    def draw(n: int, random: np.random.Generator) -> Sequence[Slice]:
        y, common = 10 + 3 * random.normal(size=n), random.normal(size=n)
        errors = []
        for size in sizes:
            own = 0.8 * common + 0.6 * random.normal(size=n)
            errors.append(size * (np.exp(own) - math.exp(0.5) if scene.of == "skewed" else own))
        squares = [error * error for error in errors]
        return [
            part(
                n,
                moments=(
                    summed("absolute_error", [abs(error) for error in errors]),
                    summed("squared_error", squares),
                    summed("error", errors),
                    summed("explained", squares, [y, y * y]),
                ),
            )
        ]

    size, square = ERRORS[scene.of]
    candidate, champion = (
        {"mae": own * size, "rmse": own * math.sqrt(square), "bias": 0.0, "r2": 1 - own**2 * square / 9}
        for own in sizes
    )
    truth = [Asked(find(name, "regression"), value, value - champion[name]) for name, value in candidate.items()]
    return truth, (draw(scene.rows, random) for _ in range(repeats))


# --- groups and seeds ---------------------------------------------------------------------------------------------

GAPS = ("demographic_parity_difference", "demographic_parity_ratio", "equalized_odds_difference", "recall_group_min")


def fairness(scene: Scene, repeats: int) -> tuple[list[Asked], Iterator[Sequence[Slice]]]:
    """``of`` groups of the same size, alike; with an effect, one is called less often, by the champion much less."""
    chances = []
    for place in range(scene.of):
        apart = scene.effect and place == 0
        chances.append(joint(scene.positives, [(0.1, 0.1), (0.6, 0.55)] if apart else [(0.12, 0.12), (0.75, 0.75)]))
    keys = [(("g", str(place)),) for place in range(scene.of)]
    random = scene.random()

    def draw() -> Sequence[Slice]:
        size = scene.rows // scene.of
        return [celled(random.multinomial(size, one), key=key) for one, key in zip(chances, keys, strict=True)]

    truth = [population(one, key=key) for one, key in zip(chances, keys, strict=True)]
    return asked([binary(name) for name in GAPS], truth), (draw() for _ in range(repeats))


def seeds(scene: Scene, repeats: int) -> tuple[list[Asked], Iterator[Sequence[Sequence[Slice]]]]:
    """Accuracy of ``of`` trainings whose own accuracy differs by half a point (standard deviation)."""
    random = scene.random()

    def draw() -> Sequence[Sequence[Slice]]:
        y = random.random(scene.rows) < scene.positives
        common, runs = random.random(scene.rows), []
        b = (common < 0.8) == y
        for _ in range(scene.of):
            own = np.where(random.random(scene.rows) < 0.8, common, random.random(scene.rows))
            c = (own < 0.8 + 0.005 * random.normal()) == y
            runs.append([celled(np.bincount(4 * y + 2 * c + b, minlength=8))])
        return runs

    return [Asked(binary("accuracy"), 0.8, 0.0)], (draw() for _ in range(repeats))


FAMILIES: dict[str, Callable[[Scene, int], tuple[list[Asked], Iterator[Any]]]] = {
    "calls": calls,
    "units": units,
    "multiclass": multiclass,
    "classes of units": class_units,
    "auc": auc,
    "losses": losses,
    "curves": curves,
    "regression": regression,
    "fairness": fairness,
    "seeds": seeds,
}
HALF = ("auc", "units", "classes of units", "fairness", "seeds")
DEAR = {"curves": 0.25} | dict.fromkeys(HALF, 0.5)  # share of the repeats
WIDEST = dict.fromkeys(("curves", "units", "classes of units", "seeds"), 10_000)  # rows: of more they take too long


def grid() -> Iterator[Scene]:
    """Every scene."""
    for rows in ROWS:
        for positives in POSITIVES:
            for effect in (False, True):
                for family in ("calls", "auc", "losses", "curves"):
                    yield Scene(family, rows, positives, effect)
            for family in ("units", "auc"):
                if rows > min(ROWS):  # of 20 units nobody would say how far off they are
                    yield Scene(family, rows, positives, True, None if family == "units" else "units")
        for effect in (False, True):
            for size in (3, 8):
                yield Scene("multiclass", rows, 0.5, effect, size)
                if rows > min(ROWS):
                    yield Scene("classes of units", rows, 0.5, effect, size)
            for kind in ("normal", "skewed"):
                yield Scene("regression", rows, 0.5, effect, kind)
            for size in GROUPS:
                if rows >= 100 * size:
                    yield Scene("fairness", rows, 0.5, effect, size)
        yield Scene("seeds", rows, 0.5, False, 3)


@dataclass(frozen=True, slots=True)
class Cover:
    """What was found of one metric in one scene. ``held``: shares of intervals; ``below``: of lower bounds at 0.95 that
    lay above the truth, ``above``: of upper ones that lay below it."""

    scene: Scene
    name: str
    held: float
    below: float
    above: float
    defined: int


def cover(scene: Scene, repeats: int) -> list[Cover]:
    """Coverage of every metric of a scene, level and difference; undefined draws are left out."""
    repeats = max(20, round(repeats * DEAR.get(scene.family, 1)))
    asks, drawn = FAMILIES[scene.family](scene, repeats)
    found: dict[str, list[tuple[bool, bool, bool]]] = defaultdict(list)
    for slices in drawn:
        runs = slices if scene.family == "seeds" else [slices]
        for one in asks:
            for told, truth, make in (
                ("", one.level, lambda run, one=one: one.metric.level(run, CANDIDATE)),
                (" difference", one.change, lambda run, one=one: one.metric.change(run)),
            ):
                if truth is None:
                    continue
                quantity = pooled([make(run) for run in runs])
                if quantity.value is not None:
                    (low, high), (least, most) = quantity.bounds(0.975), quantity.bounds(0.95)
                    slack = 1e-12
                    held = low - slack <= truth <= high + slack
                    found[one.metric.name + told].append((held, least > truth + slack, most < truth - slack))
    return [
        Cover(scene, name, *(float(share) for share in np.mean(rows, axis=0)), len(rows))
        for name, rows in found.items()
        if len(rows) >= repeats / 2
    ]


# --- verdicts -----------------------------------------------------------------------------------------------------

GATE = 0.005


def worse(rows: int, repeats: int) -> list[tuple[str, float, float]]:
    """(metric, ours, the point rule): how often a candidate that is 0.5 points worse passes a 0.5-point gate."""
    found = []
    random = np.random.default_rng(rows)
    for name in ("accuracy", "recall", "precision", "f1", "balanced_accuracy", "roc_auc"):
        metric = binary(name)
        if name == "roc_auc":
            slices, loss = _worse_auc(rows, repeats // 4 if rows < max(ROWS) else 100, random)
        else:
            chances = _half_a_point(metric)
            slices, loss = ([celled(one)] for one in random.multinomial(rows, chances, repeats)), GATE
        passed = []
        for one in slices:
            quantity = metric.change(one)
            if quantity.value is not None:
                passed.append((quantity.bounds(0.95)[0] >= -loss, quantity.value >= -loss))
        ours, point = np.mean(passed, axis=0)
        found.append((name, float(ours), float(point)))
    return found


def _half_a_point(metric: Metric) -> np.ndarray:
    """Chances of cells in which the candidate is 0.5 points worse in the metric: its recall and specificity are."""
    low, high = 0.0, 0.2
    for _ in range(40):
        loss = (low + high) / 2
        chances = joint(0.3, [(0.1 + loss, 0.1), (0.8 - loss, 0.8)], together=0.9)
        changed = metric.change([population(chances)]).value or 0.0
        low, high = (loss, high) if changed > -GATE else (low, loss)
    return chances


def _worse_auc(rows: int, repeats: int, random: np.random.Generator) -> tuple[Iterator[Sequence[Slice]], float]:
    shift = 1.6
    target = NormalDist().cdf(shift / math.sqrt(2)) - GATE
    less = NormalDist().inv_cdf(target) * math.sqrt(2)

    def draw() -> Sequence[Slice]:
        y = (random.random(rows) < 0.3).astype(np.int64)
        common = random.normal(size=rows)
        s, t = (one * y + 0.95 * common + math.sqrt(1 - 0.95**2) * random.normal(size=rows) for one in (less, shift))
        return [part(rows, ranks=ranks(y, s, t))]

    return (draw() for _ in range(repeats)), GATE


def families(size: int, repeats: int) -> tuple[float, float]:
    """(ours, the point rule): how often any of 100 slices that all lie at the limit is blamed."""
    metric, random = binary("accuracy"), np.random.default_rng(size)
    chances = joint(0.3, [(0.1, 0.1), (0.7, 0.7)])
    ours = point = 0
    for _ in range(repeats):
        changes = [metric.change([celled(one)]) for one in random.multinomial(size, chances, 100)]
        tests = [lambda confidence, one=one: one.bounds(confidence)[1] < 0 for one in changes]
        ours += any(fell for fell, _ in holm(tests, 0.95))
        point += any((one.value or 0.0) < 0 for one in changes)
    return ours / repeats, point / repeats


def reused(rule: str, repeats: int, rows: int = 2_000, candidates: int = 100) -> list[tuple[float, float]]:
    """(promotions, points by which the holdout flatters the last champion) for the point rule, an uncharged bound and
    a charged one: candidates of the same true accuracy, each of which decides 6 % of the rows anew."""
    metric, truth = binary("accuracy"), 0.8
    limit = -GATE if rule == "max_worsening" else 0.0
    found = []
    for confidence in (None, 0.95, 1 - 0.05 / candidates):
        random = np.random.default_rng(7)
        promoted, flattered = [], []
        for _ in range(repeats):
            first = champion = random.random(rows) < truth
            count = 0
            for _ in range(candidates):
                candidate = np.where(random.random(rows) < 0.06, random.random(rows) < truth, champion)
                counts = np.bincount(4 + 2 * candidate + champion, minlength=8)
                quantity = metric.change([celled(counts)])
                low = quantity.value if confidence is None else quantity.bounds(confidence)[0]
                if low > limit or (low == limit and confidence is not None):
                    champion, count = candidate, count + 1
            promoted.append(count)
            flattered.append(100 * (champion.mean() - first.mean()))  # nobody chose the first one
        found.append((float(np.mean(promoted)), float(np.mean(flattered))))
    return found


# --- tables -------------------------------------------------------------------------------------------------------


def told(covers: Sequence[Cover], *, two_sided: bool) -> str:
    """A cell of the table: the range over scenes, bold where it leaves what is promised."""
    if not covers:
        return "–"
    noise = 2.5 * math.sqrt(0.05 * 0.95 / min(one.defined for one in covers))  # the range is of several scenes
    if two_sided:
        low, high = min(one.held for one in covers), max(one.held for one in covers)
        text = f"{100 * low:.1f}–{100 * high:.1f}" if high > low else f"{100 * low:.1f}"
        return f"**{text}**" if low < LOW - noise or high > HIGH + noise else text
    worst = max(max(one.below, one.above) for one in covers)
    return f"**{100 * worst:.1f}**" if worst > SIDE + noise else f"{100 * worst:.1f}"


def tables(covers: Sequence[Cover]) -> str:
    """Markdown: of each metric the range of coverage by number of rows, and the worst one-sided error."""
    lines = []
    by: dict[tuple[str, str], list[Cover]] = defaultdict(list)
    for one in covers:
        by[family_of(one.scene), one.name].append(one)
    head = [f"{rows:,}" for rows in ROWS] + [f"fewer than {FEW} of a class"]
    for family in dict.fromkeys(family for family, _ in by):
        lines += [f"\n**{family}**\n", f"| metric | {' | '.join(head)} | worst one-sided error, % |"]
        lines += ["|:--|" + "--:|" * (len(head) + 1)]
        for (of, name), held in by.items():
            if of == family:
                enough = [one for one in held if not one.scene.few]
                cells = [told([one for one in enough if one.scene.rows == rows], two_sided=True) for rows in ROWS]
                cells.append(told([one for one in held if one.scene.few], two_sided=True))
                lines.append(f"| {name} | {' | '.join(cells)} | {told(enough, two_sided=False)} |")
    return "\n".join(lines)


def family_of(scene: Scene) -> str:
    """The heading under which a scene is told."""
    kinds = {"regression": f"regression, {scene.of} errors", "fairness": "gaps between groups"}
    units_ = "auc of units" if scene.family == "auc" and scene.of else scene.family
    apart = ", one group apart" if scene.effect else ", all groups alike"
    return kinds.get(scene.family, units_) + (apart if scene.family == "fairness" else "")


def verdicts(repeats: int) -> str:
    """Markdown: how often verdicts are wrong, beside the rules of peers."""
    lines = ["\n**A candidate 0.5 points worse passes a gate that allows 0.5, % (ours / point comparison)**\n"]
    found = {rows: worse(rows, repeats) for rows in ROWS}
    lines += ["| rows | " + " | ".join(name for name, _, _ in found[ROWS[0]]) + " |", "|--:|" + "--:|" * 6]
    for rows, shares in found.items():
        cells = " | ".join(f"{100 * ours:.1f} / {100 * point:.1f}" for _, ours, point in shares)
        lines.append(f"| {rows:,} | {cells} |")
    lines += ["\n**Any of 100 slices that lie at the limit is blamed, % (ours / point comparison)**\n"]
    lines += ["| rows a slice | ours | point |", "|--:|--:|--:|"]
    for size in (50, 200, 1_000):
        ours, point = families(size, max(100, repeats // 2))
        lines.append(f"| {size:,} | {100 * ours:.1f} | {100 * point:.1f} |")
    lines += ["\n**100 equal candidates on one holdout of 2,000 rows: promotions, and points by which it flatters**\n"]
    lines += ["| rule | point comparison | bound at 0.95 | `data.reuse: 100` |", "|:--|--:|--:|--:|"]
    for rule in ("min_improvement", "max_worsening"):
        cells = " | ".join(f"{count:.1f}, {flat:+.2f}" for count, flat in reused(rule, max(10, repeats // 20)))
        lines.append(f"| {rule}: {'0' if rule == 'min_improvement' else GATE} | {cells} |")
    return "\n".join(lines)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=1_000)
    parser.add_argument("--only", default="", help="families, verdicts, or corner")
    given = parser.parse_args()
    only = [one for one in given.only.split(",") if one]
    scenes = [
        one for one in grid() if (not only or one.family in only) and one.rows <= WIDEST.get(one.family, max(ROWS))
    ]
    start = time.perf_counter()
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        later = pool.submit(verdicts, given.repeats) if not only or "verdicts" in only else None
        largest = sorted(scenes, key=lambda one: -one.rows)
        results = dict(zip(largest, pool.map(functools.partial(cover, repeats=given.repeats), largest), strict=True))
        print(f"Python {platform.python_version()}, numpy {np.__version__}, {given.repeats:,} repeats")
        print(tables([one for scene in scenes for one in results[scene]]))
        if later:
            print(later.result())
    if not only or "corner" in only:
        import corner

        print(corner.tables(max(100, given.repeats // 4)))
    print(f"\n{len(scenes)} scenes in {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
