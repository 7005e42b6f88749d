"""The table of metrics. A metric is one row in one family's module; nothing else needs to know it."""

from __future__ import annotations

from collections.abc import Mapping

from gates.metrics import classification, fairness, ranking
from gates.metrics.record import Metric

METRICS: Mapping[str, Metric] = {
    metric.name: metric for family in (classification, ranking, fairness) for metric in family.METRICS
}

__all__ = ["METRICS", "Metric"]
