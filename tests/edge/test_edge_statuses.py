"""What stands beside one commit where many runs report about it: none writes over another's verdict."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from edge_project import Done, Project, call, git, pull_request

sys.path.insert(0, str(Path(__file__).parent.parent / "github"))

from fake_github import FakeGitHub

FAILING, PASSING = [{"metric": "roc_auc", "min": 0.99}], [{"metric": "roc_auc", "min": 0.5}]
PUSHED = "gates/verdict (gates.yaml on main, push)"


@pytest.fixture(autouse=True)
def here(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.root)


@pytest.fixture
def judged(project: Project) -> Project:
    """A checkout with a model that fails, and its evidence."""
    project.ready(gates=FAILING)
    (project.root / ".gitignore").write_text(".gates\n")
    git(project.root, "init", "--quiet", "--initial-branch=main")
    git(project.root, "add", "--all")
    git(project.root, "commit", "--quiet", "--message=a model that fails")
    assert project.gates("run").code == 1
    return project


def states(github: FakeGitHub) -> dict[str, str]:
    """The newest state of each status, of whatever commit."""
    return {one["context"]: one["state"] for one in github.statuses}


def pushed(project: Project, github: FakeGitHub, before: str, *arguments: str) -> Done:
    """A command in the run of a push on top of a commit."""
    head = git(project.root, "rev-parse", "HEAD")
    event = project.root.parent / "push.json"
    event.write_text(json.dumps({"ref": "refs/heads/main", "before": before}))
    env = pull_request(project, github.url, head=head, base=before)
    changes = {"GITHUB_EVENT_NAME": "push", "GITHUB_REF": "refs/heads/main", "GITHUB_SHA": head}
    return call(*arguments, env=env | changes | {"GITHUB_EVENT_PATH": str(event)})


def document(project: Project) -> str:
    """Push a file on top that belongs to no model. Gives the commit before."""
    before = git(project.root, "rev-parse", "HEAD")
    (project.root / "README").write_text("about nothing")
    git(project.root, "add", "--all")
    git(project.root, "commit", "--quiet", "--message=a page")
    return before


def of_pull(project: Project, github: FakeGitHub, *arguments: str) -> Done:
    head = git(project.root, "rev-parse", "HEAD")
    github.heads[7] = head
    return call(*arguments, env=pull_request(project, github.url, head=head, base=head))


@pytest.mark.parametrize(("stood", "code"), [("failure", 1), ("error", 1), ("success", 0)])
def test_a_page_pushed_on_top_of_a_failing_model_makes_nothing_green(
    judged: Project, github: FakeGitHub, stood: str, code: int
) -> None:
    before = document(judged)
    github.judged(before, PUSHED, stood)
    done = pushed(judged, github, before, "unchanged", "--policies", "gates.yaml")
    assert (done.code, states(github)) == (code, {PUSHED: stood}), done.err


@pytest.mark.parametrize(("stood", "count"), [("failure", 1), (None, 1), ("success", 0)])
def test_what_was_red_or_never_judged_is_judged_anew_at_a_push(
    judged: Project, github: FakeGitHub, stood: str | None, count: int
) -> None:
    before = document(judged)
    if stood:
        github.judged(before, PUSHED, stood)
    done = pushed(judged, github, before, "plan", "--paths", "*.py", "--json")
    assert len(json.loads(done.out)) == count, done.err


def test_nothing_changed_does_not_wash_a_verdict_of_the_same_commit(judged: Project, github: FakeGitHub) -> None:
    assert of_pull(judged, github, "comment").code == 1
    before = list(github.bodies())
    done = of_pull(judged, github, "unchanged", "--policies", "gates.yaml")
    assert (done.code, set(states(github).values())) == (1, {"failure"})
    assert github.bodies() == before  # nor the comment


def test_a_push_a_pull_request_a_lax_branch_and_a_fork_stand_side_by_side(judged: Project, github: FakeGitHub) -> None:
    """One commit, four runs: the required status stays red whatever the others say."""
    assert of_pull(judged, github, "comment").code == 1
    required = dict(states(github))
    judged.policy(gates=PASSING)
    git(judged.root, "commit", "--quiet", "--all", "--message=what the lax branch asks")
    lax = git(judged.root, "rev-parse", "HEAD")
    git(judged.root, "reset", "--quiet", "--soft", github.heads[7])
    judged.gates("run")
    pushed(judged, github, "b" * 40, "comment")
    github.branches[7] = "lax"
    head = github.heads[7]
    env = pull_request(judged, github.url, head=head, base=lax)
    event = json.loads(Path(env["GITHUB_EVENT_PATH"]).read_text())
    event["pull_request"]["base"]["ref"] = "lax"
    Path(env["GITHUB_EVENT_PATH"]).write_text(json.dumps(event))
    call("comment", env=env)
    github.branches[7] = "main"
    github.changed[7] = ["gates.yaml"]
    followed = {"head_sha": head, "head_repository": {"full_name": "mallory/churn"}}
    Path(env["GITHUB_EVENT_PATH"]).write_text(json.dumps({"workflow_run": followed}))
    report = ("report-fork", "--pull-request", "7", "--branch", "main", "--evidence", str(judged.work))
    done = call(*report, env=env | {"GITHUB_EVENT_NAME": "workflow_run"})
    assert done.code == 0, done.err
    found = states(github)
    assert {name: found[name] for name in required} == required == {"gates/verdict (gates.yaml into main)": "failure"}
    assert sorted(found.items() - required.items()) == [
        ("gates/verdict (gates.yaml into lax)", "success"),
        ("gates/verdict (gates.yaml into main, not verified)", "success"),
        ("gates/verdict (gates.yaml on main, push)", "success"),
    ]
    ours, theirs = sorted(github.bodies(), key=lambda body: "not verified" in body)
    assert "not verified" in theirs
    assert "into" not in ours.splitlines()[0]
