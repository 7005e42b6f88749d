"""What is to be done to a model's issue, by what the ledger says. Missing, undecided and absent are never a pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

import pytest
from windows import ERROR, FAIL, INCONCLUSIVE, PASS, Verdicts, day, record, recorded, window

from gates.measure.live.window_times import is_overdue
from gates.monitoring.alert_state import (
    LONGEST,
    AlertAction,
    AlertState,
    KnownIssue,
    WatchRecord,
    alert_state,
    next_action,
)
from gates.policy.monitor_section import Monitor

OPEN, REOPEN, REWRITE, CLOSE, NOTHING = AlertAction
OTHER = {"live:rows": PASS}  # checks that hold
GOOD, ALARM, UNSURE, BROKEN, YOUNG = (
    {"recall:min": verdict, **OTHER} for verdict in (PASS, FAIL, INCONCLUSIVE, ERROR, None)
)
ESTIMATE = "estimate of recall:min"
BOTH = ("rows", "labels")


def state(records: Sequence[WatchRecord], parts: Sequence[str] = ("rows",), overdue: Sequence[str] = ()) -> AlertState:
    found = alert_state(records, parts, overdue)
    assert found is not None
    return found


def issue(*, is_open: bool = False, recent: bool = True, told: int = 0) -> KnownIssue:
    return KnownIssue(is_open=is_open, recent=recent, told=told)


STANDS, SHUT, OLD = issue(is_open=True), issue(), issue(recent=False)

# days, and what is done where there is no issue, an open one, one closed lately, and one closed long ago
TABLE: dict[str, tuple[list[Verdicts | None], tuple[AlertAction, ...]]] = {
    "alarm": ([GOOD, ALARM], (OPEN, REWRITE, REOPEN, OPEN)),
    "error": ([GOOD, BROKEN], (OPEN, REWRITE, REOPEN, OPEN)),
    "first alarm of all": ([ALARM], (OPEN, REWRITE, REOPEN, OPEN)),
    "inconclusive": ([UNSURE], (NOTHING, REWRITE, NOTHING, NOTHING)),
    "inconclusive after passes": ([GOOD, GOOD, UNSURE], (NOTHING, REWRITE, NOTHING, NOTHING)),
    "not judged": ([YOUNG, YOUNG], (NOTHING, REWRITE, NOTHING, NOTHING)),
    "pass once": ([ALARM, GOOD], (NOTHING, REWRITE, NOTHING, NOTHING)),
    "pass once, first of all": ([GOOD], (NOTHING, REWRITE, NOTHING, NOTHING)),
    "pass twice": ([ALARM, GOOD, GOOD], (NOTHING, CLOSE, NOTHING, NOTHING)),
    "pass, undecided, pass": ([ALARM, GOOD, UNSURE, GOOD], (NOTHING, REWRITE, NOTHING, NOTHING)),
    "pass, not judged, pass": ([ALARM, GOOD, YOUNG, GOOD], (NOTHING, REWRITE, NOTHING, NOTHING)),
    "pass, a day lost, pass": ([ALARM, GOOD, None, GOOD], (NOTHING, REWRITE, NOTHING, NOTHING)),
    "undecided twice": ([ALARM, UNSURE, UNSURE], (OPEN, REWRITE, REOPEN, OPEN)),  # nobody was told of the alarm yet
    "no rule at all": ([ALARM, {}, {}], (OPEN, REWRITE, REOPEN, OPEN)),
    "again after passes": ([ALARM, GOOD, GOOD, ALARM], (OPEN, REWRITE, REOPEN, OPEN)),
    "another rule fails": ([GOOD, GOOD, GOOD | {"f1:min": FAIL}], (OPEN, REWRITE, REOPEN, OPEN)),
    "one of two passes": ([ALARM | {"f1:min": FAIL}, *[GOOD | {"f1:min": INCONCLUSIVE}] * 2],
                          (OPEN, REWRITE, REOPEN, OPEN)),
    "the slice that failed is absent": ([GOOD | {"recall:min@region=north": FAIL}, *[GOOD] * 5],
                                        (OPEN, REWRITE, REOPEN, OPEN)),
    "the gate that failed was taken away": ([GOOD | {"f1:min": FAIL}, GOOD, GOOD], (NOTHING, CLOSE, NOTHING, NOTHING)),
    "an estimate holds up nothing": ([ALARM, GOOD | {ESTIMATE: None}, GOOD | {ESTIMATE: INCONCLUSIVE}],
                                     (NOTHING, CLOSE, NOTHING, NOTHING)),
    "an estimated drop starts nothing": ([GOOD | {ESTIMATE: INCONCLUSIVE}], (NOTHING, REWRITE, NOTHING, NOTHING)),
    "an estimate that can't be made": ([GOOD | {ESTIMATE: ERROR}], (OPEN, REWRITE, REOPEN, OPEN)),
    "an estimate can be made again": ([GOOD | {ESTIMATE: ERROR}, *[GOOD | {ESTIMATE: None}] * 2],
                                      (NOTHING, CLOSE, NOTHING, NOTHING)),
    "columns are back": ([{"live:columns": ERROR}, GOOD, GOOD], (NOTHING, CLOSE, NOTHING, NOTHING)),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLE)
def test_what_is_done_follows_from_the_ledger(name: str) -> None:
    days, expected = TABLE[name]
    found = state(recorded(*days))
    assert tuple(next_action(found, known) for known in (None, STANDS, SHUT, OLD)) == expected


@pytest.mark.parametrize("name", TABLE)
def test_several_windows_in_one_record_are_as_good_as_a_record_each(name: str) -> None:
    days, expected = TABLE[name]
    windows = [window(i, verdicts) for i, verdicts in enumerate(days, 1) if verdicts is not None]
    found = state([record(1, *windows)])
    assert next_action(found, STANDS) is expected[1]
    assert next_action(found, None) is expected[0]


def test_one_pass_does_not_close() -> None:
    """The control of the table: it would have to say so if one pass closed."""
    once, twice = state(recorded(ALARM, GOOD)), state(recorded(ALARM, GOOD, GOOD))
    assert (next_action(once, STANDS), next_action(twice, STANDS)) == (REWRITE, CLOSE)


PARTS = [
    ("labels are undecided", [GOOD, GOOD], [UNSURE, GOOD], False),
    ("labels fail", [GOOD, GOOD], [GOOD, ALARM], False),
    ("labels passed once", [GOOD, GOOD], [GOOD], False),
    ("labels were never judged", [GOOD, GOOD], [], False),
    ("both pass", [GOOD, GOOD], [GOOD, GOOD], True),
    ("rows are undecided", [GOOD, UNSURE], [GOOD, GOOD], False),
]


@pytest.mark.parametrize(("name", "rows", "labels", "passing"), PARTS)
def test_every_part_must_pass(name: str, rows: list[Verdicts], labels: list[Verdicts], passing: bool) -> None:
    windows = [window(i + 10, one) for i, one in enumerate(rows)]
    windows += [window(i, one, "labels") for i, one in enumerate(labels, 1)]
    assert state([record(1, *windows)], BOTH).passing is passing, name
    assert state([record(1, *windows)], ("rows",)).passing is (name != "rows are undecided")


@pytest.mark.parametrize("part", BOTH)
def test_what_is_overdue_is_not_passing(part: str) -> None:
    windows = [window(i, GOOD, one) for one in BOTH for i in (1, 2)]
    found = state([record(1, *windows)], BOTH, [part])
    assert next_action(found, STANDS) is REWRITE
    assert next_action(found, None) is NOTHING
    assert state([record(1, *windows)], BOTH).passing


def test_the_last_windows_of_a_part_may_lie_in_earlier_records() -> None:
    records = [
        record(1, window(1, ALARM), window(1, GOOD, "labels")),
        record(2, window(2, GOOD), window(2, GOOD, "labels")),
        record(3, window(3, GOOD)),
    ]
    found = state(records[::-1], BOTH)
    assert found.passing
    assert {part: one and one.start for part, one in found.newest.items()} == {"rows": day(3), "labels": day(2)}


def test_a_rule_stands_since_it_failed_until_it_passes() -> None:
    found = state(recorded(ALARM | {"f1:min": PASS}, UNSURE | {"f1:min": ERROR}, ALARM | {"f1:min": PASS}))
    assert [(one.name, one.since) for one in found.standing] == [(("rows", "recall:min"), day(1))]
    assert found.failed_at == 3
    begun, ceased = found.changes(2)
    assert ([one.name for one in begun], [one.name for one in ceased]) == ([], [("rows", "f1:min")])
    begun, ceased = found.changes(1)
    assert (begun, ceased) == ((), ())
    begun, _ = found.changes(0)
    assert [one.name for one in begun] == [("rows", "recall:min")]


def test_errors_stand_before_alarms() -> None:
    found = state(recorded({"recall:min": FAIL, "f1:min": ERROR, "auc:min": FAIL}))
    assert [one.rule.gate.id for one in found.standing] == ["f1", "recall", "auc"]


def test_who_closed_it_by_hand_is_contradicted_by_the_next_failure_only() -> None:
    closed = issue(told=2)
    assert next_action(state(recorded(GOOD, ALARM)), closed) is NOTHING
    assert next_action(state(recorded(GOOD, ALARM, UNSURE)), closed) is NOTHING
    assert next_action(state(recorded(GOOD, ALARM, ALARM)), closed) is REOPEN
    assert next_action(state(recorded(GOOD, ALARM, UNSURE, BROKEN)), closed) is REOPEN


def test_no_record_is_no_state() -> None:
    assert alert_state([], ("rows",)) is None


def test_it_looks_back_at_so_many_records_and_no_more() -> None:
    read: list[int] = []

    def records() -> Iterator[WatchRecord]:
        for number in range(2 * LONGEST, 0, -1):
            read.append(number)
            yield record(number, window(1, UNSURE))

    alert_state(records(), ("rows",))
    assert len(read) == LONGEST


DUE = [  # of windows of a day, with a delay of two hours: label_delay, part, judged until, now, whether overdue
    (None, "rows", "2026-11-29T00:00:00Z", "2026-11-30T02:59:00Z", False),
    (None, "rows", "2026-11-29T00:00:00Z", "2026-11-30T03:01:00Z", True),
    (None, "labels", "2026-11-29T00:00:00Z", "2026-11-30T03:01:00Z", True),
    ("14d", "labels", "2026-11-15T00:00:00Z", "2026-11-30T00:59:00Z", False),
    ("14d", "labels", "2026-11-15T00:00:00Z", "2026-11-30T01:01:00Z", True),
    ("14d", "rows", "2026-11-30T00:00:00Z", "2026-11-30T01:01:00Z", False),
]


@pytest.mark.parametrize(("label_delay", "part", "until", "now", "overdue"), DUE)
def test_a_window_is_overdue_an_hour_after_it_is_due(
    label_delay: str | None, part: str, until: str, now: str, overdue: bool
) -> None:
    monitor = Monitor(
        live="x.csv", key="id", time="at", window="1d", delay="2h", label_delay=label_delay, gates=()
    )  # fmt: skip
    assert is_overdue(monitor, part, until, datetime.fromisoformat(now)) is overdue
