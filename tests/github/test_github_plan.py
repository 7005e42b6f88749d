"""Which models a change is about, in real repositories: what can't be determined is judged."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from gates.errors import GatesError
from gates.github import changed_policies
from gates.github.event import Event

GIT = ("git", "-c", "user.name=dana", "-c", "user.email=dana@example.invalid", "-c", "commit.gpgsign=false")


class Repository:
    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str) -> str:
        return subprocess.run(
            [*GIT, *arguments], cwd=self.root, check=True, capture_output=True, text=True
        ).stdout.strip()

    def commit(self, *paths: str) -> str:
        for path in paths:
            file = self.root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(file.read_text() + "x" if file.exists() else "x")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message=change")
        return self.git("rev-parse", "HEAD")


MODELS = ("models/churn/gates.yaml", "models/fraud/gates.yaml")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "repository")
    made.commit(*MODELS, "models/churn/train.py", "shared/features.py", "README.md")
    return made


def event(name: str, base: str | None, repository: Repository) -> Event:
    return Event(
        name=name,
        repository="acme/churn",
        head_sha=repository.git("rev-parse", "HEAD"),
        base_sha=base,
        branch="refs/heads/main",
        pr=7 if name == "pull_request" else None,
        is_fork=False,
        actor="dana",
        run_id=1,
        run_attempt=1,
        api_url="https://api.github.com",
        server_url="https://github.com",
    )


def planned(
    repository: Repository,
    name: str,
    base: str | None,
    *paths: str,
    policies: tuple[str, ...] = ("models/*/gates.yaml",),
) -> tuple[str, ...]:
    return changed_policies.plan(repository.root, event(name, base, repository), ".", policies, paths).policies


@pytest.mark.parametrize(
    ("changed", "paths", "expected"),
    [
        (["models/churn/train.py"], [], MODELS[:1]),
        (["models/churn/deep/er/x.py"], [], MODELS[:1]),
        (["models/churn/gates.yaml", "models/fraud/data.csv"], [], MODELS),
        (["shared/features.py"], [], ()),
        (["README.md"], [], ()),
        (["shared/features.py"], ["{folder}/**", "shared/**"], MODELS),
        (["models/fraud/x"], ["{folder}/**", "shared/**"], MODELS[1:]),
        (["models/churn/README.md"], ["{folder}/*.py"], ()),
        (["models/churn/gates.yaml"], ["shared/**"], MODELS[:1]),  # the policy itself always counts
        ([".github/workflows/ci.yml"], ["shared/**"], MODELS),  # and so does the workflow
        ([], [], ()),
    ],
)
@pytest.mark.parametrize("name", ["pull_request", "push", "merge_group"])
def test_what_changed_is_judged(
    repository: Repository, name: str, changed: list[str], paths: list[str], expected: tuple[str, ...]
) -> None:
    base = repository.git("rev-parse", "HEAD")
    repository.commit(*changed)
    assert planned(repository, name, base, *paths) == expected


def test_a_file_that_is_gone_or_moved_away_is_a_change(repository: Repository) -> None:
    base = repository.git("rev-parse", "HEAD")
    repository.git("mv", "models/churn/train.py", "shared/train.py")
    repository.commit()
    assert planned(repository, "push", base) == MODELS[:1]


@pytest.mark.parametrize("name", ["schedule", "workflow_dispatch", "repository_dispatch"])
def test_an_event_that_changes_nothing_is_about_everything(repository: Repository, name: str) -> None:
    assert planned(repository, name, None) == MODELS


@pytest.mark.parametrize("base", [None, "b" * 40, "not a commit"])
@pytest.mark.parametrize("name", ["pull_request", "push", "merge_group"])
def test_what_can_not_be_compared_is_judged(repository: Repository, name: str, base: str | None) -> None:
    assert planned(repository, name, base) == MODELS


def test_a_test_merge_is_compared_with_its_first_parent(repository: Repository) -> None:
    """The base branch has gone on since: what it changed is not the pull request's."""
    old = repository.git("rev-parse", "HEAD")
    repository.git("checkout", "--quiet", "-b", "better")
    repository.commit("models/churn/train.py")
    repository.git("checkout", "--quiet", "main")
    repository.commit("models/fraud/train.py")
    repository.git("merge", "--quiet", "--no-ff", "--message=test merge", "better")
    assert planned(repository, "pull_request", old) == MODELS[:1]


