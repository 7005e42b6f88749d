"""Remember a command and its steps as spans, and hand them on at its end. Light: OpenTelemetry itself is loaded last.

Nothing is remembered unless the environment names an endpoint. Spans are made here, and not by OpenTelemetry's global
tracer, so neither MLflow nor a model finds one to send its own through.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from gates.errors import Exit, GatesError

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PARENT = "TRACEPARENT"
_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_SAMPLED = 1  # the bit of a parent's flags
_CANCELLED = (130, 143)  # exit codes
RESULTS = {Exit.SHIP: "success", Exit.STOP: "failure", Exit.INPUT: "error", Exit.OUTSIDE: "error"}
SUCCESS, CANCELLED, ERROR = "success", "cancellation", "error"


@dataclass(slots=True, kw_only=True)
class TaskSpan:
    """A command, or a step of one. Times are in nanoseconds since 1970; ``error`` is a short stable word."""

    name: str
    id: int
    parent: int | None
    begun: int
    ended: int = 0
    result: str = SUCCESS
    error: str = ""
    verdict: str = ""


@dataclass(slots=True, kw_only=True)
class TaskTrace:
    """All spans of one command, the command itself first. ``remote``: the span that began it elsewhere, if any."""

    id: int
    remote: int | None
    spans: list[TaskSpan] = field(default_factory=list)


_recorded: ContextVar[TaskTrace | None] = ContextVar("_recorded", default=None)
_current: ContextVar[TaskSpan | None] = ContextVar("_current", default=None)


def parent_of(environ: Mapping[str, str]) -> tuple[int, int, bool] | None:
    """Return trace, span and whether it is sampled, as TRACEPARENT says; None where that is missing or malformed."""
    match = _TRACEPARENT.fullmatch(environ.get(PARENT, ""))
    if match is None or match[1] == "ff" or (match[1] == "00" and match[5]):
        return None
    trace, span, flags = (int(text, 16) for text in match.group(2, 3, 4))
    return (trace, span, bool(flags & _SAMPLED)) if trace and span else None


def is_asked(environ: Mapping[str, str]) -> bool:
    """Tell whether anybody wants a trace: there is an endpoint, and nothing says no."""
    off = environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or environ.get("OTEL_TRACES_EXPORTER") == "none"
    parent = parent_of(environ)
    return any(environ.get(name) for name in ENDPOINTS) and not off and (parent is None or parent[2])


@contextmanager
def traced(name: str, environ: Mapping[str, str], send: Callable[[TaskTrace], None]) -> Iterator[None]:
    """Remember what a command does while the block runs, and ``send`` it at the end, however that comes. ``name`` is
    empty where there is no command."""
    if not name or not is_asked(environ):
        yield
        return
    parent = parent_of(environ)
    trace = TaskTrace(id=parent[0] if parent else _fresh(16), remote=parent[1] if parent else None)
    token = _recorded.set(trace)
    try:
        with span(name):
            yield
    finally:
        _recorded.reset(token)
        send(trace)


@contextmanager
def span(name: str) -> Iterator[None]:
    """Remember a step while the block runs, if anybody remembers."""
    trace, above = _recorded.get(), _current.get()
    if trace is None:
        yield
        return
    own = TaskSpan(name=name, id=_fresh(8), parent=above.id if above else trace.remote, begun=time.time_ns())
    trace.spans.append(own)
    token = _current.set(own)
    try:
        yield
    except BaseException as error:
        own.result, own.error = _ending(error, own.error)
        raise
    finally:
        own.ended = time.time_ns()
        _current.reset(token)


def judged(verdict: str, code: str) -> None:
    """Note the verdict that a command came to; its code is what the command fails by, if it does."""
    trace = _recorded.get()
    if trace is not None:
        trace.spans[0].verdict, trace.spans[0].error = verdict, code


def carried() -> dict[str, str]:
    """Return the variable by which a child's spans become those of the step that runs it; nothing without a trace."""
    trace, current = _recorded.get(), _current.get()
    if trace is None or current is None:
        return {}
    return {PARENT: f"00-{trace.id:032x}-{current.id:016x}-01"}


def command_name(arguments: Sequence[str], known: Mapping[str, object]) -> str:
    """Return what a command's span is called: never an argument that somebody made up. Nothing without a command."""
    if not arguments or arguments[0].startswith("-"):
        return ""
    return f"gates {arguments[0]}" if arguments[0] in known else "gates"


def _fresh(size: int) -> int:
    return int.from_bytes(os.urandom(size)) or 1


def _ending(error: BaseException, noted: str) -> tuple[str, str]:
    """Return how something ended, and by what. Without a code of its own, an error is known by its class."""
    cause = error.__context__ if isinstance(error, SystemExit) else error
    if isinstance(error, SystemExit):
        code = int(error.code) if isinstance(error.code, int) else int(Exit.SHIP if error.code is None else Exit.STOP)
        result = CANCELLED if code in _CANCELLED else RESULTS.get(Exit(code), ERROR) if code in RESULTS else ERROR
    elif isinstance(error, KeyboardInterrupt):
        result = CANCELLED
    else:
        result = RESULTS[error.exit_code] if isinstance(error, GatesError) else ERROR
    if result == SUCCESS:
        return result, ""
    if cause is None:
        return result, noted or result
    named = str(getattr(cause, "code", "") or "") if isinstance(cause, GatesError) else ""
    return result, named or type(cause).__name__
