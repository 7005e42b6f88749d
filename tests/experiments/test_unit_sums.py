"""The sums of a look against plain Python's, whatever columns are called, lack or hold; repeated rows and seconds."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gates.documents.live.experiment_evidence import SCHEMA, ExperimentEvidence, UnitSums
from gates.documents.live.experiment_step import ComparedModel, salt_of
from gates.measure.live import experiment_tables
from gates.measure.live.experiment_sums import Look, counted_look
from gates.measure.live.experiment_tables import ExperimentTables
from gates.policy.experiment_section import Experiment, ExperimentGate, Split

A, B, START = ("sha256:" + letter * 64 for letter in "ab4")
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
UNTIL = datetime(2026, 2, 1, tzinfo=UTC)
OURS = ("arm", "first", "seen_at", "week", "key", "outcomes", "s0", "o0", "o1")
Rows = list[dict[str, Any]]


def gates_of(clicks: str = "clicks", seen: str = "seen", wait: str = "wait") -> tuple[ExperimentGate, ...]:
    return (
        ExperimentGate(metric="ratio", of=clicks, per=seen, better="larger", min_improvement=0),
        ExperimentGate(metric="mean", of=wait, better="smaller", max_worsening=20),
    )


def log(units: int = 40) -> tuple[Rows, Rows]:
    """Each unit has three outcomes in its window, and one before and one after it that do not count."""
    exposures, outcomes = [], []
    for unit in range(units):
        first = hashlib.sha256(f"{salt_of(START)}:{unit}".encode()).hexdigest() < "8"
        at = BEGAN + timedelta(hours=unit)
        exposures.append({"user": unit, "time": at, "model": A if first else B})
        for number, hours in enumerate((-48, 1, 2, 3, 30)):
            value = unit * 5 + number
            row = {"clicks": value % 3, "seen": 1 + value % 4, "wait": value / 8, "other": value}
            outcomes.append({"user": unit, "time": at + timedelta(hours=hours), **row})
    outcomes.append({"user": -1, "time": UNTIL - timedelta(seconds=1), "clicks": 0, "seen": 1, "wait": 1.0, "other": 0})
    return exposures, outcomes


def counted(
    folder: Path, exposures: Rows, outcomes: Rows, gates: Sequence[ExperimentGate] | None = None
) -> ExperimentEvidence:
    for name, rows in (("exposures", exposures), ("outcomes", outcomes)):
        pq.write_table(pa.Table.from_pylist(rows), folder / f"{name}.parquet")
    section = Experiment(
        split=Split(champion=0.5, challenger=0.5), unit="user", arm="model", exposures="exposures.parquet",
        outcomes="outcomes.parquet", window="1d", units=100, min_days=7, max_days=21, gates=gates or gates_of(),
    )  # fmt: skip
    bare = ExperimentEvidence(
        schema=SCHEMA, model="m", plan=START, start=START, salt=salt_of(START), started="2026-01-01T00:00:00Z",
        until="2026-02-01T00:00:00Z", reach=None, previous=None, unreadable=None, lacking=False, arms=(),
        invented=(), both=0, other=0, salts=(), backwards=0, forwards=0, outcomes=0, duplicates=0, earlier=0,
    )  # fmt: skip
    models = [ComparedModel(digest=digest, version=number) for digest, number in ((A, "1"), (B, "2"))]
    look = Look(bare=bare, champion=models[0], challenger=models[1], before=None, salts=(), confidence=0.95)
    return counted_look(ExperimentTables(experiment=section, root=folder, until=UNTIL), look)


def expected(exposures: Rows, outcomes: Rows, digest: str) -> list[tuple[int, ...]]:
    """Units with values and, in units of 2**-140, x, y, xx, xy, yy of both gates, over all weeks."""
    sums = [[0] * 6, [0] * 6]
    for seen in exposures:
        inside = [
            row for row in outcomes
            if row["user"] == seen["user"] and timedelta(0) <= row["time"] - seen["time"] < timedelta(days=1)
        ]  # fmt: skip
        waits = [row["wait"] for row in inside if row["wait"] is not None]
        clicks, views = ([row[name] for row in inside if row[name] is not None] for name in ("clicks", "seen"))
        pairs = ((sum(clicks), sum(views), bool(clicks and views)), (sum(waits), len(waits), bool(waits)))
        if seen["model"] == digest:
            for total, (x, y, valued) in zip(sums, pairs, strict=True):
                terms = (x, y, x * x, x * y, y * y)
                total[0] += valued
                total[1:] = [a + round(b * 2**20) for a, b in zip(total[1:], terms, strict=True)]
    return [(total[0], *(number << (UnitSums.UNIT - 20) for number in total[1:])) for total in sums]


def measured(evidence: ExperimentEvidence, arm: int) -> list[tuple[int, ...]]:
    weeks = evidence.arms[arm].weeks
    return [
        tuple(
            sum(int(getattr(week.sums[gate], name)) for week in weeks)
            for name in ("valued", "x", "y", "xx", "xy", "yy")
        )
        for gate in range(2)
    ]


@pytest.mark.parametrize("lacking", [(), ("clicks",), ("seen", "wait"), ("clicks", "seen", "wait")])
def test_sums_are_those_of_plain_python(tmp_path: Path, lacking: tuple[str, ...]) -> None:
    exposures, outcomes = log()
    for place, name in enumerate(lacking):
        for row in outcomes[place :: 3 + place]:
            row[name] = None
    evidence = counted(tmp_path, exposures, outcomes)
    assert evidence.unreadable is None
    assert (evidence.outcomes, evidence.duplicates) == (120, 0)
    for arm, digest in enumerate((A, B)):
        assert measured(evidence, arm) == expected(exposures, outcomes, digest), digest


def test_no_name_of_a_column_changes_them(tmp_path: Path) -> None:
    exposures, outcomes = log()
    plain = counted(tmp_path, exposures, outcomes)
    for at, name in enumerate(OURS):
        named = dict(zip(("clicks", "seen", "wait"), (OURS * 2)[at : at + 3], strict=True))
        renamed = [{named.get(key, key): value for key, value in row.items()} for row in outcomes]
        again = counted(tmp_path, exposures, renamed, gates_of(*named.values()))
        assert [measured(again, arm) for arm in (0, 1)] == [measured(plain, arm) for arm in (0, 1)], name


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e30])
def test_a_value_that_cannot_be_summed_is_told_where_it_counts(tmp_path: Path, value: float) -> None:
    exposures, outcomes = log()
    plain = counted(tmp_path, exposures, outcomes)
    outcomes[0]["wait"] = value  # two days before the exposure
    assert counted(tmp_path, exposures, outcomes) == plain
    outcomes[1]["wait"] = value
    assert "1 value of a gate's column can't be summed" in str(counted(tmp_path, exposures, outcomes).unreadable)


@pytest.mark.parametrize("sorted_at_once", [experiment_tables.SORTED, 7])
def test_a_repeated_row_is_a_duplicate_and_a_repeated_second_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sorted_at_once: int
) -> None:
    monkeypatch.setattr(experiment_tables, "SORTED", sorted_at_once)
    exposures, outcomes = log()
    assert counted(tmp_path, exposures, outcomes).duplicates == 0
    alike = outcomes[6] | {"other": -1}
    assert counted(tmp_path, exposures, [*outcomes, alike]).duplicates == 0, "it differs in a column without a gate"
    assert counted(tmp_path, exposures, [*outcomes, outcomes[0]]).duplicates == 0, "outside the window"
    repeated = [*outcomes, alike, outcomes[6], outcomes[6], outcomes[112]]
    assert counted(tmp_path, exposures, repeated).duplicates == 3