def test_a_clone_without_contents_and_without_a_way_to_them_is_enough(repository: Repository, tmp_path: Path) -> None:
    base = repository.git("rev-parse", "HEAD")
    repository.commit("models/churn/train.py")
    repository.git("config", "uploadpack.allowFilter", "true")
    clone = Repository(tmp_path / "clone")
    subprocess.run(
        ["git", "clone", "--quiet", "--filter=blob:none", "--no-checkout", f"file://{repository.root}", tmp_path / "c"],
        check=True,
    )
    clone.root = tmp_path / "c"
    clone.git("read-tree", "HEAD")
    clone.git("remote", "set-url", "origin", "file:///nowhere")
    assert planned(clone, "push", base) == MODELS[:1]


HOSTILE = ["$(touch canary)", "a;touch canary", "-option", "[abc]", "*", "ü 日", "`x`", "${{ github.token }}", "a b"]


@pytest.mark.parametrize("name", HOSTILE)
def test_strange_folders_are_folders(repository: Repository, name: str) -> None:
    repository.commit(f"models/{name}/gates.yaml")
    base = repository.git("rev-parse", "HEAD")
    repository.commit(f"models/{name}/train.py")
    assert planned(repository, "push", base) == (f"models/{name}/gates.yaml",)
    assert planned(repository, "push", base, "{folder}/train.py") == (f"models/{name}/gates.yaml",)
    assert not (repository.root / "canary").exists()


def test_a_name_of_two_lines_is_refused(repository: Repository) -> None:
    repository.commit("models/a\nb/gates.yaml")
    with pytest.raises(GatesError, match="not a valid path of a policy"):
        planned(repository, "push", None)


@pytest.mark.parametrize(
    ("folder", "policies", "told"),
    [
        (".", ("nothing.yaml",), "no file of this commit matches 'nothing.yaml'"),
        ("models", ("gates.yaml",), "no file of this commit matches 'models/gates.yaml'"),
        (".", (), "no policy was named"),
        ("/etc", ("gates.yaml",), "leads out of the repository"),
        ("models/../..", ("gates.yaml",), "leads out of the repository"),
    ],
)
def test_no_policy_is_a_mistake(repository: Repository, folder: str, policies: tuple[str, ...], told: str) -> None:
    with pytest.raises(GatesError, match=told):
        changed_policies.plan(repository.root, event("schedule", None, repository), folder, policies, ())


def test_a_policy_that_is_not_committed_is_none(repository: Repository) -> None:
    (repository.root / "gates.yaml").write_text("x")
    with pytest.raises(GatesError, match="no file of this commit matches"):
        planned(repository, "schedule", None, policies=("gates.yaml",))


def test_more_than_github_runs_at_once_is_told(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changed_policies, "MOST", 1)
    with pytest.raises(GatesError, match="2 policies; GitHub runs at most 1"):
        planned(repository, "schedule", None)


def test_outside_a_repository_git_is_quoted(
    tmp_path: Path, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    happened = replace(event("push", None, repository), base_sha="b" * 40)
    (tmp_path / "empty").mkdir()
    with pytest.raises(GatesError, match="git: fatal: not a git repository"):
        changed_policies.plan(tmp_path / "empty", happened, ".", ("gates.yaml",), ())
    monkeypatch.setitem(os.environ, "PATH", "/nowhere")
    with pytest.raises(GatesError, match="git: is not installed"):
        changed_policies.plan(repository.root, happened, ".", ("gates.yaml",), ())
