"""deploy/: valid for Kubernetes and KEDA, never to zero, and about metrics that a Prometheus has of the server."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from cloudcoil.models.keda.v1alpha1 import ScaledObject
from edge_project import Project
from prometheus_server import prometheus, query
from pydantic import ValidationError
from shop import CONFIG, Server, Starting

DEPLOY = CONFIG / "deploy"
FILMS = [1, 32, 110]
VERSION = "1.37"
PATIENCE = 300  # seconds, for what never comes


def load(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((DEPLOY / name).read_text()))


def queries() -> list[str]:
    return [str(one["metadata"]["query"]) for one in load("keda.yaml")[0]["spec"]["triggers"]]


@pytest.mark.parametrize("name", ["deployment.yaml", "hpa.yaml"])
def test_kubernetes_takes_it(name: str) -> None:
    for document in load(name):
        kubernetes_validate.validate(document, VERSION, strict=True)
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(load(name)[0] | {"spec": {"replica": 2}}, VERSION, strict=True)


def test_keda_takes_it() -> None:
    (document,) = load("keda.yaml")
    taken = ScaledObject.model_validate(document)
    assert taken.spec is not None
    with pytest.raises(ValidationError):
        ScaledObject.model_validate(document | {"spec": {"triggers": "none"}})


def test_nothing_scales_to_zero_or_takes_a_missing_metric_for_a_quiet_hour() -> None:
    (hpa,), (keda,) = load("hpa.yaml"), load("keda.yaml")
    assert min(hpa["spec"]["minReplicas"], keda["spec"]["minReplicaCount"]) >= 2
    assert "idleReplicaCount" not in keda["spec"]
    assert keda["spec"]["fallback"]["replicas"] >= keda["spec"]["minReplicaCount"]
    for trigger in keda["spec"]["triggers"]:
        assert (trigger["metricType"], trigger["metadata"]["ignoreNullValues"]) == ("AverageValue", "false")
    assert [one for one in queries() if "/" in one] == [], "a quotient may be NaN"
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": load("deployment.yaml")[0]["metadata"]["name"]}
    assert hpa["spec"]["scaleTargetRef"] == keda["spec"]["scaleTargetRef"] == target
    assert "replicas" not in load("deployment.yaml")[0]["spec"]


def test_the_adapter_tells_what_the_autoscaler_asks_for() -> None:
    rules = load("adapter.yaml")[0]["rules"]["custom"]
    names = {one.get("name", {}).get("as") or one["seriesQuery"].partition("{")[0] for one in rules}
    assert names == {one["pods"]["metric"]["name"] for one in load("hpa.yaml")[0]["spec"]["metrics"]}


@pytest.fixture
def watched(start: Starting, tmp_path: Path) -> Iterator[tuple[Server, str]]:
    """A server, and a Prometheus that scrapes it each second."""
    server = start()
    target = {"static_configs": [{"targets": [server.url.removeprefix("http://")]}], "job_name": "recommender"}
    scraped = yaml.safe_dump({"global": {"scrape_interval": "1s"}, "scrape_configs": [target]})
    with prometheus(tmp_path, scraped) as url:
        yield server, url


def answer(url: str, expression: str) -> list[float]:
    return [float(one["value"][1]) for one in query(url, expression)]


def waited(url: str, query: str, *, empty: bool) -> list[float]:
    """What is answered once it is empty, or no longer is. Fails where that never comes."""
    end = time.monotonic() + PATIENCE
    while bool(values := answer(url, query)) is empty:
        assert time.monotonic() < end, f"{query} still answers {values}"
        time.sleep(0.2)
    return values


@contextmanager
def asking(server: Server) -> Iterator[set[int]]:
    """Four users who ask without a pause while the block runs; the codes of their answers."""
    over, codes = threading.Event(), set[int]()

    def ask(user: int) -> None:
        while not over.is_set():
            codes.add(server.post("show", user=user, films=FILMS).status_code)

    with ThreadPoolExecutor(4) as many:
        users = [many.submit(ask, user) for user in range(4)]
        try:
            yield codes
        finally:
            over.set()
    for user in users:
        user.result()


FAILING = 'sum(increase(model_requests_total{model="recommender", code=~"5.."}[5m]))'
ALL = 'sum(increase(model_requests_total{model="recommender"}[5m]))'
SLOWEST = 'histogram_quantile(0.99, sum by (le) (rate(model_request_duration_seconds_bucket{model="recommender"}[1m])))'
DEPTH = 'max(model_queue_depth{model="recommender"})'
ASKED = [
    {"promql": {"bad": FAILING, "total": ALL}, "max": 0.05},
    {"promql": SLOWEST, "max": 60},
    {"promql": DEPTH, "max": 64},
]


def test_gates_asks_it_under_load_and_after_its_death(watched: tuple[Server, str], tmp_path: Path) -> None:
    server, url = watched
    project = Project(tmp_path / "project", PROMETHEUS_URL=url)
    project.ready(gates=[{"metric": "roc_auc", "min": 0.6}, *ASKED])
    assert waited(url, DEPTH, empty=False) == [0]
    with asking(server) as codes:
        # gates asks about the last whole second
        waited(url, ALL.replace("[5m]", "[5m] offset 2s") + " >= 200", empty=False)
        done = project.gates("run")
    assert codes == {200}
    assert done.code == 0, done.out + done.err
    told = {one["kind"]: one for one in project.decision["gates"]}
    assert (told["promql"]["verdict"], len(project.decision["gates"])) == ("pass", 4)

    server.process.kill()
    waited(url, 'model_queue_depth{model="recommender"} offset 2s', empty=True)
    assert sum(answer(url, ALL)) > 0, "a rate outlives its target"
    done = project.gates("run")
    assert done.code == 2, done.out + done.err
    codes_of = {one["id"]: one["code"] for one in project.decision["gates"] if one["kind"] == "promql"}
    assert set(codes_of.values()) <= {"stale", "no_series"}
    assert len(codes_of) == 3


def test_its_queries_find_series_while_the_server_lives_and_none_after_that(watched: tuple[Server, str]) -> None:
    server, url = watched
    for user in range(50):
        assert server.post("show", user=user, films=FILMS).status_code == 200
    depth, rate = queries()
    assert waited(url, depth, empty=False) == [0]
    (first,) = waited(url, rate, empty=False)
    assert first >= 0
    metrics = set(re.findall(r"(model_\w+)\{", (DEPLOY / "adapter.yaml").read_text()))
    assert all(waited(url, name, empty=False) for name in metrics)
    server.process.kill()
    assert waited(url, depth, empty=True) == [], "KEDA takes that for an error, and has its fallback"
