"""What the ledger knows binds: every way in which registry, ledger, repository and remote can disagree or be silent."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from edge_project import table
from ledgers import ledger_of
from test_promotion import better, client, gates, history, judged, last, served, swap
from worlds import World, git

from gates.schema.canonical import digest_bytes

REASON = ("--reason", "as agreed on Tuesday")


def promoted_twice(world: World) -> Any:
    """Version 1, then version 2, and a third candidate that was judged."""
    rows = judged(world)
    assert gates(world, "promote").code == 0
    better(world, rows)
    assert gates(world, "promote").code == 0
    better(world, rows, 0.1)
    return rows


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, empty_registry: Path) -> World:
    """Two promotions and a third candidate, made once."""
    world = World(tmp_path_factory.mktemp("binding") / "world", empty_registry)
    promoted_twice(world)
    copied(world.database, world.base / "registry")
    world.snapshot()
    return world


def copied(one: Path, other: Path) -> None:
    """A database as it is now, into another one that MLflow may hold open."""
    with closing(sqlite3.connect(one)) as source, closing(sqlite3.connect(other)) as target:
        source.backup(target)


@pytest.fixture
def twice(prepared: World) -> World:
    """The same again for each test. The registry's file is written over, as MLflow keeps it open."""
    kept = prepared.base.with_name(prepared.base.name + "-kept")
    for path in prepared.base.iterdir():
        if not path.name.startswith(prepared.database.name):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.copytree(kept, prepared.base, symlinks=True, dirs_exist_ok=True, ignore=shutil.ignore_patterns("mlflow.db*"))
    copied(kept / "registry", prepared.database)
    return prepared


def moved(world: World) -> None:
    client(world).set_registered_model_alias("churn", "champion", "1")


def deleted(world: World) -> None:
    client(world).delete_registered_model_alias("churn", "champion")


def ledger_gone(world: World) -> None:
    git(world.origin, "update-ref", "-d", "refs/heads/gates-ledger")
    git(world.root, "update-ref", "-d", "refs/gates/gates-ledger")


def bytes_swapped(world: World) -> None:
    for path in sorted(world.root.rglob("artifacts/candidate/predictions.csv")):
        swap(path)


DISAGREE: dict[str, tuple[Callable[[World], None], str]] = {
    "the alias was deleted": (deleted, "alias_moved"),
    "the alias was moved by hand": (moved, "alias_moved"),
    "the ledger knows of nothing": (ledger_gone, "not_adopted"),
    "the champion's bytes were changed": (bytes_swapped, "stored_bytes"),
}


@pytest.mark.parametrize("way", DISAGREE)
def test_a_registry_that_disagrees_with_the_ledger_is_an_error(twice: World, way: str) -> None:
    world = twice
    happens, code = DISAGREE[way]
    happens(world)
    before = served(world)
    told = gates(world, "promote")
    assert (told.code, code in told.err) == (1, True), told.err
    assert (last(world)["kind"], last(world)["code"]) == ("refusal", code)
    world.predictions([row | {"score": round(row["score"] * 0.5, 3)} for row in table()])
    done = gates(world, "run")
    assert (done.code, world.decision["verdict"], world.decision["code"]) == (2, "error", code), done.err
    assert "gates " in done.err, "and it says what to do"
    assert served(world) == before, "nothing was moved"


def test_another_registry_by_a_mistyped_address_is_no_first_run(twice: World) -> None:
    world = twice
    elsewhere = {"MLFLOW_TRACKING_URI": f"sqlite:///{world.base / 'mlflow-typo.db'}"}
    done = world.gates("run", **elsewhere)
    assert (done.code, world.decision["code"]) == (2, "alias_moved")
    assert "MLFLOW_TRACKING_URI" in done.err
    assert world.gates("promote", **elsewhere).code in (1, 2)
    assert served(world) == "2"


def test_the_control_a_registry_and_a_ledger_that_both_know_nothing(world: World) -> None:
    judged(world)
    assert world.decision["champion"] is None
    assert (gates(world, "promote").code, served(world)) == (0, "1")


def test_a_ledger_that_cannot_be_asked_is_outside(twice: World) -> None:
    world = twice
    world.origin.rename(world.base / "away.git")
    for command in ("promote", "run"):
        done = gates(world, command)
        assert done.code == 3, done.err


def test_a_registry_whose_file_is_gone_is_no_first_run(world: World) -> None:
    judged(world)
    assert gates(world, "promote").code == 0
    world.database.unlink()
    assert (gates(world, "run").code, world.decision["code"]) == (2, "alias_moved")


