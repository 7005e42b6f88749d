"""ROC-AUC: how a binary classifier's scores order the rows."""

from __future__ import annotations

from collections.abc import Sequence

from gates.documents.evidence import CHAMPION, Ranks, Slice
from gates.documents.statistic import RANKS
from gates.metrics import delong
from gates.metrics.definition import NO_SCORES, Metric, MetricEntry, fixed, unpaired
from gates.stats.quantity import Found, Undefined


def _level(slices: Sequence[Slice], who: int) -> Found:
    ranks = slices[0].ranks
    if ranks is None:
        return Undefined(why=NO_SCORES)
    return Undefined(why=unpaired(RANKS)) if who == CHAMPION and _calls(ranks) else delong.auc(ranks, who)


def _calls(ranks: Ranks) -> bool:
    """Tell whether the champion gave calls only."""
    return min(ranks.positives.b, ranks.negatives.b) < 0


def _change(slices: Sequence[Slice]) -> Found:
    ranks = slices[0].ranks
    if ranks is None:
        return Undefined(why=NO_SCORES)
    return Undefined(why=unpaired(RANKS)) if _calls(ranks) else delong.auc_difference(ranks)


METRICS: tuple[MetricEntry, ...] = (
    fixed(
        Metric(
            name="roc_auc",
            doc="Chance that a positive row is scored above a negative one, ties counted half.",
            better=1,
            statistic=RANKS,
            limits=(0.0, 1.0),
            level=_level,
            change=_change,
        ),
        "binary",
    ),
)
