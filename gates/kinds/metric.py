"""A metric must reach a bar, or must not fall behind the champion; overall and slice by slice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gates.asks import Named
from gates.asks import asks as fields_ask
from gates.decision import Code, GateVerdict, Verdict
from gates.evidence import Evidence, Slice
from gates.fields import declare
from gates.kinds.bars import BARS, Held, Subject, absent, hold
from gates.kinds.protocol import Mistake, Needs, Terms
from gates.metrics import METRICS
from gates.slices import OVERALL, Dimension
from gates.stats.multiplicity import holm

KEY = "metric"

EXAMPLES = (
    "metric: roc_auc\nmin: 0.80\nmax_worsening: 0.01\n",
    "metric: recall\nmax_worsening: 0.02\nslices: {max_worsening: 0.05}\n",
    "metric: demographic_parity_difference\nby: sex\nmax: 0.10\n",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Bars:
    """The same bars, for every slice of the policy's `slices`."""

    min: float | None = declare("The value must be at least this.", default=None, stricter="larger")
    max: float | None = declare("The value must be at most this.", default=None, stricter="smaller")
    max_worsening: float | None = declare(
        "May be worse than the champion by at most this.", default=None, stricter="smaller", minimum=0
    )
    min_improvement: float | None = declare(
        "Must be better than the champion by this.", default=None, stricter="larger", minimum=0
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """A metric held to bars."""

    metric: str = declare("The metric's name.", stricter="free", enum=sorted(METRICS))
    by: tuple[str, ...] = declare(
        "Sensitive column of a fairness metric; several columns are crossed.",
        default=(),
        single=True,
        stricter="free",
        minItems=1,
    )
    min: float | None = declare("The value must be at least this.", default=None, stricter="larger")
    max: float | None = declare("The value must be at most this.", default=None, stricter="smaller")
    max_worsening: float | None = declare(
        "May be worse than the champion by at most this, in the metric's own direction.",
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
    slices: Bars | None = declare("Bars that every slice must keep.", default=None, minProperties=1)


def bars_of(rule: Rule | Bars) -> Iterator[tuple[str, float]]:
    """(rule name, bar) of the bars that are set."""
    for name in BARS:
        value = getattr(rule, name)
        if value is not None:
            yield name, value


def name(rule: Rule) -> str:
    """``recall``; ``demographic_parity_difference by sex``."""
    return rule.metric + (f" by {' * '.join(rule.by)}" if rule.by else "")


def asks(rule: Rule) -> Iterator[Named]:
    """Each bar; the metric and its groups are the gate's name."""
    return fields_ask(rule, name(rule))


def mistakes(rule: Rule, terms: Terms) -> Iterator[Mistake]:
    """Bars that mean nothing for this metric, and columns that are missing or too many."""
    metric = METRICS[rule.metric]
    if not any(bars_of(rule)) and rule.slices is None:
        yield Mistake(path=(), what=f"{rule.metric} has no bar; give it one of {', '.join(BARS)}")
    if metric.grouped and not rule.by:
        yield Mistake(path=("metric",), what=f"{rule.metric} compares groups; say of which column with `by:`")
    if rule.by and not metric.grouped:
        yield Mistake(path=("by",), what=f"{rule.metric} does not compare groups; take `by` away or use `slices`")
    if len(set(rule.by)) != len(rule.by):
        yield Mistake(path=("by",), what="a column can't be crossed with itself")
    if metric.grouped and rule.slices:
        yield Mistake(path=("slices",), what="a fairness gate can't be cut into slices as well; use `by: [a, b]`")
    if rule.slices and not terms.dimensions:
        yield Mistake(path=("slices",), what="the policy declares no `slices:` at its top level")
    for path, part in (((), rule), (("slices",), rule.slices)):
        for bar in ("max_worsening", "min_improvement"):
            if part is None or getattr(part, bar) is None:
                continue
            if metric.better == 0:
                yield Mistake(path=(*path, bar), what=f"{rule.metric} has no better direction; use min or max")
            elif metric.change is None:
                yield Mistake(
                    path=(*path, bar), what=f"{rule.metric} is not compared with the champion; use min or max"
                )


def needs(rule: Rule, terms: Terms) -> Needs:
    """Cells or ranks, overall and along the dimensions that the rule looks at."""
    dimensions = [Dimension(columns=rule.by)] if rule.by else list(terms.dimensions if rule.slices else ())
    return Needs.of(dimensions, ranks=METRICS[rule.metric].statistic == "ranks")


def judge(rule: Rule, evidence: Evidence, terms: Terms) -> Iterator[GateVerdict]:
    """Each bar on the whole holdout; then each slice bar over all slices as one family."""
    whole = evidence.along(OVERALL)
    groups = evidence.along(Dimension(columns=rule.by)) if rule.by else whole
    for bar_name, bar in bars_of(rule):
        yield from _family(rule, bar_name, bar, [groups], evidence, terms)
    for bar_name, bar in bars_of(rule.slices or Bars()):
        parts = [[part] for dimension in terms.dimensions for part in evidence.along(dimension)]
        yield from _family(rule, bar_name, bar, parts, evidence, terms)
        yield from _vanished(rule, bar_name, bar, evidence, terms)


def _family(
    rule: Rule, bar_name: str, bar: float, parts: Sequence[Sequence[Slice]], evidence: Evidence, terms: Terms
) -> Iterator[GateVerdict]:
    """One bar over a family of slices: each may pass on its own, but blame must survive Holm's correction."""
    metric = METRICS[rule.metric]
    subjects = [Subject.of(metric, bar_name, bar, part, evidence, terms) for part in parts]
    judged = [subject for subject in subjects if isinstance(subject, Subject)]
    levels = iter(holm([subject.blamed for subject in judged], terms.confidence))
    for subject, part in zip(subjects, parts, strict=True):
        held = hold(subject, next(levels)[1], terms) if isinstance(subject, Subject) else subject
        yield _verdict(rule, bar_name, bar, part, held)


def _vanished(rule: Rule, bar_name: str, bar: float, evidence: Evidence, terms: Terms) -> Iterator[GateVerdict]:
    """Declared bins in which the holdout has no row."""
    if evidence.candidate is None:
        return
    for dimension in terms.dimensions:
        seen = {part.key[0][1] for part in evidence.along(dimension)}
        for missing in (name for name in dimension.bins if name not in seen):
            key: dict[str, str | None] = {dimension.columns[0]: missing}
            what = f"the holdout has no row in the declared slice {dimension.columns[0]} {missing}"
            yield _row(rule, bar_name, bar, key, 0, absent(Verdict.ERROR, Code.MISSING_SLICE, what))


def _verdict(rule: Rule, bar_name: str, bar: float, part: Sequence[Slice], held: Held) -> GateVerdict:
    key = dict(part[0].key) if part and part[0].key and not rule.by else None
    return _row(rule, bar_name, bar, key, sum(one.rows for one in part), held)


def _row(rule: Rule, bar_name: str, bar: float, key: dict[str, str | None] | None, n: int, held: Held) -> GateVerdict:
    return GateVerdict(
        id=name(rule),
        kind=KEY,
        metric=rule.metric,
        rule=bar_name,
        bar=bar,
        slice=key,
        by=" * ".join(rule.by) or None,
        groups=held.groups,
        n=n,
        verdict=held.verdict,
        code=held.code,
        reason=held.reason,
        candidate=held.candidate,
        champion=held.champion,
        difference=held.difference,
        detectable=held.detectable,
        method=held.method,
    )
