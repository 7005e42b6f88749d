"""The hard corner of ``scripts/bench coverage``: few positives, excellent models, few rows, skewed units, small slices.

Each scene's limit lies exactly at the truth; told are wrong passes (a lower bound above it) and wrong fails (an upper
one below it), in %, beside the median width of the interval.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from statistics import NormalDist
from typing import Any

import numpy as np
from exhaustive import binary, celled, part

from gates.documents.evidence import BUCKETS, CANDIDATE, Ranks, RankSums, Slice
from gates.measure.statistics.computed import estimated
from gates.measure.statistics.curves import CURVES
from gates.metrics import find
from gates.stats.proportions import share

CONFIDENCE = 0.95
POSITIVES = (2, 3, 5, 8, 15, 30)
AUCS = (0.75, 0.85, 0.95, 0.97, 0.99, 0.995)
LOSSES = ((0.73, 0.75), (0.95, 0.97), (0.94, 0.99), (0.975, 0.995))
TOGETHER = (0.0, 0.6, 0.95)


@dataclass(frozen=True, slots=True)
class Told:
    """What was found in one scene."""

    scene: str
    passes: float
    fails: float
    width: float
    repeats: int

    @property
    def worst(self) -> float:
        """The larger of both errors."""
        return max(self.passes, self.fails)


def judged(scene: str, quantities: Iterator[Any], truth: float, repeats: int) -> Told:
    """How often bounds miss the truth. What is undefined, or has no finite bound, decides nothing."""
    low, high = [], []
    for one in quantities:
        ends = (-math.inf, math.inf) if one.value is None else one.bounds(CONFIDENCE)
        low.append(ends[0])
        high.append(ends[1])
    slack = 1e-9
    passes, fails = np.mean(np.array(low) > truth + slack), np.mean(np.array(high) < truth - slack)
    return Told(scene, float(passes), float(fails), float(np.median(np.array(high) - np.array(low))), repeats)


# --- scores --------------------------------------------------------------------------------------------------------


def _shift(auc: float) -> float:
    return NormalDist().inv_cdf(auc) * math.sqrt(2)


def scores(
    random: np.random.Generator, positives: int, negatives: int, aucs: Sequence[float], together: float
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Labels and normal scores of models that share so much of their noise."""
    y = np.repeat([1, 0], [positives, negatives])
    common = random.normal(size=len(y)) * math.sqrt(together)
    return y, [_shift(auc) * y + common + random.normal(size=len(y)) * math.sqrt(1 - together) for auc in aucs]


def ranks(y: np.ndarray, s: np.ndarray, t: np.ndarray) -> Ranks:
    """Sums of two models' placements; there are no ties."""

    def of(label: int) -> RankSums:
        p, q = (
            2 * np.searchsorted(np.sort(one[y != label]), one[y == label])
            if label
            else 2 * (y == 1).sum() - 2 * np.searchsorted(np.sort(one[y == 1]), one[y == 0])
            for one in (s, t)
        )
        return RankSums(
            rows=len(p), a=int(p.sum()), b=int(q.sum()), aa=int(p @ p), bb=int(q @ q), ab=int(p @ q)
        )  # fmt: skip

    return Ranks(positives=of(1), negatives=of(0), buckets=())


def aucs(repeats: int) -> Iterator[Told]:
    """ROC-AUC of few positives: levels, then differences at the margin."""
    metric = binary("roc_auc")
    for positives, auc in product(POSITIVES, AUCS):
        random = np.random.default_rng(round(1000 * auc) + positives)

        def level(random: Any = random, positives: int = positives, auc: float = auc) -> Any:
            y, (s,) = scores(random, positives, 19 * positives, [auc], 0.0)
            return metric.level([part(len(y), ranks=ranks(y, s, s))], CANDIDATE)

        yield judged(f"level, {positives} positives, {auc}", (level() for _ in range(repeats)), auc, repeats)
    for positives, (ours, theirs), together in product(POSITIVES, LOSSES, TOGETHER):
        random = np.random.default_rng(round(1000 * ours) + positives)

        def change(
            random: Any = random, positives: int = positives, pair: Any = (ours, theirs), r: float = together
        ) -> Any:
            y, (s, t) = scores(random, positives, 19 * positives, pair, r)
            return metric.change([part(len(y), ranks=ranks(y, s, t))])

        scene = f"difference, {positives} positives, {theirs} to {ours}, {together} shared"
        yield judged(scene, (change() for _ in range(repeats)), ours - theirs, repeats)


