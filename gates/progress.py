"""Progress of the steps, on standard error: a spinner with a clock on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TextIO


class Steps:
    """Tells what is being done and how long it took. ``quiet``: no lines, only the spinner."""

    def __init__(self, stream: TextIO, *, quiet: bool = False, colour: bool = False) -> None:
        self._stream = stream
        self._quiet = quiet
        self._live = colour and stream.isatty()

    @contextmanager
    def step(self, name: str, detail: str = "") -> Iterator[None]:
        """One step; its line is printed when it ends, whether it went well or not."""
        start = time.monotonic()
        told = f"{name:<9} {detail}".rstrip()
        with self._spinner(told):
            try:
                yield
            except BaseException:
                self.say(f"✗ {told}  ({time.monotonic() - start:.1f} s)")
                raise
        self.say(f"✓ {told}  ({time.monotonic() - start:.1f} s)")

    def _spinner(self, told: str) -> AbstractContextManager[object]:
        if not self._live:
            return nullcontext()
        from rich.console import Console
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
        progress = Progress(*columns, console=Console(file=self._stream), transient=True)
        progress.add_task(told, total=None)
        return progress

    def say(self, line: str) -> None:
        """One line."""
        if not self._quiet:
            print(line, file=self._stream, flush=True)
