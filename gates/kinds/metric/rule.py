"""The keys of a ``metric`` gate: a metric with its parameters, and limits. Not a kind; ``metric`` uses it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from gates.documents.statistic import Parameter, parameters_text
from gates.kinds.metric.comparison import COMPARISONS
from gates.metrics import ANY_TASK, Better, Metric, Task, row, table
from gates.schema.fields import declare

NAMES = sorted({name for task in ANY_TASK for name in table(task)})


@dataclass(frozen=True, kw_only=True, slots=True)
class SliceLimits:
    """The same rules, for every slice of the policy's `slices`."""

    min: float | None = declare("The value must be at least this.", default=None, stricter="larger")
    max: float | None = declare("The value must be at most this.", default=None, stricter="smaller")
    max_worsening: float | None = declare(
        "May be worse than the champion by at most this.", default=None, stricter="smaller", minimum=0
    )
    min_improvement: float | None = declare(
        "Must be better than the champion by this.", default=None, stricter="larger", minimum=0
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class MetricRule:
    """A metric held to limits."""

    metric: str = declare("The metric's name.", stricter="free", minLength=1, examples=NAMES)
    by: tuple[str, ...] = declare(
        "Sensitive column of a fairness metric; several columns are crossed.",
        default=(),
        single=True,
        stricter="free",
        minItems=1,
    )
    k: int | None = declare("How many, for a metric of the k highest.", default=None, stricter="free", minimum=1)
    share: float | None = declare(
        "The share, for a metric of the highest scores.",
        default=None,
        stricter="free",
        exclusiveMinimum=0,
        maximum=1,
    )
    bins: int | None = declare(
        "How many bins, for a metric over bins.", default=None, stricter="free", minimum=2, maximum=1000
    )
    alpha: float | None = declare(
        "Which quantile is predicted.", default=None, stricter="free", exclusiveMinimum=0, exclusiveMaximum=1
    )
    within: float | None = declare("The tolerance of a share within it.", default=None, stricter="free", minimum=0)
    of: str | None = declare(
        "A column of numbers in the predictions: a latency, a cost. For mean, share_above, quantile and ratio.",
        default=None,
        stricter="free",
        minLength=1,
    )
    per: str | None = declare(
        "The column that `of` is divided by, for ratio: impressions, sessions.",
        default=None,
        stricter="free",
        minLength=1,
        late=True,
    )
    arguments: dict[str, str | float | bool] | None = declare(
        "Further arguments of scikit-learn's or your own function.",
        default=None,
        stricter="free",
        minProperties=1,
    )
    above: float | None = declare("The value, for share_above.", default=None, stricter="free")
    q: float | None = declare("Which quantile.", default=None, stricter="free", exclusiveMinimum=0, exclusiveMaximum=1)
    better: Literal["larger", "smaller"] | None = declare(
        "Which way is better, for a metric without a direction; needed to compare with the champion.",
        default=None,
    )
    relevant: float | None = declare(
        "For a ranking: a label of at least this is relevant. Default: any above 0.", default=None, stricter="free"
    )
    costs: tuple[tuple[float, float], tuple[float, float]] | None = declare(
        "What a row costs: `[[tn, fp], [fn, tp]]`.", default=None, stricter="free"
    )
    min: float | None = declare("The value must be at least this.", default=None, stricter="larger")
    max: float | None = declare("The value must be at most this.", default=None, stricter="smaller")
    max_worsening: float | None = declare(
        "May be worse than the champion, and the anchor, by at most this, in the metric's own direction.",
        default=None,
        stricter="smaller",
        minimum=0,
    )
    min_improvement: float | None = declare(
        "Must be better than the champion by at least this, in the metric's own direction.",
        default=None,
        stricter="larger",
        minimum=0,
    )
    suspicious_gain: float | None = declare(
        "Better than the champion by more than this is suspicious: look for a leak.",
        default=None,
        stricter="smaller",
        minimum=0,
    )
    slices: SliceLimits | None = declare("Limits that every slice must meet.", default=None, minProperties=1)


PARAMETERS = ("arguments", "of", "per", "above", "q", "k", "share", "bins", "alpha", "within", "relevant", "costs")
DIRECTIONS: Mapping[str, Better] = {"larger": 1, "smaller": -1}


def _given(rule: MetricRule) -> dict[str, Parameter]:
    """Return the parameters that are written, those of a function among them."""
    given: dict[str, Parameter] = {
        name: getattr(rule, name) for name in PARAMETERS if name != "arguments" and getattr(rule, name) is not None
    }
    return {**(rule.arguments or {}), **given}


def metric_of(rule: MetricRule, task: Task) -> Metric:
    """Return the metric that a rule names, with its parameters. Raises ``KeyError`` where the task has none of that
    name."""
    entry = row(rule.metric, task)
    if entry is None:
        raise KeyError(rule.metric)
    defaults = {name: value for name, value in entry.takes.items() if isinstance(value, int | float | str)}
    made = entry.make(tuple(sorted((defaults | _given(rule)).items())))
    return replace(made, name=_told(rule), better=DIRECTIONS[rule.better] if rule.better else made.better)


def limits_of(rule: MetricRule | SliceLimits) -> Iterator[tuple[str, float]]:
    """Yield each limit that is set, with the name of its rule."""
    for name in COMPARISONS:
        value = getattr(rule, name, None)
        if value is not None:
            yield name, value


def name(rule: MetricRule) -> str:
    """Name the gate: ``recall``; ``precision_at[share=0.1]``; ``demographic_parity_difference by sex``."""
    return _told(rule) + (f" by {' * '.join(rule.by)}" if rule.by else "")


def _told(rule: MetricRule) -> str:
    """Return a metric with the parameters that are written: what sentences call it, too."""
    return rule.metric + parameters_text(tuple(_given(rule).items()))