# --- curves and losses ---------------------------------------------------------------------------------------------

CURVED = ("average_precision", "ks_statistic", "expected_calibration_error", "recall_at", "precision_at")


def _probabilities(random: np.random.Generator, n: int, auc: float, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """Calibrated scores of normal classes, the labels drawn with their rate."""
    y = (random.random(n) < rate).astype(int)
    d = _shift(auc)
    x = d * y + random.normal(size=n)
    return y, 1 / (1 + np.exp(-(d * x - d * d / 2 + math.log(rate / (1 - rate)))))


def _lost(y: np.ndarray, scores_: Sequence[np.ndarray]) -> Slice:
    """Sums of one or two models' losses."""
    from coverage import summed as sums

    calls = [(one >= 0.5).astype(int) for one in scores_]
    cells: dict[tuple[int, ...], int] = {}
    for cell in zip(y.tolist(), *(one.tolist() for one in (*calls, np.full(len(y), -1))[:2]), strict=True):
        cells[cell] = cells.get(cell, 0) + 1
    held = {name: [of(y, one) for one in scores_] for name, of in LOSSES_OF.items()}
    return part(
        len(y),
        cells=tuple((*cell, n) for cell, n in sorted(cells.items())),
        moments=tuple(sums(name, losses_) for name, losses_ in held.items()),
    )


LOSSES_OF: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "log_loss": lambda y, s: -np.log(np.where(y == 1, s, 1 - s)),
    "brier_score": lambda y, s: (s - y) ** 2,
    "calibration_gap": lambda y, s: s - y,
}


