"""Windows that another machine has counted: whether they are those that are due, of the models that served."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from gates.documents.live.live_evidence import LiveEvidence, LiveWindow
from gates.documents.live.monitoring_decision import MonitoringDecision
from gates.errors import GatesError
from gates.ledger.ledger import Entry
from gates.ledger.watched import model_at
from gates.measure.live.window_times import due, moment, text_of
from gates.policy.live_policies import parts_of
from gates.policy.sections import Policy
from gates.schema.canonical import digest

FILE = "live.json"
_AGAIN = "Run gates monitor --measure-only again."


def are_judged(evidence: LiveEvidence, before: MonitoringDecision | None) -> bool:
    """Tell whether somebody else has judged all these windows since they were counted."""
    if before is None or evidence.previous == digest(before):
        return False
    return all(window.end <= (before.until(window.part) or "") for window in evidence.windows)


def check(
    evidence: LiveEvidence,
    before: MonitoringDecision | None,
    policy: Policy,
    now: datetime,
    moves: Sequence[Entry],
    known: Collection[str],
) -> None:
    """Raise ``GatesError`` unless these are the next windows that are due, each about the model that the alias named.

    ``moves``: of the alias, the newest first. ``known``: the digests of all models that any alias was moved to. Whoever
    counts could leave a window out, or have another model judged.
    """
    for name in ("rows", "labels"):
        windows = [window for window in evidence.windows if window.part == name]
        if windows and name not in parts_of(policy):
            raise _wrong(f"the policy does not judge {name} of live rows")
        if windows:
            _check_times(windows, before.until(name) if before else None, policy, now, moves)
    for window in evidence.windows:
        if window.model != model_at(moves, window.end):
            raise _wrong(f"the window of {window.start} is not about the model that served")
        if any(one.known and _is_strange(one.digest, policy, known) for one in window.answered):
            raise _wrong(f"a model answered in the window of {window.start} that the ledger does not know")


def _is_strange(model: str, policy: Policy, known: Collection[str]) -> bool:
    return policy.monitor is not None and policy.monitor.model is not None and model not in known


def _check_times(
    windows: Sequence[LiveWindow], until: str | None, policy: Policy, now: datetime, moves: Sequence[Entry]
) -> None:
    first = windows[0]
    if until is None and (not moves or first.start < moves[-1].record.at):
        raise _wrong(f"the window of {first.start} lies before the first promotion")
    try:
        begin = moment(until or first.start)
    except ValueError as error:
        raise _wrong(f"{first.start} is no time") from error
    assert policy.monitor is not None  # noqa: S101 -- the caller has looked
    times = [(one.number, one.start, one.end) for one in windows]
    expected = [
        (one.number, text_of(one.start), text_of(one.end)) for one in due(policy.monitor, first.part, begin, now)
    ]
    if times != expected[: len(times)]:
        raise _wrong(f"the windows from {first.start} on are not those that are due")


def _wrong(what: str) -> GatesError:
    return GatesError(what, where=FILE, hint=_AGAIN)
