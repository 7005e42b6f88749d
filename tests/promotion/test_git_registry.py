"""A repository with nothing but its policy: champion and predictions live in a branch of it, and no server is asked."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from edge_project import call
from worlds import GATES, Done, World, git

from gates.documents.registered import RegisteredVersions
from gates.errors import Exit, GatesError
from gates.registry.git_registry import GitRegistry
from gates.schema.canonical import canonical
from gates.schema.validation import read_json
from gates.system.git import Git
from gates.system.orphan_branch import Blob, OrphanBranch


class GitWorld(World):
    """A world in which nobody names a registry."""

    def environment(self, **more: str) -> dict[str, str]:
        return super().environment(**({"MLFLOW_TRACKING_URI": ""} | more))

    def clone(self, name: str) -> Path:
        """The same repository on another machine."""
        root = self.base / name
        git(self.base, "clone", "-q", str(self.origin), str(root))
        return root

    @property
    def branch(self) -> OrphanBranch:
        found = Git(folder=self.origin, environ=self.environment())
        return OrphanBranch(git=found, remote=None, name="gates-registry")


@pytest.fixture
def world(tmp_path: Path) -> GitWorld:
    return GitWorld(tmp_path / "world", None)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A world with a champion, and its rows. Nobody changes it: copies are made."""
    world = GitWorld(tmp_path_factory.mktemp("first") / "world", None)
    rows = world.begin()
    assert world.gates("run").code == 0
    done = world.gates("promote")
    assert (done.code, done.out) == (0, "churn version 1 is now champion\n"), done.err
    return world.base, rows


@pytest.fixture
def promoted(world: GitWorld, first: tuple[Path, Any]) -> Any:
    base, rows = first
    shutil.copytree(base, world.base, symlinks=True, dirs_exist_ok=True)
    git(world.root, "remote", "set-url", "origin", str(world.origin))
    return rows


def worse(world: GitWorld, rows: Any) -> Done:
    world.predictions([row | {"score": round(1 - row["score"], 3)} for row in rows])
    return world.gates("run")


def test_the_second_run_compares(world: GitWorld, promoted: Any) -> None:
    assert worse(world, promoted).code == 1
    assert world.decision["champion"]["version"] == "1"
    assert not list(world.base.rglob("mlflow.db-journal"))
    assert not (world.root / "mlflow.db").exists()


@pytest.mark.usefixtures("promoted")
def test_another_machine_compares_with_the_same_champion(world: GitWorld) -> None:
    there = world.clone("there")
    (there / "made").mkdir(exist_ok=True)
    for path in (world.root / "made").glob("*"):
        (there / "made" / path.name).write_bytes(path.read_bytes())
    done = world.run("run", root=there)
    assert done.code == 0, done.err
    decision = json.loads((there / ".gates" / "decision.json").read_text())
    assert decision["champion"]["version"] == "1"


NO_MLFLOW = """
import sys
from gates import cli

for command in ("run", "promote", "run", "status", "verify"):
    sys.argv = ["gates", command]
    try:
        cli.main()
    except SystemExit as end:
        assert not end.code, command
assert "mlflow" not in sys.modules
"""


def test_nothing_of_it_imports_mlflow(world: GitWorld) -> None:
    world.begin()
    done = world.python(NO_MLFLOW)
    assert done.returncode == 0, done.stderr
    assert "champion: version 1" in done.stdout


def test_it_goes_back_and_every_record_verifies(world: GitWorld, promoted: Any) -> None:
    world.better(promoted)
    assert world.gates("promote").out == "churn version 2 is now champion\n"
    assert world.gates("rollback", "--reason", "it was slow").code == 0
    records = world.sound()
    assert [one["kind"] for one in records] == ["intent", "promotion", "intent", "promotion", "intent", "rollback"]
    assert world.standing()["aliases"][0]["version"] == "1"


def test_an_alias_moved_by_hand_is_an_error(world: GitWorld, promoted: Any) -> None:
    world.better(promoted)
    assert world.gates("promote").code == 0
    restated(world, lambda state: replace(state, aliases={"champion": "1"}))
    done = world.gates("run")
    assert (done.code, world.decision["code"]) == (2, "alias_moved")
    assert world.gates("status").code == 1
    back = world.gates("rollback", "--to", "4", "--reason", "moved by hand")
    assert back.code == 0, back.err
    assert world.gates("run").code == 0


