"""A metric must reach a limit, or must not fall behind the champion, overall and in each slice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from gates.documents.decision import Code, GateVerdict, Verdict
from gates.documents.evidence import Evidence, Slice
from gates.documents.printed.diff import Named
from gates.documents.printed.diff import asks as fields_ask
from gates.documents.slices import AUTO, OVERALL, Dimension, twice_cut
from gates.kinds.metric import rule as written
from gates.kinds.metric import slice_search, vacuous
from gates.kinds.metric.comparison import COMPARISONS
from gates.kinds.metric.rule import DIRECTIONS, PARAMETERS, MetricRule, SliceLimits, limits_of, metric_of
from gates.kinds.metric.subject import RuleOutcome, absent, prepare
from gates.kinds.metric.verdict import hold
from gates.kinds.protocol import GateContext, GateMistake, Needs
from gates.metrics import ANY_TASK, ONE_OF, Metric, MetricEntry, Task, functions, row, table
from gates.schema.validation import nearest, shown
from gates.stats.multiplicity import holm

KEY = "metric"
RULE = MetricRule
name = written.name

EXAMPLES = (
    "metric: roc_auc\nmin: 0.80\nmax_worsening: 0.01\n",
    "metric: recall\nmax_worsening: 0.02\nslices: {max_worsening: 0.05}\n",
    "metric: demographic_parity_difference\nby: sex\nmax: 0.10\n",
    "metric: precision_at\nshare: 0.1\nmin: 0.4\n",
    "metric: cost\ncosts: [[0, 1], [5, 0]]\nmin_improvement: 0\n",
)


def asks(rule: MetricRule) -> Iterator[Named]:
    """Return each rule; the metric and its groups are the gate's name."""
    return fields_ask(rule, name(rule))


def mistakes(rule: MetricRule, terms: GateContext) -> Iterator[GateMistake]:
    """Yield a metric that the task lacks, parameters and limits that mean nothing for it, columns that are missing or
    too many."""
    entry = row(rule.metric, terms.task)
    if entry is None:
        yield GateMistake(path=("metric",), what=_unknown(rule.metric, terms.task))
        return
    wrong = list(_parameter_mistakes(rule, entry))
    yield from wrong
    if not any(limits_of(rule)) and rule.slices is None:
        yield GateMistake(path=(), what=f"{rule.metric} has no rule; give it one of {', '.join(COMPARISONS)}")
    if not wrong:
        yield from _meaning(rule, entry, metric_of(rule, terms.task), terms)


def _unknown(metric: str, task: Task) -> str:
    if ":" in metric:
        tasks = ", ".join(functions.TASKS)
        return f"{shown(metric)}: a metric of your own is written module:function, and is for the tasks {tasks}"
    others = [other for other in ANY_TASK if metric in table(other)]
    if others:
        return f"{metric} is a metric of task: {' or '.join(others)}, not of {task}"
    hint = nearest(metric, table(task)) or f"; those of task: {task} are in docs/metrics.md"
    return f"unknown metric {shown(metric)}{hint}"


def _parameter_mistakes(rule: MetricRule, entry: MetricEntry) -> Iterator[GateMistake]:
    given = [name for name in PARAMETERS if getattr(rule, name) is not None]
    for name in given:
        if name not in entry.takes:
            known = f"; it takes {', '.join(entry.takes)}" if entry.takes else ""
            yield GateMistake(path=(name,), what=f"{rule.metric} takes no {name}{known}")
    for name, default in entry.takes.items():
        if default is ... and name not in given:
            yield GateMistake(path=("metric",), what=f"{rule.metric} needs {name}")
    choice = [name for name, default in entry.takes.items() if default is ONE_OF]
    if choice and len([name for name in given if name in choice]) != 1:
        yield GateMistake(path=("metric",), what=f"{rule.metric} needs one of {', '.join(choice)}")


