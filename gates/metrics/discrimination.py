"""ROC-AUC: how a binary classifier's scores order the rows."""

from __future__ import annotations

from collections.abc import Sequence

from gates.evidence import Slice
from gates.metrics.record import NO_SCORES, Entry, Metric, fixed
from gates.statistic import RANKS
from gates.stats import delong
from gates.stats.quantity import Found, Undefined


def _level(slices: Sequence[Slice], who: int) -> Found:
    ranks = slices[0].ranks
    return delong.auc(ranks, who) if ranks else Undefined(why=NO_SCORES)


def _change(slices: Sequence[Slice]) -> Found:
    ranks = slices[0].ranks
    return delong.auc_difference(ranks) if ranks else Undefined(why=NO_SCORES)


METRICS: tuple[Entry, ...] = (
    fixed(
        Metric(
            name="roc_auc",
            doc="Chance that a positive row is scored above a negative one, ties counted half.",
            better=1,
            statistic=RANKS,
            level=_level,
            change=_change,
        ),
        "binary",
    ),
)