def _pair(
    random: np.random.Generator, n: int, aucs: Sequence[float], together: float, rate: float
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Calibrated scores of models that share so much of their noise, the labels drawn with their rate."""
    y = (random.random(n) < rate).astype(int)
    common, found = random.normal(size=n) * math.sqrt(together), []
    for d in map(_shift, aucs):
        x = d * y + common + random.normal(size=n) * math.sqrt(1 - together)
        found.append(1 / (1 + np.exp(-(d * x - d * d / 2 + math.log(rate / (1 - rate))))))
    return y, found


LEVELS = tuple(product(POSITIVES, (0.75, 0.85, 0.97, 0.99, 0.995)))
CHANGES = tuple(product(POSITIVES[3:], LOSSES, TOGETHER))


def losses(repeats: int, levels: Sequence[Any] = LEVELS, changes: Sequence[Any] = CHANGES) -> Iterator[Told]:
    """Losses of as few positives on average: levels, then differences."""
    metrics, rate = [binary(name) for name in LOSSES_OF], 0.05
    for expected, auc in levels:
        random = np.random.default_rng(expected)
        large = _lost(*_pair(random, 1_000_000, (auc,), 0.0, rate))
        drawn = [_lost(*_pair(random, 20 * expected, (auc,), 0.0, rate)) for _ in range(repeats)]
        for metric in metrics:
            truth = metric.level([large], CANDIDATE).value
            told = (metric.level([one], CANDIDATE) for one in drawn)
            yield judged(f"{metric.name}, about {expected} positives, AUC {auc}", told, truth, repeats)
    for expected, pair, together in changes:
        random = np.random.default_rng(expected)
        large = _lost(*_pair(random, 1_000_000, pair, together, rate))
        drawn = [_lost(*_pair(random, 20 * expected, pair, together, rate)) for _ in range(repeats)]
        for metric in metrics:
            truth, told = metric.change([large]).value, (metric.change([one]) for one in drawn)
            scene = f"{metric.name}, difference, about {expected} positives, {pair[1]} to {pair[0]}, {together} shared"
            yield judged(scene, told, truth, repeats)


def scored(y: np.ndarray, s: np.ndarray, buckets: np.ndarray, names: Sequence[str] = CURVED) -> Slice:
    """All that the metrics of a curve are made of."""
    calls = (s >= 0.5).astype(int)
    counts = np.bincount(2 * y + calls, minlength=4)
    cells = celled([(a, b, -1) for a in (0, 1) for b in (0, 1)])([int(one) for one in counts]).cells
    table = np.column_stack([buckets, y, s, np.ones(len(y))])
    metrics = [(name, binary(name)) for name in names]
    computed = tuple(
        estimated(one.statistic.id, name, [[table]], CURVES[name], dict(one.statistic.parameters))
        for name, one in metrics
    )
    return part(len(y), cells=cells, computed=computed)


CURVES_OF = tuple(product(POSITIVES, (0.75, 0.85, 0.97)))


def curves(repeats: int, scenes: Sequence[Any] = CURVES_OF, names: Sequence[str] = CURVED) -> Iterator[Told]:
    """What needs the whole curve, of as few positives on average."""
    for expected, auc in scenes:
        n, rate = 20 * expected, 0.05
        random = np.random.default_rng(expected)
        large = scored(*_probabilities(random, 400_000, auc, rate), np.arange(400_000) % 2, names)
        drawn = [
            scored(*_probabilities(random, n, auc, rate), random.integers(BUCKETS, size=n), names)
            for _ in range(repeats)
        ]
        for name in names:
            metric = binary(name)
            truth = metric.level([large], CANDIDATE).value
            told = (metric.level([one], CANDIDATE) for one in drawn)
            yield judged(f"{name}, about {expected} positives, AUC {auc}", told, truth, repeats)


def regressions(repeats: int, rows: Sequence[int] = (5, 10, 20, 50, 200)) -> Iterator[Told]:
    """R2 and errors of few rows."""
    metrics = [find(name, "regression") for name in ("r2", "mae", "rmse")]
    for n, noise in product(rows, (0.3, 1.0)):
        random = np.random.default_rng(n)
        y, e = random.normal(size=(repeats, n)), noise * random.normal(size=(repeats, n))
        drawn = [_valued(labels, errors) for labels, errors in zip(y, e, strict=True)]
        truths = (1 - noise**2, noise * math.sqrt(2 / math.pi), noise)
        for metric, truth in zip(metrics, truths, strict=True):
            told = (metric.level([one], CANDIDATE) for one in drawn)
            yield judged(f"{metric.name}, {n} rows, noise {noise}", told, truth, repeats)


TAILS: Mapping[str, Callable[[np.random.Generator, int], np.ndarray]] = {  # errors of which few are large
    "exponential": lambda random, n: random.laplace(size=n),
    "log-normal": lambda random, n: np.exp(random.normal(size=n)) - math.exp(0.5),
}


def tails(repeats: int, rows: Sequence[int] = (50, 100, 200, 300, 500, 1000, 5000)) -> Iterator[Told]:
    """Errors of which few rows are large."""
    from coverage import ERRORS

    truths_of = {"exponential": (1.0, 2.0), "log-normal": ERRORS["skewed"]}  # mean size and mean square
    metrics = [find(name, "regression") for name in ("r2", "mae", "rmse")]
    for n, (kind, drawing) in product(rows, TAILS.items()):
        random, (size, square) = np.random.default_rng(n), truths_of[kind]
        noise = 3 * math.sqrt(square)  # of the labels: R2 is 8/9
        drawn = [
            _valued(noise * random.normal(size=n), errors) for errors in (drawing(random, n) for _ in range(repeats))
        ]
        for metric, truth in zip(metrics, (8 / 9, size, math.sqrt(square)), strict=True):
            told = (metric.level([one], CANDIDATE) for one in drawn)
            yield judged(f"{metric.name}, {n} rows, {kind} errors", told, truth, repeats)


def _valued(y: np.ndarray, e: np.ndarray) -> Slice:
    from coverage import summed as sums

    return part(
        len(y),
        moments=(
            sums("absolute_error", [abs(e)]),
            sums("squared_error", [e * e]),
            sums("explained", [e * e, y, y * y]),
        ),
    )


# --- units, gaps ---------------------------------------------------------------------------------------------------


def units(repeats: int) -> Iterator[Told]:
    """Accuracy and recall of units of log-normal sizes, each with a rate of its own."""
    for many in (60, 400):
        random = np.random.default_rng(many)
        drawn = [_of_units(random, many) for _ in range(repeats)]
        large = _of_units(np.random.default_rng(0), 200_000)
        for name in ("accuracy", "recall"):
            metric = binary(name)
            truth = metric.level([large], CANDIDATE).value
            told = (metric.level([one], CANDIDATE) for one in drawn)
            yield judged(f"{name} of {many} units", told, truth, repeats)


def _of_units(random: np.random.Generator, many: int) -> Slice:
    sizes = np.maximum(1, np.exp(random.normal(1, 1, size=many)).astype(int))
    unit = np.repeat(np.arange(many), sizes)
    y = (random.random(len(unit)) < 0.3).astype(int)
    right = random.random(len(unit)) < np.repeat(random.beta(8, 2, size=many), sizes)
    cell = 2 * y + np.where(right, y, 1 - y)
    bucket = random.integers(BUCKETS, size=many)[unit]
    counts = np.bincount(bucket * 4 + cell, minlength=BUCKETS * 4)
    weights = tuple(
        (int(at // 4), int(at % 4 // 2), int(at % 2), -1, int(counts[at]) << 30) for at in np.flatnonzero(counts)
    )
    held = celled([(a, b, -1) for a in (0, 1) for b in (0, 1)])([int(one) for one in np.bincount(cell, minlength=4)])
    return part(len(unit), cells=held.cells, weights=weights)


def gaps(repeats: int) -> Iterator[Told]:
    """Gaps between groups at low rates: alike, so that the limit is 0 or 1, and apart."""
    for n, (one, other), split in product(
        (300, 2000), ((0.01, 0.01), (0.05, 0.05), (0.02, 0.06), (0.05, 0.1)), (0.5, 0.1)
    ):
        random = np.random.default_rng(n)
        sizes = round(n * split), n - round(n * split)
        drawn = [
            [
                _group(place, size, int(random.binomial(size, rate)))
                for place, (size, rate) in enumerate(zip(sizes, (one, other), strict=True))
            ]
            for _ in range(repeats)
        ]
        for name, truth in (
            ("demographic_parity_difference", abs(one - other)),
            ("demographic_parity_ratio", min(one, other) / max(one, other)),
        ):
            metric = find(name, "binary")
            told = (metric.level(groups, CANDIDATE) for groups in drawn)
            yield judged(f"{name}, {n} rows, rates {one} and {other}, {split} of them", told, truth, repeats)


def _group(place: int, size: int, called: int) -> Slice:
    cells = tuple((0, call, -1, n) for call, n in ((0, size - called), (1, called)) if n)
    return Slice(
        dimension="g", key=(("g", str(place)),), rows=size, cells=cells, weights=(), ranks=None, moments=(), computed=()
    )


# --- shares and slices: exact, without drawing ---------------------------------------------------------------------


def binomial(n: int, p: float) -> np.ndarray:
    """Chances of 0 to n."""
    k = np.arange(n + 1)
    choose = np.array([math.lgamma(n + 1) - math.lgamma(one + 1) - math.lgamma(n - one + 1) for one in k])
    return np.exp(choose + k * math.log(p) + (n - k) * math.log1p(-p))


def errors_of_a_share(n: int, p: float) -> tuple[float, float]:
    """Wrong passes and wrong fails of a share of n rows whose limit is its true value."""
    chances = binomial(n, p)
    ends = [share(k, n).bounds(CONFIDENCE) if chances[k] > 1e-12 else (p, p) for k in range(n + 1)]
    passes = sum(one for one, (low, _) in zip(chances, ends, strict=True) if low > p)
    fails = sum(one for one, (_, high) in zip(chances, ends, strict=True) if high < p)
    return float(passes), float(fails)


def blamed(slices: int, n: int, p: float) -> float:
    """The chance that any of so many slices that lie at the limit is blamed: Holm's first step decides."""
    chances, level = binomial(n, p), 1 - (1 - CONFIDENCE) / slices
    alone = sum(one for k, one in enumerate(chances) if one > 1e-15 and share(k, n).bounds(level)[1] < p)
    return 1 - (1 - float(alone)) ** slices


SHARES = tuple(product((50, 100, 200, 1000), (0.8, 0.9, 0.95, 0.97, 0.99)))
MANY = (12, 25, 50, 100)


# --- tables --------------------------------------------------------------------------------------------------------

DRAWN: dict[str, tuple[Callable[[int], Iterator[Told]], float]] = {  # each with its share of the repeats
    "ROC-AUC of few positives": (aucs, 1.0),
    "losses of few positives": (losses, 1.0),
    "curves of few positives": (curves, 0.5),
    "regression of few rows": (regressions, 2.0),
    "regression of heavy tails": (tails, 2.0),
    "units of skewed sizes": (units, 0.5),
    "gaps at low rates": (gaps, 1.0),
}


def table(found: Sequence[Told]) -> str:
    """Markdown: every scene; what lies above 6 % by more than the bench's own error stands out."""
    lines = ["| scene | wrong pass, % | wrong fail, % | median width |", "|:--|--:|--:|--:|"]
    for one in found:
        noise = 2 * math.sqrt(0.05 * 0.95 / one.repeats)
        shown = [
            f"**{100 * share_:.1f}**" if share_ > 0.06 + noise else f"{100 * share_:.1f}"
            for share_ in (one.passes, one.fails)
        ]
        lines.append(f"| {one.scene} | {shown[0]} | {shown[1]} | {one.width:.3f} |")
    return "\n".join(lines)


def tables(repeats: int, only: Sequence[str] = ()) -> str:
    """All of it, as Markdown."""
    lines = []
    for name, (draw, times) in DRAWN.items():
        if not only or any(word in name for word in only):
            many = max(50, round(repeats * times))
            lines += [f"\n**{name}** ({many:,} repeats: ± {200 * math.sqrt(0.05 * 0.95 / many):.1f} points)\n"]
            lines.append(table(list(draw(many))))
    if not only or "shares" in only:
        lines += [
            "\n**shares at the limit, exact, %** (wrong pass / wrong fail; any of 12, 25, 50, 100 slices blamed)\n"
        ]
        lines += ["| rows | truth | alone | 12 | 25 | 50 | 100 |", "|--:|--:|--:|--:|--:|--:|--:|"]
        for n, p in SHARES:
            passes, fails = errors_of_a_share(n, p)
            cells = " | ".join(f"{100 * blamed(many, n, p):.1f}" for many in MANY)
            lines.append(f"| {n:,} | {p} | {100 * passes:.1f} / {100 * fails:.1f} | {cells} |")
    return "\n".join(lines)


if __name__ == "__main__":
    import sys

    print(tables(int(sys.argv[1]) if len(sys.argv) > 1 else 200, sys.argv[2:]))
