"""A holdout wears out: the ledger counts what it has decided, and a promotion is held to that count."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ledgers import ledger_of
from test_promotion import STAGES, better, gates, judged, last, served
from worlds import World, git

from gates.documents.evidence import Table
from gates.documents.record import RecordedModel, RecordedTable, RecordKind, Run, User
from gates.promotion.provenance import draft
from gates.schema.canonical import digest_bytes

NAMES = ("rows", "other rows", "one", "two", "first", "second", "third")
DIGEST = {name: digest_bytes(name.encode()) for name in NAMES}
RUN = Run(
    provider="local", repository=None, repository_id=None, run_id=None, run_attempt=None, event=None,
    actor=User(id=None, login="ada", type=None), triggering_actor=None,
)  # fmt: skip
Decided = tuple[RecordKind, str | None, str, str | None]  # kind, decision, holdout, model

COUNTED: dict[str, tuple[list[Decided], int]] = {
    "nothing": ([], 0),
    "a decision in all of its records": (
        [(kind, "first", "rows", "one") for kind in (RecordKind.REFUSAL, RecordKind.INTENT, RecordKind.PROMOTION)],
        1,
    ),
    "two decisions": (
        [(RecordKind.REFUSAL, "first", "rows", "one"), (RecordKind.PROMOTION, "second", "rows", "two")],
        2,
    ),
    "a waiver, which names no model": ([(RecordKind.WAIVER, "first", "rows", None)], 1),
    "another holdout": ([(RecordKind.PROMOTION, "first", "other rows", "one")], 0),
    "a record of no decision": ([(RecordKind.REFUSAL, None, "rows", "one")], 0),
}


def holdout(rows: str, since: str | None = None, until: str | None = None) -> Table:
    return Table(name="holdout", digest=digest_bytes(rows.encode()), rows=9, since=since, until=until)


def written(folder: Path, records: list[Decided]) -> Any:
    """A ledger of such records. All were trained on the rows that are asked for, which is no use of a holdout."""
    git(folder, "init", "-q")
    ledger = ledger_of(folder / ".git")
    for kind, decision, rows, model in records:
        judged = RecordedTable(name="holdout", path="h.csv", digest=DIGEST[rows], rows=9, files=None, pointer=None)
        record = replace(
            draft("churn", RUN, kind, "champion", "because"),
            decision=decision and DIGEST[decision],
            data=(replace(judged, name="train", digest=DIGEST["rows"]), judged),
            model=RecordedModel(digest=DIGEST[model], format="predictions", pickled=(), parameters=None)
            if model
            else None,
        )
        ledger.append(record, dict.fromkeys(record.documents, b"{}"), after=ledger.head())
    return ledger


@pytest.mark.parametrize("name", COUNTED)
def test_the_ledger_counts_the_decisions_of_a_holdout(tmp_path: Path, name: str) -> None:
    records, uses = COUNTED[name]
    ledger = written(tmp_path, records)
    assert ledger.uses(ledger.head(), "churn", holdout("rows")) == uses


@pytest.mark.parametrize(
    ("own", "uses"), [((), 3), (("first",), 2), (("two",), 2), (("first", "one"), 1), (("first", "one", "two"), 0)]
)
def test_what_is_ones_own_is_not_counted(tmp_path: Path, own: tuple[str, ...], uses: int) -> None:
    told: list[Decided] = [
        (RecordKind.WAIVER, "first", "rows", None),
        (RecordKind.REFUSAL, "second", "rows", "one"),
        (RecordKind.PROMOTION, "third", "rows", "two"),
    ]
    ledger = written(tmp_path, told)
    assert ledger.uses(ledger.head(), "churn", holdout("rows"), own=tuple(DIGEST[one] for one in own)) == uses


DAYS = 40


def day(number: int) -> str:
    return (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=number)).strftime("%Y-%m-%dT00:00:00Z")


def rolling(number: int, *, ranged: bool = True) -> Table:
    """The holdout of the 30 days before a day: other rows each day, most of which are those of the day before."""
    return holdout(f"rows of {number}", *((day(number - 30), day(number)) if ranged else ()))


@pytest.fixture(scope="module")
def daily(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A ledger of candidates that were trained and refused each day, each on a holdout of its own digest."""
    folder = tmp_path_factory.mktemp("daily")
    git(folder, "init", "-q")
    ledger = ledger_of(folder / ".git")
    for number in range(DAYS):
        table = rolling(number)
        judged = RecordedTable(
            name="holdout", path="h.csv", digest=table.digest, rows=9, files=None, pointer=None, since=table.since,
            until=table.until,
        )  # fmt: skip
        record = replace(
            draft("churn", RUN, RecordKind.REFUSAL, "champion", "because"),
            decision=digest_bytes(f"decision {number}".encode()),
            data=(judged,),
        )
        ledger.append(record, dict.fromkeys(record.documents, b"{}"), after=ledger.head())
    return ledger


