"""`gates promote` and `gates comment` on GitHub, with real runs: approvals in the record, a weaker policy told."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from fake_promotion import HEAD, RUN, FakePromotion, Made

sys.path.insert(0, str(Path(__file__).parent.parent / "edge"))

from edge_project import Project, table

XENIA, YURI = (3, "xenia", "User"), (4, "yuri", "User")


def git(root, *arguments):
    author = ["-c", "user.name=dana", "-c", "user.email=dana@example.invalid", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *author, *arguments], cwd=root, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def github():
    fake = FakePromotion("acme/churn")
    fake.world.environments = {"ml-lead": True}
    yield fake
    fake.stop()


def project_of(tmp_path, **policy):
    made = Project(tmp_path / "repository")
    git(made.root, "init", "--quiet", "--initial-branch=main")
    made.ready(**policy)
    git(made.root, "add", "--all")
    git(made.root, "commit", "--quiet", "--message=first")
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", "origin.git")
    git(made.root, "remote", "add", "origin", str(tmp_path / "origin.git"))
    git(made.root, "push", "--quiet", "origin", "main")
    return made


def environment(project, github, name, payload):
    event = project.root.parent / "event.json"
    event.write_text(json.dumps(payload))
    return {
        "GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": name, "GITHUB_EVENT_PATH": str(event),
        "GITHUB_REPOSITORY": "acme/churn", "GITHUB_ACTOR": "dana", "GITHUB_RUN_ID": str(RUN),
        "GITHUB_SHA": git(project.root, "rev-parse", "HEAD"), "GITHUB_REF": "refs/heads/main",
        "GITHUB_API_URL": github.url, "GITHUB_TOKEN": "ghs_bot",
    }  # fmt: skip


def push(project, github):
    return environment(project, github, "push", {"before": "b" * 40, "repository": {"default_branch": "main", "id": 1}})


def records(project):
    head = git(project.root, "rev-list", "refs/gates/gates-ledger")
    found = []
    for commit in head.split():
        names = git(project.root, "ls-tree", "-r", "--name-only", commit).split()
        name = next(name for name in names if name.endswith("record.json"))
        found.append(json.loads(git(project.root, "show", f"{commit}:{name}")))
    return found


def test_a_promotion_without_approval_is_refused_and_the_refusal_recorded(tmp_path, github):
    project = project_of(tmp_path, promotion={"approvals": ["ml-lead"]})
    assert project.gates("run").code == 0
    done = project.gates("promote", **push(project, github))
    assert done.code == 1, done.err
    assert "nobody approved as ml-lead (no_approval)" in done.err
    (refusal,) = records(project)[:1]
    assert (refusal["kind"], refusal["code"]) == ("refusal", "approvals")
    assert "no_approval" in refusal["reason"]


def test_an_approved_promotion_says_who_and_when(tmp_path, github):
    project = project_of(tmp_path, promotion={"approvals": ["ml-lead"], "quote_digest": True})
    assert project.gates("run").code == 0
    digits = project.decision["candidate"]["digest"].removeprefix("sha256:")[:12]
    github.world.approvals = [(["ml-lead"], XENIA, "approved", "0123456789ab")]
    assert "digest_not_quoted" in project.gates("promote", **push(project, github)).err
    github.world.approvals = [(["ml-lead"], XENIA, "approved", f"I have read {digits}")]
    done = project.gates("promote", **push(project, github))
    assert done.code == 0, done.err
    (approval,) = records(project)[0]["approvals"]
    assert approval["user"] == {"id": 3, "login": "xenia", "type": "User"}
    assert (approval["role"], approval["quoted_digest"]) == ("ml-lead", True)
    assert (approval["not_before"], approval["not_after"]) == ("2027-01-01T09:10:00Z", "2027-01-01T09:40:00Z")


def test_on_a_laptop_nobody_can_be_asked(tmp_path):
    project = project_of(tmp_path, promotion={"approvals": ["ml-lead"]})
    assert project.gates("run").code == 0
    done = project.gates("promote")
    assert done.code == 1
    assert "ml-lead" in done.err


@pytest.mark.parametrize("approved", [False, True])
def test_a_weaker_policy_takes_an_approval_of_its_own(tmp_path, github, approved):
    """It passes by both policies, so that only the approval is missing."""
    project = project_of(tmp_path, gates=[{"metric": "roc_auc", "min": 0.6}])
    base = git(project.root, "rev-parse", "HEAD")
    project.policy(gates=[{"metric": "roc_auc", "min": 0.5}])
    assert project.gates("run").code == 0
    github.heads[7] = HEAD
    github.world.writers = {"xenia"}
    github.world.reviews = [(XENIA, "APPROVED", "", HEAD)] if approved else []
    pull = {
        "number": 7,
        "head": {"sha": HEAD, "repo": {"full_name": "acme/churn"}},
        "base": {"sha": base, "ref": "main"},
    }
    done = project.gates("comment", **environment(project, github, "pull_request", {"pull_request": pull}))
    assert done.code == (0 if approved else 1), done.err
    (body,) = github.bodies()
    assert "This pull request weakens" in body
    assert ("<code>xenia</code> approved that" in body) is approved
    assert ("It needs its own approval" in body) is not approved


@pytest.mark.parametrize("approved", [False, True])
def test_a_holdout_that_moved_is_judged_once_somebody_has_approved_that(tmp_path, github, approved):
    project = project_of(tmp_path, gates=[{"metric": "roc_auc", "min": 0.6}])
    base = git(project.root, "rev-parse", "HEAD")
    (project.root / "holdout.csv").rename(project.root / "moved.csv")
    project.policy(gates=[{"metric": "roc_auc", "min": 0.6}], data={"holdout": "moved.csv"})
    project.gates("run", "--base", "main")
    github.heads[7] = HEAD
    github.world.writers = {"xenia"}
    github.world.reviews = [(XENIA, "APPROVED", "", HEAD)] if approved else []
    pull = {
        "number": 7,
        "head": {"sha": HEAD, "repo": {"full_name": "acme/churn"}},
        "base": {"sha": base, "ref": "main"},
    }
    done = project.gates("comment", **environment(project, github, "pull_request", {"pull_request": pull}))
    assert done.code == (0 if approved else 2), done.err
    assert (project.decision["verdict"] == "pass") is approved


def test_the_change_is_all_that_came_since_what_the_alias_names_now(tmp_path, github):
    """By the ledger: a promotion's commit; after a rollback, that of what it went back to."""
    rows, commits = table(), []
    project = project_of(tmp_path, promotion={"approvals": ["ml-lead"]})
    github.world.approvals = [(["ml-lead"], XENIA, "approved", "")]
    for number in range(2):
        project.predictions([row | {"score": min(1.0, row["score"] + number / 1000)} for row in rows])
        git(project.root, "add", "--all")
        git(project.root, "commit", "--quiet", "--allow-empty", "--message=change")
        commits.append(git(project.root, "rev-parse", "HEAD"))
        github.world.sha = commits[-1]
        github.world.history = [Made(sha, (1, "author", "User")) for sha in commits]
        assert project.gates("run").code == 0
        done = project.gates("promote", **push(project, github))
        assert done.code == 0, done.err
    compared = [one.path for one in github.asked if "/compare/" in one.path]
    assert compared == [f"/repos/acme/churn/compare/{commits[0]}...{commits[1]}"]
    assert project.gates("rollback", "--reason", "worse").code == 0
    git(project.root, "commit", "--quiet", "--allow-empty", "--message=again")
    github.world.sha = git(project.root, "rev-parse", "HEAD")
    github.world.history = [*github.world.history, Made(github.world.sha, XENIA)]
    assert project.gates("run").code == 0
    done = project.gates("promote", **push(project, github))
    assert done.code == 1
    assert "xenia, who approved as ml-lead, made the change (made_the_change)" in done.err
    compared = [one.path for one in github.asked if "/compare/" in one.path]
    assert compared[-1].startswith(f"/repos/acme/churn/compare/{commits[0]}...")