def _meaning(rule: MetricRule, entry: MetricEntry, metric: Metric, terms: GateContext) -> Iterator[GateMistake]:
    if rule.better and entry.better:
        word = next(word for word, direction in DIRECTIONS.items() if direction == entry.better)
        yield GateMistake(path=("better",), what=f"of {rule.metric} {word} is better; remove `better`")
    if metric.grouped and not rule.by:
        yield GateMistake(path=("metric",), what=f"{rule.metric} compares groups; name their column with `by:`")
    if rule.by and not metric.grouped:
        what = f"{rule.metric} does not compare groups; remove `by`, use `slices`, or its {rule.metric}_difference"
        yield GateMistake(path=("by",), what=what)
    if len(set(rule.by)) != len(rule.by):
        yield GateMistake(path=("by",), what="a column can't be crossed with itself")
    for column in rule.by:
        if twice_cut(column, terms.dimensions):
            what = f"`slices` cuts {column} into bins in two ways; which of them are its groups?"
            yield GateMistake(path=("by",), what=what)
    yield from vacuous.mistakes(rule, metric)
    if rule.slices:
        yield from _slices_meaning(rule, metric, terms)
    for path, part in (((), rule), (("slices",), rule.slices)):
        for rule_name, how in COMPARISONS.items():
            if part is None or not how.compares or getattr(part, rule_name, None) is None:
                continue
            if metric.better == 0:
                yield GateMistake(
                    path=(*path, rule_name),
                    what=f"{rule.metric} has no better direction; say which with `better`, or use min or max",
                )
            elif metric.change is None:
                yield GateMistake(
                    path=(*path, rule_name), what=f"{rule.metric} compares the two models already; use min or max"
                )


def _slices_meaning(rule: MetricRule, metric: Metric, terms: GateContext) -> Iterator[GateMistake]:
    if metric.grouped:
        yield GateMistake(path=("slices",), what="a fairness gate can't be cut into slices as well; use `by: [a, b]`")
    if not terms.dimensions:
        yield GateMistake(path=("slices",), what="the policy declares no `slices:` at its top level")
    if terms.dimensions == (AUTO,) and not slice_search.searchable(metric.statistic):
        what = f"{rule.metric} takes too long to be searched for; declare slices by name"
        yield GateMistake(path=("slices",), what=what)


def needs(rule: MetricRule, terms: GateContext) -> Needs:
    """Return the metric's statistic, overall and along the dimensions that the rule looks at."""
    statistic = metric_of(rule, terms.task).statistic
    sliced = [one for one in terms.dimensions if rule.slices and (one != AUTO or slice_search.searchable(statistic))]
    return Needs.of([_groups(rule, terms)] if rule.by else sliced, statistic)


def _groups(rule: MetricRule, terms: GateContext) -> Dimension:
    """Return the groups of a fairness gate; a column that is declared with bins is taken by them."""
    return Dimension(columns=rule.by).binned(terms.dimensions)


def judge(rule: MetricRule, evidence: Evidence, terms: GateContext) -> Iterator[GateVerdict]:
    """Yield each rule on the whole holdout; then each slice rule over all slices as one family. What may not get worse
    than the champion may not get worse than the anchor, and a pull request's base commit, either."""
    yield from _against(rule, limits_of, evidence, terms, "champion")
    if terms.anchored:
        view = evidence.against_anchor
        for verdict in _against(rule, _creep, view, terms, "anchor"):
            yield replace(verdict, against="anchor")
    yield from _against_base(rule, evidence, terms)


def _against_base(rule: MetricRule, evidence: Evidence, terms: GateContext) -> Iterator[GateVerdict]:
    """Yield the same rules against the base commit's model; where that has no predictions, that alone, which blocks
    nothing."""
    why = evidence.unbased or (evidence.base and evidence.base.unscored)
    if why:
        metric = metric_of(rule, terms.task)
        for name_, limit in _creep(rule):
            yield replace(_row(rule, metric, name_, limit, None, 0, absent(None, Code.NO_BASE, why)), against="base")
    elif evidence.base:
        for verdict in _against(rule, _creep, evidence.against_base, terms, "base"):
            yield replace(verdict, against="base")


def _creep(rule: MetricRule | SliceLimits) -> Iterator[tuple[str, float]]:
    """Return the rule that small losses, one after the other, would each keep."""
    return ((name, limit) for name, limit in limits_of(rule) if name == "max_worsening")


