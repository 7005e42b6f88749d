"""Progress of the steps, on standard error: a spinner with a clock on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TextIO

from gates.ran import Heard


class Steps:
    """Tells what is being done and how long it took. ``quiet``: no lines, only the spinner. ``heard``: what was run for
    it is told below each step."""

    def __init__(
        self, stream: TextIO, *, quiet: bool = False, colour: bool = False, heard: Heard | None = None
    ) -> None:
        self._stream = stream
        self._heard = heard
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
                self.tell()
                raise
        self.say(f"✓ {told}  ({time.monotonic() - start:.1f} s)")
        self.tell()

    def tell(self) -> None:
        """What was run since this was last told, where somebody listens."""
        for line in self._heard.lines() if self._heard else ():
            self.say(f"    {line}")

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
