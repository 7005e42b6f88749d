"""Each row of the table of what a Prometheus may answer, from a real one, and what would pass without its rule."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from datetime import timedelta
from typing import Any

import pytest
from prometheus_server import NOON

from gates.documents.live.prometheus_answer import PrometheusAnswer
from gates.kinds.promql.promql_verdict import held
from gates.measure.prometheus.asking import answered
from gates.measure.prometheus.prometheus_api import PrometheusApi
from gates.policy import Gate
from gates.schema.canonical import canonical

STEPS = {"over": "1h", "step": "5m"}


def share(model: str, code: str = "5..") -> dict[str, Any]:
    bad = f'sum(increase(requests_total{{model="{model}",code=~"{code}"}}[1h]))'
    return {"promql": {"bad": bad, "total": f'sum(increase(requests_total{{model="{model}"}}[1h]))'}, "max": 0.01}


def of(expression: str, **more: Any) -> dict[str, Any]:
    return {"promql": expression, "max": 0.25} | more


def judged(url: str, gate: dict[str, Any], at=NOON) -> Any:
    rule = Gate.read(gate)
    said: list[str] = []
    (answers,) = answered(PrometheusApi(url, ""), rule.rule.questions, [at], said.append)
    (verdict,) = held(rule.rule, answers, 0.95)
    return verdict, answers


@pytest.mark.parametrize(
    ("gate", "expected"),
    [
        (share("churn"), "pass within_bar"),
        (share("bad"), "fail above_bar"),
        (share("few"), "inconclusive across_bar"),
        (share("clean"), "pass within_bar"),  # no series of bad events beside a live total
        (share("idle"), "inconclusive no_traffic"),
        (share("dead"), "error stale"),
        (share("nobody"), "error no_series"),
        (of('latency{model="churn"}'), "pass within_bar"),
        (of('latency{model="slow"}'), "fail above_bar"),
        (of('latency{model="churn"}', **STEPS), "pass within_bar"),
        (of('latency{model="slow"}', **STEPS), "fail above_bar"),
        (of('latency{model="mixed"}', **STEPS), "inconclusive across_bar"),
        (of('latency{model="nobody"}'), "error no_series"),
        (of('latency{model="nobody"}', **STEPS), "error no_series"),
        (of('latency{model="dead"}'), "error no_series"),  # gone as soon as nobody scrapes it
        (of('avg_over_time(latency{model="dead"}[30m])'), "error stale"),
        (of('avg_over_time(latency{model="dead"}[30m])', **STEPS), "error stale"),
        (of('sum(latency{model="dead"}) or vector(0)'), "error stale"),
        (of('latency{model="broken"}'), "error not_finite"),
        (of("latency"), "error many_series"),
        (of('latency{model="holes"}', **STEPS), "inconclusive gaps"),
        (of('rate(requests_total{model="holes"}[30m])', over="1h", step="5m", max=2), "inconclusive gaps"),
        (of("sum(rate(clicks_total[1h])) / sum(rate(impressions_total[1h]))", max=None, min=0.01), "error not_finite"),
        (of('latency{model="dead"} offset 15m'), "pass within_bar"),  # it lived at that time
        (of('sum(rate(requests_total{model="odd\\"\\\\"}[5m]))', max=2), "pass within_bar"),
    ],
    ids=lambda value: value if isinstance(value, str) else str(value["promql"])[:70],
)
def test_each_row_of_the_table(prometheus, gate, expected):
    verdict, answers = judged(prometheus, {key: value for key, value in gate.items() if value is not None})
    assert f"{verdict.verdict} {verdict.code}" == expected, verdict.reason
    assert "\n" not in verdict.reason
    for answer in answers:  # a label of a series that the policy does not name is nowhere
        assert "instance" not in canonical(answer).decode()


def plainly(url: str, expression: str, **more: Any) -> Any:
    """What the server itself answers, asked by nothing of gates."""
    path = "query_range" if "step" in more else "query"
    query = urllib.parse.urlencode({"query": expression} | more)
    with urllib.request.urlopen(f"{url}/api/v1/{path}?{query}", timeout=30) as got:  # noqa: S310 -- of this machine
        return json.load(got)["data"]["result"]


@pytest.mark.parametrize(
    ("expression", "would_pass"),
    [
        ('avg_over_time(latency{model="dead"}[30m])', lambda value: value <= 0.25),
        ('sum(increase(requests_total{model="dead"}[1h]))', lambda value: value > 100),
        ("sum(rate(clicks_total[1h])) / sum(rate(impressions_total[1h]))", lambda value: value >= 0.01),
        ('sum(latency{model="dead"}) or vector(0)', lambda value: value <= 0.25),
    ],
)
def test_without_its_rule_it_would_pass(prometheus, expression, would_pass):
    (one,) = plainly(prometheus, expression, time=NOON.timestamp())
    assert would_pass(float(one["value"][1]))


def test_without_looking_at_samples_a_hole_would_not_show(prometheus):
    first, last = NOON - timedelta(minutes=55), NOON
    found = plainly(
        prometheus, 'rate(requests_total{model="holes"}[30m])', start=first.timestamp(), end=last.timestamp(), step=300
    )
    assert [len(one["values"]) for one in found] == [12], "each step has a value, over a hole of 16 minutes"


def test_what_is_kept_is_what_was_asked_and_the_values_as_they_were_written(prometheus):
    _, (answer,) = judged(prometheus, of('latency{model="mixed"}', **STEPS))
    assert (answer.at, answer.over, answer.step, answer.series) == ("2026-03-02T12:00:00Z", 3600, 300, 1)
    assert [at for at, _ in answer.samples] == list(range(12)), "the step before is of the hour before"
    assert [value for _, value in answer.samples] == ["0.2"] * 10 + ["0.4"] * 2
    (ages,) = answer.selectors
    assert ages.selector == 'latency{model="mixed"}'
    assert set(ages.ages) == {(step, 0) for step in range(12)}
    assert isinstance(answer, PrometheusAnswer)


def test_a_moment_between_samples_tells_how_old_the_newest_is(prometheus):
    _, (answer,) = judged(prometheus, of('latency{model="churn"}'), at=NOON + timedelta(seconds=90))
    assert answer.selectors[0].ages == ((0, 90_000),)
    verdict, _ = judged(prometheus, of('latency{model="churn"}'), at=NOON + timedelta(minutes=6))
    assert (verdict.verdict, verdict.code) == ("error", "no_series")


def test_the_sentences(prometheus):
    told = {
        judged(prometheus, gate)[0].reason.partition(" (95 %")[0].rpartition(": ")[2]
        for gate in (share("churn"), share("bad"), of('latency{model="mixed"}', **STEPS), of('latency{model="slow"}'))
    }
    assert told == {
        "the share of bad events is at most 0.0021",
        "the share of bad events is at least 0.084",
        "between 0.200 and 0.400, 2 of 12 steps above; you allow 0.25",
        "it is 0.400; you allow 0.25",
    }
