"""What is promoted is what was judged: stages, refusals, waivers, rollbacks, and whoever swaps a file on the way."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from edge_project import COPY, Done, save_model_to
from worlds import GATES, World, git

from gates.checkout.workspace import Workspace
from gates.documents.decision import Decision
from gates.ledger.ledger import opened
from gates.promotion import promote as promotion
from gates.promotion import provenance
from gates.registry.git_registry import GitRegistry
from gates.registry.interface import Registry
from gates.registry.mlflow import MLflowRegistry
from gates.schema.validation import read_json
from gates.system.git import Git

STAGES = {"stages": [{"alias": "staging"}, {"alias": "champion"}]}


def gates(world: World, command: str, *arguments: str, **env: str) -> Done:
    return world.gates(command, *arguments, MLFLOW_TRACKING_URI=f"sqlite:///{world.database}", **env)


def judged(world: World, **policy: Any) -> Any:
    rows = world.begin(**policy)
    done = gates(world, "run")
    assert done.code == 0, done.err
    return rows


def history(world: World) -> list[dict[str, Any]]:
    return [one["record"] for one in json.loads(gates(world, "history", "--json").out)][::-1]


def last(world: World) -> dict[str, Any]:
    return history(world)[-1]


def client(world: World) -> Any:
    import mlflow

    return mlflow.MlflowClient(f"sqlite:///{world.database}")


def served(world: World, alias: str = "champion") -> str | None:
    from mlflow.exceptions import MlflowException

    try:
        return str(client(world).get_model_version_by_alias("churn", alias).version)
    except MlflowException:
        return None


def card_is_kept(world: World, alias: str = "champion") -> None:
    """The card with the version that serves is the one of the record that made it serve."""
    told = "SELECT r.artifact_uri FROM runs r JOIN model_versions v ON r.run_uuid = v.run_id WHERE v.version = ?"
    ledger = opened(world.root, world.environment())
    (entry, *_) = [one for one in ledger.entries(ledger.head()) if one.record.moved and one.record.alias == alias]
    with closing(sqlite3.connect(world.database)) as database:  # MLflow keeps files open that a test replaces
        ((folder,),) = database.execute(told, [entry.record.after.version]).fetchall()
    kept = Path(folder.removeprefix("file://")) / "card.md"
    assert kept.read_bytes() == ledger.document(entry, "card.md")


def better(world: World, rows: Any, by: float = 0.05) -> None:
    world.predictions(
        [
            row | {"score": round(min(1, max(0, row["score"] + (by if row["churn"] == "left" else -by))), 3)}
            for row in rows
        ]
    )
    assert gates(world, "run").code == 0


def test_stages_come_in_their_order(world: World) -> None:
    judged(world, promotion=STAGES)
    early = gates(world, "promote", "--stage", "champion")
    assert (early.code, last(world)["code"], served(world)) == (1, "stage_order", None)
    assert gates(world, "promote").out == "churn version 1 is now staging\n"
    assert gates(world, "promote").out == "churn version 1 is now champion\n"
    assert (served(world, "staging"), served(world)) == ("1", "1")
    unknown = gates(world, "promote", "--stage", "stagging")
    assert (unknown.code, "no stage stagging; the policy has staging, champion" in unknown.err) == (2, True)


def test_a_stage_whose_alias_somebody_moved_leads_nowhere(world: World) -> None:
    rows = judged(world, promotion=STAGES)
    for _ in range(2):
        assert gates(world, "promote").code == 0
    better(world, rows)
    assert gates(world, "promote").code == 0
    client(world).set_registered_model_alias("churn", "staging", "1")
    assert gates(world, "promote", "--stage", "champion").code == 1
    assert (last(world)["code"], served(world)) == ("alias_moved", "1")


def test_a_dry_run_does_nothing(world: World) -> None:
    judged(world)
    done = gates(world, "promote", "--dry-run")
    assert (done.code, done.out.split(":")[0]) == (0, "would move champion, which names nothing yet, to a new version")
    assert (history(world), served(world)) == ([], None)
    world.policy(gates=[{"metric": "roc_auc", "min": 0.99}])
    world.commit("stricter")
    assert gates(world, "promote", "--dry-run").code == 1
    assert history(world) == []


def test_a_record_says_what_it_rests_on(world: World) -> None:
    (world.root / "uv.lock").write_text("locked")
    judged(world)
    assert gates(world, "promote").code == 0
    one = last(world)
    assert one["source"] == {
        "commit": git(world.root, "rev-parse", "HEAD"),
        "clean": True,
        "locks": one["source"]["locks"],
    }
    assert list(one["source"]["locks"]) == ["uv.lock"]
    assert (one["policy"]["branch"], one["policy"]["path"]) == ("main", "gates.yaml")
    assert one["model"]["format"] == "predictions"
    assert [table["name"] for table in one["data"]] == ["holdout"]
    assert one["data"][0]["digest"] == world.evidence["tables"][0]["digest"]
    tags = client(world).get_model_version("churn", "1").tags
    assert tags["gates.commit"] == one["source"]["commit"]
    assert tags["gates.data.holdout"] == one["data"][0]["digest"]
    assert tags["gates.decision"] == one["decision"]


def test_the_card_is_kept_with_the_version_stage_by_stage(world: World) -> None:
    judged(world, promotion=STAGES)
    for stage in ("staging", "champion"):
        assert gates(world, "promote").code == 0
        card_is_kept(world, stage)


def test_pointers_of_data_versions_are_in_the_record_and_held_to(world: World) -> None:
    rows = world.begin()
    holdout, pointer = world.root / "holdout.csv", world.root / "holdout.csv.dvc"
    md5 = hashlib.md5(holdout.read_bytes(), usedforsecurity=False).hexdigest()
    pointer.write_text(f"outs:\n- md5: {md5}\n  hash: md5\n  path: holdout.csv\n")
    world.commit("the data in DVC")
    world.better(rows)
    assert gates(world, "promote").code == 0
    assert last(world)["data"][0]["pointer"] == f"dvc:md5:{md5}"
    world.better(rows, 0.06)
    pointer.write_text(pointer.read_text().replace(md5, "0" * 32))  # dvc add was forgotten, or dvc pull
    for command in ("promote", "run"):
        done = gates(world, command)
        assert done.code == 2, done.err
        assert "holdout.csv: is not what holdout.csv.dvc names" in done.err
    holdout.rename(world.root / "elsewhere.csv")
    done = gates(world, "run")
    assert done.code == 2
    assert "Run dvc pull." in done.err


def test_the_pointer_of_data_in_git_lfs_is_that_of_the_commit(world: World) -> None:
    """As a checkout with Git LFS leaves it: the pointer in git, the data in its place."""
    rows = world.begin()
    holdout = world.root / "holdout.csv"
    data = holdout.read_bytes()
    oid = f"sha256:{hashlib.sha256(data).hexdigest()}"
    holdout.write_text(f"version https://git-lfs.github.com/spec/v1\noid {oid}\nsize {len(data)}\n")
    world.commit("the data in Git LFS")
    holdout.write_bytes(data)
    world.better(rows)
    assert gates(world, "promote").code == 0
    assert [one["pointer"] for one in last(world)["data"] if one["name"] == "holdout"] == [f"lfs:{oid}"]
    holdout.write_bytes(data + b"\n")  # the same rows, as other bytes
    world.better(rows, 2)
    done = gates(world, "promote")
    assert done.code == 2
    assert "holdout.csv: is not what its committed Git LFS pointer names" in done.err


def test_an_experiment_that_another_machine_makes_meanwhile_is_used(world: World) -> None:
    judged(world)
    made = client(world).create_experiment("churn")
    registry = MLflowRegistry(f"sqlite:///{world.database}", world.root)
    looked = registry._client.get_experiment_by_name
    asked: list[str] = []

    def late(name: str) -> Any:
        asked.append(name)
        return looked(name) if len(asked) > 1 else None  # it was not there when it was looked for first

    registry._client.get_experiment_by_name = late
    kept = registry.keep("churn", world.work / "candidate", world.work / "candidate/predictions.csv", "churn-1")
    assert client(world).get_run(kept.run_id).info.experiment_id == made


def test_what_a_training_logged_is_in_the_record(world: World) -> None:
    judged(world)
    asked = client(world)
    run = asked.create_run(asked.create_experiment("trained"))
    asked.log_param(run.info.run_id, "depth", 3)
    registries: list[Registry] = [MLflowRegistry(f"sqlite:///{world.database}", world.root)]
    repository = Git(folder=world.root / ".git", environ={})
    registries.append(GitRegistry(repository, None, print, logs=world.database))  # which asks no MLflow
    (world.root / "folder/model").mkdir(parents=True)
    written = world.root / "folder/model/MLmodel"
    opened = run.info.start_time
    for run_id, during, logged in (
        (run.info.run_id, (opened, opened), {"depth": "3"}),
        (run.info.run_id, (opened - 9, opened - 1), None),  # somebody else's, opened after the training had ended
        (run.info.run_id, (opened + 1, opened + 9), None),  # or before it began
        (run.info.run_id, None, None),  # it was trained on another machine, which reaches no registry
        ("0" * 32, (opened, opened), None),
    ):
        written.write_text(f"run_id: {run_id}\nflavors: {{sklearn: {{}}}}\n")
        for registry in registries:
            found = provenance.model(world.root / "folder", partial(registry.parameters, during=during))
            assert (found.format, found.parameters) == ("mlflow (sklearn)", logged)


def test_the_time_of_a_training_is_told_by_who_ran_it(world: World) -> None:
    """What the training writes there itself, or a repository brings along, counts for nothing."""
    world.begin(train=f"echo '[0, 9999999999999]' > \"$GATES_OUT/../trained.json\"; {COPY}")
    gates(world, "run")
    during = Workspace(policy=world.root / "gates.yaml").during()
    assert during is not None
    assert 0 < during[0] <= during[1] < 9999999999999


def ours(world: World) -> dict[Path, int]:
    """Every file of the work tree, save what gates and the registry keep there."""
    apart = {".git", ".gates", "mlartifacts"}
    return {path: path.stat().st_mtime_ns for path in world.root.rglob("*") if not apart & set(path.parts)}


def test_neither_work_tree_nor_index_is_touched(world: World) -> None:
    judged(world)
    (world.root / "staged").write_text("x")
    git(world.root, "add", "staged")
    (world.root / "holdout.csv").touch()
    index = (world.root / ".git" / "index").read_bytes()
    before = ours(world)
    assert gates(world, "promote").code == 0
    assert (world.root / ".git" / "index").read_bytes() == index
    assert ours(world) == before
    assert git(world.root, "branch", "--list").split() == ["*", "main"]
    assert git(world.origin, "rev-parse", "gates-ledger")


def test_the_policy_of_the_default_branch_counts(world: World) -> None:
    """A branch that lowers its own limit is judged by the limit that stands."""
    world.begin(gates=[{"metric": "roc_auc", "min": 0.99}])
    git(world.root, "checkout", "-q", "-b", "mine")
    world.policy(gates=[{"metric": "roc_auc", "min": 0.5}])
    assert gates(world, "run").code == 0
    git(world.root, "commit", "-q", "-am", "a lower bar")
    done = gates(world, "promote")
    assert (done.code, last(world)["code"], served(world)) == (1, "verdict", None)
    git(world.root, "push", "-q", "origin", "HEAD:main")  # the negative control: once it stands there, it counts
    git(world.root, "fetch", "-q", "origin")
    assert (gates(world, "promote").code, served(world)) == (0, "1")


@pytest.mark.parametrize(("branch", "code"), [("main", 0), ("mine", 1)])
def test_a_github_run_promotes_from_the_default_branch_alone(world: World, branch: str, code: int) -> None:
    judged(world)
    event = world.base / "event.json"
    event.write_text(json.dumps({"repository": {"default_branch": "main"}}))
    done = gates(
        world, "promote", GITHUB_ACTIONS="true", GITHUB_REF=f"refs/heads/{branch}", GITHUB_EVENT_PATH=str(event),
        GITHUB_SHA=git(world.root, "rev-parse", "HEAD"), GITHUB_ACTOR="ada", GITHUB_ACTOR_ID="7", GITHUB_RUN_ID="9",
    )  # fmt: skip
    assert done.code == code, done.err
    one = last(world)
    assert one["code"] == (None if code == 0 else "not_default_branch")
    assert (one["run"]["actor"], one["run"]["run_id"]) == ({"id": 7, "login": "ada", "type": None}, 9)


def test_approvals_that_nobody_can_show_refuse(world: World) -> None:
    judged(world, promotion={"approvals": ["ml-lead"]})
    done = gates(world, "promote")
    assert (done.code, last(world)["code"], served(world)) == (1, "approvals", None)


def swap(path: Path) -> None:
    """Other predictions under the same name."""
    path.write_text(path.read_text().replace(",0.", ",0.0"))


def stored(world: World) -> Path:
    """The newest stored candidate."""
    found = world.root.rglob("artifacts/candidate/predictions.csv")
    return max(found, key=lambda path: path.stat().st_mtime_ns)


Patch = Callable[[World, pytest.MonkeyPatch], None]


def before(name: str, happens: Callable[[World], None]) -> Patch:
    def patch(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        plain = getattr(MLflowRegistry, name)

        def patched(self: MLflowRegistry, *arguments: Any, **named: Any) -> Any:
            happens(world)
            return plain(self, *arguments, **named)

        monkeypatch.setattr(MLflowRegistry, name, patched)

    return patch


def after(name: str, happens: Callable[[World], None]) -> Patch:
    def patch(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        plain = getattr(MLflowRegistry, name)

        def patched(self: MLflowRegistry, *arguments: Any, **named: Any) -> Any:
            result = plain(self, *arguments, **named)
            monkeypatch.setattr(MLflowRegistry, name, plain)
            happens(world)
            return result

        monkeypatch.setattr(MLflowRegistry, name, patched)

    return patch


def candidate_swapped(world: World) -> None:
    swap(world.work / "candidate" / "predictions.csv")


def stored_swapped(world: World) -> None:
    swap(stored(world))


def while_approved(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = promotion.unapproved

    def approve(*arguments: Any) -> Any:
        candidate_swapped(world)
        return plain(*arguments)

    monkeypatch.setattr(promotion, "unapproved", approve)


SWAPPED: dict[str, tuple[Patch, str, str]] = {
    "before approval": (lambda world, _: candidate_swapped(world), "refusal", "candidate_changed"),
    "after approval": (while_approved, "refusal", "stored_bytes"),
    "before registration": (before("register", stored_swapped), "failure", "stored_bytes"),
    "after the alias": (after("move", stored_swapped), "failure", "stored_bytes"),
}


@pytest.mark.parametrize(
    "second",
    [pytest.param(False, id="the first champion"), pytest.param(True, id="a second one", marks=pytest.mark.slow)],
)
@pytest.mark.parametrize("moment", SWAPPED)
def test_a_swapped_file_is_refused_or_undone(
    world: World, monkeypatch: pytest.MonkeyPatch, moment: str, second: bool
) -> None:
    patch, kind, code = SWAPPED[moment]
    rows = judged(world)
    if second:
        assert gates(world, "promote").code == 0
        better(world, rows)
    patch(world, monkeypatch)
    done = gates(world, "promote")
    assert done.code in (1, 2), done.err
    assert code in done.err
    assert (last(world)["kind"], last(world)["code"]) == (kind, code)
    assert served(world) == ("1" if second else None)


@pytest.mark.parametrize("moment", ["before registration", "after the alias"])
def test_it_is_the_bytes_read_back_that_tell(world: World, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    """The negative control: where nobody reads them back, the swapped model serves."""
    judged(world)
    SWAPPED[moment][0](world, monkeypatch)
    promised = world.decision["candidate"]["digest"]
    monkeypatch.setattr(MLflowRegistry, "stored", lambda *_: promised)
    assert gates(world, "promote").code == 0
    monkeypatch.undo()
    assert gates(world, "status").code == 1, "and status tells it afterwards"


def test_an_alias_moved_by_hand_meanwhile(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = judged(world)
    for by in (0.05, 0.1):
        assert gates(world, "promote").code == 0
        better(world, rows, by)
    assert served(world) == "2"
    before("register", lambda _: client(world).set_registered_model_alias("churn", "champion", "1"))(world, monkeypatch)
    assert gates(world, "promote").code == 1
    assert (last(world)["code"], served(world)) == ("alias_moved", "1")


STATES: dict[str, tuple[Callable[[World], Any], str]] = {
    "as promoted": (lambda _: None, "as_promoted"),
    "moved by hand": (lambda world: client(world).set_registered_model_alias("churn", "champion", "1"), "moved"),
    "taken away": (lambda world: client(world).delete_registered_model_alias("churn", "champion"), "moved"),
    "bytes changed": (stored_swapped, "bytes_changed"),
    "bytes gone": (lambda world: shutil.rmtree(stored(world).parent), "bytes_changed"),
}


@pytest.mark.parametrize("name", STATES)
def test_status_tells_what_was_done_by_hand(world: World, name: str) -> None:
    happens, state = STATES[name]
    rows = judged(world)
    assert gates(world, "promote").code == 0
    better(world, rows)
    assert gates(world, "promote").code == 0
    happens(world)
    done = gates(world, "status", "--json")
    (alias,) = json.loads(done.out)["aliases"]
    assert (alias["state"], done.code) == (state, 0 if state == "as_promoted" else 1)
    assert alias["today"] == "pass"
    assert gates(world, "status").code == done.code


def test_status_of_nothing_and_of_what_gates_did_not_promote(world: World) -> None:
    judged(world)
    assert json.loads(gates(world, "status", "--json").out)["aliases"][0]["state"] == "nothing"
    assert gates(world, "promote").code == 0
    git(world.origin, "update-ref", "-d", "refs/heads/gates-ledger")
    git(world.root, "update-ref", "-d", "refs/gates/gates-ledger")
    done = gates(world, "status", "--json")
    assert (done.code, json.loads(done.out)["aliases"][0]["state"]) == (1, "unknown")


def test_status_judges_by_todays_policy(world: World) -> None:
    judged(world)
    assert gates(world, "promote").code == 0
    world.policy(gates=[{"metric": "roc_auc", "min": 0.99, "max_worsening": 0.2}])
    assert json.loads(gates(world, "status", "--json").out)["aliases"][0]["today"] == "fail"
    world.policy(gates=GATES, predict={"threshold": 0.3})
    assert json.loads(gates(world, "status", "--json").out)["aliases"][0]["today"] is None


@pytest.mark.parametrize(
    "tag",
    [
        "gates.digest",
        *(pytest.param(f"gates.{name}", marks=pytest.mark.slow) for name in ("holdout", "predictions", "decision")),
    ],
)
def test_what_the_registrys_tags_say_is_not_believed(world: World, tag: str) -> None:
    """The ledger says what was promoted and by which predictions: a changed tag changes nothing."""
    rows = judged(world)
    assert gates(world, "promote").code == 0
    better(world, rows)
    client(world).set_model_version_tag("churn", "1", tag, "sha256:" + "0" * 64)
    before = world.decision["gates"]
    assert gates(world, "run").code == 0
    assert world.decision["gates"] == before
    assert (gates(world, "promote").code, served(world)) == (0, "2")


def test_rollbacks_go_back_one_by_one_or_to_a_record(world: World) -> None:
    rows = judged(world)
    for _ in range(3):
        assert gates(world, "promote").code == 0
        better(world, rows)
        rows = [row | {"score": min(1.0, row["score"] + 0.001)} for row in rows]
    assert served(world) == "3"
    told = gates(world, "rollback", "--reason", "calls dropped")
    assert (told.out, served(world)) == ("churn version 2 is champion again\n", "2")
    assert (last(world)["kind"], last(world)["reason"]) == ("rollback", "version 2 is champion again: calls dropped")
    assert gates(world, "rollback", "--reason", "and again").out == "churn version 1 is champion again\n"
    none = gates(world, "rollback", "--reason", "and again")
    assert (none.code, "no earlier model" in none.err) == (2, True)
    assert gates(world, "rollback", "--to", "6", "--reason", "the third after all").out.startswith("churn version 3")
    for target, words in (("77", "is not a record that promoted"), ("abc", "is not a record")):
        assert words in gates(world, "rollback", "--to", target, "--reason", "x").err
    assert gates(world, "rollback", "--reason", " ").code == 2
    assert gates(world, "verify", "--all").code == 0
    assert gates(world, "promote").code == 0, "and what was taken back can be promoted by its judging again"


def test_a_rollback_to_changed_bytes_is_refused(world: World) -> None:
    rows = judged(world)
    assert gates(world, "promote").code == 0
    stored_ = stored(world)
    better(world, rows)
    assert gates(world, "promote").code == 0
    swap(stored_)
    done = gates(world, "rollback", "--reason", "x")
    assert (done.code, last(world)["kind"], last(world)["code"], served(world)) == (1, "refusal", "stored_bytes", "2")


RECALL = {"metric": "recall", "min": 0.79}  # on these rows: inconclusive
FAILS = {"metric": "recall", "min": 0.95}
ERROR = {"metric": "f1", "slices": {"min": 0.001}}


def waive(world: World, until: str = "2999-12-31") -> Done:
    return gates(world, "waive", "--gate", "recall:min", "--reason", "few rows", "--until", until)


@pytest.mark.parametrize(
    ("gate", "waivable", "code"),
    [(RECALL, [], 0), (FAILS, ["recall"], 0), (FAILS, [], 1)],
    ids=["?", "named", "unnamed"],
)
def test_what_is_waived_is_promoted(world: World, gate: dict[str, Any], waivable: list[str], code: int) -> None:
    world.begin(gates=[GATES[0], gate], promotion={"waivable": waivable, "open_waivers": True})
    gates(world, "run")
    assert (gates(world, "promote").code, last(world)["code"]) == (1, "verdict")
    assert waive(world).code == code
    assert (gates(world, "promote").code, served(world)) == (code, None if code else "1")
    if not code:
        assert [one["gate"] for one in last(world)["waivers"]] == ["recall"]
        assert last(world)["verdict"] in ("inconclusive", "fail")


def test_bars_are_named_wherever_they_are_accepted(world: World) -> None:
    """By the label, slice and all: in what waive says, in history, and beside the decision."""
    world.begin(
        slices=["sex"],
        gates=[{"metric": "recall", "min": 0.99, "slices": {"min": 0.99}}],
        promotion={"waivable": ["recall"], "open_waivers": True},
    )
    gates(world, "run")
    limits = json.loads((world.work / "bars.json").read_text())["bars"]
    assert [one["label"] for one in limits] == ["recall:min", "recall:min@sex=f", "recall:min@sex=m"]
    assert limits[1]["accept"].endswith(" --gate recall:min@sex=f --reason WHY --until YYYY-MM-DD")
    more = ("--reason", "few rows", "--until", "2999-12-31")
    done = gates(world, "waive", "--gate", "zzz", *more)
    assert done.code == 2
    assert "Can be accepted: recall:min, recall:min@sex=f, recall:min@sex=m." in done.err
    done = gates(world, "waive", "--gate", "recall:min@sex=f", "--gate", "recall:min@\u200bsex=m", *more)
    assert done.code == 0, done.err
    assert "accepted recall:min@sex=f, " in done.out
    assert "; recall:min@sex=m, " in done.out
    told = " ".join(gates(world, "history").out.split())
    assert "recall:min@sex=f," in told
    assert "recall:min@sex=m)" in told


def test_no_waiver_rests_on_data_that_their_pointer_does_not_name(world: World) -> None:
    world.begin(gates=[{"metric": "recall", "min": 0.99}], promotion={"waivable": ["recall"], "open_waivers": True})
    assert gates(world, "run").code == 1
    pointer = world.root / "holdout.csv.dvc"
    pointer.write_text(f"outs:\n- {{md5: {'0' * 32}, path: holdout.csv}}\n")
    done = waive(world)
    assert done.code == 2
    assert "holdout.csv: is not what holdout.csv.dvc names" in done.err
    pointer.unlink()
    assert waive(world).code == 0  # negative control


def test_an_error_is_never_waived(world: World) -> None:
    world.begin(
        slices=[{"age": [0, 99]}], gates=[GATES[0], ERROR], promotion={"waivable": ["f1"], "open_waivers": True}
    )
    gates(world, "run")
    decision = read_json(Decision, (world.work / "decision.json").read_bytes(), "decision")
    label = next(one.label for one in decision.gates if one.verdict == "error")
    done = gates(world, "waive", "--gate", label, "--reason", "x", "--until", "2999-12-31")
    assert (done.code, "an error can't be accepted" in done.err) == (1, True), done.err
    assert (gates(world, "promote").code, served(world)) == (1, None)


def test_a_waiver_ends(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.begin(gates=[GATES[0], RECALL], promotion={"open_waivers": True})
    gates(world, "run")
    assert waive(world, until="2999-01-01").code == 0
    monkeypatch.setattr("gates.cli.options.today", lambda: "2999-01-02")
    assert (gates(world, "promote").code, served(world)) == (1, None)


def recalled(evidence: dict[str, Any]) -> None:
    missed, hit = [cell for cell in evidence["slices"][0]["cells"] if cell[0] == 1]
    missed[-1] -= 1
    hit[-1] += 1


TAMPERED: dict[str, tuple[str, Callable[[dict[str, Any]], Any], str]] = {
    "evidence": ("evidence", lambda one: one["slices"][0]["cells"][0].__setitem__(3, 1), ""),
    "evidence made to fit": ("evidence", recalled, "evidence_changed"),
    "decision": ("decision", lambda one: one.update(reason="all is well"), "decision_changed"),
    "decision of another policy": ("decision", lambda one: one.update(policy="sha256:" + "0" * 64), "policy_changed"),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_evidence_and_decision_are_those_that_were_made(world: World, name: str) -> None:
    document, change, code = TAMPERED[name]
    judged(world)
    value = world.json(document)
    change(value)
    (world.work / f"{document}.json").write_text(json.dumps(value))
    done = gates(world, "promote")
    assert (done.code, served(world)) == (2, None)
    assert code in done.err


def test_evidence_that_was_painted_with_its_decision(world: World) -> None:
    """The whole handed-over folder is forged: what was measured is measured again."""
    judged(world)
    value = world.json("evidence")
    recalled(value)
    (world.work / "evidence.json").write_text(json.dumps(value))
    assert gates(world, "judge").code == 0
    assert (gates(world, "promote").code, last(world)["code"]) == (2, "evidence_changed")


def test_serving_code_can_ask(world: World, tmp_path: Path) -> None:
    judged(world)
    none = gates(world, "verify", "--model", str(world.work / "candidate"))
    assert none.code == 1
    assert gates(world, "promote").code == 0
    shutil.copytree(stored(world).parent, tmp_path / "model")
    good = gates(world, "verify", "--model", str(tmp_path / "model"))
    assert (good.code, good.out) == (0, "churn version 1, promoted to champion by record 2\n")
    (tmp_path / "model" / "more.py").write_text("import os")
    bad = gates(world, "verify", "--model", str(tmp_path / "model"))
    assert (bad.code, "more.py is not part of it" in bad.err) == (1, True)
    assert json.loads(gates(world, "verify", "--model", str(tmp_path / "model"), "--json").out)["promoted"] is False


def test_no_model_is_loaded(world: World, tmp_path: Path) -> None:
    """Seen by an audit hook: nothing is unpickled, no program but git is run. Measuring does both: the control."""
    rows = save_model_to(world.root / "made" / "model")
    world.begin(rows, data={"key": None})
    (world.root / "made" / "predictions.csv").unlink()
    log = tmp_path / "seen"
    watch = {"watch": True, "counter": str(log)}
    assert world.run("run", hook=watch).code == 0
    assert "subprocess.Popen" in log.read_text()
    log.unlink()
    done = world.run("promote", hook=watch)
    assert done.code == 0, done.err
    assert not log.exists(), log.read_text()
    one = world.records()[-1]
    assert one["model"]["format"].startswith("mlflow (")
    assert one["model"]["pickled"] == ["model/model.pkl"]


def test_a_ledger_that_was_rewritten_is_told_by_whoever_saw_it(world: World) -> None:
    judged(world)
    assert gates(world, "promote").code == 0
    git(world.origin, "update-ref", "refs/heads/gates-ledger", git(world.origin, "rev-parse", "gates-ledger~1"))
    for command in (["promote"], ["status"], ["history"], ["verify", "--all"]):
        done = gates(world, *command)
        assert (done.code, "the ledger was rewritten" in done.err) == (1, True), command