def test_a_window_that_moves_on_by_a_day_wears_out(daily: Any) -> None:
    """30 days retrained daily: all but the oldest rows of each holdout have decided before."""
    head = daily.head()
    assert daily.uses(head, "churn", rolling(DAYS)) == 29
    assert daily.uses(head, "churn", rolling(DAYS + 20)) == 9
    assert daily.uses(head, "churn", rolling(DAYS + 29)) == 0, "the last one ends where this one begins"


def test_by_digest_alone_it_would_be_fresh_each_day(daily: Any) -> None:
    """The negative control: without time ranges nothing is counted."""
    assert daily.uses(daily.head(), "churn", rolling(DAYS, ranged=False)) == 0
    assert daily.uses(daily.head(), "churn", rolling(DAYS - 1, ranged=False)) == 1, "by digest: the very same rows"


def test_another_models_rows_of_the_same_time_are_others(daily: Any) -> None:
    assert daily.uses(daily.head(), "prices", rolling(DAYS)) == 0
    assert daily.uses(daily.head(), "prices", rolling(DAYS - 1)) == 1, "but the very same rows are the same"


def reused(world: World, times: int, **policy: Any) -> Any:
    """A first champion, whose decision was the holdout's first; gives the rows."""
    rows = judged(world, data={"reuse": times}, **policy)
    assert gates(world, "promote").code == 0
    return rows


def painted(world: World) -> None:
    """The evidence says that the holdout was never used, and its decision follows."""
    evidence = world.json("evidence")
    assert evidence["used"] == 1
    (world.work / "evidence.json").write_text(json.dumps(evidence | {"used": 0}))
    gates(world, "judge")
    assert world.json("decision")["used"] == 0


@pytest.mark.parametrize(("times", "code", "champion"), [(1, 1, "1"), (2, 0, "2")])
def test_evidence_that_hides_a_use_is_judged_anew(world: World, times: int, code: int, champion: str) -> None:
    rows = reused(world, times)
    world.predictions([row | {"score": row["score"] * 0.99} for row in rows])
    gates(world, "run")
    painted(world)
    done = gates(world, "promote")
    assert "this holdout has decided 1 time: judged again" in done.err
    assert (done.code, served(world)) == (code, champion)
    if code:
        assert (last(world)["code"], "use fresh rows" in done.err) == ("verdict", True)


@pytest.mark.parametrize(("times", "code", "champion"), [(1, 1, "1"), (2, 0, "2")])
def test_a_use_that_came_in_between_is_charged(world: World, times: int, code: int, champion: str) -> None:
    rows = judged(world, data={"reuse": times})
    kept = world.base / "kept"
    shutil.copytree(world.work, kept)
    better(world, rows)
    assert gates(world, "promote").code == 0
    shutil.rmtree(world.work)
    shutil.copytree(kept, world.work)
    assert world.json("evidence")["used"] == 0
    done = gates(world, "promote")
    assert (done.code, served(world)) == (code, champion), done.err


def test_one_decision_carries_a_model_through_all_stages(world: World) -> None:
    reused(world, 1, promotion=STAGES)
    done = gates(world, "promote")
    assert (done.code, served(world), "judged again" in done.err) == (0, "1", False)
