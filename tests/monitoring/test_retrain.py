"""`gates retrain`: what is started or refused is a record, and `gates verify` holds it to the records before it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from edge_project import refused
from ledgers import Files, History, audited, chained, ledger_of, load, store, with_record
from live_world import LiveWorld, answered, flipped
from worlds import git

from gates.documents.live.retraining import Retraining, RetrainState
from gates.documents.record import Record, RecordKind, Refused
from gates.schema.canonical import digest_bytes
from gates.schema.validation import read_json

RETRAIN = {"fresh_rows": 1000, "cooldown": "7d", "budget": "4 in 90d", "snapshot": "true"}
STAGES = {"stages": [{"alias": "challenger"}, {"alias": "champion"}]}


@pytest.fixture(scope="module")
def alarmed_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A champion that has lost much of what it knew, and a record that says so. Nobody changes it: copies are made."""
    world = LiveWorld(tmp_path_factory.mktemp("alarmed") / "world", None)
    world.promoted({"alert": {"retrain": ["roc_auc", "recall"]}}, retrain=RETRAIN, promotion=STAGES)
    assert world.gates("promote").code == 0
    for day in range(3):
        world.serve(day, flipped(answered(500, seed=100 + day), 0.4))
    assert world.monitor(3).code == 1
    return world.base


@pytest.fixture
def alarmed(tmp_path: Path, alarmed_once: Path) -> LiveWorld:
    shutil.copytree(alarmed_once, tmp_path / "world", symlinks=True)
    world = LiveWorld(tmp_path / "world", None)
    git(world.root, "remote", "set-url", "origin", str(world.origin))
    return world


def plan(world: LiveWorld, *arguments: str, code: int = 0) -> dict[str, Any]:
    done = world.gates("retrain", "--plan", "--json", *arguments)
    assert done.code == code, done.out + done.err
    found: dict[str, Any] = json.loads(done.out)
    return found["retraining"]


def test_an_alarm_starts_one_and_the_next_waits_for_it(alarmed: LiveWorld, tmp_path: Path) -> None:
    before = alarmed.records()
    rehearsed = plan(alarmed, "--dry-run")
    assert alarmed.records() == before
    done = alarmed.run("retrain", "--plan", GITHUB_OUTPUT=str(tmp_path / "outputs"))
    assert (done.code, done.out.split(":")[0]) == (0, "started"), done.out + done.err
    record = alarmed.records()[-1]
    assert (record["kind"], record["alias"], record["retrain"]) == ("retrain", "challenger", rehearsed)
    assert rehearsed == {
        "state": "started", "code": None, "record": before[-1]["digest"], "fresh_rows": 1500, "until": alarmed.text(3)
    }  # fmt: skip
    told = (tmp_path / "outputs").read_text()
    assert all(word in told for word in ("started", "challenger", record["digest"]))
    assert plan(alarmed, "--record", before[-1]["digest"], code=1)["code"] == "in_flight"
    assert "in_flight: record" in " ".join(alarmed.gates("history").out.split())
    assert alarmed.gates("verify", "--all").code == 0


def test_a_candidate_goes_the_way_of_all_others_and_the_cooldown_begins(alarmed: LiveWorld) -> None:
    plan(alarmed)
    alarmed.better(answered(1500, seed=1))
    done = alarmed.gates("promote", "--stage", "challenger")
    assert done.code == 0, done.out + done.err
    stood = {one["alias"]: one["digest"] for one in alarmed.standing()["aliases"]}
    assert stood["challenger"] != stood["champion"], "the challenger is new, and the champion goes on"
    assert plan(alarmed, code=1)["code"] == "cooldown"
    assert alarmed.gates("verify", "--all").code == 0


def test_no_alarm_starts_none(alarmed: LiveWorld) -> None:
    first = next(one for one in alarmed.records() if one["kind"] == "promotion")
    refused(alarmed.gates("retrain", "--plan", "--record", first["digest"]), "none of live windows of churn")
    alarmed.days(range(3, 6), n=3000)
    alarmed.judged(6, code=None)
    quiet = plan(alarmed, "--record", str(len(alarmed.records())), code=1)
    assert (quiet["state"], quiet["code"]) == ("refused", "no_alarm")
    assert alarmed.gates("verify", "--all").code == 0


USES: dict[str, tuple[tuple[str, ...], str]] = {
    "neither": ((), "either --plan or --resume"),
    "both": (("--plan", "--resume", "--reason", "x"), "either --plan or --resume"),
    "a plan with a reason": (("--plan", "--reason", "x"), "--reason belongs to --resume"),
    "no reason": (("--resume",), "--resume needs --reason"),
    "a blank reason": (("--resume", "--reason", " "), "--resume needs --reason"),
    "a rehearsed end": (("--resume", "--reason", "x", "--dry-run"), "leave out --record and --dry-run"),
    "an unknown record": (("--plan", "--record", "sha256:" + "0" * 64), "no record has the number or digest"),
    "foreign text": (("--plan", "--record", "$(touch here)\n::error::"), "is neither a number nor a digest"),
    "no pause": (("--resume", "--reason", "x"), "nothing is paused"),
}


