"""Check whether a Prometheus can have answered so: somebody hostile may have handed the answers over."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from gates.documents.live.prometheus_answer import PrometheusAnswer
from gates.kinds.promql.promql_expression import selectors_of
from gates.kinds.protocol import PromqlQuestion


def wrong_answers(questions: Collection[PromqlQuestion], answers: Sequence[PrometheusAnswer]) -> Iterator[str]:
    """Yield why these can't be answers to a policy's questions. That one is missing is for the judge to say."""
    given = [PromqlQuestion(query=one.query, over=one.over, step=one.step) for one in answers]
    if len(set(given)) != len(given) or not set(given) <= set(questions):
        yield "it answers a question that the policy does not ask, or one twice"
        return
    if len({one.at for one in answers}) > 1:
        yield "its answers are about different moments"
    for one in answers:
        yield from _of_answer(one)


def _of_answer(answer: PrometheusAnswer) -> Iterator[str]:
    if bool(answer.samples) != (answer.series == 1):
        yield f"{answer.query}: it has values of no series or of several, or of one no value"
    if not _in_order([at for at, _ in answer.samples], answer):
        yield f"{answer.query}: its values are not of the moments that were asked about"
    if not all(_is_number(value) for _, value in answer.samples):
        yield f"{answer.query}: one of its values is not a number"
    if [one.selector for one in answer.selectors] != [one.text for one in selectors_of(answer.query)]:
        yield f"{answer.query}: it is not about the series of the query"
    for one in answer.selectors:
        if not _in_order([at for at, _ in one.ages], answer) or any(age < 0 for _, age in one.ages):
            yield f"{answer.query}: no samples of {one.selector} are so old"


def _in_order(moments: Sequence[int], answer: PrometheusAnswer) -> bool:
    return list(moments) == sorted(set(moments)) and set(moments) <= set(range(answer.moments))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
