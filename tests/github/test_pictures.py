"""The branch of pictures: one commit, the newest pull requests, nothing of the ledger."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gates.documents.record import PICTURES
from gates.errors import Exit, GatesError
from gates.github.reporting import picture_branch
from gates.github.reporting.picture_branch import BADGES, MOST, address, keep, store
from gates.ledger.ledger import Ledger
from gates.system.git import Git
from gates.system.orphan_branch import OrphanBranch

DRAWN = {"light": "<svg>light</svg>", "dark": "<svg>dark</svg>"}


def run(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    run(tmp_path, "init", "--quiet", "--bare", "remote.git")
    return tmp_path / "remote.git"


@pytest.fixture
def clone(tmp_path: Path, remote: Path) -> Git:
    return made(tmp_path / "clone", remote)


def made(folder: Path, remote: Path) -> Git:
    run(folder.parent, "init", "--quiet", str(folder))
    run(folder, "remote", "add", "origin", str(remote))
    return Git(folder=folder / ".git", environ=os.environ)


def held(remote: Path) -> dict[str, str]:
    """What the branch holds: path to text."""
    paths = run(remote, "ls-tree", "-r", "--name-only", PICTURES).splitlines()
    return {path: run(remote, "show", f"{PICTURES}:{path}") for path in paths}


def test_a_picture_lies_where_it_is_told_to(clone: Git, remote: Path) -> None:
    paths = store(clone, "origin", 7, "gates.yaml", DRAWN)
    assert held(remote) == {paths[scheme]: text for scheme, text in DRAWN.items()}
    assert all(path.startswith("7/") and path.endswith(".svg") for path in paths.values())


def test_a_newer_picture_takes_the_place_of_the_older_one_under_another_name(clone: Git, remote: Path) -> None:
    first = store(clone, "origin", 7, "gates.yaml", DRAWN)
    other = store(clone, "origin", 7, "models/b/gates.yaml", DRAWN)
    assert store(clone, "origin", 7, "gates.yaml", DRAWN) == first
    newer = store(clone, "origin", 7, "gates.yaml", DRAWN | {"light": "<svg>newer</svg>"})
    assert newer["light"] != first["light"]
    assert held(remote).keys() == {*newer.values(), *other.values()}


def test_the_branch_is_one_commit_and_forgets_old_pull_requests(
    clone: Git, remote: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picture_branch, "MOST", 3)
    for pr in (9, 10, 11, 12):
        store(clone, "origin", pr, "gates.yaml", DRAWN)
    assert {path.split("/")[0] for path in held(remote)} == {"10", "11", "12"}
    assert run(remote, "rev-list", "--count", PICTURES) == "1"
    late = store(clone, "origin", 2, "gates.yaml", DRAWN)  # an old pull request, judged again
    assert set(late.values()) <= held(remote).keys()
    assert MOST == 100


def test_badges_stay_whatever_pull_requests_come(clone: Git, remote: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_branch, "MOST", 1)
    keep(clone, "origin", BADGES, {"a.svg": "old", "b.svg": "other"})
    for pr in (1, 2):
        store(clone, "origin", pr, "gates.yaml", DRAWN)
    keep(clone, "origin", BADGES, {"a.svg": "new"})
    found = held(remote)
    assert (found["badges/a.svg"], found["badges/b.svg"]) == ("new", "other")
    assert {path.split("/")[0] for path in found} == {"2", "badges"}


def test_of_two_that_write_at_once_both_are_kept(tmp_path: Path, clone: Git, remote: Path) -> None:
    store(clone, "origin", 1, "gates.yaml", DRAWN)
    other = made(tmp_path / "other", remote)
    files, raced = OrphanBranch.files, []

    def slow(branch: OrphanBranch, commit: str | None) -> Any:
        if not raced:
            raced.append(True)
            store(other, "origin", 2, "gates.yaml", DRAWN)
        return files(branch, commit)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(OrphanBranch, "files", slow)
        mine = store(clone, "origin", 3, "gates.yaml", DRAWN)
    assert {path.split("/")[0] for path in held(remote)} == {"1", "2", "3"}
    assert set(mine.values()) <= held(remote).keys()


def test_what_others_laid_there_does_not_break_it(tmp_path: Path, clone: Git, remote: Path) -> None:
    work = tmp_path / "work"
    run(tmp_path, "init", "--quiet", str(work))
    (work / "README.md").write_text("mine")
    (work / "7").write_text("a file where a folder should be")
    run(work, "add", ".")
    run(work, "-c", "user.name=x", "-c", "user.email=x@x", "commit", "--quiet", "-m", "x")
    run(work, "push", "--quiet", str(remote), f"HEAD:{PICTURES}")
    paths = store(clone, "origin", 7, "gates.yaml", DRAWN)
    assert held(remote).keys() == set(paths.values())


def test_where_nobody_may_write_it_is_told_with_the_mend(clone: Git, remote: Path) -> None:
    hook = remote / "hooks/pre-receive"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(GatesError, match="push") as caught:
        store(clone, "origin", 7, "gates.yaml", DRAWN)
    assert caught.value.exit_code is Exit.OUTSIDE
    assert "contents: write" in (caught.value.hint or "")


def test_where_there_is_no_remote_it_is_told(clone: Git) -> None:
    run(clone.folder, "remote", "set-url", "origin", "/no/such/place")
    with pytest.raises(GatesError, match="fetch"):
        store(clone, "origin", 7, "gates.yaml", DRAWN)


def test_the_ledger_does_not_know_of_it(clone: Git, remote: Path) -> None:
    ledger = Ledger(git=clone, remote="origin")
    store(clone, "origin", 7, "gates.yaml", DRAWN)
    assert ledger.head() is None
    assert run(remote, "for-each-ref", "--format=%(refname:short)").split() == [PICTURES]


def test_the_address_is_that_of_the_files_page() -> None:
    found = address("https://ghes.example", "acme/churn", "7/a-light-b.svg")
    assert found == "https://ghes.example/acme/churn/blob/gates-pictures/7/a-light-b.svg?raw=true"
