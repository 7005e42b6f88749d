"""`gates picture`: into the branch, then into the comment that stands there; without it the comment is whole."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from edge_project import Done, Project, call, git, pull_request

sys.path.insert(0, str(Path(__file__).parent.parent / "github"))

from fake_github import FakeGitHub, Trouble

from gates.documents.record import PICTURES

FAILING = [{"metric": "roc_auc", "min": 0.99}]
SHOWN = re.compile(r"https://github\.com/acme/churn/blob/gates-pictures/(7/[0-9a-f-]+light-[0-9a-f]+\.svg)\?raw=true")


@pytest.fixture
def judged(project: Project) -> Project:
    """A pull request's checkout with a model that fails, whose remote is a bare repository beside it."""
    project.ready(gates=FAILING)
    (project.root / ".gitignore").write_text(".gates\n")
    git(project.root, "init", "--quiet", "--initial-branch=main")
    git(project.root, "commit", "--quiet", "--allow-empty", "--message=nothing yet")
    git(project.root, "branch", "base")
    git(project.root, "add", "--all")
    git(project.root, "commit", "--quiet", "--message=a model")
    git(project.root, "init", "--quiet", "--bare", "../remote.git")
    git(project.root, "remote", "add", "origin", "../remote.git")
    assert project.gates("run").code == 1
    return project


def on_github(project: Project, github: FakeGitHub, *arguments: str, fork: bool = False, **more: str) -> Done:
    head = git(project.root, "rev-parse", "main")
    github.heads[7] = head
    env = pull_request(project, github.url, head=head, base=git(project.root, "rev-parse", "base"), fork=fork) | more
    return call(*arguments, env=env)


def comment(project: Project, github: FakeGitHub) -> str:
    """The comment as the job before has left it."""
    on_github(project, github, "comment")
    return github.bodies()[0]


def picture(project: Project, github: FakeGitHub, **more: object) -> Done:
    return on_github(project, github, "picture", "--evidence", str(project.work), **more)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def here(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.root)


def test_the_comment_shows_a_picture_that_the_branch_holds(judged: Project, github: FakeGitHub) -> None:
    before = comment(judged, github)
    assert "<picture>" not in before
    done = picture(judged, github)
    assert (done.code, done.out) == (0, "gates.yaml: The comment was edited.\n")
    (body,) = github.bodies()
    (line,) = [line for line in body.splitlines() if line.startswith("<picture>")]
    assert body.replace(f"{line}\n\n", "") == before
    assert "do not merge yet" in line
    (path,) = SHOWN.findall(body)
    svg = git(judged.root.parent / "remote.git", "show", f"{PICTURES}:{path}")
    assert svg.startswith("<svg ")
    assert "roc_auc:min" in svg
    assert len(github.statuses) == 1  # the verdict is not its business
    assert picture(judged, github).out == "gates.yaml: The comment is up to date.\n"


def test_where_no_comment_stands_none_is_made(judged: Project, github: FakeGitHub) -> None:
    assert picture(judged, github).code == 0
    assert github.bodies() == []


def test_a_forks_run_writes_nothing(judged: Project, github: FakeGitHub) -> None:
    assert picture(judged, github, fork=True).code == 0
    assert github.asked == []
    assert git(judged.root.parent / "remote.git", "for-each-ref") == ""


@pytest.mark.parametrize("broken", ["branch", "comment"])
def test_what_fails_is_told_and_leaves_the_comment_whole(judged: Project, github: FakeGitHub, broken: str) -> None:
    before = comment(judged, github)
    if broken == "branch":
        git(judged.root, "remote", "set-url", "origin", "/no/such/place")
    else:
        github.fail("PATCH", "issues/update-comment", *[Trouble(403, "Resource not accessible by integration")] * 5)
    done = picture(judged, github)
    assert done.code == 3
    assert "gates: " in done.err
    assert github.bodies() == [before]


@pytest.mark.parametrize(
    ("evidence", "told"), [("nothing", "handed over no evidence about this model"), ("", "no rule has an interval")]
)
def test_where_nothing_can_be_drawn_the_comment_stays(
    judged: Project, github: FakeGitHub, evidence: str, told: str
) -> None:
    judged.policy(gates=[{"metric": "roc_auc", "max_worsening": 0.01}])  # and no champion yet
    before = comment(judged, github)
    folder = judged.root.parent / "other" if evidence else judged.work
    done = on_github(judged, github, "picture", "--evidence", str(folder))
    assert done.code == 0
    assert told in done.out
    assert github.bodies() == [before]
