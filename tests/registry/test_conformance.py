"""What every registry does, held against each: MLflow's, and the branch of a repository with and without a remote."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gates.documents.record import RecordedModel
from gates.errors import GatesError
from gates.registry.address import MLflowAddress, named
from gates.registry.catalog_rules import CatalogRules, rules_of
from gates.registry.git_registry import GitRegistry, limit
from gates.registry.interface import TAG_INTENT, Registry
from gates.system.files import digest_of, folder_digest
from gates.system.git import Git
from gates.system.orphan_branch import Blob, OrphanBranch

NAME = "churn"
HOLDOUT = "sha256:" + "7" * 64


def git_at(folder: Path, *options: str) -> Git:
    subprocess.run(["git", "init", "-q", *options, "-b", "main", str(folder)], check=True)
    bare = "--bare" in options
    return Git(
        folder=folder if bare else folder / ".git", environ={"PATH": "/usr/bin:/bin"}, top=None if bare else folder
    )


@dataclass
class Opened:
    """A registry, and how another machine opens the same one."""

    registry: Registry
    elsewhere: Callable[[], Registry]


@pytest.fixture(params=["mlflow", "mlflow as a catalog", "git", "git with a remote", "git without a repository"])
def opened(
    request: pytest.FixtureRequest, tmp_path: Path, empty_registry: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Opened]:
    said: list[str] = []
    if request.param.startswith("mlflow"):
        from gates.registry.mlflow import MLflowRegistry

        shutil.copyfile(empty_registry, tmp_path / "mlflow.db")
        uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)

        def mlflow_registry() -> Registry:
            registry = MLflowRegistry(uri, tmp_path)
            registry._rules = CatalogRules(unity=request.param != "mlflow")  # asked as Unity Catalog is
            return registry

        yield Opened(mlflow_registry(), mlflow_registry)
    elif request.param == "git with a remote":
        origin = git_at(tmp_path / "origin.git", "--bare").folder
        here, there = git_at(tmp_path / "here"), git_at(tmp_path / "there")
        yield Opened(GitRegistry(here, str(origin), said.append), lambda: GitRegistry(there, str(origin), said.append))
    elif request.param == "git":
        here = git_at(tmp_path / "here")
        yield Opened(GitRegistry(here, None, said.append), lambda: GitRegistry(here, None, said.append))
    else:
        alone = Git(folder=tmp_path / "alone.git", environ={"PATH": "/usr/bin:/bin"})
        yield Opened(GitRegistry(alone, None, said.append), lambda: GitRegistry(alone, None, said.append))


def test_unity_catalog_is_known_by_its_address() -> None:
    unity = {"databricks-uc": True, "databricks-uc://profile": True, "uc:http://127.0.0.1": True}
    others = {"databricks": False, "http://databricks-uc.example": False, "sqlite:///mlflow.db": False}
    for address, expected in (unity | others).items():
        assert rules_of(address).unity is expected
    assert CatalogRules(unity=True).tag("gates.data.holdout") == "gates_data_holdout"


@pytest.fixture
def candidate(tmp_path: Path) -> Path:
    folder = tmp_path / "candidate"
    (folder / "model" / "deep").mkdir(parents=True)
    (folder / "model" / "MLmodel").write_text("flavors: {}\n")
    (folder / "model" / "deep" / "weights.bin").write_bytes(bytes(range(256)))
    (folder / "predictions.csv").write_text("id,score\n1,0.5\n")
    return folder


def known_of(candidate: Path) -> RecordedModel:
    file = candidate / "predictions.csv"
    return RecordedModel(
        digest=folder_digest(candidate), format="mlflow", pickled=(), parameters=None,
        predictions=digest_of([file], candidate), holdout=HOLDOUT,
    )  # fmt: skip


def promoted(registry: Registry, candidate: Path, intent: str = "sha256:1") -> str:
    kept = registry.keep(NAME, candidate, candidate / "predictions.csv", "a-run")
    assert registry.kept(NAME, kept) == folder_digest(candidate)
    assert kept.predictions == digest_of([candidate / "predictions.csv"], candidate)
    assert kept.model
    version = registry.register(NAME, kept, {TAG_INTENT: intent})
    registry.move(NAME, "champion", version)
    return version


def test_nobody_has_used_it(opened: Opened, tmp_path: Path) -> None:
    registry = opened.registry
    assert registry.at(NAME, "champion") is None
    assert registry.made_for(NAME, "sha256:1") is None
    assert registry.stored(NAME, "1") is None
    assert registry.served(NAME, "1", None, tmp_path / "cache") is None
    with pytest.raises(GatesError):
        registry.files(NAME, "1", tmp_path / "cache")


def test_a_version_is_kept_and_named(opened: Opened, candidate: Path, tmp_path: Path) -> None:
    version = promoted(opened.registry, candidate)
    for registry in (opened.registry, opened.elsewhere()):
        assert registry.at(NAME, "champion") == version
        assert registry.at(NAME, "challenger") is None
        assert registry.made_for(NAME, "sha256:1") == version
        assert registry.made_for(NAME, "sha256:2") is None
        assert registry.stored(NAME, version) == folder_digest(candidate)
        assert folder_digest(registry.files(NAME, version, tmp_path / "copy")) == folder_digest(candidate)
        assert registry.parameters("0" * 32, (0, 1)) is None


def test_versions_are_numbered_and_aliases_move_and_end(opened: Opened, candidate: Path) -> None:
    first = promoted(opened.registry, candidate)
    (candidate / "model" / "MLmodel").write_text("flavors: {other: 1}\n")
    second = promoted(opened.registry, candidate, "sha256:2")
    assert int(second) == int(first) + 1
    assert opened.registry.at(NAME, "champion") == second
    opened.registry.move(NAME, "champion", first)
    opened.registry.move(NAME, "challenger", second)
    assert [opened.registry.at(NAME, alias) for alias in ("champion", "challenger")] == [first, second]
    opened.registry.move(NAME, "challenger", None)
    assert opened.registry.at(NAME, "challenger") is None
    assert opened.registry.stored(NAME, first) != opened.registry.stored(NAME, second)


def test_the_ledger_binds_what_is_served(opened: Opened, candidate: Path, tmp_path: Path) -> None:
    known = known_of(candidate)
    version = promoted(opened.registry, candidate)
    served = opened.elsewhere().served(NAME, version, known, tmp_path / "cache")
    assert served is not None
    assert (served.version, served.digest) == (version, known.digest)
    kept = served.predictions(HOLDOUT)
    assert kept is not None
    assert kept.read_bytes() == (candidate / "predictions.csv").read_bytes()
    assert served.predictions("sha256:" + "8" * 64) is None  # of another holdout
    assert folder_digest(served.folder()) == known.digest


@pytest.mark.parametrize("lies", ["digest", "predictions"])
def test_other_bytes_than_the_ledgers_are_refused(opened: Opened, candidate: Path, tmp_path: Path, lies: str) -> None:
    from dataclasses import replace

    version = promoted(opened.registry, candidate)
    known = replace(known_of(candidate), **{lies: "sha256:" + "9" * 64})
    served = opened.registry.served(NAME, version, known, tmp_path / "cache")
    assert served is not None
    with pytest.raises(GatesError, match="are not those"):
        served.folder() if lies == "digest" else served.predictions(HOLDOUT)


def test_without_the_ledger_a_version_is_what_it_is(opened: Opened, candidate: Path, tmp_path: Path) -> None:
    version = promoted(opened.registry, candidate)
    served = opened.registry.served(NAME, version, None, tmp_path / "cache")
    assert served is not None
    assert served.digest == folder_digest(candidate)
    assert served.predictions(HOLDOUT) is None


def test_a_card_takes_the_place_of_an_older_one_and_changes_no_digest(opened: Opened, candidate: Path) -> None:
    version = promoted(opened.registry, candidate)
    for text in (b"# first\n", b"# second\n"):
        opened.registry.attach(NAME, version, "README.md", text)
    assert opened.registry.stored(NAME, version) == folder_digest(candidate)


# -- what only the branch does --


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def bounded(tmp_path: Path, said: list[str]) -> GitRegistry:
    return GitRegistry(git_at(tmp_path / "here"), None, said.append, limit=4000)


def grown(candidate: Path, size: int) -> Path:
    (candidate / "model" / "deep" / "weights.bin").write_bytes(bytes(size))
    return candidate


def test_files_of_versions_that_nothing_names_go_first(bounded: GitRegistry, candidate: Path) -> None:
    versions = []
    for number in range(3):
        (candidate / "model" / "MLmodel").write_text(f"flavors: {number}\n")
        versions.append(promoted(bounded, grown(candidate, 1200), f"sha256:{number}"))
        digests = folder_digest(candidate)
    assert bounded.stored(NAME, versions[-1]) == digests
    assert bounded.stored(NAME, versions[0]) is not None  # its manifest and its predictions are there
    with pytest.raises(GatesError, match="no room"):
        bounded.files(NAME, versions[0], candidate.parent / "copy")


def test_what_was_never_registered_goes_first_and_what_serves_stays(bounded: GitRegistry, candidate: Path) -> None:
    """A promotion that was killed before it had a version leaves its files; and a branch may hold several models."""
    serving = promoted(bounded, grown(candidate, 1200))
    digest = folder_digest(candidate)
    kept = bounded.keep("other", candidate, candidate / "predictions.csv", "a-run")
    (candidate / "model" / "MLmodel").write_text("flavors: {other: 1}\n")
    last = bounded.register("other", bounded.keep("other", candidate, candidate / "predictions.csv", "a-run"), {})
    bounded.move("other", "champion", last)
    assert bounded.kept("other", kept) is None
    assert bounded.stored(NAME, serving) == digest
    assert folder_digest(bounded.files("other", last, candidate.parent / "copy")) == folder_digest(candidate)
    grown(candidate, 2400)
    assert promoted(bounded, candidate, "sha256:3") == "2"
    assert folder_digest(bounded.files(NAME, serving, candidate.parent / "copy")) == digest
    with pytest.raises(GatesError, match="no room"):
        bounded.files(NAME, "2", candidate.parent / "copy")


def test_a_model_that_does_not_fit_is_bound_by_its_digest(
    bounded: GitRegistry, said: list[str], candidate: Path, tmp_path: Path
) -> None:
    version = promoted(bounded, grown(candidate, 9000))
    assert "do not fit into 0.004 MB" in said[0]
    served = bounded.served(NAME, version, known_of(candidate), tmp_path / "cache")
    assert served is not None
    assert served.predictions(HOLDOUT) is not None
    with pytest.raises(GatesError, match="no room"):
        served.folder()


def test_predictions_that_do_not_fit_are_refused(bounded: GitRegistry, candidate: Path) -> None:
    (candidate / "predictions.csv").write_text("id,score\n" + "1,0.5\n" * 1000)
    with pytest.raises(GatesError, match="predictions do not fit"):
        bounded.keep(NAME, candidate, candidate / "predictions.csv", "a-run")
    assert bounded.at(NAME, "champion") is None


def test_a_changed_file_changes_the_digest(tmp_path: Path, candidate: Path) -> None:
    git = git_at(tmp_path / "here")
    registry = GitRegistry(git, None, lambda _: None)
    version = promoted(registry, candidate)
    branch = OrphanBranch(git=git, remote=None, name="gates-registry")
    (path,) = (one for one in branch.files(branch.newest()) if one.endswith("weights.bin"))
    assert registry.stored(NAME, version) == folder_digest(candidate)
    branch.change(lambda files: files | {path: Blob.fresh(b"poisoned")}, "poison")
    assert registry.stored(NAME, version) == folder_digest(candidate), "what was fetched is not fetched again"
    registry.refresh()
    assert registry.stored(NAME, version) not in (None, folder_digest(candidate))
    branch.change(lambda files: {name: blob for name, blob in files.items() if name != path}, "remove")
    registry.refresh()
    assert registry.stored(NAME, version) not in (None, folder_digest(candidate))


@pytest.mark.parametrize("path", ["churn/../../evil", "churn/./x", "churn/a\\b", "churn/a\nb"])
def test_a_path_that_leads_elsewhere_is_refused(tmp_path: Path, path: str) -> None:
    git = git_at(tmp_path / "here")
    branch = OrphanBranch(git=git, remote=None, name="gates-registry")
    branch.change(lambda files: files | {"churn/x": Blob.fresh(b"x")}, "begin")
    blob = git.run("hash-object", "-w", "--stdin", data=b"evil")
    tree = blob
    for place, name in enumerate(reversed(path.split("/"))):
        kind = "100644 blob" if place == 0 else "040000 tree"
        tree = git.run("mktree", "-z", data=f"{kind} {tree}\t{name}\0".encode())
    git.run("update-ref", "refs/heads/gates-registry", git.run("commit-tree", tree, data=b"evil\n"))
    with pytest.raises(GatesError, match="not a path that gates writes"):
        GitRegistry(git, None, lambda _: None).at(NAME, "champion")


def test_two_who_write_at_once_lose_nothing(tmp_path: Path, candidate: Path) -> None:
    origin = str(git_at(tmp_path / "origin.git", "--bare").folder)
    here, there = (GitRegistry(git_at(tmp_path / name), origin, lambda _: None) for name in ("here", "there"))
    promoted(here, candidate)
    branch = here._branch
    turns = iter([lambda: there.move(NAME, "other", "1")])

    def change(files):  # type: ignore[no-untyped-def]
        next(turns, lambda: None)()  # somebody else writes between our look and our push
        return files | {"churn/note": Blob.fresh(b"note")}

    branch.change(change, "a note")
    assert there.at(NAME, "other") == "1"
    assert "churn/note" in branch.files(branch.newest())


def test_a_remote_that_is_gone_is_no_empty_registry(tmp_path: Path) -> None:
    registry = GitRegistry(git_at(tmp_path / "here"), str(tmp_path / "gone.git"), lambda _: None)
    with pytest.raises(GatesError, match="fetch"):
        registry.at(NAME, "champion")


@pytest.mark.parametrize("name", ["a/b", "a b", "über", "..", "a" * 80])
def test_any_name_has_a_folder_of_its_own(tmp_path: Path, candidate: Path, name: str) -> None:
    registry = GitRegistry(git_at(tmp_path / "here"), None, lambda _: None)
    kept = registry.keep(name, candidate, candidate / "predictions.csv", "a-run")
    registry.move(name, "champion", registry.register(name, kept, {}))
    assert registry.at(name, "champion") == "1"
    assert registry.at("a-b", "champion") is None


def test_how_much_it_holds_is_a_number_of_megabytes() -> None:
    assert limit({}) == 50_000_000
    assert limit({"GATES_REGISTRY_MB": "200"}) == 200_000_000
    with pytest.raises(GatesError, match="not a whole number"):
        limit({"GATES_REGISTRY_MB": "many"})


@pytest.mark.parametrize(
    ("environ", "address"),
    [
        ({}, None),
        ({"MLFLOW_TRACKING_URI": "http://mlflow"}, ("http://mlflow", "http://mlflow")),
        ({"GATES_REGISTRY": "git"}, None),
        ({"GATES_REGISTRY": "git", "MLFLOW_TRACKING_URI": ""}, None),
        ({"GATES_REGISTRY": "", "MLFLOW_TRACKING_URI": "", "MLFLOW_REGISTRY_URI": ""}, None),
        ({"GATES_REGISTRY": "git", "MLFLOW_REGISTRY_URI": "http://mlflow"}, None),
        ({"MLFLOW_TRACKING_URI": "mlruns", "MLFLOW_REGISTRY_URI": ""}, ("/policy/mlruns", "/policy/mlruns")),
        (
            {"MLFLOW_TRACKING_URI": "mlruns", "MLFLOW_REGISTRY_URI": "http://mlflow"},
            ("/policy/mlruns", "http://mlflow"),
        ),
        (
            {"MLFLOW_TRACKING_URI": "databricks", "MLFLOW_REGISTRY_URI": "databricks-uc"},
            ("databricks", "databricks-uc"),
        ),
    ],
)
def test_the_environment_names_the_registry(environ: dict[str, str], address: tuple[str, str] | None) -> None:
    assert named(environ, Path("/policy")) == (MLflowAddress(*address) if address else None)


@pytest.mark.parametrize(
    "environ",
    [
        {"GATES_REGISTRY": "svn"},
        {"GATES_REGISTRY": "git", "MLFLOW_TRACKING_URI": "http://mlflow"},
        {"MLFLOW_REGISTRY_URI": "http://mlflow"},
    ],
)
def test_one_registry_is_named(environ: dict[str, str]) -> None:
    with pytest.raises(GatesError, match="registry") as caught:
        named(environ, Path("/policy"))
    assert "MLFLOW_TRACKING_URI" in (caught.value.hint or "")
