"""What another run handed over is found by GitHub's word on its commit, and taken as data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_github import FakeGitHub, Trouble

from gates.documents.evidence import Evidence
from gates.errors import Exit, GatesError
from gates.github import event as events
from gates.github import runs
from gates.github.event import Before, Event
from gates.github.rest_api import Client
from gates.schema.canonical import canonical

HEAD = "a" * 40
FORK = Before(id=30433642, event="pull_request", ended="failure", actor="mallory")


@pytest.fixture
def followed(github: FakeGitHub, event: Event) -> Event:
    """A workflow_run after the run of a fork's pull request, which handed something over."""
    github.hand_over(FORK.id, (1, "gates-evidence-11", 4000), (2, "gates-candidate-11", 4000), (3, "screenshots", 1))
    return replace(event, name="workflow_run", pr=None, base_sha=None, is_fork=True)


def test_the_pull_request_is_found_by_its_commit(client: Client, followed: Event) -> None:
    assert runs.find(client, followed, FORK) == runs.FoundRun(pr=7, base="b" * 40, branch="main", artifacts=(1,))


def test_it_is_found_among_many_pages(github: FakeGitHub, client: Client, followed: Event) -> None:
    """And not taken for another one of the same branch, or of another repository with the same commit."""
    github.page_size = 2
    github.heads = {number: f"{number:040x}" for number in range(100, 105)} | {8: HEAD, 7: HEAD}
    github.into[8] = "mallory/churn"
    github.hand_over(FORK.id, *[(number, f"gates-evidence-{number}", 10) for number in range(5)])
    assert runs.find(client, followed, FORK) == runs.FoundRun(
        pr=7, base="b" * 40, branch="main", artifacts=(0, 1, 2, 3, 4)
    )


def test_somebody_elses_pull_request_with_the_same_commit_takes_no_report_away(
    github: FakeGitHub, client: Client, followed: Event
) -> None:
    github.heads = {9: HEAD, 7: HEAD, 8: HEAD}
    github.offered, github.branches = {9: "copied", 7: "better", 8: "copied"}, {9: "lax"}
    found = runs.find(client, followed, replace(FORK, head=("octocat/Hello-World", "better")))
    assert (found.pr, found.branch) == (7, "main")


NOTHING: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "a push": ({}, {"event": "push"}, "was for push"),
    "a branch of ours": ({"is_fork": False}, {}, "reported its own result"),
    "cancelled": ({}, {"ended": "cancelled"}, "was cancelled"),
    "the head has moved on": ({"head_sha": "c" * 40}, {}, "No open pull request has this commit"),
}


@pytest.mark.parametrize("name", NOTHING)
def test_where_there_is_nothing_to_report_it_says_why(client: Client, followed: Event, name: str) -> None:
    changes, before, told = NOTHING[name]
    with pytest.raises(runs.NothingToReportError, match=told):
        runs.find(client, replace(followed, **changes), replace(FORK, **before))


def test_dependabots_token_cannot_write_either(client: Client, followed: Event) -> None:
    before = replace(FORK, actor="dependabot[bot]")
    assert runs.find(client, replace(followed, is_fork=False), before).pr == 7


def test_what_is_too_large_for_evidence_or_gone_is_left_where_it_is(
    github: FakeGitHub, client: Client, followed: Event
) -> None:
    github.hand_over(
        FORK.id,
        (1, "gates-evidence-1", runs.LARGEST + 1),
        (2, "gates-evidence-2", runs.LARGEST),
        (3, "gates-evidence-3", 1),
    )
    github.artifacts[FORK.id][2]["expired"] = True
    found = runs.find(client, followed, FORK)
    assert found.artifacts == (2,)


@pytest.mark.parametrize("status", [401, 403, 404, 422])
def test_githubs_refusals_are_told(github: FakeGitHub, client: Client, followed: Event, status: int) -> None:
    github.fail("GET", "actions/list-workflow-run-artifacts", Trouble(status=status))
    with pytest.raises(GatesError, match="list the run's artifacts") as caught:
        runs.find(client, followed, FORK)
    assert caught.value.exit_code is Exit.OUTSIDE


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b'{"artifacts": {}}', b'{"artifacts": [1]}', b"{"])
def test_an_answer_that_is_no_list_is_told(github: FakeGitHub, client: Client, followed: Event, raw: bytes) -> None:
    github.fail("GET", "actions/list-workflow-run-artifacts", *[Trouble(status=200, raw=raw)] * 3)
    with pytest.raises(GatesError, match="can't be read"):
        runs.find(client, followed, FORK)


# -- the run of a commit that somebody wants to accept --


def test_the_newest_run_with_evidence_is_found(github: FakeGitHub, client: Client) -> None:
    github.page_size = 1
    github.runs[HEAD] = [33, 22, 11]
    github.hand_over(33, (5, "coverage", 1))
    github.hand_over(22, (4, "gates-evidence-1", 1))
    github.hand_over(11, (3, "gates-evidence-1", 1))
    assert runs.judged(client, "acme/churn", 7, HEAD) == (22, (4,))


@pytest.mark.parametrize(
    ("commit", "told"), [(HEAD[:7], "is not a commit"), ("c" * 40, "the newest commit"), (HEAD, "no run of")]
)
def test_a_commit_that_was_not_judged_or_is_not_the_newest_is_refused(client: Client, commit: str, told: str) -> None:
    with pytest.raises(GatesError, match=told):
        runs.judged(client, "acme/churn", 7, commit)


# -- which models a change touches: rather one too many --


