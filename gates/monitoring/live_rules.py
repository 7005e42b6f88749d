"""Make of a window what is held against limits: one subject a rule, column or slice, or why there is none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import inf

from gates.documents.decision import Code, GateVerdict, Verdict
from gates.documents.evidence import CANDIDATE, SCHEMA, Evidence, MeasuredModel, Slice, Table
from gates.documents.live.drift_profile import ColumnBins
from gates.documents.live.live_evidence import LiveWindow
from gates.documents.slices import AUTO, OVERALL, Dimension
from gates.kinds.live_gates import DriftRule, LiveMetricRule
from gates.kinds.metric.comparison import COMPARISONS
from gates.kinds.metric.rule import SliceLimits, limits_of, metric_of, name
from gates.kinds.metric.subject import JudgedPart, RuleOutcome, absent, prepare
from gates.kinds.protocol import GateContext
from gates.metrics import Metric
from gates.monitoring.reference import Reference
from gates.policy import ResolvedPolicy
from gates.stats.drift import MEASURES, Counts, Distance, pooled
from gates.stats.proportions import square_and_add
from gates.stats.quantity import Bounds, Quantity
from gates.wording import ROW, Noun

_LEVEL = "min"  # a rule that compares with nothing: what stands in the way of its level stands in any rule's way
NAN = 2  # bins of a number's profile that no order has: missing, NaN


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One thing that a rule is about in one window. ``judged`` is what its limit is held against; where that is None,
    ``outcome`` says why. ``live`` is the window's own value.
    """

    gate: str
    kind: str
    rule: str
    limit: float
    n: int
    metric: Metric | None = None
    part: Sequence[Slice] = ()
    by: str | None = None
    judged: Quantity | None = None
    held: JudgedPart | None = None
    events: float | None = None  # of a distance: rows a bin
    live: Quantity | None = None
    reference: Quantity | None = None
    outcome: RuleOutcome | None = None
    first: LiveMetricRule | None = None  # the rule, where its reference is the first windows
    noun: Noun = ROW  # of what ``n`` is a number

    @property
    def key(self) -> dict[str, str | None] | None:
        """The slice; None for the whole window."""
        return dict(self.part[0].key) if self.part and self.part[0].key and self.by is None else None

    @property
    def sign(self) -> int:
        """+1 where larger is better for this rule."""
        return COMPARISONS[self.rule].sign(self.metric.better) if self.metric else -1

    @property
    def at(self) -> float:
        """The limit as a number that ``judged`` is compared with."""
        return self.sign * COMPARISONS[self.rule].at(self.limit) if self.metric else self.limit

    @property
    def verdict(self) -> GateVerdict:
        """What a report says of it, before anybody has judged it."""
        outcome = self.outcome or absent(None, Code.NOT_MEASURED, "not held against its limit yet")
        bare = GateVerdict.without_metric(
            id=self.gate,
            kind=self.kind,
            rule=self.rule,
            bar=self.limit,
            n=self.n,
            verdict=outcome.verdict,
            code=outcome.code,
            reason=outcome.reason,
        )
        metric = self.metric
        return replace(bare, slice=self.key, by=self.by, better=metric.better if metric else None,
                       metric=metric.name.partition("[")[0] if metric else None)  # fmt: skip


def evidence_of(window: LiveWindow, derived: ResolvedPolicy) -> Evidence:
    """Return a window as the evidence that gates know: the model that serves stands where a candidate does."""
    rows = window.rows if window.labelled is None else window.labelled
    model = window.model
    return Evidence(
        schema=SCHEMA,
        model=derived.policy.model,
        measured=derived.measured,
        classes=window.classes,
        tables=(Table(name="holdout", digest="", rows=rows),),
        findings=(),
        candidate=MeasuredModel(digest=model.digest if model else "", version=None, unscored=None),
        slices=window.slices,
    )


def of_metric(
    rule: LiveMetricRule, live: Evidence, reference: Reference | None, derived: ResolvedPolicy, called: str
) -> Iterator[Subject]:
    """Yield a metric's rules on the whole window, then on each slice. ``told``: what the reference is called."""
    terms = derived.terms()
    whole = live.along(OVERALL)
    groups = live.along(Dimension(columns=rule.by).binned(terms.dimensions)) if rule.by else whole
    for rule_name, limit in limits_of(rule):
        yield _subject(rule, rule_name, limit, groups, live, reference, terms, called)
    for rule_name, limit in limits_of(rule.slices or SliceLimits()):
        for dimension in terms.dimensions:
            for part in live.along(dimension) if dimension != AUTO else ():
                yield _subject(rule, rule_name, limit, [part], live, reference, terms, called)


def _subject(
    rule: LiveMetricRule,
    rule_name: str,
    limit: float,
    slices: Sequence[Slice],
    live: Evidence,
    reference: Reference | None,
    terms: GateContext,
    called: str,
) -> Subject:
    metric, compares = metric_of(rule, terms.task), COMPARISONS[rule_name].compares
    bare = Subject(
        gate=name(rule),
        kind="metric",
        rule=rule_name,
        limit=limit,
        n=sum(one.rows for one in slices),
        metric=metric,
        part=slices,
        by=" * ".join(rule.by) or None,
    )
    prepared = prepare(metric, _LEVEL if compares else rule_name, limit, slices, live, terms)
    measured = prepared.judged
    if measured is None:
        return replace(bare, outcome=prepared.outcome)
    if not compares:
        return replace(bare, judged=measured.judged, live=measured.judged, held=measured)
    if rule.against is not None:
        return replace(bare, live=measured.judged, held=measured, first=rule)
    then = _then(metric, slices, reference)
    if then is None:
        what = "nothing is known of it from when the model was promoted, which it could be compared with"
        return replace(bare, outcome=absent(Verdict.INCONCLUSIVE, Code.NO_REFERENCE, what))
    return against(replace(bare, live=measured.judged, held=measured), then, called)


