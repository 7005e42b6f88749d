"""Metrics of a real Prometheus as an autoscaler asks for them: what prometheus-adapter does, behind the server's own
aggregation layer."""

from __future__ import annotations

import json
import math
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from control_plane import ControlPlane
from prometheus_server import query

APIS = {"custom.metrics.k8s.io": "v1beta2", "external.metrics.k8s.io": "v1beta1"}


def address() -> str | None:
    """This machine's address that is not its loopback, which no endpoint may have; None where there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            return None
        found = str(probe.getsockname()[0])
    return None if found.startswith("127.") else found


def quantity(value: float) -> str:
    """As the adapter writes it: what is no number is 0."""
    return "0" if math.isnan(value) else f"{round(value * 1000)}m"


class Metrics(BaseHTTPRequestHandler):
    """Answers the autoscaler. ``prometheus`` is an address."""

    prometheus: str

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        steps = urlsplit(self.path).path.strip("/").split("/")
        if steps[0] != "apis" or len(steps) < 3:
            self.send_error(404)
            return
        _, group, version, *rest = steps
        answer: Any = {"kind": "APIResourceList", "groupVersion": f"{group}/{version}", "resources": []}
        if rest:
            of = self.custom if group.startswith("custom") else self.external
            items = list(of(rest[1], rest[-1]))
            kind = "MetricValueList" if group.startswith("custom") else "ExternalMetricValueList"
            answer = {"kind": kind, "apiVersion": f"{group}/{version}", "metadata": {}, "items": items}
        data = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def custom(self, namespace: str, metric: str) -> Iterator[dict[str, Any]]:
        for row in query(self.prometheus, f'{metric}{{namespace="{namespace}"}}'):
            yield {
                "describedObject": {"kind": "Pod", "namespace": namespace, "name": row["metric"]["pod"]},
                "metric": {"name": metric},
                "timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "value": quantity(float(row["value"][1])),
            }

    def external(self, _: str, metric: str) -> Iterator[dict[str, Any]]:
        for row in query(self.prometheus, metric):
            yield {
                "metricName": metric,
                "metricLabels": {},
                "timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "value": quantity(float(row["value"][1])),
            }


@contextmanager
def adapter(plane: ControlPlane, prometheus: str, host: str) -> Iterator[None]:
    """The two APIs of metrics while the block runs."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(plane.folder / "certs/apiserver.crt", plane.folder / "certs/apiserver.key")
    server = ThreadingHTTPServer((host, 0), type("Bound", (Metrics,), {"prometheus": prometheus}))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    name, port = "metrics", server.server_port
    services = "/api/v1/namespaces/default/services"
    slices = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
    registered = "/apis/apiregistration.k8s.io/v1/apiservices"
    plane.ask("POST", services, {"metadata": {"name": name}, "spec": {"ports": [{"port": 443, "targetPort": port}]}})
    labels = {"kubernetes.io/service-name": name}
    ends = {"addressType": "IPv4", "endpoints": [{"addresses": [host]}], "ports": [{"name": "", "port": port}]}
    plane.ask("POST", slices, {"metadata": {"name": name, "labels": labels}} | ends)
    try:
        for group, version in APIS.items():
            spec = {
                "group": group, "version": version, "service": {"name": name, "namespace": "default", "port": 443},
                "insecureSkipTLSVerify": True, "groupPriorityMinimum": 100, "versionPriority": 100,
            }  # fmt: skip
            plane.ask("POST", registered, {"metadata": {"name": f"{version}.{group}"}, "spec": spec})
        for group, version in APIS.items():
            plane.wait(f"{registered}/{version}.{group}", is_available, "the API of metrics does not answer")
        yield
    finally:
        for group, version in APIS.items():
            plane.answer("DELETE", f"{registered}/{version}.{group}")
        plane.answer("DELETE", f"{slices}/{name}")
        plane.answer("DELETE", f"{services}/{name}")
        server.shutdown()
        server.server_close()


def is_available(thing: Any) -> bool:
    conditions = thing.get("status", {}).get("conditions", ())
    return any(held["type"] == "Available" and held["status"] == "True" for held in conditions)
