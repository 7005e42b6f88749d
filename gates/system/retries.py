"""Ask again where something outside failed for a moment, after pauses that grow."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
TRIES = 4  # calls, with the first
PAUSE = 0.1  # seconds before the second call; each later pause is twice as long
LONGEST = 5.0
logging.getLogger("stamina").addHandler(logging.NullHandler())  # standard error is for people


def retried(call: Callable[[], T], on: type[Exception], *, tries: int = TRIES, pause: float = PAUSE) -> T:
    """Call until it raises no ``on``, ``tries`` times at most; then what the last call raised is raised."""
    import stamina  # only what asks a remote needs it

    caller = stamina.RetryingCaller(
        attempts=tries, timeout=None, wait_initial=pause, wait_max=max(pause, LONGEST), wait_jitter=pause
    )
    return caller(on, call)