def against(subject: Subject, then: Quantity, told: str) -> Subject:
    """Return a subject whose judged quantity is what it has lost or gained since then."""
    assert subject.held is not None  # noqa: S101 -- callers have measured it
    assert subject.live is not None  # noqa: S101
    change = replace(square_and_add(subject.live, then, 0.0), method="mover")
    held = replace(subject.held, rule=subject.rule, judged=change, champion=then, difference=change, champion_name=told)
    return replace(subject, judged=change, reference=then, held=held)


def _then(metric: Metric, slices: Sequence[Slice], reference: Reference | None) -> Quantity | None:
    """Return the metric's value when the model was promoted, on the same slices of the holdout."""
    if reference is None or reference.evidence is None:
        return None
    places = {(one.dimension, one.key): one for one in reference.evidence.slices}
    same = [places[one.dimension, one.key] for one in slices if (one.dimension, one.key) in places]
    if len(same) < len(slices) or not _counted(metric, same):
        return None
    value = metric.level(same, CANDIDATE)
    return value if isinstance(value, Quantity) else None


def _counted(metric: Metric, slices: Sequence[Slice]) -> bool:
    """Tell whether the promotion counted what the metric is made of: its policy may not have asked for it."""
    statistic = metric.statistic
    has = {
        "cells": lambda one: bool(one.cells or one.weights),
        "ranks": lambda one: one.ranks is not None,
        "moments": lambda one: one.moments_of(statistic) is not None,
        "computed": lambda one: one.computed_of(statistic) is not None,
    }[statistic.form]
    return bool(slices) and all(map(has, slices))


def of_drift(rule: DriftRule, window: LiveWindow, reference: Reference | None) -> Iterator[Subject]:
    """Yield the distance of each column from its profile."""
    counted = {(one.column, one.measure): one.counts for one in window.columns}
    for column in rule.columns:
        bare = Subject(gate=f"{rule.drift} of {column}", kind="drift", rule="max", limit=rule.max, n=window.rows)
        profile = reference.profile.of(column, rule.drift) if reference and reference.profile else None
        counts = counted.get((column, rule.drift), ())
        if profile is None:
            what = f"there is no profile of {column} from when the model was promoted"
            yield replace(bare, outcome=absent(Verdict.INCONCLUSIVE, Code.NO_REFERENCE, what))
        elif not counts:
            what = f"live rows have no column {column} of the kind that it was when the model was promoted"
            yield replace(bare, outcome=absent(Verdict.ERROR, Code.MISSING_COLUMN, what))
        else:
            yield _distance(bare, profile, counts)


def _distance(bare: Subject, profile: ColumnBins, counts: Sequence[int]) -> Subject:
    pairs: Counts = list(zip(counts, profile.counts, strict=True))
    distance, coarse = (_ks if profile.measure == "ks" else _psi)(pairs)
    if distance.value is None:
        what = f"{bare.gate} is undefined: there are no values to compare"
        return replace(bare, outcome=absent(Verdict.ERROR, Code.UNDEFINED, what))

    def bounds(confidence: float) -> Bounds:
        low, high = distance.bounds(confidence, 1)
        return low, high + coarse

    quantity = Quantity(value=distance.value, bounds=bounds, method=_METHODS[profile.measure])
    return replace(bare, judged=quantity, live=quantity, events=_rows_a_bin(profile, counts))


_METHODS = {"psi": "noncentral-chi-square", "ks": "dvoretzky-kiefer-wolfowitz"}


def _psi(pairs: Counts) -> tuple[Distance, float]:
    """Return the distance; where too much of it lies in bins that are too rare, no distance is too large."""
    distance = MEASURES["psi"](pairs)
    return distance, inf if distance.lumped else 0.0


def _ks(pairs: Counts) -> tuple[Distance, float]:
    """Return the largest gap at the bins' ends, and by how much it may be larger inside of one: by all of its rows."""
    valued = pairs[NAN:]
    n, m = (sum(side) for side in zip(*valued, strict=True)) if valued else (0, 0)
    if not n or not m:
        return MEASURES["ks"]([]), 0.0
    here = there = gap = 0
    for live, then in valued:
        here, there = here + live, there + then
        gap = max(gap, abs(here * m - there * n))
    inside = max(max(live / n, then / m) for live, then in valued)
    return MEASURES["ks"]([(n, m), (gap, n * m)]), inside


def _rows_a_bin(profile: ColumnBins, counts: Sequence[int]) -> float:
    """Return how many live rows a bin of the distance has on average: what its bounds rest on."""
    if profile.measure == "ks":
        return float(sum(counts[NAN:]))
    bins, _ = pooled(list(zip(counts, profile.counts, strict=True)))
    return sum(counts) / max(1, len(bins))