def test_a_registry_that_cannot_be_asked_is_outside(twice: World) -> None:
    world = twice
    once = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_TRACKING_URI": "http://127.0.0.1:9"}
    assert world.gates("promote", **once).code == 3
    assert world.gates("run", **once).code == 3


def test_the_alias_is_put_back_by_a_rollback(twice: World) -> None:
    world = twice
    deleted(world)
    done = gates(world, "rollback", *REASON)
    assert (done.code, served(world), last(world)["kind"]) == (0, "2", "rollback"), done.err
    moved(world)
    unclear = gates(world, "rollback", *REASON)
    assert (unclear.code, "--to" in unclear.err, served(world)) == (2, True, "1")
    assert gates(world, "rollback", "--to", str(last(world)["sequence"]), *REASON).code == 0
    assert served(world) == "2"
    assert gates(world, "run").code == 0
    assert gates(world, "verify", "--all").code == 0


def test_what_stands_there_is_adopted(twice: World) -> None:
    """Also the way in for a registry that has a champion already."""
    world = twice
    rows = table()
    moved(world)
    assert gates(world, "adopt", "--reason", " ").code == 2
    done = gates(world, "adopt", *REASON)
    assert (done.code, last(world)["kind"], last(world)["after"]["version"]) == (0, "adoption", "1"), done.err
    assert (last(world)["before"]["version"], last(world)["reason"]) == ("2", REASON[1])
    assert gates(world, "adopt", *REASON).code == 2, "there is nothing to adopt any more"
    better(world, rows, 0.12)
    assert (gates(world, "promote").code, served(world)) == (0, "3")
    for command in (["verify", "--all"], ["status"], ["history"]):
        assert gates(world, *command).code == 0, command
    assert gates(world, "rollback", *REASON).code == 0, "an adopted version can be gone back to"
    assert served(world) == "1"
    assert gates(world, "verify", "--all").code == 0
    assert gates(world, "status").code == 0


def keys(folder: Path, name: str) -> tuple[str, str]:
    """A private and a public key as PEM files."""
    from cryptography.hazmat.primitives import serialization as pem
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    private, public = folder / f"{name}.pem", folder / f"{name}.pub.pem"
    private.write_bytes(key.private_bytes(pem.Encoding.PEM, pem.PrivateFormat.PKCS8, pem.NoEncryption()))
    public.write_bytes(key.public_key().public_bytes(pem.Encoding.PEM, pem.PublicFormat.SubjectPublicKeyInfo))
    return str(private), str(public)


def test_an_adoption_is_signed_like_a_promotion(twice: World) -> None:
    """Else an adoption that somebody wrote into the ledger would be the one move that no key has to sign."""
    world = twice
    (private, public), (_, others) = keys(world.base, "ours"), keys(world.base, "others")
    moved(world)
    assert gates(world, "adopt", *REASON, "--key", private).code == 0
    number = str(last(world)["sequence"])
    assert gates(world, "verify", number, "--key", public).code == 0
    assert gates(world, "verify", number, "--key", others).code == 1
    client(world).set_registered_model_alias("churn", "champion", "2")
    assert gates(world, "adopt", *REASON).code == 0
    done = gates(world, "verify", str(last(world)["sequence"]), "--key", public)
    assert (done.code, "signature" in done.out) == (1, True)


def test_an_adoption_asks_for_the_approvals_of_a_promotion(world: World) -> None:
    judged(world)
    assert gates(world, "promote").code == 0
    world.policy(gates=[{"metric": "roc_auc", "min": 0.6, "max_worsening": 0.2}], promotion={"approvals": ["ml-lead"]})
    world.commit("approvals from now on")
    deleted(world)
    client(world).set_registered_model_alias("churn", "champion", "1")
    ledger_gone(world)
    done = gates(world, "adopt", *REASON)
    assert (done.code, "ml-lead" in done.err, history(world)) == (1, True, []), done.err


def test_predictions_that_were_overwritten_with_their_tag_are_refused(world: World) -> None:
    """The champion is made to look worse than it was, in the store and in its tag: it does not help."""
    rows = judged(world)
    assert gates(world, "promote").code == 0
    (kept,) = world.root.rglob("artifacts/predictions/predictions.csv")
    kept.write_text(kept.read_text().replace(",0.9", ",0.1").replace(",0.8", ",0.2"))
    entry = {"path": kept.name, "size": kept.stat().st_size, "sha256": digest_bytes(kept.read_bytes())[7:]}
    client(world).set_model_version_tag("churn", "1", "gates.predictions", digest_bytes(json.dumps([entry]).encode()))
    world.predictions([row | {"score": round(row["score"] * 0.8, 3)} for row in rows])
    assert gates(world, "run").code == 2
    assert "are not those that it was judged by" in json.dumps(world.decision)
    assert (gates(world, "promote").code, served(world)) == (1, "1")


