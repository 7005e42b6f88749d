"""What failed for a moment is asked for again, a few times; what failed for good is told as it is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import stamina
from hypothesis import given
from hypothesis import strategies as st

from gates.errors import GatesError
from gates.system.git import Git, RemoteError
from gates.system.retries import TRIES, retried


class Remote:
    """Fails as often as it is told to, and counts."""

    def __init__(self, failures: int, error: Exception) -> None:
        self.failures, self.error, self.calls = failures, error, 0

    def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self.failures:
            raise self.error
        return "answer"


@given(failures=st.integers(0, 6), tries=st.integers(1, 6))
def test_it_is_asked_until_it_answers_and_no_longer_than_the_limit(failures: int, tries: int) -> None:
    remote = Remote(failures, RemoteError("busy"))
    if failures < tries:
        assert retried(remote, RemoteError, tries=tries) == "answer"
    else:
        with pytest.raises(RemoteError, match="busy"):
            retried(remote, RemoteError, tries=tries)
    assert remote.calls == min(failures + 1, tries)


def test_another_error_is_not_asked_about_again() -> None:
    remote = Remote(1, GatesError("lost"))
    with pytest.raises(GatesError, match="lost"):
        retried(remote, RemoteError)
    assert remote.calls == 1


def test_pauses_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    stamina.set_testing(False)
    monkeypatch.setattr("time.sleep", pauses.append)
    try:
        with pytest.raises(RemoteError):
            retried(Remote(TRIES, RemoteError("busy")), RemoteError, pause=0.1)
    finally:
        stamina.set_testing(True, attempts=10, cap=True)
    assert [low <= pause <= low + 0.1 for pause, low in zip(pauses, (0.1, 0.2, 0.4), strict=True)] == [True] * 3


def test_standard_error_is_left_to_people() -> None:
    code = """
import stamina
from gates.system.retries import retried
stamina.set_testing(True, attempts=2, cap=True)
answers = iter([ValueError("busy"), "answer"])
def ask():
    answer = next(answers)
    if isinstance(answer, Exception):
        raise answer
    return answer
print(retried(ask, ValueError))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("answer\n", "")


def test_a_remote_that_is_not_there_is_asked_as_often_as_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git = Git(folder=tmp_path / "git", environ={})
    git.run("init", "--quiet", "--bare", str(git.folder))
    ask, asked = Git.ask, []

    def counted(self: Git, *arguments: str, **named: object) -> object:
        asked.append(arguments[0])
        return ask(self, *arguments, **named)

    monkeypatch.setattr(Git, "ask", counted)
    with pytest.raises(RemoteError, match="ls-remote: "):
        git.retried("ls-remote", str(tmp_path / "nowhere"))
    assert asked == ["ls-remote"] * TRIES
