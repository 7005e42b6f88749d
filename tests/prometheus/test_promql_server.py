"""What goes wrong on the way to a Prometheus: time-outs, refusals, redirects, partial responses, tokens."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from prometheus_server import NOON, free_port
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from gates.documents.live.prometheus_answer import PrometheusAnswer
from gates.errors import Exit, GatesError
from gates.kinds.promql.promql_rule import PromqlRule
from gates.kinds.promql.promql_verdict import held
from gates.kinds.protocol import PromqlQuestion
from gates.measure.prometheus.asking import answered
from gates.measure.prometheus.prometheus_api import NotAllowedError, PrometheusApi, address
from gates.policy import Gate

UP = PromqlQuestion(query="up")
SECRET = "very-secret-token-of-mine"  # noqa: S105 -- a made-up one


def vector(*values: str, warnings: tuple[str, ...] = ()) -> dict[str, Any]:
    """An answer in the form that Prometheus documents."""
    result = [{"metric": {"instance": f"hidden-{n}"}, "value": [NOON.timestamp(), one]} for n, one in enumerate(values)]
    found: dict[str, Any] = {"status": "success", "data": {"resultType": "vector", "result": result}}
    return found | ({"warnings": list(warnings)} if warnings else {})


def ask(url: str, token: str = "", said: list[str] | None = None, **named: Any) -> tuple[PrometheusAnswer, ...]:
    api = PrometheusApi(url.rstrip("/"), token, **named)
    (answers,) = answered(api, [UP], [NOON], (said if said is not None else []).append)
    return answers


def verdict_of(answers: tuple[PrometheusAnswer, ...]) -> str:
    rule: PromqlRule = Gate.read({"promql": "up", "min": 1}).rule
    (verdict,) = held(rule, answers, 0.95)
    return f"{verdict.verdict} {verdict.code}"


def replies(server: HTTPServer, value: dict[str, Any]) -> None:
    def reply(request: Request) -> Response:
        is_age = "timestamp(" in request.form["query"]
        given = vector(str(NOON.timestamp())) if is_age else value
        import json

        return Response(json.dumps(given), content_type="application/json")

    server.expect_request("/api/v1/query", method="POST").respond_with_handler(reply)


def test_a_partial_response_is_an_error_and_its_text_is_kept_nowhere(httpserver: HTTPServer) -> None:
    replies(httpserver, vector("1", warnings=("receive from 10.0.0.7: no answer",)))
    said: list[str] = []
    answers = ask(httpserver.url_for(""), said=said)
    assert verdict_of(answers) == "error partial"
    assert said == ["Prometheus warned: receive from 10.0.0.7: no answer"]
    assert "10.0.0.7" not in str(answers)
    assert "hidden" not in str(answers)


def test_without_the_warning_it_passes_and_so_it_does_with_a_remark(httpserver: HTTPServer) -> None:
    replies(httpserver, vector("1", warnings=("PromQL info: metric might not be a counter",)))
    assert verdict_of(ask(httpserver.url_for(""))) == "pass within_bar"


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_server_in_trouble_is_asked_again_and_then_no_verdict(httpserver: HTTPServer, status: int) -> None:
    httpserver.expect_request("/api/v1/query").respond_with_json({"status": "error", "error": "overload"}, status)
    with pytest.raises(GatesError, match=f"HTTP {status} overload") as error:
        ask(httpserver.url_for(""))
    assert error.value.exit_code is Exit.OUTSIDE
    assert len(httpserver.log) >= 3


def test_trouble_that_passes_does_no_harm(httpserver: HTTPServer) -> None:
    for _ in range(2):
        httpserver.expect_ordered_request("/api/v1/query").respond_with_data("", 503)
    for _ in range(2):
        httpserver.expect_ordered_request("/api/v1/query").respond_with_json(vector(str(NOON.timestamp())))
    assert len(ask(httpserver.url_for(""))) == 1


def test_a_hanging_server_and_a_closed_port_are_outside(httpserver: HTTPServer) -> None:
    done = threading.Event()
    httpserver.expect_request("/api/v1/query").respond_with_handler(lambda _: Response(status=200 + done.wait(60)))
    begun = time.monotonic()
    with pytest.raises(GatesError, match="no answer in time") as error:
        ask(httpserver.url_for(""), SECRET, timeout=0.2)
    done.set()
    assert time.monotonic() - begun < 50, "it was not waited for to the end"
    assert error.value.exit_code is Exit.OUTSIDE
    with pytest.raises(GatesError, match="refused or broke off") as refused:
        ask(f"http://127.0.0.1:{free_port()}", SECRET)
    assert refused.value.exit_code is Exit.OUTSIDE
    assert SECRET not in f"{error.value}{refused.value}"


@pytest.mark.parametrize("status", [400, 422])
def test_a_bad_query_is_the_policys_mistake_in_prometheus_own_words(httpserver: HTTPServer, status: int) -> None:
    told = {"status": "error", "errorType": "bad_data", "error": "many-to-many matching\nnot allowed"}
    httpserver.expect_request("/api/v1/query").respond_with_json(told, status)
    with pytest.raises(GatesError, match="many-to-many matching not allowed") as error:
        ask(httpserver.url_for(""))
    assert error.value.exit_code is Exit.INPUT


def test_a_real_one_refuses_in_its_own_words(prometheus: str) -> None:
    query = "latency / on() latency"
    with pytest.raises(GatesError, match="duplicate series for the match group") as error:
        answered(PrometheusApi(prometheus, ""), [PromqlQuestion(query=query)], [NOON], print)
    assert error.value.exit_code is Exit.INPUT


@pytest.mark.parametrize("status", [401, 403])
def test_a_missing_credential(httpserver: HTTPServer, status: int) -> None:
    httpserver.expect_request("/api/v1/query").respond_with_data("log in, please", status)
    with pytest.raises(NotAllowedError, match=f"HTTP {status}"):
        ask(httpserver.url_for(""))


def test_the_token_goes_to_the_address_alone(httpserver: HTTPServer) -> None:
    """The same server by another name is another host."""
    seen: list[tuple[str, str | None]] = []

    def here(request: Request) -> Response:
        seen.append((request.host, request.headers.get("Authorization")))
        elsewhere = httpserver.url_for("/other").replace("localhost", "127.0.0.1")
        return Response(status=307, headers={"Location": elsewhere})

    httpserver.expect_request("/api/v1/query").respond_with_handler(here)
    httpserver.expect_request("/other").respond_with_json(vector("1"))
    with pytest.raises(GatesError, match="leads elsewhere") as error:
        ask(httpserver.url_for(""), SECRET)
    assert error.value.exit_code is Exit.INPUT
    assert {header for _, header in seen} == {f"Bearer {SECRET}"}
    assert not any(request.path == "/other" for request, _ in httpserver.log)


def test_a_token_with_a_colon_is_a_user_and_a_password(httpserver: HTTPServer, monkeypatch, tmp_path) -> None:
    (tmp_path / "netrc").write_text("default login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    seen: list[str | None] = []

    def reply(request: Request) -> Response:
        seen.append(request.headers.get("Authorization"))
        return Response('{"status":"success","data":{"resultType":"vector","result":[]}}')

    httpserver.expect_request("/api/v1/query").respond_with_handler(reply)
    ask(httpserver.url_for(""), "me:pass")
    ask(httpserver.url_for(""))
    assert set(seen) == {"Basic bWU6cGFzcw==", None}, "and never what a .netrc says"


@pytest.mark.parametrize(
    "body",
    ["<html>log in</html>", "[]", "{}", '{"data": {"resultType": "vector", "result": [{"histogram": []}]}}',
     '{"data": {"resultType": "string", "result": [1, "a"]}}',
     '{"data": {"resultType": "vector", "result": [{"value": [1, "x"]}]}}'],
)  # fmt: skip
def test_what_is_no_answer_is_no_verdict(httpserver: HTTPServer, body: str) -> None:
    httpserver.expect_request("/api/v1/query").respond_with_data(body)
    with pytest.raises(GatesError, match="gave no numbers"):
        ask(httpserver.url_for(""))


@pytest.mark.parametrize(
    ("url", "told"),
    [
        (None, "PROMETHEUS_URL is not set"),
        ("", "PROMETHEUS_URL is not set"), ("prometheus:9090", "is not an address"),
        ("file:///etc/passwd", "is not an address"), ("http://[", "is not an address"),
        ("https://x.test/?a=b", "is not an address"), (f"https://me:{SECRET}@x.test", "has a user in it"),
    ],
)  # fmt: skip
def test_an_address_that_is_none(url: str | None, told: str) -> None:
    with pytest.raises(GatesError, match=told) as error:
        address({} if url is None else {"PROMETHEUS_URL": url})
    assert error.value.exit_code is Exit.INPUT
    assert SECRET not in str(error.value)


def test_a_token_with_a_line_break_is_refused() -> None:
    with pytest.raises(GatesError, match="no header can hold") as error:
        PrometheusApi("http://x.test", f"{SECRET}\nX: y")
    assert SECRET not in str(error.value)


def test_each_question_is_asked_once(prometheus: str) -> None:
    """However many rules ask it: 25 rules look at the same series, whose age is one question."""
    from gates.measure.prometheus import prometheus_api

    asked: list[str] = []

    class Counting(PrometheusApi):
        def at(self, query: str, moment: int) -> prometheus_api.QueryResult:
            asked.append(query)
            return super().at(query, moment)

    questions = [PromqlQuestion(query=f'latency{{model="churn"}} * {n}') for n in range(25)]
    (answers,) = answered(Counting(prometheus, ""), questions, [NOON], print)
    assert len(answers) == 25
    assert len(asked) == 26
    two = answered(Counting(prometheus, ""), questions, [NOON, NOON - timedelta(hours=1)], print)
    assert [some[0].at for some in two] == ["2026-03-02T12:00:00Z", "2026-03-02T11:00:00Z"]
