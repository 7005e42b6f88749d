"""Ask a Prometheus what a policy wants to know: each question once, and how old what it rests on is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from gates.documents.evidence import Evidence
from gates.documents.live.prometheus_answer import PrometheusAnswer, SelectorAges
from gates.documents.record import TIME
from gates.errors import GatesError
from gates.kinds.promql.promql_expression import selectors_of
from gates.kinds.protocol import PromqlQuestion
from gates.measure.prometheus.prometheus_api import AT_ONCE, NotAllowedError, PrometheusApi, QueryResult

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class _Query:
    """One request: an expression at the moments that end at ``last``."""

    text: str
    last: int
    over: int
    step: int

    @property
    def first(self) -> int:
        return self.last - self.over + self.step


def with_answers(
    evidence: Evidence,
    questions: Collection[PromqlQuestion],
    environ: Mapping[str, str],
    say: Say,
    excuse: str | None = None,
) -> Evidence:
    """Return the evidence with what a Prometheus answers now; as it is where nothing is to be asked.

    ``excuse``: why nobody may expect this run to be let in, as a fork's; the evidence then says so. Raises
    ``GatesError`` where no Prometheus is named, or none answers.
    """
    if not questions:
        return evidence
    try:
        (answers,) = answered(PrometheusApi.of(environ), questions, [datetime.now(UTC)], say)
    except NotAllowedError:
        if excuse is None:
            raise
        return replace(evidence, unasked=excuse)
    return replace(evidence, answers=answers)


def answered(
    api: PrometheusApi, questions: Collection[PromqlQuestion], moments: Sequence[datetime], say: Say
) -> list[tuple[PrometheusAnswer, ...]]:
    """Return the answers to all questions, sorted, about each moment. ``say`` is told what Prometheus warned of, which
    no evidence keeps: it may name machines.

    Raises ``GatesError`` where a question can't be asked, or no answer came.
    """
    wanted = [[_queries(question, _seconds(moment)) for question in sorted(questions)] for moment in moments]
    distinct = dict.fromkeys(query for some in wanted for queries in some for query in queries)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        results = dict(zip(distinct, _all(pool, lambda query: _ask(api, query), distinct), strict=True))
    for warning in dict.fromkeys(one for result in results.values() for one in result.warnings):
        say(f"Prometheus warned: {warning}")
    return [
        tuple(
            _answer(question, moment, [results[query] for query in queries], queries)
            for question, queries in zip(sorted(questions), some, strict=True)
        )
        for moment, some in zip(moments, wanted, strict=True)
    ]


def _all(
    pool: ThreadPoolExecutor, call: Callable[[_Query], QueryResult], queries: Iterable[_Query]
) -> list[QueryResult]:
    """Call for each query. At the first that fails, those that have not begun are left."""
    futures = [pool.submit(call, query) for query in queries]
    try:
        return [future.result() for future in futures]
    except GatesError:
        pool.shutdown(wait=False, cancel_futures=True)
        raise


def _seconds(moment: datetime) -> int:
    return int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp())


def _queries(question: PromqlQuestion, last: int) -> list[_Query]:
    """Return the question itself, then how old the newest sample of each selector is."""
    return [_Query(question.query, last, question.over, question.step)] + [
        _Query(f"max(timestamp({one.text}))", last - one.offset, question.over, question.step)
        for one in selectors_of(question.query)
    ]


def _ask(api: PrometheusApi, query: _Query) -> QueryResult:
    if not query.step:
        return api.at(query.text, query.last)
    return api.over(query.text, query.first, query.last, query.step)


def _answer(
    question: PromqlQuestion, moment: datetime, results: Sequence[QueryResult], queries: Sequence[_Query]
) -> PrometheusAnswer:
    own, *ages = results
    samples = _numbered(own, queries[0]) if len(own.series) == 1 else ()
    return PrometheusAnswer(
        query=question.query,
        over=question.over,
        step=question.step,
        at=moment.strftime(TIME),
        series=len(own.series),
        samples=samples,
        warnings=sum(len(result.warnings) for result in results),
        selectors=tuple(
            SelectorAges(selector=one.text, ages=_ages(result, query))
            for one, result, query in zip(selectors_of(question.query), ages, queries[1:], strict=True)
        ),
    )


def _numbered(result: QueryResult, query: _Query) -> tuple[tuple[int, str], ...]:
    """Return the samples of the only series by the number of their moment."""
    if not query.step:
        return tuple((0, value) for _, value in result.series[0])
    return tuple((round((at - query.first) / query.step), value) for at, value in result.series[0])


def _ages(result: QueryResult, query: _Query) -> tuple[tuple[int, int], ...]:
    if not result.series:
        return ()
    return tuple(
        (number, max(0, round((query.first + number * query.step - float(newest)) * 1000)))
        for number, newest in _numbered(result, query)
    )