def test_an_alias_moved_by_hand_meanwhile_stops_the_promotion(
    world: GitWorld, promoted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was looked up earlier in the same command does not count at the moment of the effect."""
    for by in (0.05, 0.1):
        world.better(promoted, by)
        if by < 0.1:
            assert world.gates("promote").code == 0
    register = GitRegistry.register

    def meanwhile(registry: GitRegistry, *given: Any, **named: Any) -> str:
        made = register(registry, *given, **named)
        registry.at("churn", "champion")  # it has looked, and remembers
        restated(world, lambda state: replace(state, aliases={"champion": "1"}))
        return made

    monkeypatch.setattr(GitRegistry, "register", meanwhile)
    done = world.gates("promote")
    assert (done.code, "somebody moved champion to version 1" in done.err) == (1, True), done.err
    assert world.records()[-1]["code"] == "alias_moved"


@pytest.mark.usefixtures("promoted")
def test_a_command_fetches_the_branch_once(world: GitWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, ...]] = []
    ask = Git.ask

    def counted(git: Git, *arguments: str, **named: Any) -> Any:
        asked.append(arguments)
        return ask(git, *arguments, **named)

    monkeypatch.setattr(Git, "ask", counted)
    assert world.gates("run").code == 0
    assert sum("gates-registry" in " ".join(one) and one[0] == "fetch" for one in asked) == 1


@pytest.mark.usefixtures("promoted")
def test_doctor_looks_at_what_this_clone_knows_of_it(world: GitWorld) -> None:
    def told(**env: str) -> list[str]:
        done = call("doctor", str(world.root), "--offline", "--json", env=env)
        (check,) = (one for one in json.loads(done.out)["checks"] if one["id"] == "registry")
        return [one["what"] for one in check["findings"]]

    assert told() == []
    assert told(GATES_REGISTRY_MB="0")[0].startswith("holds 0.0 of 0 MB")
    for ref in ("refs/gates/gates-registry", "refs/remotes/origin/gates-registry"):
        git(world.root, "update-ref", "-d", ref)
    assert "has not seen this branch" in told()[0]
    assert told(MLFLOW_TRACKING_URI="http://mlflow.example") == []


@pytest.mark.usefixtures("promoted")
def test_bytes_changed_by_hand_are_an_error(world: GitWorld) -> None:
    branch = world.branch
    (path,) = (one for one in branch.files(branch.newest()) if "/candidate/" in one)
    branch.change(lambda files: files | {path: Blob.fresh(b"id,score\n")}, "poison")
    assert world.gates("run").code == 2
    assert world.decision["code"] == "stored_bytes"


Changed = Callable[[dict[str, Any]], dict[str, Any]]


def put(part: str, data: bytes | None) -> Changed:
    """Files whose path holds that part say something else, or are gone."""

    def change(files: dict[str, Any]) -> dict[str, Any]:
        assert any(part in path for path in files)
        kept = {path: blob for path, blob in files.items() if part not in path}
        return kept if data is None else files | dict.fromkeys(files.keys() - kept.keys(), Blob.fresh(data))

    return change


def together(*changes: Changed) -> Changed:
    def change(files: dict[str, Any]) -> dict[str, Any]:
        for one in changes:
            files = one(files)
        return files

    return change


BY_HAND: dict[str, tuple[Changed, str]] = {
    "predictions that any candidate beats": (put("/predictions/", b"id,score\n1000,0.5\n"), "that it was judged by"),
    "no predictions": (put("/predictions/", None), "not kept in the repository"),
    "no files of the model, and other digests": (
        together(put("/candidate/", None), put("manifest.json", b"[]")), "bytes of version 1 are not those"
    ),
    "nothing of the model": (put("/candidate/", None), ""),  # as where there was no room: its digests are enough
    "no list of its files": (put("manifest.json", None), "bytes of version 1 are not those"),
    "no versions": (put("registered.json", None), "names nothing"),
    "no JSON": (put("registered.json", b"{"), "registered.json"),
    "a list without versions": (
        put("registered.json", b'{"aliases":{},"name":"churn","schema":"gates/registered/v1","versions":[]}'),
        "names nothing",
    ),
}  # fmt: skip


@pytest.mark.usefixtures("promoted")
@pytest.mark.parametrize("name", BY_HAND)
def test_what_somebody_writes_into_the_branch_counts_only_as_the_ledger_says(world: GitWorld, name: str) -> None:
    change, told = BY_HAND[name]
    world.branch.change(change, "by hand")
    done = world.gates("run")
    assert (done.code, told in done.complaint + world.decision["reason"]) == (2 if told else 0, True), done.err
    assert "Traceback" not in done.err


@pytest.mark.usefixtures("promoted")
def test_a_branch_that_is_gone_is_an_error(world: GitWorld) -> None:
    git(world.origin, "update-ref", "-d", "refs/heads/gates-registry")
    assert world.gates("run").code == 2
    assert world.decision["code"] == "alias_moved"


@pytest.mark.parametrize(
    "method", ["register", "move", *(pytest.param(one, marks=pytest.mark.slow) for one in ("keep", "attach"))]
)
def test_what_stops_on_the_way_is_undone_or_done(
    world: GitWorld, promoted: Any, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    world.better(promoted)
    plain = getattr(GitRegistry, method)

    def fails(*_: Any, **__: Any) -> None:
        monkeypatch.setattr(GitRegistry, method, plain)
        raise GatesError("the remote hung up", where="git", exit_code=Exit.OUTSIDE)

    monkeypatch.setattr(GitRegistry, method, fails)
    assert world.gates("promote").code == 3
    world.sound(["promote"])
    assert world.standing()["aliases"][0]["state"] == "as_promoted"


def test_promotions_at_once_come_one_after_the_other(world: GitWorld, promoted: Any) -> None:
    world.better(promoted)
    processes = [world.start(["promote"]) for _ in range(3)]
    said = [world.end(one)[-1] for one in processes]
    assert all(one.code == 0 for one in said), said
    assert sum("is now champion" in one.out for one in said) == 1
    world.sound()


def test_a_branch_without_room_promotes_nothing(world: GitWorld) -> None:
    rows = world.begin(gates=GATES)
    assert world.gates("run").code == 0
    done = world.gates("promote", GATES_REGISTRY_MB="0")
    assert done.code == 2
    assert "do not fit into 0 MB" in done.err
    assert world.gates("promote").code == 0
    assert worse(world, rows).code == 1


def restated(world: GitWorld, change: Callable[[RegisteredVersions], RegisteredVersions]) -> None:
    """Somebody who may push writes into the branch by hand."""
    branch = world.branch

    def changed(files: dict[str, Any]) -> dict[str, Any]:
        (data,) = branch.read([files["churn/registered.json"]])
        state = read_json(RegisteredVersions, data, "registered.json")
        return files | {"churn/registered.json": Blob.fresh(canonical(change(state)))}

    branch.change(changed, "by hand")