@pytest.mark.parametrize(
    ("policy", "paths", "names", "touched"),
    [
        ("models/a/gates.yaml", [], ["models/a/train.py"], True),
        ("models/a/gates.yaml", [], ["models/ab/train.py"], False),
        ("models/a/gates.yaml", [], ["README.md"], False),
        ("models/a/gates.yaml", [], [], False),
        ("models/a/gates.yaml", ["shared/**"], ["shared/x.py"], True),
        ("models/a/gates.yaml", ["{folder}/*.py", "shared/*/x"], ["models/a/README"], True),
        ("models/a/gates.yaml", ["shared/**"], ["models/a/gates.yaml"], True),
        ("models/a/gates.yaml", [], [".github/workflows/ci.yml"], True),
        ("gates.yaml", [], ["docs/x.md"], True),
        ("models/[a]/gates.yaml", [], ["models/[a]/train.py"], True),
    ],
)
def test_which_changes_may_touch_a_model(policy: str, paths: list[str], names: list[str], touched: bool) -> None:
    assert runs.may_touch(policy, paths, names) is touched


def test_the_changed_files_are_read_to_the_last_page_with_their_old_names(
    github: FakeGitHub, client: Client, event: Event
) -> None:
    github.page_size = 2
    github.changed[7] = [f"models/{number}.py" for number in range(5)]
    assert runs.changed(client, event, 7) == tuple(github.changed[7])


# -- the evidence --


def evidence(folder: Path, evidence: Evidence) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "evidence.json").write_bytes(canonical(evidence))


@pytest.fixture
def made(policy_of: Any, evidence_of: Any) -> Evidence:
    resolved = policy_of({"gates": [{"metric": "recall", "min": 0.5}]})
    counted: Evidence = evidence_of(resolved, [{"cells": [[1, 1, 1, 9], [0, 0, 0, 9]]}])
    return counted


def test_the_evidence_about_a_model_is_found_by_what_it_says(tmp_path: Path, made: Evidence) -> None:
    evidence(tmp_path / "gates-evidence-1", replace(made, model="fraud"))
    evidence(tmp_path / "gates-evidence-2", made)
    (tmp_path / "gates-evidence-3").mkdir()
    (tmp_path / "gates-evidence-3/evidence.json").write_text("{")
    (tmp_path / "gates-evidence-4").symlink_to(tmp_path / "gates-evidence-2")
    assert runs.evidence_of(tmp_path, "churn", "any") == tmp_path / "gates-evidence-2"


def test_one_artifact_alone_lies_in_the_folder_itself(tmp_path: Path, made: Evidence) -> None:
    evidence(tmp_path, made)
    assert runs.evidence_of(tmp_path, "churn", "any") == tmp_path


def test_of_a_job_that_was_run_again_the_newest_evidence_counts(tmp_path: Path, made: Evidence) -> None:
    for name in ("gates-evidence-9", "gates-evidence-10", "gates-evidence-x"):
        evidence(tmp_path / name, made)
    assert runs.evidence_of(tmp_path, "churn", "any") == tmp_path / "gates-evidence-10"


def test_what_was_measured_for_the_base_branchs_policy_goes_first(tmp_path: Path, made: Evidence) -> None:
    """A fork's run has measured for its own policy and for the one that it was branched off from."""
    evidence(tmp_path / "gates-evidence-2", made)
    evidence(tmp_path / "gates-evidence-1/base", replace(made, measured="sha256:base"))
    assert runs.evidence_of(tmp_path, "churn", "sha256:base") == tmp_path / "gates-evidence-1/base"
    assert runs.evidence_of(tmp_path, "churn", made.measured) == tmp_path / "gates-evidence-2"


def test_a_link_in_the_place_of_evidence_is_not_followed(tmp_path: Path, made: Evidence) -> None:
    evidence(tmp_path / "elsewhere/deep", made)
    (tmp_path / "gates-evidence-1").mkdir()
    (tmp_path / "gates-evidence-1/evidence.json").symlink_to(tmp_path / "elsewhere/deep/evidence.json")
    with pytest.raises(GatesError, match="handed over no evidence"):
        runs.evidence_of(tmp_path, "churn", "any")


# -- the event --

ENVIRON = {
    "GITHUB_EVENT_NAME": "workflow_run", "GITHUB_REPOSITORY": "acme/churn", "GITHUB_ACTOR": "mallory",
    "GITHUB_RUN_ID": "12", "GITHUB_SHA": "d" * 40,
}  # fmt: skip


def payload(**changes: Any) -> dict[str, Any]:
    run = {
        "id": 30433642,
        "event": "pull_request",
        "conclusion": "success",
        "head_sha": HEAD,
        "actor": {"login": "mallory"},
    }
    return {"workflow_run": run | {"head_repository": {"full_name": "mallory/churn"}} | changes}


@pytest.mark.parametrize(
    ("repository", "is_fork"),
    [({"full_name": "mallory/churn"}, True), ({"full_name": "acme/churn"}, False), (None, True)],
)
def test_a_workflow_run_is_about_the_commit_of_the_run_before(repository: Any, is_fork: bool) -> None:
    found = events.parse(ENVIRON, payload(head_repository=repository))
    assert (found.head_sha, found.pr, found.is_fork, found.may_write) == (HEAD, None, is_fork, True)


@pytest.mark.parametrize("changes", [{"head_sha": HEAD + "\n"}, {"head_sha": "main"}, {"head_sha": None}])
def test_a_strange_workflow_run_is_told(changes: dict[str, Any]) -> None:
    with pytest.raises(GatesError, match=r"workflow_run\.head_sha"):
        events.parse(ENVIRON, payload(**changes))


def test_dependabots_own_run_may_not_write(event: Event) -> None:
    assert event.may_write
    assert not replace(event, actor="dependabot[bot]").may_write
    assert replace(event, actor="dependabot[bot]", pr=None).may_write