# -- what is written in the ledger is no order --


def forged(world: World, **fields: Any) -> None:
    """A record that somebody pushes who may write the ledger's branch, and nothing else."""
    clone = world.base / "attacker"
    git(world.base, "clone", "-q", str(world.origin), str(clone))
    git(clone, "fetch", "-q", "origin", "refs/heads/gates-ledger:refs/heads/gates-ledger")
    ledger = ledger_of(clone / ".git")
    head = ledger.head()
    from dataclasses import replace

    newest = next(iter(ledger.entries(head))).record
    record = replace(newest, attached={}, waivers=(), approvals=(), **fields)
    ledger.append(record, dict.fromkeys(record.documents, b""), after=head)
    git(clone, "push", "-q", "origin", "gates-ledger")


EMPTY = dict.fromkeys(("verdict", "decision", "evidence", "policy", "model", "intent", "code", "target")) | {"data": ()}


@pytest.mark.parametrize("lease", ["2001-01-01T00:00:00Z", "2999-01-01T00:00:00Z", None])
@pytest.mark.parametrize("command", [["promote", "--dry-run"], ["promote"], ["rollback", *REASON]])
def test_an_intent_that_somebody_pushed_moves_nothing(twice: World, command: list[str], lease: str | None) -> None:
    world = twice
    from gates.documents.record import RecordKind, Version

    registry = client(world)
    run = registry.create_run(registry.get_experiment_by_name("churn").experiment_id)
    registry.create_model_version("churn", run.info.artifact_uri, run.info.run_id)  # registered, never judged: 3
    after = Version(version="3", digest="sha256:" + "0" * 64)
    forged(world, **EMPTY | {"kind": RecordKind.INTENT, "after": after, "holder": None, "lease": lease})
    before = len(history(world))
    done = gates(world, *command)
    assert served(world) != "3"
    if "--dry-run" in command:
        assert (served(world), len(history(world))) == ("2", before), done.err
        return
    assert done.code == 0, done.err
    assert history(world)[before]["kind"] == "failure"


def test_a_rehearsal_settles_nothing_and_status_says_who_waits(twice: World) -> None:
    world = twice
    from datetime import UTC, datetime, timedelta

    from gates.documents.record import TIME, RecordKind, Version

    lease = (datetime.now(UTC) + timedelta(minutes=9)).strftime(TIME)
    after = Version(version="1", digest="sha256:" + "0" * 64)
    forged(world, kind=RecordKind.INTENT, after=after, holder="somebody", lease=lease, intent=None)
    told = json.loads(gates(world, "status", "--json").out)
    assert (told["open"], told["waits"]) == (len(history(world)), lease)
    assert gates(world, "promote", "--dry-run").code == 0
    assert served(world) == "2"


# -- evidence --


def test_a_contract_that_is_broken_is_found_though_the_evidence_hides_it(world: World) -> None:
    (world.root / "contract.yaml").write_text("properties: {age: {type: integer, maximum: 500}}\n")
    rows = judged(world, data={"contract": "contract.yaml"})
    assert max(row["age"] for row in rows) <= 500
    assert gates(world, "promote", "--dry-run").code == 0
    (world.root / "contract.yaml").write_text("properties: {age: {type: integer, maximum: 50}}\n")
    world.commit("a stricter contract")
    assert gates(world, "run").code == 1, "the control: honest evidence says so"
    loose = world.json("evidence")
    for finding in loose["findings"]:
        finding |= {"count": 0, "examples": []}
    (world.root / "contract.yaml").write_text("properties: {age: {type: integer, maximum: 500}}\n")
    assert gates(world, "run").code == 0
    painted = world.json("evidence") | {"measured": loose["measured"], "findings": loose["findings"]}
    (world.work / "evidence.json").write_text(json.dumps(painted))
    (world.work / "decision.json").unlink()
    git(world.root, "checkout", "-q", "--", "contract.yaml")
    done = gates(world, "promote")
    assert (done.code, last(world)["code"], served(world)) == (2, "evidence_changed", None), done.err


