"""The chart's autoscaler on the real controller and a real Prometheus: it follows both metrics, and never removes pods
because a metric is missing, no number or stale."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from charts import CHART
from metrics_adapter import adapter, address
from namespaces import Namespace, job
from prometheus_server import prometheus

SCALED = {
    "enabled": True,
    "deployment": "shop",
    "max": 6,
    "pods": {"metric": "model_queue_depth", "average": "4"},
    "external": {"metric": "visits_waiting", "average": "30", "labels": {}},
}


@dataclass
class Exported:
    """What a Prometheus scrapes, once a second."""

    text: str = ""
    targets: list[str] = field(default_factory=list)

    def depth(self, namespace: Namespace, value: str) -> str:
        pods = namespace.names("v1", "pods")
        return "".join(f'model_queue_depth{{namespace="{namespace.name}",pod="{pod}"}} {value}\n' for pod in pods)


@pytest.fixture
def exported(namespace: Namespace, tmp_path: Path) -> Iterator[Exported]:
    host = address()
    if host is None or not shutil.which("prometheus"):
        pytest.skip("no Prometheus, or no address of this machine but its loopback")
    told = Exported()

    class Answer(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(told.text.encode())

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    target = {
        "job_name": "shop",
        "honor_labels": True,
        "static_configs": [{"targets": [f"127.0.0.1:{server.server_port}"]}],
    }
    scraped = yaml.safe_dump({"global": {"scrape_interval": "1s"}, "scrape_configs": [target]})
    with prometheus(tmp_path, scraped) as url, adapter(namespace.plane, url, host):
        yield told
    server.shutdown()
    server.server_close()


@pytest.fixture
def shop(namespace: Namespace) -> Namespace:
    """Two pods that serve, and the autoscaler of the chart."""
    template = job(["sleep", "600"])["spec"]["template"]
    template["spec"].pop("restartPolicy")
    template["metadata"] = {"labels": {"app": "shop"}}
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": "shop"}}, "template": template}
    namespace.create("apps/v1", "deployments", {"metadata": {"name": "shop"}, "spec": spec})
    helm = namespace.helm()
    helm.install(CHART, "shop", {"boundary": {"enabled": False}, "autoscaling": SCALED})
    return namespace


def replicas(shop: Namespace, wanted: int) -> None:
    shop.wait(
        "apps/v1", "deployments", "shop", lambda thing: thing["spec"]["replicas"] == wanted, f"never {wanted} pods"
    )


def condition(shop: Namespace, kind: str, reason: str) -> None:
    """Wait for what the autoscaler says of itself, and see that it has kept its pods."""

    def said(thing: Any) -> bool:
        held = thing.get("status", {}).get("conditions", ())
        return any((one["type"], one["reason"]) == (kind, reason) for one in held)

    shop.wait("autoscaling/v2", "horizontalpodautoscalers", "shop", said, f"never {reason}")


def test_it_follows_its_metrics_and_never_a_missing_one(shop: Namespace, exported: Exported) -> None:
    condition(shop, "ScalingActive", "FailedGetPodsMetric")  # nothing is told at all
    exported.text = exported.depth(shop, "NaN") + "visits_waiting NaN\n"
    condition(shop, "ScalingActive", "ValidMetricFound")
    replicas(shop, 2)  # that is the least, not zero

    exported.text = exported.depth(shop, "8") + "visits_waiting 0\n"  # twice what a pod shall have
    replicas(shop, 4)
    exported.text = "visits_waiting 180\n"  # the pods' own is gone; the other one asks for six
    replicas(shop, 6)
    exported.text = ""  # both are stale
    condition(shop, "ScalingActive", "FailedGetPodsMetric")
    replicas(shop, 6)
