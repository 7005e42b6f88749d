"""Show the steps' progress on standard error: a spinner with the time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from gates.system import files
from gates.system.activity import ActivityLog
from gates.system.telemetry import spans
from gates.wording import plural, printable

if TYPE_CHECKING:
    from rich.console import Console

MOST = 10**6  # seconds that a step is believed to have taken
MOST_LINES = 2_000  # of a process's output that are shown
LONGEST_LINE = 500  # characters
PAUSE = 0.2  # seconds between two looks at a log


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
        self._console: Console | None = None  # while a spinner turns on it

    @contextmanager
    def step(self, name: str, detail: str = "") -> Iterator[None]:
        """Give one step; its line is printed when it ends, whether it went well or not."""
        start = time.monotonic()
        line = f"{name:<9} {detail}".rstrip()
        with spans.span(name), self._spinner(line, self._known().get(name)):
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
        """Print what was run since the last call, if anybody listens."""
        for line in self._heard.lines() if self._heard else ():
            self.say(f"    {line}")

    @contextmanager
    def follow(self, log: Path) -> Iterator[None]:
        """Show what a process writes into a log while the block runs, a line at a time."""
        if self._quiet:
            yield
            return
        ended = threading.Event()
        follower = threading.Thread(target=self._tell_lines, args=(log, ended), daemon=True)
        follower.start()
        try:
            yield
        finally:
            ended.set()
            follower.join()

    def _tell_lines(self, log: Path, ended: threading.Event) -> None:
        read, count, rest = 0, 0, b""
        while True:
            last = ended.wait(PAUSE)  # what is written before the end is read after it
            with suppress(OSError), log.open("rb") as file:
                file.seek(read)
                fresh = file.read()
                read, rest = read + len(fresh), rest + fresh
            *lines, rest = rest.replace(b"\r\n", b"\n").split(b"\n")
            for line in [*lines, *([rest] if last and rest else [])]:
                count += 1
                if count <= MOST_LINES:
                    # what overwrites its own line, as a display of progress does, is shown as it is at last
                    text = line.rstrip(b"\r").rpartition(b"\r")[2].decode(errors="replace")[:LONGEST_LINE]
                    self.say(f"  | {printable(text)}".rstrip())
            if last:
                break
        if count > MOST_LINES:
            self.say(f"  | (and {plural(count - MOST_LINES, 'more line', 'more lines')}, in {log})")

    @contextmanager
    def _spinner(self, line: str, before: float | None) -> Iterator[None]:
        if not self._live:
            yield
            return
        from rich.console import Console
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = [SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn()]
        columns += [_left(before)] if before else []
        self._console = Console(file=self._stream)
        progress = Progress(*columns, console=self._console, transient=True)
        progress.add_task(line, total=None)
        try:
            with progress:
                yield
        finally:
            self._console = None

    def say(self, line: str) -> None:
        """Print one line."""
        if self._quiet:
            return
        if self._console:
            self._console.print(line, markup=False, highlight=False, emoji=False, soft_wrap=True)
        else:
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
