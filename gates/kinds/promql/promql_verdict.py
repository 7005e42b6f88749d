"""Hold what a Prometheus answered against the limits of a rule. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Final

from gates.documents.decision import Code, Estimate, GateVerdict, Verdict
from gates.documents.live.prometheus_answer import PrometheusAnswer
from gates.kinds.metric.comparison import outcome
from gates.kinds.promql.promql_expression import selectors_of
from gates.kinds.promql.promql_rule import KEY, PromqlRule
from gates.kinds.protocol import PromqlQuestion
from gates.schema.canonical import settled
from gates.stats.proportions import wilson
from gates.stats.quantity import Quantity
from gates.wording import apart, counted, limit_text, number, percent, plural

STALE: Final = 300_000  # milliseconds; so far Prometheus itself looks back for a sample
_ROUNDED = 1e-9  # of a sum: by so much those of the same doubles in another order may differ
_METHOD = "wilson"


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleAnswer:
    """What became of a rule: the verdict with its reason, and the numbers behind it."""

    verdict: Verdict | None
    code: Code
    reason: str
    n: int = 0
    estimate: Estimate | None = None
    method: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventCounts:
    """Of ``total`` events so many were bad. What functions such as ``increase`` give need not be whole."""

    bad: float
    total: float

    @property
    def share(self) -> Quantity:
        """The share of bad events with Wilson's bounds."""
        return Quantity(
            value=self.bad / self.total,
            bounds=lambda confidence: wilson(self.bad, self.total, confidence),
            method=_METHOD,
            limits=(0.0, 1.0),
        )


def held(rule: PromqlRule, answers: Sequence[PrometheusAnswer], confidence: float) -> Iterator[GateVerdict]:
    """Yield a verdict for each limit, from what was answered. ``confidence``: of each bound of a share."""
    if rule.counts:
        counts = events(rule, answers)
        yield from verdicts(rule, _of_share(rule, counts, confidence) if isinstance(counts, EventCounts) else counts)
        return
    (answer,), wrong = _answered(rule, answers)
    if answer is None or wrong is not None:
        assert wrong is not None  # noqa: S101 -- what is missing is wrong
        yield from verdicts(rule, wrong)
        return
    for limit_name, limit in rule.limits:
        yield _verdict(rule, limit_name, limit, _of_steps(answer, limit_name, limit))


def events(rule: PromqlRule, answers: Sequence[PrometheusAnswer]) -> EventCounts | RuleAnswer:
    """Return what was counted, or why nothing can be said of it."""
    (bad, total), wrong = _answered(rule, answers)
    if wrong is not None:
        return wrong
    assert bad is not None  # noqa: S101 -- what is missing is wrong
    assert total is not None  # noqa: S101
    few, all_of_them = (float(one.samples[0][1]) if one.samples else 0.0 for one in (bad, total))
    if few < 0 or all_of_them < 0 or few > all_of_them * (1 + _ROUNDED):
        what = f"{number(few)} bad of {number(all_of_them)}: these count no events"
        return RuleAnswer(verdict=Verdict.ERROR, code=Code.UNDEFINED, reason=what)
    if not all_of_them:
        what = "there was no event, so nobody knows what share is bad"
        return RuleAnswer(verdict=Verdict.INCONCLUSIVE, code=Code.NO_TRAFFIC, reason=what)
    return EventCounts(bad=min(few, all_of_them), total=all_of_them)


def verdicts(rule: PromqlRule, answer: RuleAnswer) -> Iterator[GateVerdict]:
    """Yield the same outcome for each limit of a rule."""
    for limit_name, limit in rule.limits:
        yield _verdict(rule, limit_name, limit, answer)


def _verdict(rule: PromqlRule, limit_name: str, limit: float, answer: RuleAnswer) -> GateVerdict:
    bare = GateVerdict.without_metric(
        id=rule.name,
        kind=KEY,
        rule=limit_name,
        bar=limit,
        n=answer.n,
        verdict=answer.verdict,
        code=answer.code,
        reason=f"{rule.title}: {answer.reason}",
        candidate=answer.estimate,
    )
    return replace(bare, method=answer.method)


Answers = tuple[PrometheusAnswer | None, ...]


def _answered(rule: PromqlRule, answers: Sequence[PrometheusAnswer]) -> tuple[Answers, RuleAnswer | None]:
    """Return the answer to each question of a rule, and what is wrong with them."""
    by_question = {PromqlQuestion(query=one.query, over=one.over, step=one.step): one for one in answers}
    mine = tuple(by_question.get(question) for question in rule.questions)
    return mine, next(_troubles(rule, mine), None)


