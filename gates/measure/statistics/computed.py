"""Compute metrics that don't follow from small sums, from how many rows have each score, and again without each bucket
of rows.

Source: the delete-a-group jackknife (Kott, J Off Stat 2001;17:521).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

import numpy as np

from gates.documents.evidence import BUCKETS, EXACT_ROWS, Computed
from gates.documents.slices import Dimension
from gates.documents.statistic import Statistic
from gates.measure.holdout.joined import ScoredRows
from gates.measure.statistics.cells import Key
from gates.measure.statistics.curves import CURVES, UNDEFINED, Curve, roc_auc, scatter
from gates.schema.canonical import settled
from gates.stats.score_bins import middle_of

_ONE = 2.0**Computed.UNIT
_SPLITS = 10  # into halves
_SHRINKS: Mapping[str, float] = {  # with which power of the rows that shrinks which a curve is too large by on average
    "ks_statistic": 2 / 3,  # the largest of many gaps (Kim and Pollard, Ann Stat 1990;18:191)
    "average_precision": 1.0,  # each positive counts towards the precision at its own place
}
_SURE = 2  # times as much of it is taken to be error


def computed(joined: ScoredRows, dimension: Dimension, statistic: Statistic, *, weighted: bool) -> dict[Key, Computed]:
    """Return the metric of each slice and both models."""
    name, parameters, models = statistic.name, dict(statistic.parameters), joined.models_of(statistic)
    if name == "roc_auc_ovr":
        occurring = [int(row[0]) for row in joined.engine.run("SELECT DISTINCT label FROM joined ORDER BY label")]
        sources = [
            [(model.scores[place], f"CASE WHEN label = {place} THEN 1 ELSE 0 END") for place in occurring]
            for model in models
        ]
        curve: Curve = roc_auc
    else:
        sources = [[(model.score, "label")] for model in models]
        curve = CURVES[name]
    tables = [
        [_counted(joined, dimension, score, label, weighted=weighted) for score, label in model] for model in sources
    ]
    return {
        key: estimated(
            statistic.id,
            name,
            [[table[key] for table in model] for model in tables],
            curve,
            parameters,
            weighted=weighted,
        )
        for key in tables[0][0]
    }


def _counted(joined: ScoredRows, dimension: Dimension, score: str, label: str, *, weighted: bool) -> dict[Key, Any]:
    """Return for each slice an array of (bucket, label, score, rows or weight)."""
    names = joined.columns(dimension)
    value = joined.score(score)
    by = ", ".join([*names, "bucket", label, value])
    counted = "sum(weight)" if weighted else "count(*)"
    by_slice: dict[Key, list[tuple[float, ...]]] = {}
    for row in joined.engine.run(f"SELECT {by}, {counted} FROM joined GROUP BY {by} ORDER BY {by}"):
        by_slice.setdefault(tuple(row[: len(names)]), []).append(tuple(float(one) for one in row[len(names) :]))
    binned = joined.rows > EXACT_ROWS
    return {key: _scored(np.array(held), binned=binned) for key, held in by_slice.items()}


def _scored(rows: Any, *, binned: bool) -> Any:
    if binned:
        rows[:, 2] = [middle_of(int(one)) for one in rows[:, 2]]
    return rows


def estimated(
    id_: str,
    name: str,
    models: Sequence[Sequence[Any]],
    curve: Curve,
    parameters: Mapping[str, Any],
    *,
    weighted: bool = False,
) -> Computed:
    """Return both models' values with their covariance over buckets left out.

    Of each model one or more arrays of (bucket, label, score, rows or weight), over which the curve is averaged.
    """
    buckets = np.unique(np.concatenate([table[:, 0] for table in models[0]]))
    values: list[float] = []
    biases: list[float] = []
    without: list[Any] = []
    for tables in models:
        left_out = [_left_out(table, buckets, curve, parameters) for table in tables]
        if any(value is None for value, _ in left_out):
            return _undefined(id_, UNDEFINED[name])
        values.append(float(np.mean([value for value, _ in left_out])))
        without.append(np.mean([left for _, left in left_out], axis=0))
        biases.append(_bias(tables[0], name, curve, parameters, weighted=weighted))
    k = len(buckets)
    spread = [left - left.mean() for left in without]
    products = [  # what a value is too large by on average is part of its squared error
        float((k - 1) / k * (spread[one] * spread[other]).sum() + biases[one] * biases[other])
        for one, other in ((0, 0), (-1, -1), (0, -1))
    ]
    if not all(map(isfinite, (*values, *products))):
        return _undefined(id_, "it is not a finite number")
    paired = len(models) > 1
    return Computed(
        id=id_,
        why=None,
        paired=paired,
        candidate=_units(values[0]),
        champion=_units(values[-1]) if paired else 0,
        aa=_units(products[0], 2),
        bb=_units(products[1], 2) if paired else 0,
        ab=_units(products[2], 2) if paired else 0,
        groups=k,
        method="jackknife",
    )


def _bias(table: Any, name: str, curve: Curve, parameters: Mapping[str, Any], *, weighted: bool) -> float:
    """Return twice by how much the curve is too large on average, or 0.

    It is doubled so that, squared and added to the error, it is not too little.
    """
    if not table[:, 3].any():
        return 0.0
    if name == "expected_calibration_error":  # of weighted rows: as many of the mean weight
        rows = table[:, 3] / table[:, 3].mean() if weighted else table[:, 3]
        return _SURE * scatter(*_counts(table, rows), parameters)
    return _SURE * _of_halves(table, curve, parameters, _SHRINKS[name]) if name in _SHRINKS else 0.0


def _of_halves(table: Any, curve: Curve, parameters: Mapping[str, Any], power: float) -> float:
    """Return what a curve is too large by, which is 2**power times as much in halves of the rows."""
    value = curve(*_counts(table, table[:, 3]), parameters)
    random, halves = np.random.RandomState(0), []
    for _ in range(_SPLITS):
        chosen = random.randint(0, 2, BUCKETS)[table[:, 0].astype(int)] > 0
        for half in (table[chosen], table[~chosen]):
            found = curve(*_counts(half, half[:, 3]), parameters) if len(half) else None
            halves += [] if found is None else [found]
    more = float(np.mean(halves)) - (value or 0.0) if halves else 1.0
    return max(0.0, more) / (2**power - 1)


def _counts(table: Any, rows: Any) -> tuple[Any, Any, Any]:
    """Return scores from the highest down, with the rows of negatives and of positives that have each."""
    scores, places = np.unique(-table[:, 2], return_inverse=True)
    held = [table[:, 1] == 0, table[:, 1] > 0]
    counts = [np.bincount(places[one], weights=rows[one], minlength=len(scores)) for one in held]
    return -scores, counts[0], counts[1]


def _left_out(table: Any, buckets: Any, curve: Curve, parameters: Mapping[str, Any]) -> tuple[float | None, Any]:
    """Return the value, and the values without each bucket. A value that one bucket alone defines is the whole's
    without it."""
    scores, places = np.unique(-table[:, 2], return_inverse=True)
    label, order = table[:, 1] > 0, np.argsort(table[:, 0], kind="stable")
    counts = [np.bincount(places[held], weights=table[held, 3], minlength=len(scores)) for held in (~label, label)]
    value = curve(-scores, counts[0], counts[1], parameters)
    left = []
    for own in np.split(order, np.searchsorted(table[order, 0], buckets[1:])):
        kept = [count.copy() for count in counts]
        for held, count in zip((own[~label[own]], own[label[own]]), kept, strict=True):
            np.subtract.at(count, places[held], table[held, 3])
        less = curve(-scores, kept[0], kept[1], parameters)
        left.append(value if less is None else less)
    return value, np.array(left, dtype=float)


def _units(value: float, power: int = 1) -> int:
    """Convert a value to whole units of 2**-60, or of its powers; settled, as the last digit is the library's."""
    return int(settled(value) * _ONE**power)


def _undefined(id_: str, why: str) -> Computed:
    return Computed(
        id=id_, why=why, paired=False, candidate=0, champion=0, aa=0, bb=0, ab=0, groups=0, method="jackknife"
    )
