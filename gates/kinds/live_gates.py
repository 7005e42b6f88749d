"""What may be asked of live rows: the keys of the gates under ``monitor:``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from gates.kinds.metric.rule import MetricRule
from gates.kinds.metric.rule import name as metric_name
from gates.kinds.promql.promql_rule import PromqlRule
from gates.schema.fields import declare

DriftMeasure = Literal["psi", "ks"]


@dataclass(frozen=True, kw_only=True, slots=True)
class LiveDataRule:
    """Live rows held to the contract's rules of rows and of single tables."""

    data: Literal["live"] = declare("The rows of the window.", stricter="free")


@dataclass(frozen=True, kw_only=True, slots=True)
class DriftRule:
    """Columns that must not drift away from what they were when the model was promoted."""

    drift: DriftMeasure = declare(
        "The distance: psi (population stability index), or ks (Kolmogorov-Smirnov, 0 to 1, not of text).",
        stricter="free",
    )
    columns: tuple[str, ...] = declare(
        "Columns of the training table, or of the predictions (score).",
        single=True,
        stricter="free",
        minItems=1,
        uniqueItems=True,
    )
    max: float = declare("The largest distance.", stricter="smaller", exclusiveMinimum=0)


@dataclass(frozen=True, kw_only=True, slots=True)
class FirstWindows:
    """The first judged windows after a promotion, as what later ones are compared with."""

    windows: int = declare("How many.", minimum=3, maximum=1000)
    season: int = declare("After how many windows the same phase comes again, such as 7 days.", default=1, minimum=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class LiveMetricRule(MetricRule):
    """A metric of live rows held to limits. `max_worsening` is against what the model was promoted with."""

    against: FirstWindows | None = declare(
        "Compare with the first windows after the promotion instead; the windows are then what varies.",
        default=None,
        stricter="free",
    )
    estimate: bool = declare(
        "Estimate it from scores alone, without labels. It neither passes nor fails, and raises no alarm.",
        default=False,
        stricter="free",
    )

    @property
    def looks_back(self) -> bool:
        """Whether it compares with what the model was promoted with, so that the promotion must have counted it."""
        slices = self.slices.max_worsening if self.slices else None
        return self.against is None and (self.max_worsening is not None or slices is not None)


LiveRule = LiveDataRule | DriftRule | LiveMetricRule | PromqlRule


def live_metric_name(rule: LiveMetricRule) -> str:
    """Name a gate: an estimate apart from the metric itself, for both may be asked for."""
    return f"estimate of {metric_name(rule)}" if rule.estimate else metric_name(rule)


def _of_data(_: Any) -> str:
    return "data.live"


def _of_promql(rule: PromqlRule) -> str:
    return rule.name


def _of_drift(rule: DriftRule) -> str:
    return f"drift {rule.drift} of {', '.join(rule.columns)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveKind:
    """A kind of gate on live rows: the class of its keys, and how a gate is named."""

    rule: type[Any]
    name: Callable[[Any], str]
    examples: tuple[str, ...]


LIVE_KINDS: Final[Mapping[str, LiveKind]] = {
    "metric": LiveKind(
        rule=LiveMetricRule,
        name=live_metric_name,
        examples=("metric: roc_auc\nmax_worsening: 0.02\n", "metric: accuracy\nestimate: true\nmin: 0.8\n"),
    ),
    "drift": LiveKind(rule=DriftRule, name=_of_drift, examples=("drift: psi\ncolumns: [age, score]\nmax: 0.1\n",)),
    "promql": LiveKind(
        rule=PromqlRule,
        name=_of_promql,
        examples=('promql: max_over_time(model_queue_depth{model="churn"}[5m])\nmax: 100\nover: 1h\nstep: 5m\n',),
    ),
    "data": LiveKind(rule=LiveDataRule, name=_of_data, examples=("data: live\n",)),
}
