"""Windows of live rows: which are closed, and when they began and ended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from gates.documents.record import TIME
from gates.errors import GatesError
from gates.policy.monitor_section import Monitor, seconds
from gates.wording import counted

MONDAY = datetime(1970, 1, 5, tzinfo=UTC)  # windows are counted from here, so that weeks begin on Mondays
MOST = 10_000  # windows of one run


def moment(text: str) -> datetime:
    """Read a time as records write it."""
    return datetime.strptime(text, TIME).replace(tzinfo=UTC)


def text_of(time: datetime) -> str:
    """Write a time as records do."""
    return time.astimezone(UTC).strftime(TIME)


@dataclass(frozen=True, slots=True, order=True)
class WindowTime:
    """One window: its number since the first Monday of 1970, and how long it is in seconds."""

    number: int
    length: int

    @property
    def start(self) -> datetime:
        """Its first moment."""
        return MONDAY + timedelta(seconds=self.number * self.length)

    @property
    def end(self) -> datetime:
        """The moment after its last one."""
        return MONDAY + timedelta(seconds=(self.number + 1) * self.length)


def window_at(time: datetime, length: int) -> WindowTime:
    """Return the window that a moment falls into."""
    return WindowTime((time - MONDAY) // timedelta(seconds=length), length)


def due(monitor: Monitor, part: str, first: datetime, now: datetime) -> Iterator[WindowTime]:
    """Yield the windows that begin at ``first`` or later and are to be judged by now: their rows, or their labels.

    Raises ``GatesError`` for more than a run can look at.
    """
    length = seconds(monitor.window)
    begin = window_at(first, length)
    start = begin.number + (begin.start < first)
    last = window_at(now - timedelta(seconds=monitor.wait(part)), length).number  # it has not ended yet
    if last - start > MOST:
        raise GatesError(
            f"{counted(last - start, 'window')} would be judged in one run, of at most {MOST:,}",
            where="monitor.window",
            hint="Take a longer window, or judge a part of them: --until.",
        )
    yield from (WindowTime(number, length) for number in range(start, last))


def is_overdue(monitor: Monitor, part: str, until: str, now: datetime) -> bool:
    """Tell whether a window after ``until`` should have been judged by now. A run may take an hour."""
    waits = timedelta(seconds=seconds(monitor.window) + monitor.wait(part))
    return moment(until) + waits + timedelta(hours=1) < now