def _troubles(rule: PromqlRule, mine: Answers) -> Iterator[RuleAnswer]:
    """Yield what is wrong with answers, the worst first: what can't be known is never a pass."""
    known = [one for one in mine if one is not None]
    if len(known) < len(mine):
        yield _error(Code.NOT_MEASURED, "nobody asked")
    if any(one.warnings for one in known):
        yield _error(Code.PARTIAL, "Prometheus warned about its answer, so part of it may be missing")
    most = max((answer.series for answer in known), default=0)
    if most > 1:
        yield _error(Code.MANY_SERIES, f"several series ({most:,}) came back; aggregate them into one, as sum() does")
    if not all(answer.series for answer in known[-1:]):  # no series of bad events beside a live total are none
        yield _error(Code.NO_SERIES, "no series came back: what is missing is not well")
    for selector in _stale(rule, known):
        yield _error(Code.STALE, f"{selector} has no sample of the last 5 minutes: its target may be dead")
    strange = next((value for one in known for _, value in one.samples if not isfinite(float(value))), None)
    if strange is not None:
        yield _error(Code.NOT_FINITE, f"it gave {strange}, which can't be compared")
    if not rule.counts and known:
        yield from _gaps(known[0])


def _error(code: Code, reason: str) -> RuleAnswer:
    return RuleAnswer(verdict=Verdict.ERROR, code=code, reason=reason)


def _stale(rule: PromqlRule, known: Sequence[PrometheusAnswer]) -> Iterator[str]:
    """Yield the selectors whose series had no recent sample at the last moment.

    Bad events that never came have no series, and those of a server that was restarted no new one. So a selector of
    ``bad`` that selects from the very series of ``total`` is as fresh as these.
    """
    totals = selectors_of(rule.promql.total) if rule.counts else ()
    for answer in known:
        is_bad = rule.counts and answer.query == rule.promql.bad
        if is_bad and not answer.series:
            continue
        for selector, given in zip(selectors_of(answer.query), answer.selectors, strict=True):
            covered = is_bad and any(total.covers(selector) for total in totals)
            if not covered and not _fresh(given.ages, answer.moments - 1):
                yield selector.text


def _fresh(ages: Sequence[tuple[int, int]], moment: int) -> bool:
    return any(at == moment and age <= STALE for at, age in ages)


def _gaps(answer: PrometheusAnswer) -> Iterator[RuleAnswer]:
    """Yield what is missing: steps without a value, and those at which a series was stale, though a long range such as
    ``[30m]`` still gave a value."""
    have = {at for at, _ in answer.samples}
    for one in answer.selectors:
        have &= {at for at, age in one.ages if age <= STALE}
    missing = answer.moments - len(have)
    if missing:
        what = f"without a value, or with an old one: {missing} of {counted(answer.moments, 'step')}"
        yield RuleAnswer(verdict=Verdict.INCONCLUSIVE, code=Code.GAPS, reason=what)


def _of_steps(answer: PrometheusAnswer, limit_name: str, limit: float) -> RuleAnswer:
    """Return what all steps together say: within the limit, beyond it, or some of them."""
    values = [settled(float(value)) for _, value in answer.samples]
    low, high, newest = min(values), max(values), values[-1]
    sign = 1 if limit_name == "min" else -1
    ends = sorted((sign * low, sign * high))
    verdict = outcome(sign * newest, ends[0], ends[1], sign * settled(limit))
    beyond, code = ("below", Code.BELOW_BAR) if sign > 0 else ("above", Code.ABOVE_BAR)
    if verdict is Verdict.PASS:
        code = Code.WITHIN_BAR
    elif verdict is Verdict.INCONCLUSIVE:
        code = Code.ACROSS_BAR
    asked = f"{'you ask for at least' if sign > 0 else 'you allow'} {limit_text(limit)}"
    if answer.moments == 1:
        reason = f"it is {apart(number, newest, limit)}; {asked}"
    else:
        bad = sum(sign * value < sign * settled(limit) for value in values)
        steps = counted(answer.moments, "step")
        which = f"none of {steps}" if not bad else f"all {steps}" if bad == len(values) else f"{bad} of {steps}"
        reason = f"between {apart(number, low, limit)} and {apart(number, high, limit)}, {which} {beyond}; {asked}"
    estimate = Estimate(value=newest, low=low, high=high)
    return RuleAnswer(verdict=verdict, code=code, reason=reason, n=answer.moments, estimate=estimate, method="steps")


def _of_share(rule: PromqlRule, counts: EventCounts, confidence: float) -> RuleAnswer:
    """Return what the share of bad events says, whose bounds are held against the limit."""
    assert rule.max is not None  # noqa: S101 -- ``mistakes`` refuses a rule without one
    low, high = (settled(end) for end in counts.share.bounds(confidence))
    value, n = settled(counts.share.value), round(counts.total)
    verdict = outcome(-value, -high, -low, -settled(rule.max))
    sure = f"({percent(confidence)} sure, {plural(n, 'event', 'events')})"
    if verdict is Verdict.PASS:
        statement, code = f"is at most {apart(number, high, rule.max)}", Code.WITHIN_BAR
    elif verdict is Verdict.FAIL:
        statement, code = f"is at least {apart(number, low, rule.max)}", Code.ABOVE_BAR
    else:
        span = f"{apart(number, low, rule.max)} and {apart(number, high, rule.max)}"
        statement, code = f"lies between {span}", Code.ACROSS_BAR
    return RuleAnswer(
        verdict=verdict,
        code=code,
        reason=f"the share of bad events {statement} {sure}; you allow {limit_text(rule.max)}",
        n=n,
        estimate=Estimate(value=value, low=low, high=high),
        method=_METHOD,
    )
