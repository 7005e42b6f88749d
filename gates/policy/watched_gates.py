"""Find what no schema sees of the gates on live rows: rules that mean nothing for a model that serves."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from gates.documents.statistic import CELLS
from gates.kinds import metric, promql
from gates.kinds.live_gates import DriftRule, LiveMetricRule
from gates.kinds.metric.rule import metric_of
from gates.kinds.promql.promql_expression import selectors_of
from gates.kinds.promql.promql_rule import PromqlRule
from gates.kinds.protocol import GateContext
from gates.metrics import row
from gates.policy.monitor_section import LiveGate, Monitor, seconds
from gates.schema.fields import Plain
from gates.schema.yaml_text import Path

_PAIRED = ("min_improvement", "suspicious_gain")  # rules that hold a candidate against the model that serves


def mistakes_in(
    monitor: Monitor, terms: GateContext, hidden: frozenset[str], data: Plain
) -> Iterator[tuple[Path, str]]:
    """Yield what is wrong, each with its place in the section. ``hidden``: columns whose values nothing may show;
    ``data``: the policy's section of that name, as it is written."""
    roles = {name for name, value in data.items() if value is not None} if isinstance(data, dict) else set()
    if monitor.label_delay is not None and seconds(monitor.label_delay) < seconds(monitor.delay):
        yield ("label_delay",), "must be at least as long as delay"
    seen: set[str] = set()
    for index, gate in enumerate(monitor.gates):
        path: Path = ("gates", index)
        if gate.name in seen:
            yield (*path, gate.kind), f"the gate {gate.name} occurs twice; put all its rules into one"
        seen.add(gate.name)
        for place, what in _gate(gate, terms, hidden, roles, seconds(monitor.window)):
            yield (*path, *(place or (gate.kind,))), what


def _gate(
    gate: LiveGate, terms: GateContext, hidden: frozenset[str], roles: Collection[str], window: int
) -> Iterator[tuple[Path, str]]:
    if gate.kind == "data" and terms.contract is None:
        yield (), "the policy has no contract; name one under data.contract"
    elif gate.kind == promql.KEY:
        yield from _promql(gate.rule, terms, window)
    elif gate.kind == "drift":
        yield from _drift(gate.rule, hidden)
    elif gate.kind == "metric":
        for mistake in metric.mistakes(gate.rule, terms):
            yield mistake.path, mistake.what
        yield from _metric(gate.rule, terms, labelled="label" in roles)
        if gate.rule.estimate:
            yield from _estimate(gate.rule, terms, roles)
        yield from _nameless(gate.rule, terms, hidden)


def _promql(rule: PromqlRule, terms: GateContext, window: int) -> Iterator[tuple[Path, str]]:
    """Yield what is wrong with a question about the end of a window. What windows share is no further evidence."""
    mistakes = [(mistake.path, mistake.what) for mistake in promql.mistakes(rule, terms)]
    yield from mistakes
    if mistakes:
        return
    if rule.span[0] > window:
        yield ("over",), "is longer than a window, so that windows would share steps"
    for place, text in rule.promql.texts if rule.counts else ():
        if any(one.reach > window or one.offset for one in selectors_of(text)):
            yield place, "counts events before its window began, so that windows would share them"


def _drift(rule: DriftRule, hidden: frozenset[str]) -> Iterator[tuple[Path, str]]:
    for index, column in enumerate(rule.columns):
        if column in hidden:
            yield ("columns", index), f"{column} is x-sensitive in the contract: no profile is kept of it"
    if rule.drift == "ks" and rule.max >= 1:
        yield ("max",), "ks is at most 1, so nothing could break this"


def _metric(rule: LiveMetricRule, terms: GateContext, *, labelled: bool) -> Iterator[tuple[Path, str]]:
    for name in _PAIRED:
        if getattr(rule, name) is not None:
            yield (name,), "compares two models on the same rows; of one that serves ask for max_worsening"
        if rule.slices is not None and getattr(rule.slices, name, None) is not None:
            yield ("slices", name), "compares two models on the same rows; of one that serves ask for max_worsening"
    if ":" in rule.metric:
        yield ("metric",), "a metric of your own can't be watched: it has no closed form for so many windows"
    entry = row(rule.metric, terms.task)
    if entry is not None and not any(metric.mistakes(rule, terms)) and metric_of(rule, terms.task).paired:
        yield ("metric",), "compares two models on the same rows, and only one serves"
    if rule.of is None and terms.task != "score" and not labelled:
        yield ("metric",), "needs labels, and the policy has no data.label"
    if rule.against is not None:
        yield from _first_windows(rule, rule.against)


def _estimate(rule: LiveMetricRule, terms: GateContext, roles: Collection[str]) -> Iterator[tuple[Path, str]]:
    """Yield what can't be estimated from scores alone."""
    entry = row(rule.metric, terms.task)
    if terms.task != "binary":
        yield ("estimate",), "is of two classes, and the policy's task is not binary"
    elif entry is not None and not any(metric.mistakes(rule, terms)):
        found = metric_of(rule, terms.task)
        if found.statistic != CELLS or (found.grouped and not rule.by):
            yield ("estimate",), f"is of metrics of the confusion matrix, such as accuracy; {rule.metric} is none"
    for name in ("slices", "by", "against"):
        if getattr(rule, name):
            yield (name,), "can't go with estimate: scores are known of the whole alone, when the model was promoted"
    for role in ("unit", "weight"):
        if role in roles:
            yield ("estimate",), f"counts rows alike and one by one, and the policy has data.{role}"


def _nameless(rule: LiveMetricRule, terms: GateContext, hidden: frozenset[str]) -> Iterator[tuple[Path, str]]:
    """Yield slices whose names differ from window to window: those of a sensitive column are numbered."""
    parts = (part for dimension in terms.dimensions for part in dimension.parts)
    secret = next((column for column, edges in parts if column in hidden and not edges), None)
    if secret is not None and rule.slices is not None:
        what = f"{secret} is x-sensitive, so its slices have other names in each window; use bins, or `by` of a gap"
        yield ("slices",), what


def _first_windows(rule: LiveMetricRule, against: Any) -> Iterator[tuple[Path, str]]:
    if rule.max_worsening is None:
        yield ("against",), "is what max_worsening compares with; give that, too"
    if rule.slices is not None and rule.slices.max_worsening is not None:
        yield ("slices", "max_worsening"), "can't be compared with the first windows; only the whole can"
    if against.windows <= against.season + 1:
        yield ("against", "windows"), f"needs more than {against.season + 1}: with fewer, nobody knows how windows vary"


def needs_labels(rule: LiveMetricRule, task: str) -> bool:
    """Tell whether a metric is judged when labels arrive; one of a column alone is judged with all rows."""
    return not (task == "score" or (rule.of is not None and row(rule.metric, "score") is not None))
