"""A commit that is written in one go is the one that git's own commands write."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from gates.errors import GatesError
from gates.system.git import Git
from gates.system.git_commit import write_commit

FILES: dict[str, bytes | str] = {
    "a": b"",
    "folder/b": b"line\n",
    "folder/below/c": b"\x00\xff no line end",
    'odd/"quoted"\\back\nline': b"odd",
    "é/ü ö": "é".encode(),
}


@pytest.fixture
def bare(tmp_path: Path) -> Git:
    return Git(folder=tmp_path / "x.git", environ=dict(os.environ))


def told(git: Git, *arguments: str) -> bytes:
    return subprocess.run(["git", f"--git-dir={git.folder}", *arguments], capture_output=True, check=True).stdout


def test_a_commit_holds_what_was_given_and_nothing_else(bare: Git) -> None:
    first = write_commit(bare, {"gone": b"before"}, "first\n")
    made = write_commit(bare, FILES, "second\n\nmore é\n", first.id)
    listed = told(bare, "ls-tree", "-r", "-z", "--name-only", made.id).decode().split("\0")[:-1]
    assert sorted(listed) == sorted(FILES)
    assert {path: told(bare, "cat-file", "blob", made.blobs[path]) for path in FILES} == FILES
    assert told(bare, "rev-parse", f"{made.id}^{{tree}}", f"{made.id}^").decode().split() == [made.tree, first.id]
    assert told(bare, "log", "-1", "--format=%B|%an|%ae|%cn", made.id).decode() == (
        "second\n\nmore é\n|gates|gates@localhost|gates\n"
    )


def test_a_file_may_be_an_object_that_is_there(bare: Git) -> None:
    first = write_commit(bare, {"a": b"same"}, "first\n")
    second = write_commit(bare, {"b/c": first.blobs["a"]}, "second\n")
    assert second.blobs == {"b/c": first.blobs["a"]}
    assert told(bare, "show", f"{second.id}:b/c") == b"same"


@pytest.mark.parametrize("parent", [None, "own"])
def test_no_branch_is_moved_and_no_name_is_left(bare: Git, parent: str | None) -> None:
    write_commit(bare, {"a": b"1"}, "x\n", parent and write_commit(bare, {"a": b"0"}, "x\n").id)
    assert told(bare, "for-each-ref") == b""
    assert told(bare, "fsck", "--strict", "--no-dangling") == b""


def test_a_stream_can_not_be_steered_by_what_is_in_it(bare: Git) -> None:
    hostile = "x\ncommit refs/heads/main\nM 100644 inline y"
    made = write_commit(bare, {hostile: b"done\nreset refs/heads/main\n"}, "m\nreset refs/heads/main\nfrom 0\n")
    assert told(bare, "for-each-ref") == b""
    assert told(bare, "ls-tree", "-r", "-z", "--name-only", made.id).decode() == f"{hostile}\0"


def test_an_object_that_is_not_there_is_an_error(bare: Git) -> None:
    write_commit(bare, {"a": b"1"}, "x\n")
    with pytest.raises(GatesError, match="fast-import"):
        write_commit(bare, {"a": "1" * 40}, "x\n")
    assert told(bare, "for-each-ref") == b""