def test_facts_of_a_training_do_not_stop_its_promotion(world: World) -> None:
    world.begin(gates=[{"metric": "roc_auc", "min": 0.6}, {"require": "parameters.C <= 1"}])
    (world.root / "made" / "facts.json").write_text('{"parameters": {"C": 1}}')
    assert gates(world, "run").code == 0
    assert (gates(world, "promote").code, served(world)) == (0, "1")
    (world.work / "candidate" / "facts.json").write_text('{"parameters": {"C": 0}}')
    assert gates(world, "promote").code == 2, "the control: they are part of what was judged"


def test_after_a_new_holdout_a_champion_known_by_predictions_can_be_replaced(world: World) -> None:
    rows = judged(world)
    assert gates(world, "promote").code == 0
    world.holdout(rows[:-20])
    world.predictions(rows[:-20])
    world.commit("another holdout")
    assert gates(world, "run").code == 2
    assert gates(world, "promote").code == 1
    why = "the holdout was cut to rows of this year"
    done = gates(world, "promote", "--uncompared", why)
    assert (done.code, served(world)) == (0, "2"), done.err
    assert f"not compared, because {why}" in done.out
    assert why in history(world)[-2]["reason"], "the intent says so, and the decision beside it"
    assert gates(world, "verify", "--all").code == 0
    better(world, rows[:-20])
    refused = gates(world, "promote", "--uncompared", why)
    assert (refused.code, "can be compared with" in refused.err) == (2, True), refused.err


# -- which repository, which policy --


def test_no_repository_where_there_should_be_one_is_an_error(world: World) -> None:
    judged(world)
    event = world.base / "event.json"
    event.write_text(json.dumps({"repository": {"default_branch": "main"}}))
    on_github = {"GITHUB_ACTIONS": "true", "GITHUB_REF": "refs/heads/mine", "GITHUB_EVENT_PATH": str(event)}
    (world.root / ".git").rename(world.base / "kept")
    for name, env in (("none", on_github), ("broken", {})):
        if name == "broken":
            (world.root / ".git").write_text("gitdir: /nowhere\n")
        done = gates(world, "promote", **env)
        assert (done.code, served(world)) == (2, None), (name, done.err)
        assert "repository" in done.err
        assert not (world.root / "gates-ledger.git").exists()


def test_a_policy_that_was_tightened_since_counts(world: World) -> None:
    """In a run that waited, and on a laptop that did not fetch: it is asked for at the moment of the effect."""
    judged(world)
    old = git(world.root, "rev-parse", "HEAD")
    other = world.base / "colleague"
    git(world.base, "clone", "-q", str(world.origin), str(other))
    text = (other / "gates.yaml").read_text()
    (other / "gates.yaml").write_text(text.replace("0.6", "0.99"))
    git(other, "commit", "-q", "-am", "stricter")
    git(other, "push", "-q")
    event = world.base / "event.json"
    event.write_text(json.dumps({"repository": {"default_branch": "main"}}))
    on_github = {
        "GITHUB_ACTIONS": "true", "GITHUB_REF": "refs/heads/main", "GITHUB_SHA": old, "GITHUB_EVENT_PATH": str(event)
    }  # fmt: skip
    for env in ({}, on_github):
        done = gates(world, "promote", **env)
        assert (done.code, last(world)["code"], served(world)) == (1, "verdict", None), done.err


def test_the_default_branch_is_asked_of_the_remote_not_guessed(world: World) -> None:
    judged(world)
    git(world.root, "checkout", "-q", "-b", "develop")
    world.policy(gates=[{"metric": "roc_auc", "min": 0.99}])
    git(world.root, "commit", "-q", "-am", "develop is stricter")
    git(world.root, "push", "-q", "origin", "develop")
    git(world.origin, "symbolic-ref", "HEAD", "refs/heads/develop")
    assert gates(world, "run").code == 1
    assert (gates(world, "promote").code, served(world)) == (1, None)
    assert last(world)["policy"]["branch"] == "develop"


def test_a_remote_whose_head_nobody_pushed_has_its_only_branch_as_the_default_one(world: World) -> None:
    judged(world)
    git(world.origin, "symbolic-ref", "HEAD", "refs/heads/nobodys")
    assert gates(world, "promote", "--dry-run").code == 0
    git(world.root, "push", "-q", "origin", "HEAD:refs/heads/another")
    done = gates(world, "promote", "--dry-run")
    assert (done.code, "does not name its default branch" in done.err) == (2, True), "with two nobody knows"


