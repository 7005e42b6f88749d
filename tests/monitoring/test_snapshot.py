"""snapshot.json: the time ranges of the tables become part of evidence and record, and reuse is counted by them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from edge_project import Project, refused
from live_world import MONITOR, LiveWorld, answered

RETRAIN = {"fresh_rows": 1000, "cooldown": "7d", "budget": "4 in 90d", "snapshot": "true"}
MONITORED = MONITOR | {"alert": {"retrain": ["roc_auc"]}}


def span(project: Any, since: str, until: str, name: str) -> dict[str, Any]:
    digest = hashlib.sha256((project.root / name).read_bytes()).hexdigest()
    return {"since": f"{since}T00:00:00Z", "until": f"{until}T00:00:00Z", "files": {name: f"sha256:{digest}"}}


def snapshot(project: Any, since: str, until: str, change: Callable[[dict[str, Any]], Any] = lambda _: None) -> None:
    """What a snapshot command writes."""
    written = {"schema": "gates/snapshot/v1", "holdout": span(project, since, until, "holdout.csv")}
    if (project.root / "train.csv").exists():
        written["train"] = span(project, "2026-01-01", "2026-03-01", "train.csv")
    change(written)
    (project.root / "snapshot.json").write_text(json.dumps(written))


@pytest.fixture
def project(tmp_path: Any) -> Project:
    made = Project(tmp_path)
    rows = made.ready(monitor=MONITORED, retrain=RETRAIN, data={"train": "train.csv", "reuse": 3})
    made.holdout([row | {"id": f"t{row['id']}", "age": row["age"] + 1} for row in rows], name="train.csv")
    return made


def put(table: str, **fields: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda written: written[table].update(fields)


MISTAKES: dict[str, tuple[Callable[[dict[str, Any]], Any], tuple[str, ...]]] = {
    "a training that sees the holdout's time": (
        put("train", until="2026-03-02T00:00:00Z"),
        ("train ends at 2026-03-02T00:00:00Z, after the holdout begins at 2026-03-01T00:00:00Z", "End the training"),
    ),
    "nothing of the training": (lambda written: written.pop("train"), ("says nothing of the table train",)),
    "a range backwards": (put("holdout", until="2026-02-01T00:00:00Z"), ("the time range of holdout runs backwards",)),
    "no day of the calendar": (put("train", since="2026-02-30T00:00:00Z"), ("is no time of the calendar",)),
    "other bytes": (
        put("holdout", files={"holdout.csv": "sha256:" + "0" * 64}), ("holdout.csv was changed after the snapshot",)
    ),
    "other files": (put("holdout", files={}), ("holdout.csv is not in both snapshot and holdout table",)),
    "another form": (put("holdout", since="yesterday"), ("since",)),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_a_snapshot_of_something_else_stops_the_run(project: Project, name: str) -> None:
    change, words = MISTAKES[name]
    snapshot(project, "2026-03-01", "2026-04-01")
    assert project.gates("run").code == 0, "the control"
    snapshot(project, "2026-03-01", "2026-04-01", change)
    refused(project.gates("run"), "snapshot.json", *words)


def test_a_policy_that_counts_reuse_needs_it(project: Project) -> None:
    refused(project.gates("run"), "snapshot.json", "can't be read", "data.reuse is counted by it")


def test_it_is_in_the_holdouts_folder(tmp_path: Any) -> None:
    made = Project(tmp_path)
    rows = made.ready(monitor=MONITORED, retrain=RETRAIN, data={"holdout": "data/holdout.csv", "reuse": 3})
    (made.root / "data").mkdir()
    made.holdout(rows, name="data/holdout.csv")
    refused(made.gates("run"), "data/snapshot.json", "can't be read")
    written = {"schema": "gates/snapshot/v1", "holdout": span(made, "2026-03-01", "2026-04-01", "data/holdout.csv")}
    (made.root / "data/snapshot.json").write_text(json.dumps(written))
    assert made.gates("run").code == 0


def test_the_evidence_has_the_ranges(project: Project) -> None:
    snapshot(project, "2026-03-01", "2026-04-01")
    assert project.gates("run").code == 0
    assert {table["name"]: (table["since"][:10], table["until"][:10]) for table in project.evidence["tables"]} == {
        "train": ("2026-01-01", "2026-03-01"),
        "holdout": ("2026-03-01", "2026-04-01"),
    }


def test_evidence_that_was_trained_on_the_holdouts_time_is_none(project: Project) -> None:
    snapshot(project, "2026-03-01", "2026-04-01")
    assert project.gates("run").code == 0
    forged = project.evidence
    forged["tables"][0]["until"] = "2026-03-02T00:00:00Z"
    (project.work / "evidence.json").write_text(json.dumps(forged))
    refused(project.gates("judge"), "it was trained on rows of the holdout's time")


@pytest.mark.parametrize(("since", "used"), [("2026-03-31", 1), ("2026-04-01", 0)])
def test_rows_of_the_same_time_were_used_before(empty: LiveWorld, since: str, used: int) -> None:
    rows = answered(1500, seed=1)
    empty.begin(rows, monitor=MONITORED, retrain=RETRAIN, data={"reuse": 3})
    snapshot(empty, "2026-03-01", "2026-04-01")
    promote(empty)
    (held,) = empty.records()[-1]["data"]
    assert (held["since"], held["until"]) == ("2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z")
    assert empty.gates("verify", "--all").code == 0
    empty.ready(answered(1500, seed=2), monitor=MONITORED, retrain=RETRAIN, data={"reuse": 3}, gates=[
        {"metric": "roc_auc", "min": 0.6}
    ])  # fmt: skip
    snapshot(empty, since, "2026-05-01")
    empty.commit("the next month")
    empty.gates("run")
    assert empty.json("evidence")["used"] == used


def promote(world: LiveWorld) -> None:
    world.commit("snapshot")
    for command in ("run", "promote"):
        done = world.gates(command)
        assert done.code == 0, done.out + done.err
