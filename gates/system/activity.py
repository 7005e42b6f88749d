"""Collect what was run, for ``--verbose``: commands, queries, files, the registry, GitHub's API.

Who does one of these says so by the standard library's logging, and nothing is written unless somebody listens.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from gates.wording import printable

Kind = Literal["command", "engine", "file", "git", "GitHub", "registry", "store", "Prometheus", "warehouse"]
LOG = logging.getLogger(__name__)
LONGEST = 100  # characters of what is told


@contextmanager
def ran(kind: Kind, what: str) -> Iterator[None]:
    """Time something that is seen from outside, and log it at the end, whether it went well or not."""
    start = time.monotonic()
    try:
        yield
    finally:
        LOG.debug("%s", what, extra={"kind": kind, "seconds": time.monotonic() - start})


class ActivityLog(logging.Handler):
    """Keep what was run until it is printed: repetitions share one line."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self._seconds: dict[tuple[str, str], list[float]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """See ``logging.Handler``."""
        told = record.__dict__
        self._seconds.setdefault((told["kind"], record.getMessage()), []).append(told["seconds"])

    def lines(self) -> list[str]:
        """Return one line each, in order; each is printed once."""
        heard, self._seconds = self._seconds, {}
        return [f"{kind:<9} {_short(what)}{_spent(seconds)}" for (kind, what), seconds in heard.items()]

    def listen(self) -> None:
        """Print what is logged from now on."""
        LOG.setLevel(logging.DEBUG)
        LOG.propagate = False  # it is printed in one place
        LOG.addHandler(self)

    def close(self) -> None:
        """Hear no more."""
        LOG.removeHandler(self)
        LOG.setLevel(logging.NOTSET)
        LOG.propagate = True
        super().close()


def _short(what: str) -> str:
    """Return a text on one line, without what a terminal or a runner obeys."""
    line = printable(what).replace("##[", "## [")
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def _spent(seconds: list[float]) -> str:
    return f" ×{len(seconds)}" * (len(seconds) > 1) + f"  ({sum(seconds):.2f} s)"