def _against(
    rule: MetricRule,
    asked: Callable[[MetricRule | SliceLimits], Iterable[tuple[str, float]]],
    evidence: Evidence,
    terms: GateContext,
    rival: str,
) -> Iterator[GateVerdict]:
    whole = evidence.along(OVERALL)
    groups = evidence.along(_groups(rule, terms)) if rule.by else whole
    for rule_name, limit in asked(rule):
        yield from _family(rule, rule_name, limit, [groups], evidence, terms, rival)
    for rule_name, limit in asked(rule.slices or SliceLimits()):
        declared = [dimension for dimension in terms.dimensions if dimension != AUTO]
        parts = [[part] for dimension in declared for part in evidence.along(dimension)]
        yield from _family(rule, rule_name, limit, parts, evidence, terms, rival)
        yield from _vanished(rule, rule_name, limit, evidence, terms)
        yield from _searched(rule, rule_name, limit, evidence, terms, rival)


def _family(
    rule: MetricRule,
    rule_name: str,
    limit: float,
    parts: Sequence[Sequence[Slice]],
    evidence: Evidence,
    terms: GateContext,
    rival: str,
) -> Iterator[GateVerdict]:
    """Yield one rule over a family of slices: each may pass on its own, but blame must survive Holm's correction."""
    metric = metric_of(rule, terms.task)
    prepared = [prepare(metric, rule_name, limit, part, evidence, terms, rival) for part in parts]
    levels = iter(holm([one.judged.blamed for one in prepared if one.judged], terms.confidence))
    for one in prepared:
        held = hold(one.judged, next(levels)[1], terms, evidence.used) if one.judged else one.outcome
        yield _verdict(rule, metric, rule_name, limit, one.part, held)


def _searched(
    rule: MetricRule, rule_name: str, limit: float, evidence: Evidence, terms: GateContext, rival: str
) -> Iterator[GateVerdict]:
    """Yield what a search found, where the policy asks for one."""
    metric = metric_of(rule, terms.task)
    if evidence.candidate is None or AUTO not in terms.dimensions or not slice_search.searchable(metric.statistic):
        return
    for part, held in slice_search.judged(metric, rule_name, limit, evidence, terms, rival):
        yield _verdict(rule, metric, rule_name, limit, part, held)


def _vanished(
    rule: MetricRule, rule_name: str, limit: float, evidence: Evidence, terms: GateContext
) -> Iterator[GateVerdict]:
    """Yield a verdict for each declared bin without a row in the holdout. Of a crossing not every combination need
    occur."""
    if evidence.candidate is None:
        return
    metric = metric_of(rule, terms.task)
    for dimension in terms.dimensions:
        if len(dimension.columns) != 1:
            continue
        seen = {part.key[0][1] for part in evidence.along(dimension)}
        for missing in (name for name in dimension.bins[0] if name not in seen):
            key: dict[str, str | None] = {dimension.columns[0]: missing}
            what = f"the holdout has no row in the declared slice {dimension.columns[0]} {missing}"
            yield _row(rule, metric, rule_name, limit, key, 0, absent(Verdict.ERROR, Code.MISSING_SLICE, what))


def _verdict(
    rule: MetricRule, metric: Metric, rule_name: str, limit: float, part: Sequence[Slice], held: RuleOutcome
) -> GateVerdict:
    key = dict(part[0].key) if part and part[0].key and not rule.by else None
    return _row(rule, metric, rule_name, limit, key, sum(one.rows for one in part), held)


def _row(
    rule: MetricRule,
    metric: Metric,
    rule_name: str,
    limit: float,
    key: dict[str, str | None] | None,
    n: int,
    outcome: RuleOutcome,
) -> GateVerdict:
    return GateVerdict(
        id=name(rule),
        kind=KEY,
        metric=rule.metric,
        rule=rule_name,
        bar=limit,
        slice=key,
        by=" * ".join(rule.by) or None,
        groups=outcome.groups,
        n=n,
        verdict=outcome.verdict,
        code=outcome.code,
        reason=outcome.reason,
        candidate=outcome.candidate,
        champion=outcome.champion,
        difference=outcome.difference,
        detectable=outcome.detectable,
        method=outcome.method,
        better=metric.better,
        training=outcome.training,
        searched=outcome.searched,
        notes=outcome.notes,
    )
