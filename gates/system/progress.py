"""Show the steps' progress on standard error: a spinner with the time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, TextIO

from gates.system import files
from gates.system.activity import ActivityLog

MOST = 10**6  # seconds that a step is believed to have taken


class Steps:
    """Tells what is being done and how long it took. ``quiet``: no lines, only the spinner. ``heard``: what was run for
    it is told below each step. ``took``: the file that remembers, for a terminal, how many seconds each step took."""

    def __init__(
        self,
        stream: TextIO,
        *,
        quiet: bool = False,
        colour: bool = False,
        heard: ActivityLog | None = None,
        took: Path | None = None,
    ) -> None:
        self._stream = stream
        self._heard = heard
        self._quiet = quiet
        self._live = colour and stream.isatty()
        self._took = took if self._live else None

    @contextmanager
    def step(self, name: str, detail: str = "") -> Iterator[None]:
        """Give one step; its line is printed when it ends, whether it went well or not."""
        start = time.monotonic()
        line = f"{name:<9} {detail}".rstrip()
        with self._spinner(line, self._known().get(name)):
            try:
                yield
            except BaseException:
                self.say(f"✗ {line}  ({time.monotonic() - start:.1f} s)")
                self.tell()
                raise
        self._remember(name, time.monotonic() - start)
        self.say(f"✓ {line}  ({time.monotonic() - start:.1f} s)")
        self.tell()

    def _known(self) -> dict[str, float]:
        """Return how many seconds each step took when it last went well."""
        try:
            told = json.loads(self._took.read_bytes()) if self._took else {}
            return {name: float(seconds) for name, seconds in told.items() if 0 < float(seconds) < MOST}
        except (OSError, ValueError, TypeError, AttributeError):  # none yet, or no file of ours
            return {}

    def _remember(self, name: str, seconds: float) -> None:
        if self._took and self._took.parent.is_dir() and not self._took.parent.is_symlink():
            with suppress(OSError):
                files.write(self._took, json.dumps(self._known() | {name: round(seconds, 1)}).encode())

    def tell(self) -> None:
        """Return what was run since the last call, if anybody listens."""
        for line in self._heard.lines() if self._heard else ():
            self.say(f"    {line}")

    def _spinner(self, line: str, before: float | None) -> AbstractContextManager[object]:
        if not self._live:
            return nullcontext()
        from rich.console import Console
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = [SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn()]
        columns += [_left(before)] if before else []
        progress = Progress(*columns, console=Console(file=self._stream), transient=True)
        progress.add_task(line, total=None)
        return progress

    def say(self, line: str) -> None:
        """Return one line."""
        if not self._quiet:
            print(line, file=self._stream, flush=True)


def _left(before: float) -> Any:
    """Return a column: what is left of the time that it took before, until that is over."""
    from rich.progress import ProgressColumn, Task
    from rich.text import Text

    class Left(ProgressColumn):
        def render(self, task: Task) -> Text:
            seconds = before - (task.elapsed or 0)
            return Text(f"about {seconds:.0f} s left" if seconds >= 1 else "")

    return Left()
