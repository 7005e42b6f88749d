"""What a metric is, and how the tables of metrics are written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from gates.documents.evidence import Slice
from gates.documents.statistic import CELLS, Parameters, Statistic
from gates.stats.quantity import ANYWHERE, Bounds, Found

Level = Callable[[Sequence[Slice], int], Found]
DifferenceOf = Callable[[Sequence[Slice]], Found]
Task = Literal["binary", "multiclass", "regression", "ranking", "score"]
Better = Literal[-1, 0, 1]
ANY_TASK: tuple[Task, ...] = ("binary", "multiclass", "regression", "ranking", "score")
NO_SCORES = "the predictions have calls only, and it needs scores: write them as well"
ONE_OF = object()  # a parameter of which one or another must be given


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A named function of evidence.

    ``level(slices, who)`` is one model's value, ``change(slices)`` candidate less champion on
    the same rows. A plain metric gets one slice, a ``grouped`` one a slice a group. ``better`` is +1
    where larger is better, -1 where smaller is, 0 where neither is. ``statistic`` is what must be
    counted for it. ``points``: differences are shown in points (hundredths). ``paired``: its level itself
    compares the two models, so it has no change and needs a champion. ``limits``: no value lies outside them.
    """

    name: str
    doc: str
    better: Better
    statistic: Statistic = CELLS
    grouped: bool = False
    points: bool = True
    paired: bool = False
    limits: Bounds = ANYWHERE
    level: Level
    change: DifferenceOf | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricEntry:
    """A row of a family's table: a metric for tasks, made from its parameters.

    ``takes``: the parameters it knows, each with its default; ``...`` where it must be given, ``ONE_OF`` where it or
    another one of these, None where it may be left out.
    """

    name: str
    doc: str
    better: Better
    tasks: tuple[Task, ...]
    takes: Mapping[str, object] = field(default_factory=dict)
    make: Callable[[Parameters], Metric]


def unmeasured(statistic: Statistic) -> str:
    """Tell why the candidate has no number, and what to do."""
    return f"the predictions have no column {' or '.join(statistic.of)}: write it" if statistic.of else NO_SCORES


def unpaired(statistic: Statistic) -> str:
    """Tell why there is nothing to compare with, where only the candidate gives that number."""
    lacking = " and ".join(statistic.of) or "scores"
    return f"the champion's predictions have no {lacking}; its own value can be judged, by min or max"


def fixed(metric: Metric, *tasks: Task) -> MetricEntry:
    """Return the row of a metric without parameters."""
    return MetricEntry(name=metric.name, doc=metric.doc, better=metric.better, tasks=tasks, make=lambda _: metric)
