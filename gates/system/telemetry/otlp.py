"""Send a command's spans to where the environment says, by OTLP over HTTP. What fails here fails nothing else."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TextIO

from gates.system.telemetry.spans import ERROR, SUCCESS, TaskSpan, TaskTrace

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

SECONDS = 3.0  # that a command waits for its trace to be taken
PROTOCOL = "http/protobuf"
SCOPE = "gates"
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_RUN = ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID", "GITHUB_RUN_ATTEMPT")


def sender(environ: Mapping[str, str], stream: TextIO, version: str) -> Callable[[TaskTrace], None]:
    """Return what sends a trace, or says on ``stream`` in one line why it was not sent."""

    def send(trace: TaskTrace) -> None:
        why = _sent(trace, dict(environ), version)
        if why:
            with suppress(OSError, ValueError):  # nobody may be reading any more
                print(f"gates: the trace was not sent: {why}", file=stream, flush=True)

    return send


def _sent(trace: TaskTrace, environ: Mapping[str, str], version: str) -> str:
    """Send it, and return why that failed; nothing where it went well. No text of the endpoint's is repeated."""
    protocol = next((environ[name] for name in _PROTOCOLS if environ.get(name)), PROTOCOL)
    if protocol != PROTOCOL:
        return f"the protocol asked for is not {PROTOCOL}, which is the only one here"
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import SpanExportResult
    except ImportError:
        return 'OpenTelemetry is not installed: pip install "gates-ml[observe]"'
    log = logging.getLogger("opentelemetry")
    log.propagate = False  # what it would print may hold the endpoint's answer
    log.addHandler(logging.NullHandler())
    answers: list[Any] = []

    def export() -> None:
        with suppress(Exception):
            exporter = OTLPSpanExporter(timeout=SECONDS)
            answers.append(exporter.export(_readable(trace, environ, version)))

    exporting = threading.Thread(target=export, daemon=True)
    exporting.start()
    exporting.join(SECONDS + 0.5)
    if exporting.is_alive():
        return f"the endpoint took longer than {SECONDS:g} s"
    return "" if answers == [SpanExportResult.SUCCESS] else "the endpoint could not be reached, or did not take it"


def _readable(trace: TaskTrace, environ: Mapping[str, str], version: str) -> list[ReadableSpan]:
    """Return the spans as OpenTelemetry's exporter wants them."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
    from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

    named = environ.get("OTEL_SERVICE_NAME") or "service.name=" in environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    resource = Resource.create({} if named else {"service.name": SCOPE})
    scope = InstrumentationScope(SCOPE, version)

    def context(span_id: int, *, remote: bool = False) -> SpanContext:
        return SpanContext(trace.id, span_id, is_remote=remote, trace_flags=TraceFlags(TraceFlags.SAMPLED))

    return [
        ReadableSpan(
            name=one.name,
            context=context(one.id),
            parent=context(one.parent, remote=one.parent == trace.remote) if one.parent is not None else None,
            resource=resource,
            attributes=attributes(one, environ),
            kind=SpanKind.INTERNAL,
            status=Status(StatusCode.UNSET if one.result == SUCCESS else StatusCode.ERROR),
            start_time=one.begun,
            end_time=one.ended,
            instrumentation_scope=scope,
        )
        for one in trace.spans
    ]


def attributes(span: TaskSpan, environ: Mapping[str, str]) -> dict[str, str]:
    """Return what is said of a span, by OpenTelemetry's semantic conventions for CI/CD."""
    run = [environ.get(name, "") for name in _RUN]
    on_github = environ.get("GITHUB_ACTIONS") == "true" and all(run)
    place = "/".join((*run[2:], environ.get("GITHUB_JOB", ""), "")) if on_github else ""
    named = {
        "cicd.pipeline.task.name": span.name,
        "cicd.pipeline.task.run.id": f"{place}{span.id:016x}",
        "cicd.pipeline.task.run.result": span.result,
    }
    if on_github:
        named["cicd.pipeline.task.run.url.full"] = "{}/{}/actions/runs/{}/attempts/{}".format(*run)
    if span.result != SUCCESS:
        named["error.type"] = span.error or ERROR
    return named | ({"gates.verdict": span.verdict} if span.verdict else {})