@pytest.mark.parametrize("name", USES)
def test_a_mistake_is_told_and_nothing_is_recorded(alarmed: LiveWorld, name: str) -> None:
    arguments, words = USES[name]
    before = alarmed.records()
    done = alarmed.gates("retrain", *arguments)
    assert (done.code, "Traceback" in done.err) == (2, False), done.out + done.err
    assert words in done.err
    assert "touch here" not in done.err
    assert alarmed.records() == before


def test_a_policy_without_the_section(world: LiveWorld) -> None:
    refused(world.gates("retrain", "--plan"), "has no retrain section", "docs/retraining.md")


def missed(world: LiveWorld, times: int) -> None:
    """Retrainings whose candidates were refused, though no plan would have started them so soon."""
    ledger = ledger_of(world.origin)
    watched = next(entry for entry in ledger.entries(ledger.head()) if entry.record.kind is RecordKind.MONITOR)
    policy = {"policy.json": watched.documents["policy.json"]}
    bare: dict[str, Any] = {"verdict": None, "decision": None, "evidence": None, "alias": "challenger"}
    started = Retraining(
        state=RetrainState.STARTED, code=None, record=watched.digest, fresh_rows=1500, until=world.text(3)
    )
    for _ in range(times):
        for kind, fields in (
            (RecordKind.RETRAIN, {"retrain": started}),
            (RecordKind.REFUSAL, {"code": Refused.VERDICT}),
        ):
            record = replace(watched.record, kind=kind, **(bare | fields))
            assert record.misfits == ()
            ledger.append(record, policy, after=ledger.head())


def test_a_pause_is_ended_with_a_reason(alarmed: LiveWorld) -> None:
    missed(alarmed, 2)
    assert plan(alarmed, code=1)["code"] == "paused"
    done = alarmed.gates("retrain", "--resume", "--reason", "the labels of May are fixed")
    assert (done.code, done.out.startswith("resumed: the labels of May are fixed")) == (0, True), done.err
    assert alarmed.records()[-1]["retrain"]["state"] == "resumed"
    assert plan(alarmed, code=1)["code"] == "cooldown"
    refused(alarmed.gates("retrain", "--resume", "--reason", "again"), "nothing is paused")


def test_a_start_that_its_records_refuse_is_seen(alarmed: LiveWorld) -> None:
    plan(alarmed)
    assert alarmed.gates("verify", "--all").code == 0, "the control"
    missed(alarmed, 1)
    done = alarmed.gates("verify", "--all")
    assert done.code == 1
    assert "retrain: the records before it refuse to start" in " ".join(done.out.split())


@pytest.fixture
def chain(alarmed: LiveWorld) -> History:
    plan(alarmed)
    return load(alarmed.origin)


def last(chain: History, change: Callable[[dict[str, Any]], Any]) -> History:
    return [*chain[:-1], with_record(chain[-1], lambda one: change(one["retrain"]))]


FORGED: dict[str, tuple[str, bool, Callable[[History], History]]] = {
    "a record that never was": (
        "retrain", True, lambda chain: last(chain, lambda one: one.update(record="sha256:" + "0" * 64))
    ),
    "a record of something else": (
        "retrain", True,
        lambda chain: last(chain, lambda one: one.update(record=digest_bytes(chain[0]["record.json"]))),
    ),
    "other rows": ("retrain", False, lambda chain: last(chain, lambda one: one.update(fresh_rows=1501))),
    "a refusal without a code": (
        "incomplete", True, lambda chain: last(chain, lambda one: one.update(state="refused"))
    ),
    "an alarm that was taken away": ("retrain", True, lambda chain: [*chain[:-2], chain[-1]]),
    "another stage": (
        "contradiction", False, lambda chain: [*chain[:-1], with_record(chain[-1], lambda one: one.update(alias="x"))]
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_plan_is_seen(chain: History, tmp_path: Path, name: str) -> None:
    """`seen`: by the verifier, too, that shares no code with gates, and derives nothing."""
    code, seen, forge = FORGED[name]
    control, theirs = audited(store(tmp_path / "control.git", chain))
    assert (control.found, theirs) == ((), [])
    found, theirs = audited(store(tmp_path / "forged.git", chained(forge(chain))))
    assert code in {one.code for one in found.found}
    assert ((len(chained(forge(chain))), code) in theirs) is seen


def test_records_without_plans_keep_their_bytes(chain: History) -> None:
    def fields(files: Files) -> set[str]:
        return set(json.loads(files["record.json"]))

    assert all("retrain" not in fields(files) for files in chain[:-1])
    assert read_json(Record, chain[-1]["record.json"], "record").retrain is not None
