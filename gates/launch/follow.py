"""Follow a job from its start to its end: ask how it stands, keep its log, and give up where it will not end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from gates.errors import Exit, GatesError
from gates.launch.inside import sha256
from gates.launch.kubectl import UnreachableError
from gates.launch.parcel import opened
from gates.launch.store import Store
from gates.launch.task import LaunchedJob, Launcher, Lines, Phase, State, Task
from gates.wording import counted

T = TypeVar("T")
GROWTH = 1.5
SHOWN = 20  # last lines of a failed training
EMPTY_OUTPUT = "left nothing at gates_out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long is waited, in seconds. ``first`` and ``slowest``: between two looks. ``stuck``: for an image that can't
    be pulled. ``silent``: for a cluster that does not answer. ``late``: for a job past its own limit to be ended.
    ``answer``: for one answer of the cluster."""

    first: float = 2
    slowest: float = 15
    stuck: float = 300
    silent: float = 300
    late: float = 120
    answer: int = 20
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a job ended, and how often the cluster took a pod of it away."""

    state: State
    interruptions: int


@dataclass(kw_only=True)
class Follower:
    """One job of a launcher, from start to end. ``say`` tells people what changes."""

    launcher: Launcher
    store: Store
    task: Task
    patience: Patience
    say: Callable[[str], None]
    run: LaunchedJob | None = None
    _began: float = 0.0
    _ran_since: float | None = None
    _stuck_since: float | None = None
    _interrupted: frozenset[str] = field(default_factory=frozenset)
    _abandoned: bool = False

    def start(self) -> LaunchedJob:
        """Start the job, or find it. A cluster that is away is asked again for a while."""
        self._began = self.patience.now()
        self.run = self._patiently(lambda: self.launcher.start(self.task))
        return self.run

    def end(self, log: Path) -> Ended:
        """Wait for the job's end, and keep its log in ``log``. Raises ``GatesError`` where it did not end well."""
        assert self.run  # noqa: S101 -- it was started
        run, state, pause = self.run, State(phase=Phase.QUEUED), self.patience.first
        with _kept_log(self, log) as keep:
            while not state.phase.final:
                before, state = state, self._patiently(lambda: self.launcher.look(run))
                self._interrupted |= state.interrupted
                if state.pod:
                    keep.pod = state.pod
                if (before.phase, before.why) != (state.phase, state.why):
                    self.say(f"{run.name} {state.phase}" + (f": {state.why}" if state.why else ""))
                    pause = self.patience.first
                if not state.phase.final:
                    self._give_up(state)
                    self.patience.sleep(pause)
                    pause = min(self.patience.slowest, pause * GROWTH)
        return self._judged(state, log)

    def stop(self) -> None:
        """Stop the job, even where it is not known whether it was started."""
        self.launcher.stop(self.run or self.task.expected)

    def abandon(self) -> None:
        """Send one order to stop it, and wait for no answer."""
        if not self._abandoned:
            self._abandoned = True
            self.launcher.stop(self.task.expected, wait=False)

    def _judged(self, state: State, log: Path) -> Ended:
        where, name = f"train: {self.task.run}", self.run.name if self.run else self.task.name
        if state.phase is Phase.GONE and self.store.has(self.task.out):
            state = replace(state, phase=Phase.DONE)  # it ended, and was tidied away
        if state.phase is Phase.GONE:
            raise GatesError(f"{name} {state.why} before it ended", where=where, exit_code=Exit.OUTSIDE)
        if state.phase is Phase.FAILED:
            said = state.said.error if state.said and state.said.error else ""
            why = said or state.why or "the job says no more"
            raise GatesError(f"{name} failed: {why}{_last_lines(log)}", where=where)
        return Ended(state=state, interruptions=len(self._interrupted))

    def _give_up(self, state: State) -> None:
        """Stop the job where it will not start, or not end. Raises ``GatesError`` then."""
        now, where, name = self.patience.now(), f"train: {self.task.run}", self.task.name
        self._stuck_since = None if state.stuck is None else self._stuck_since or now
        if state.phase is Phase.RUNNING:
            self._ran_since = self._ran_since or now
        what, code = None, Exit.INPUT
        if self._stuck_since is not None and now - self._stuck_since >= self.patience.stuck:
            what, hint = f"{name} can't start: {state.stuck}", "Correct train.image or the job document."
        elif self._ran_since is not None and now - self._ran_since >= self.task.seconds + self.patience.late:
            what, hint = f"{name} did not end within {counted(self.task.seconds, 'second')}", "Raise train.timeout."
        elif self._ran_since is None and now - self._began >= self.task.wait:
            why = f": {state.why}" if state.why else ""
            what, hint = f"{name} was still queued after {counted(self.task.wait, 'second')}{why}", "Raise train.wait."
            code = Exit.OUTSIDE
        if what:
            self.stop()
            raise GatesError(what, where=where, hint=hint, exit_code=code)

    def _patiently(self, call: Callable[[], T]) -> T:
        """Ask, and ask again while the cluster is away, after pauses that grow."""
        since, pause = None, self.patience.first
        while True:
            try:
                return call()
            except UnreachableError as error:
                now = self.patience.now()
                since = now if since is None else since
                if now - since >= self.patience.silent:
                    raise
                self.say(f"the cluster does not answer: {error.what}")
            self.patience.sleep(pause)
            pause = min(self.patience.slowest, pause * GROWTH)

    def fetch(self, ended: Ended, folder: Path) -> None:
        """Lay what the job left into a fresh folder. Raises ``GatesError`` where it is not what the job says it is."""
        where, store = f"train: {self.task.run}", self.store
        if not store.has(self.task.out):
            raise GatesError(EMPTY_OUTPUT, where=where, exit_code=Exit.INPUT)
        with store.fetched(self.task.out, folder.parent) as tar:
            said = ended.state.said
            if said and said.digest and sha256(tar) != said.digest:
                raise GatesError("what lies in the store is not what the job left: its digest differs", where=where)
            opened(tar, folder, where)


