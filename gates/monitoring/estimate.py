"""Estimate metrics of a window without labels, from what scores meant when the model was promoted.

An estimate neither passes nor fails, feeds no watch and starts nothing: it is blind where labels have come to mean
something else. What it can say is that scores alone speak against a limit. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from gates.documents.decision import Code, GateVerdict, Verdict
from gates.documents.evidence import CANDIDATE, Slice
from gates.documents.live.live_evidence import LiveWindow
from gates.documents.slices import OVERALL
from gates.documents.spread import Curve
from gates.kinds.live_gates import LiveMetricRule, live_metric_name
from gates.kinds.metric.comparison import COMPARISONS
from gates.kinds.metric.rule import limits_of, metric_of
from gates.kinds.metric.verdict import estimate_of
from gates.kinds.protocol import GateContext
from gates.metrics import Metric
from gates.metrics.confusion import NAMES
from gates.monitoring.reference import Reference
from gates.schema.canonical import settled
from gates.stats import jackknife
from gates.stats.expected_cells import CalibratedBin, calibrated, expected, unseen
from gates.stats.proportions import square_and_add
from gates.stats.quantity import Quantity
from gates.stats.score_bins import HALF, middle_of
from gates.wording import asked_size, limit_text, number, percent

KIND = "estimate"
METHOD = "calibrated-bins"
_FINE = 2**30  # the parts of a row that expected rows are counted in: counts are whole numbers
_AS_THEN = "the scores say so if labels mean what they meant then"


def contradiction(window: LiveWindow) -> str | None:
    """Tell why no counting can have made a window's scores; None where one can."""
    keys = [(at, call) for at, call, _ in window.scores]
    if not keys:
        return None
    if keys != sorted(set(keys)) or any(not 0 <= at <= 2 * HALF or call not in (0, 1) for at, call in keys):
        return "its scores are in no bins, or in no order"
    if min(n for _, _, n in window.scores) < 1 or sum(n for _, _, n in window.scores) != window.rows:
        return "it has another number of scores than of rows"
    return None


def of_estimate(
    rule: LiveMetricRule, window: LiveWindow, reference: Reference | None, terms: GateContext
) -> Iterator[GateVerdict]:
    """Yield the outcome of each limit."""
    metric = metric_of(rule, terms.task)
    for name, limit in limits_of(rule):
        bare = replace(
            GateVerdict.without_metric(
                id=live_metric_name(rule),
                kind=KIND,
                rule=name,
                bar=limit,
                n=window.rows,
                verdict=Verdict.INCONCLUSIVE,
                code=Code.NO_REFERENCE,
                reason="",
            ),
            metric=rule.metric,
            better=metric.better,
        )
        yield _judged(bare, metric, window, reference, terms)


def _judged(
    bare: GateVerdict, metric: Metric, window: LiveWindow, reference: Reference | None, terms: GateContext
) -> GateVerdict:
    then, curve = _then(metric, reference), _curve(reference)
    if then is None or curve is None:
        what = "the promotion counted no scores and labels, which it could be estimated from"
        return replace(bare, reason=f"{metric.name} can't be estimated: {what}")
    if not window.scores:
        what = "live rows have no column score, which the model gave when it was promoted"
        return replace(bare, verdict=Verdict.ERROR, code=Code.MISSING_COLUMN, reason=what)
    bins = calibrated(curve.bins, window.scores)
    if not bins:
        what = "too few rows were scored when the model was promoted"
        return replace(bare, reason=f"{metric.name} can't be estimated: {what}")
    strange = unseen(bins, terms.confidence)
    if strange is not None:
        return replace(bare, code=Code.UNSEEN_SCORES, reason=_strange(metric, strange, bins, window))
    spread = expected(bins, lambda cells: _value(metric, cells))
    if spread is None:
        what = f"{metric.name} can't be estimated: it is undefined for the rows that are expected"
        return replace(bare, code=Code.TOO_FEW_ROWS, reason=what)
    live = jackknife.quantity(spread, metric.limits, METHOD)
    return _held(bare, metric, window, live, then, terms)