def test_an_uncommitted_policy_is_told_as_what_it_is(world: World) -> None:
    judged(world)
    world.policy(gates=[{"metric": "roc_auc", "min": 0.6}, {"metric": "f1", "min": 0.1}])
    assert gates(world, "run").code == 0
    done = gates(world, "promote")
    assert (done.code, last(world)["code"], "commit and merge it" in done.err) == (2, "policy_changed", True), done.err


# -- git's views of history --


def test_another_remotes_ledger_is_not_taken_for_a_rewritten_one(twice: World) -> None:
    world = twice
    other = world.base / "other.git"
    git(world.base, "init", "-q", "--bare", str(other))
    assert gates(world, "history").code == 0
    elsewhere = {"GATES_LEDGER": str(other)}
    assert "the ledger is empty" in gates(world, "history", **elsewhere).out
    assert gates(world, "status", **elsewhere).code == 1, "there is a champion that it does not know"
    git(world.origin, "update-ref", "-d", "refs/heads/gates-ledger")
    assert "was rewritten" in gates(world, "history").err, "the control: the remote that was seen"


def test_a_champion_is_held_to_the_counts_of_its_own_promotion(twice: World) -> None:
    """Its predictions are told by their digest; should that be forged, too, the counts of then remain."""
    from dataclasses import replace

    from gates.documents.evidence import Evidence
    from gates.judge.consistency import champion_as_candidate
    from gates.schema.validation import read_json

    world = twice
    ledger = ledger_of(world.origin)
    entry = next(one for one in ledger.entries(ledger.head()) if one.record.moved)
    then = read_json(Evidence, ledger.document(entry, "evidence.json"), "evidence")
    now = read_json(Evidence, (world.work / "evidence.json").read_bytes(), "evidence")
    assert champion_as_candidate(then, now), "the control"
    whole, *rest = now.slices
    one, *others = [cell for cell in whole.cells if cell[3] > 0]
    label, call, served_call, rows = one
    turned = replace(whole, cells=((label, call, 1 - served_call, rows), *others))
    assert not champion_as_candidate(then, replace(now, slices=(turned, *rest)))
    assert whole.ranks is not None
    ranked = replace(whole.ranks, positives=replace(whole.ranks.positives, b=whole.ranks.positives.b + 1))
    assert not champion_as_candidate(then, replace(now, slices=(replace(whole, ranks=ranked), *rest)))
    assert champion_as_candidate(then, replace(now, tables=())), "of other rows there is nothing to say"


def test_a_ledger_whose_history_was_cut_off_is_refused(twice: World) -> None:
    world = twice
    shallow = world.base / "shallow"
    git(world.base, "clone", "-q", "--no-single-branch", "--depth=1", f"file://{world.origin}", str(shallow))
    for name in ("gates.yaml", "holdout.csv"):
        assert (shallow / name).exists()
    for command in (["history"], ["status"], ["verify", "--all"], ["rollback", *REASON]):
        done = world.run(*command, root=shallow)
        assert (done.code, "cut off" in done.err) == (2, True), (command, done.err)
    git(shallow, "fetch", "-q", "--unshallow", "origin", "+refs/heads/*:refs/remotes/origin/*")
    assert world.run("verify", "--all", root=shallow).code == 0, "the control"


@pytest.mark.parametrize("way", ["replace", "graft"])
def test_replaced_and_grafted_objects_change_no_history(twice: World, way: str) -> None:
    world = twice
    whole = len(history(world))
    ledger = git(world.root, "rev-parse", "refs/gates/gates-ledger")
    older = git(world.root, "rev-parse", f"{ledger}~2")
    if way == "replace":
        git(world.root, "replace", ledger, older)
    else:
        (world.root / ".git" / "info").mkdir(exist_ok=True)
        (world.root / ".git" / "info" / "grafts").write_text(f"{ledger}\n")
    assert len(history(world)) == whole
    assert gates(world, "verify", "--all").code == 0


def test_a_record_taken_out_of_the_middle_stops_who_acts_on_the_ledger(twice: World) -> None:
    world = twice
    from ledgers import load, store

    made = load(world.origin)
    cut = store(world.base / "cut.git", [*made[:2], *made[3:]])
    git(world.origin, "fetch", "-q", str(cut), "+refs/heads/gates-ledger:refs/heads/gates-ledger")
    git(world.root, "update-ref", "-d", "refs/gates/gates-ledger")
    for command in (["promote"], ["history"], ["rollback", *REASON]):
        done = gates(world, *command)
        assert (done.code, "does not follow" in done.err) == (1, True), (command, done.err)
