"""A receiver of traces: a server that decodes what OpenTelemetry's protocol says of them."""

from __future__ import annotations

import gzip
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

INTERNAL = 1
UNSET, FAILED = 0, 2  # of a status


@dataclass
class Received:
    """What came: spans with their attributes, the scopes and resources that they are of, and the requests' headers."""

    address: str = ""
    spans: list[Any] = field(default_factory=list)
    scopes: set[str] = field(default_factory=set)
    resources: list[dict[str, str]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def take(self, body: bytes) -> None:
        for group in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.resources.append(attributes(group.resource))
            for scoped in group.scope_spans:
                self.scopes.add(scoped.scope.name)
                self.spans.extend(scoped.spans)

    @property
    def root(self) -> Any:
        (found,) = (one for one in self.spans if one.name.startswith("gates"))
        return found

    def named(self, name: str) -> Any:
        (found,) = (one for one in self.spans if one.name == name)
        return found


def attributes(holder: Any) -> dict[str, str]:
    return {one.key: one.value.string_value for one in holder.attributes}


@contextmanager
def collector(status: int = 200, hang: threading.Event | None = None) -> Iterator[Received]:
    """One that takes spans; with another ``status`` refuses them, with ``hang`` answers when that is set."""
    received = Received()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if hang is not None:
                hang.wait()
            received.headers.append({"path": self.path, **{name.lower(): text for name, text in self.headers.items()}})
            if status == 200:
                received.take(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(b"SECRET of the endpoint" if status != 200 else b"")

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    received.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield received
    finally:
        if hang is not None:
            hang.set()
        server.shutdown()
        server.server_close()