class _LogKeeper:
    """Follows the log of the newest pod, on a thread of its own. A stream that ends is opened again where it ended."""

    def __init__(self, launcher: Launcher, run: LaunchedJob, log: Path, pause: float) -> None:
        self.pod: str | None = None
        self._launcher, self._run, self._log, self._pause = launcher, run, log, pause
        self._ended = threading.Event()
        self._lines: Lines | None = None
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def begin(self) -> None:
        self._thread.start()

    def finish(self, *, well: bool) -> None:
        """End the stream, and take the log whole, where the pod still has more of it than came."""
        self._ended.set()
        if not well and self._lines:
            self._lines.close()
        self._thread.join(self._pause)
        if self._lines:
            self._lines.close()
        self._thread.join()
        with suppress(GatesError):
            whole = self._launcher.log(self._run, self.pod, None, follow=False) if well and self.pod else ()
            text = b"".join(whole)
            if text and len(text) >= (self._log.stat().st_size if self._log.exists() else 0):
                self._log.write_bytes(text)

    def _follow(self) -> None:
        of, since, seen = None, "", set[bytes]()
        while not self._ended.is_set():
            if (pod := self.pod) is None:
                self._ended.wait(min(self._pause, 0.2))
                continue
            if pod != of:
                of, since, seen = pod, "", set()
            with suppress(GatesError), self._log.open("ab", buffering=0) as file:
                self._lines = self._launcher.log(self._run, pod, since or None)
                for line in self._lines:
                    second = _second(line)
                    if second != since:
                        since, seen = second or since, seen if second is None else set()
                    if line not in seen:
                        seen.add(line)
                        file.write(line.partition(b" ")[2] if second else line)
            self._ended.wait(self._pause)


def _second(line: bytes) -> str | None:
    """Return the second that a line of a log begins with: kubectl asks for no less."""
    moment = line.partition(b" ")[0].decode(errors="replace")
    return f"{moment[:19]}Z" if len(moment) >= len("2026-01-01T00:00:00Z") and moment[10:11] == "T" else None


@contextmanager
def _kept_log(follower: Follower, log: Path) -> Iterator[_LogKeeper]:
    assert follower.run  # noqa: S101 -- it was started
    keeper = _LogKeeper(follower.launcher, follower.run, log, follower.patience.first)
    keeper.begin()
    well = False
    try:
        yield keeper
        well = True
    except (KeyboardInterrupt, SystemExit):
        follower.abandon()  # before anything that takes time
        raise
    finally:
        keeper.finish(well=well)


def _last_lines(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()[-SHOWN:] if log.exists() else []
    return "; its last lines:\n" + "\n".join(f"  | {line}" for line in lines) if lines else ""