def _held(
    bare: GateVerdict, metric: Metric, window: LiveWindow, live: Quantity, then: Quantity, terms: GateContext
) -> GateVerdict:
    """Hold an estimate against a limit: the whole interval misses it, or nothing is judged.

    Of a change the two are taken for independent. They share the rows of the promotion, which makes it smaller: the
    interval is rather too wide.
    """
    how = COMPARISONS[bare.rule]
    change = square_and_add(live, then, 0.0)
    judged, sign = change if how.compares else live, how.sign(metric.better)
    low, high = judged.bounds(terms.confidence)
    best = settled(high if sign > 0 else -low)
    assert bare.bar is not None  # noqa: S101 -- every limit is a number
    drop = best < settled(how.at(bare.bar))
    statement = _told(metric, window, live, then, terms)
    asked = f"; {_asked(bare.rule, bare.bar, metric)}" if drop else ""
    return replace(
        bare,
        verdict=Verdict.INCONCLUSIVE if drop else None,
        code=Code.ESTIMATED_DROP if drop else Code.ESTIMATED,
        reason=f"{statement}{asked}",
        candidate=estimate_of(live, terms),
        champion=estimate_of(then, terms),
        difference=estimate_of(change, terms) if how.compares else None,
        method=METHOD,
    )


def _then(metric: Metric, reference: Reference | None) -> Quantity | None:
    """Return the metric's value when the model was promoted."""
    if reference is None or reference.evidence is None:
        return None
    whole = reference.evidence.along(OVERALL)
    found = metric.level(whole, CANDIDATE) if whole and whole[0].cells else None
    return found if isinstance(found, Quantity) else None


def _curve(reference: Reference | None) -> Curve | None:
    """Return how the promoted model's scores lay among labels then."""
    curves = reference.evidence.curves if reference and reference.evidence else ()
    return next((one for one in curves if one.model == "candidate" and one.counts == "labels"), None)


def _value(metric: Metric, cells: Sequence[float]) -> float | None:
    """Return a metric of an expected confusion matrix (tn, fp, fn, tp)."""
    counts = ((*of, -1, round(rows * _FINE)) for of, rows in zip(NAMES.values(), cells, strict=True))
    part = Slice(
        dimension="", key=(), rows=0, cells=tuple(counts), weights=(), ranks=None, moments=(), computed=()
    )  # fmt: skip
    return metric.level([part], CANDIDATE).value


def _told(metric: Metric, window: LiveWindow, live: Quantity, then: Quantity, terms: GateContext) -> str:
    low, high = (number(settled(end)) for end in live.bounds(terms.confidence))
    return (
        f"{metric.name} is estimated at {low} to {high} without labels, {number(then.value)} when {_model(window)} was "
        f"promoted: {_AS_THEN}"
    )


def _asked(rule: str, limit: float, metric: Metric) -> str:
    if rule == "max_worsening":
        return f"you allow a loss of {asked_size(limit, points=metric.points)}"
    return f"you {'ask for at least' if rule == 'min' else 'allow'} {limit_text(limit)}"


def _strange(metric: Metric, strange: CalibratedBin, bins: Sequence[CalibratedBin], window: LiveWindow) -> str:
    now = percent(round(strange.rows / sum(each.rows for each in bins), 3))
    then = percent(round(strange.known / sum(each.known for each in bins), 3))
    at = bins.index(strange)
    low = number(middle_of(strange.low)) if at else "0"
    high = number(middle_of(strange.high)) if at < len(bins) - 1 else "1"
    return (
        f"{metric.name} can't be estimated: {now} of scores lie between {low} and {high}, where {then} lay when "
        f"{_model(window)} was promoted"
    )


def _model(window: LiveWindow) -> str:
    return f"v{window.model.version}" if window.model else "the model"
