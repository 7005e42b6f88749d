"""A model moves to another registry, from MLflow into a branch or back, and its ledger goes on there."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from extent import part
from ledgers import History, audited, chained, load, record, store, with_record
from worlds import GATES, Done, World, git

GIT = {"MLFLOW_TRACKING_URI": ""}
WHY = ("--reason", "we move")
DIRECTIONS = ["to git", pytest.param("to MLflow", marks=pytest.mark.slow)]  # the first goes there and back


class Moving(World):
    """Where the models are, where they go, and how a command names either."""

    here: Mapping[str, str]
    there: Mapping[str, str]

    def of(self, direction: str) -> Moving:
        mlflow = {"MLFLOW_TRACKING_URI": f"sqlite:///{self.database}"}
        self.here, self.there = (mlflow, GIT) if direction == "to git" else (GIT, mlflow)
        return self

    def address(self, env: Mapping[str, str]) -> str:
        return env["MLFLOW_TRACKING_URI"] or "git"

    def bring(self, *, back: bool = False, **hook: Any) -> Done:
        source, target = (self.there, self.here) if back else (self.here, self.there)
        return self.run("adopt", "--from", self.address(source), *WHY, **({"hook": hook} if hook else {}), **target)

    def whole(self, env: Mapping[str, str]) -> list[dict[str, Any]]:
        """What ``sound`` holds, in that registry, and the verifier that shares no code."""
        said = self.end(self.start(["status"], ["verify", "--all"], ["history", "--json"], env=env))
        assert said[-1].code == 0, "\n".join(one.out + one.err for one in said)
        found, theirs = audited(self.origin)
        assert (found.found, theirs) == ((), [])
        return [one["record"] for one in json.loads(said[-1].out)][::-1]


@pytest.fixture
def moving(tmp_path: Path, empty_registry: Path) -> Moving:
    return Moving(tmp_path / "world", empty_registry)


def two_promoted(world: Moving, **policy: Any) -> Any:
    rows = world.begin(**policy)
    for by in (0.0, 0.05):
        world.predictions([nudged(row, by) for row in rows])
        said = world.end(world.start(["run"], ["promote"], env=world.here))
        assert said[-1].code == 0, said
    return rows


def nudged(row: dict[str, Any], by: float) -> dict[str, Any]:
    return row | {"score": round(min(1, max(0, row["score"] + (by if row["churn"] == "left" else -by))), 3)}


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_the_ledger_goes_on_in_the_other_registry(moving: Moving, direction: str) -> None:
    world = moving.of(direction)
    rows = two_promoted(world)
    early = world.gates("run", **world.there)
    assert early.code == 2, early.err
    assert world.decision["code"] == "other_registry"
    assert "gates adopt --from" in early.complaint

    done = world.bring()
    assert (done.code, done.out) == (0, "record 5: 2 versions of churn copied; champion is version 2\n"), done.err
    assert [one["kind"] for one in world.whole(world.there)][-1] == "migration"
    again = world.bring()
    assert (again.code, again.out) == (0, "the versions of churn are here already: nothing to do\n")

    world.predictions([nudged(row, -0.4) for row in rows])
    assert world.gates("run", **world.there).code == 1, "it is compared"
    assert world.decision["champion"]["version"] == "2"
    late = world.gates("run", **world.here)
    assert (late.code, world.decision["code"]) == (2, "other_registry")
    assert world.gates("status", **world.here).code == 1
    refused = world.gates("rollback", "--reason", "no", **world.here)
    assert (refused.code, "in another registry" in refused.err) == (1, True), refused.err

    back = world.gates("rollback", "--reason", "it was slow", **world.there)
    assert (back.code, back.out) == (0, "churn version 1 is champion again\n"), back.err
    world.predictions([nudged(row, 0.1) for row in rows])
    said = world.end(world.start(["run"], ["promote"], ["verify"], env=world.there))
    assert [one.code for one in said] == [0] * 3, said
    assert said[1].out == "churn version 3 is now champion\n"
    records = world.whole(world.there)
    assert records[-1]["before"]["version"] == "1"

    home = world.bring(back=True)  # the first two are there still, and are found
    assert home.out == "record 11: 3 versions of churn copied; champion is version 3\n", home.err
    copied = world.whole(world.here)[-1]["versions"]
    assert [(one["before"]["version"], one["after"]["version"]) for one in copied] == [(n, n) for n in "123"]


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_killed_at_any_step_it_is_finished_by_running_it_again(moving: Moving, direction: str) -> None:
    world = moving.of(direction)
    two_promoted(world)
    world.snapshot()
    step = 1
    while True:
        world.restore()
        code = world.bring(counter=str(world.base / "counter"), kill=step).code
        if code == 0:
            break
        assert code == -signal.SIGKILL
        holds = [world.run("status", **env).code == 0 for env in (world.here, world.there)]
        assert sum(holds) == 1, "the old one until it is recorded, and then the new one"
        done = world.bring()
        assert done.code == 0, done.err
        assert len(world.whole(world.there)[-1]["versions"]) == 2
        step += part(1, 29)
    assert step > 7


def test_a_version_that_is_gone_stays_behind_unless_it_serves(moving: Moving) -> None:
    world = moving.of("to git")
    two_promoted(world)
    first, second = sorted(world.base.rglob("artifacts/candidate"), key=lambda path: path.stat().st_mtime_ns)
    kept = shutil.copytree(second, world.base / "kept")
    shutil.rmtree(first)
    done = world.bring()
    assert (done.code, done.out) == (0, "record 5: 1 version of churn copied; champion is version 2\n"), done.err
    assert "left behind: version 1, because the bytes of version 1 are not those of record 2, or gone" in done.err
    back = world.run("rollback", "--to", "2", "--reason", "no", **world.there)
    assert (back.code, "in another registry" in back.err) == (1, True)
    world.whole(world.there)
    git(world.origin, "update-ref", "refs/heads/gates-ledger", "refs/heads/gates-ledger~2")  # as before
    git(world.origin, "update-ref", "-d", "refs/heads/gates-registry")
    git(world.root, "update-ref", "-d", "refs/gates/gates-ledger")
    (kept / "predictions.csv").write_text("id,score\n1,0.5\n")
    shutil.rmtree(second)
    shutil.copytree(kept, second)
    done = world.bring()
    assert (done.code, "stored_bytes" in done.err or "bytes of version 2" in done.err) == (2, True), done.err


def test_changed_predictions_are_not_brought(moving: Moving) -> None:
    """Else whoever can write to the store lowers what the next candidate must reach."""
    world = moving.of("to git")
    two_promoted(world)
    for file in world.base.rglob("artifacts/predictions/predictions.csv"):
        file.write_text(file.read_text().replace(",0.", ",0.0"))
    done = world.bring()
    assert done.code == 2
    assert "kept predictions of version 2 are not those" in done.err
    assert world.kinds()[-1] == "promotion"


def changed(place: int, key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """One of the two copies says something else."""

    def change(record: dict[str, Any]) -> None:
        part, _, name = key.partition(".")
        held = record["versions"][place]
        if name:
            held[part] = held[part] | {name: value}
        else:
            held[part] = value

    return change


FORGED: dict[str, tuple[str, Callable[[dict[str, Any]], Any], str]] = {
    "other bytes": ("migration", changed(1, "after.digest", "sha256:" + "9" * 64), "contradiction"),
    "of bytes that nobody promoted": ("migration", changed(0, "before.digest", "sha256:" + "9" * 64), "before"),
    "of a version that never was": ("migration", changed(0, "before.version", "7"), "before"),
    "two become one": ("migration", changed(0, "after.version", "2"), "contradiction"),
    "an alias that nobody moved": ("migration", changed(0, "aliases", ["other"]), "before"),
    "the champion renamed": ("migration", changed(1, "aliases", []), "before"),
    "the champion left behind": ("migration", lambda one: one["versions"].pop(), "before"),
    "nothing": ("migration", lambda one: one.update(versions=[]), "incomplete"),
    "no policy": ("migration", lambda one: one.update(policy=None), "incomplete"),
    "an alias": ("migration", lambda one: one.update(alias="champion"), "incomplete"),
    "copies of a promotion": ("promotion", lambda one: one.update(versions=[]), "incomplete"),
    "goes back by another number": ("rollback", lambda one: one["after"].update(version="2"), "target"),
    "goes back into the registry that was left": (
        "rollback",
        lambda one: one["after"].update(registry="mlflow"),
        "target",
    ),
}


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory, empty_registry: Path) -> History:
    """Two promotions, a migration, and the way back to the first of them."""
    world = Moving(tmp_path_factory.mktemp("moved") / "world", empty_registry).of("to git")
    two_promoted(world)
    assert world.bring().code == 0
    assert world.run("rollback", "--reason", "it was slow", **world.there).code == 0
    return load(world.origin)


@pytest.mark.parametrize("name", FORGED)
def test_both_verifiers_tell_a_forged_migration(moved: History, tmp_path: Path, name: str) -> None:
    kind, change, code = FORGED[name]
    places = [place for place, files in enumerate(moved) if record(files)["kind"] == kind]
    forged = [with_record(files, change) if place == places[-1] else files for place, files in enumerate(moved)]
    found, theirs = audited(store(tmp_path / "l.git", chained(forged, moved)))
    assert (places[-1] + 1, code) in {(one.sequence, one.code) for one in found.found}
    assert (places[-1] + 1, code) in theirs


def test_a_migration_that_nobody_changed_is_whole(moved: History, tmp_path: Path) -> None:
    found, theirs = audited(store(tmp_path / "l.git", chained(moved, moved)))
    assert ([one for one in found.found if one.code != "policy"], theirs) == ([], [])


def test_an_alias_of_somebody_else_is_not_taken(moving: Moving) -> None:
    import mlflow

    world = moving.of("to MLflow")
    two_promoted(world)
    client = mlflow.MlflowClient(f"sqlite:///{world.database}")
    run = client.create_run(client.create_experiment("other", (world.base / "other").as_uri())).info.run_id
    client.log_text(run, "not gates'", "model/MLmodel")
    client.create_registered_model("churn")
    client.create_model_version("churn", f"runs:/{run}/model", run)
    client.set_registered_model_alias("churn", "champion", "1")
    done = world.bring()
    assert done.code == 2
    assert "champion names version 1 there, which the ledger does not know" in done.err


def test_it_needs_the_approvals_of_a_promotion(moving: Moving) -> None:
    world = moving.of("to git")
    rows = two_promoted(world)
    world.policy(gates=GATES, promotion={"approvals": ["ml-lead"]})
    world.commit("stricter")
    done = world.bring()
    assert (done.code, "needs the approval of ml-lead" in done.err) == (1, True), done.err
    assert rows
    assert world.kinds()[-1] == "promotion"


def test_it_is_no_way_to_stay(moving: Moving) -> None:
    world = moving.of("to git")
    world.begin()
    same = world.gates("adopt", "--from", "git", *WHY, **GIT)
    assert (same.code, "is the registry of now" in same.err) == (2, True), same.err
    nothing = world.bring()
    assert (nothing.code, "there is nothing to bring" in nothing.err) == (2, True), nothing.err
    mixed = world.gates("adopt", "--from", "git", "--stage", "champion", *WHY)
    assert (mixed.code, "leave out --stage" in mixed.err) == (2, True), mixed.err
