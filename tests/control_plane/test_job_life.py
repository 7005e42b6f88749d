"""What a real control plane makes of jobs as they are launched: their end, their limits, their owners, their logs."""

from __future__ import annotations

from typing import Any

import pytest
from control_plane import kubectl
from namespaces import Namespace, condition, ended, job

SLEEPS = ["sleep", "600"]


@pytest.mark.parametrize(
    ("command", "spec", "how"),
    [
        (["true"], {}, ("Complete", "CompletionsReached")),
        (["false"], {}, ("Failed", "BackoffLimitExceeded")),
        (SLEEPS, {"activeDeadlineSeconds": 1}, ("Failed", "DeadlineExceeded")),
    ],
)
def test_how_a_job_ends(namespace: Namespace, command: list[str], spec: dict[str, Any], how: tuple[str, str]) -> None:
    namespace.create("batch/v1", "jobs", job(command, **spec))
    assert condition(namespace.wait("batch/v1", "jobs", "it", ended)) == how


def test_what_ended_goes_after_its_time_to_live(namespace: Namespace) -> None:
    namespace.create("batch/v1", "jobs", job(["true"], ttlSecondsAfterFinished=0))
    namespace.wait("batch/v1", "jobs", "it", lambda thing: thing is None, "it is still there")
    namespace.plane.wait(namespace.path("v1", "pods"), lambda pods: not pods["items"], "its pod is still there")


def test_what_a_job_owns_goes_with_it(namespace: Namespace) -> None:
    made = namespace.create("batch/v1", "jobs", job(SLEEPS))
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": "it", "uid": made["metadata"]["uid"]}
    owned = {"metadata": {"name": "addresses", "ownerReferences": [owner]}, "stringData": {"job": "{}"}}
    namespace.create("v1", "secrets", owned)
    child = job(SLEEPS)
    child["metadata"] = {"name": "child", "ownerReferences": [owner]}
    namespace.create("batch/v1", "jobs", child)
    namespace.wait("batch/v1", "jobs", "child", lambda thing: thing["status"].get("active") == 1)
    done = kubectl(namespace.plane, "-n", namespace.name, "delete", "job", "it", "--wait=false")
    assert done.returncode == 0, done.stderr
    for group, plural, name in (("batch/v1", "jobs", "child"), ("v1", "secrets", "addresses")):
        namespace.wait(group, plural, name, lambda thing: thing is None, "it is still there")
    namespace.plane.wait(namespace.path("v1", "pods"), lambda pods: not pods["items"], "its pods are still there")


def test_an_eviction_is_no_failure(namespace: Namespace) -> None:
    policy = {"rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}]}
    namespace.create("batch/v1", "jobs", job(SLEEPS, podFailurePolicy=policy))
    namespace.wait("batch/v1", "jobs", "it", lambda thing: thing["status"].get("active") == 1)
    pods = namespace.path("v1", "pods")
    (first,) = namespace.plane.wait(
        pods, lambda found: [one for one in found["items"] if one["status"]["phase"] == "Running"]
    )["items"]
    name = first["metadata"]["name"]
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
    namespace.plane.ask("POST", f"{pods}/{name}/eviction", eviction)
    namespace.plane.wait(
        pods, lambda found: found["items"] and found["items"][0]["metadata"]["uid"] != first["metadata"]["uid"]
    )
    still = namespace.plane.ask("GET", namespace.path("batch/v1", "jobs", "it"))
    assert not ended(still)


def test_a_suspended_job_waits_and_its_deadline_with_it(namespace: Namespace) -> None:
    namespace.create("batch/v1", "jobs", job(["true"], suspend=True, activeDeadlineSeconds=3600))
    held = namespace.wait("batch/v1", "jobs", "it", lambda thing: thing["status"].get("conditions"))
    assert [one["type"] for one in held["status"]["conditions"]] == ["Suspended"]
    assert "startTime" not in held["status"]
    namespace.plane.ask("PATCH", namespace.path("batch/v1", "jobs", "it"), {"spec": {"suspend": False}})
    assert condition(namespace.wait("batch/v1", "jobs", "it", ended))[0] == "Complete"


def test_a_log_is_read_through_the_server(namespace: Namespace) -> None:
    namespace.create("batch/v1", "jobs", job(["sh", "-c", "echo one; echo two"]))
    namespace.wait("batch/v1", "jobs", "it", ended)
    done = kubectl(namespace.plane, "-n", namespace.name, "logs", "--follow", "job/it")
    assert (done.returncode, done.stdout) == (0, "one\ntwo\n"), done.stderr
