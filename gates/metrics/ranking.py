"""Metrics of how a binary classifier's scores order the rows."""

from __future__ import annotations

from collections.abc import Sequence

from gates.evidence import Slice
from gates.metrics.record import Metric
from gates.stats import delong
from gates.stats.quantity import Quantity, undefined

NO_SCORES = "no scores"


def _level(slices: Sequence[Slice], who: int, _seed: str) -> Quantity:
    ranks = slices[0].ranks
    return delong.auc(ranks, who) if ranks else undefined(NO_SCORES)


def _change(slices: Sequence[Slice], _seed: str) -> Quantity:
    ranks = slices[0].ranks
    return delong.auc_difference(ranks) if ranks else undefined(NO_SCORES)


METRICS: tuple[Metric, ...] = (
    Metric(
        name="roc_auc",
        doc="Chance that a positive row is scored above a negative one, ties counted half.",
        better=1,
        statistic="ranks",
        level=_level,
        change=_change,
    ),
)
