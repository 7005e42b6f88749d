"""gates launches trainings on a real control plane, with the rights of the chart's account and nothing more."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from charts import CHART, IMAGE
from control_plane import PATIENCE
from edge_project import clean_environment
from launch_project import TRAIN, table
from namespaces import Namespace, condition, ended, job

LAUNCHER = "gates-launcher"


class Launching:
    """A project in the namespace of a chart's boundary."""

    def __init__(self, namespace: Namespace, folder: Path) -> None:
        self.namespace, self.root = namespace, folder / "project"
        self.root.mkdir()
        helm = namespace.helm()
        helm.install(CHART, "boundary")
        token = namespace.plane.token_of(namespace.name, LAUNCHER)
        config = namespace.plane.kubeconfig("launching", token, namespace.name)
        self.environ = {
            **clean_environment(), "KUBECONFIG": str(config), "GATES_STORE": f"file://{folder / 'store'}"
        }  # fmt: skip
        (self.root / "train.py").write_text(TRAIN)
        table(self.root / "holdout.csv", "id", "tenure", "left")
        table(self.root / "train.csv", "id", "tenure", "left", first=1000)
        template = job(["true"])["spec"]["template"]
        template["spec"]["containers"][0] |= {"name": "train", "image": IMAGE}
        del template["spec"]["containers"][0]["command"]
        self.document: dict[str, Any] = {"apiVersion": "batch/v1", "kind": "Job", "spec": {"template": template}}
        self.policy: dict[str, Any] = {
            "version": 1,
            "model": "churn",
            "data": {"holdout": "holdout.csv", "train": "train.csv", "label": "left", "key": "id"},
            "train": {"run": "python3 train.py", "job": "job.yaml", "timeout": "60s", "wait": "60s"},
            "gates": [{"metric": "accuracy", "min": 0.5}],
        }

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        (self.root / "gates.yaml").write_text(yaml.safe_dump(self.policy))
        (self.root / "job.yaml").write_text(yaml.safe_dump(self.document))
        return subprocess.Popen(
            [sys.executable, "-m", "gates", *arguments], cwd=self.root, env=self.environ, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def gates(self, *arguments: str) -> tuple[int, str]:
        process = self.begin(*arguments)
        out, err = process.communicate(timeout=PATIENCE)
        return process.returncode, out + err

    def wait_for_jobs(self, many: int) -> list[Any]:
        jobs = self.namespace.path("batch/v1", "jobs")
        found = self.namespace.plane.wait(jobs, lambda jobs: len(jobs["items"]) == many, f"never {many} jobs")
        return list(found["items"])

    def wait_for_pods(self) -> None:
        pods = self.namespace.path("v1", "pods")
        self.namespace.plane.wait(pods, lambda pods: [pod["status"]["phase"] for pod in pods["items"]] == ["Running"])


@pytest.fixture
def launching(namespace: Namespace, tmp_path: Path) -> Launching:
    return Launching(namespace, tmp_path)


def test_a_candidate_is_trained_and_judged_and_run_again_is_found(launching: Launching) -> None:
    code, said = launching.gates("run")
    assert code == 0, said
    evidence = json.loads((launching.root / ".gates/evidence.json").read_text())
    facts = evidence["candidate"]["training"]
    assert (facts["where"], facts["image"], facts["adopted"]) == (launching.namespace.name, IMAGE, False)
    (first,) = launching.wait_for_jobs(1)
    secret = launching.namespace.plane.ask("GET", launching.namespace.path("v1", "secrets"))["items"]
    owners = [held["metadata"]["ownerReferences"][0]["uid"] for held in secret if held["type"] == "Opaque"]
    assert set(owners) <= {first["metadata"]["uid"]}, "what holds an address goes with its job"

    shutil.rmtree(launching.root / ".gates")
    code, said = launching.gates("run")
    assert code == 0, said
    assert json.loads((launching.root / ".gates/evidence.json").read_text())["candidate"]["training"]["adopted"]
    assert [held["metadata"]["uid"] for held in launching.wait_for_jobs(1)] == [first["metadata"]["uid"]]


def test_stopped_by_a_signal_its_job_is_gone(launching: Launching) -> None:
    launching.policy["train"]["run"] = "sleep 600"
    running = launching.begin("run")
    launching.wait_for_pods()
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=PATIENCE)
    assert running.returncode != 0, err
    launching.wait_for_jobs(0)


def test_what_was_killed_is_stopped_by_hand(launching: Launching) -> None:
    launching.policy["train"]["run"] = "sleep 600"
    running = launching.begin("run")
    launching.wait_for_pods()
    running.kill()
    running.communicate(timeout=PATIENCE)
    code, said = launching.gates("jobs", "--json")
    assert (code, len(json.loads(said)["jobs"])) == (0, 1), said
    assert launching.gates("stop")[0] == 0
    launching.wait_for_jobs(0)


def test_what_nobody_stops_ends_at_its_own_limit(launching: Launching) -> None:
    launching.policy["train"] |= {"run": "sleep 600", "timeout": "8s"}
    running = launching.begin("run")
    launching.wait_for_pods()
    running.kill()
    running.communicate(timeout=PATIENCE)
    (held,) = launching.wait_for_jobs(1)
    orphan = launching.namespace.wait("batch/v1", "jobs", held["metadata"]["name"], ended)
    assert condition(orphan) == ("Failed", "DeadlineExceeded")


def test_a_training_past_its_limit_is_told(launching: Launching) -> None:
    launching.policy["train"] |= {"run": "sleep 600", "timeout": "2s"}
    code, said = launching.gates("run")
    assert code == 2, said
    assert "longer than specified deadline" in said, said


def test_what_the_namespace_refuses_is_told(launching: Launching) -> None:
    launching.document["spec"]["template"]["spec"]["hostNetwork"] = True
    launching.policy["train"]["wait"] = "5s"
    code, said = launching.gates("run")
    assert code == 3, said
    assert "violates PodSecurity" in said, said


def test_a_full_namespace_is_a_queue(launching: Launching) -> None:
    """Its quota has no pod left: the job waits, and it is told for what."""
    helm = launching.namespace.helm()
    helm.upgrade(CHART, "boundary", {"boundary": {"quota": {"pods": 1}}})
    taken = job(["sleep", "600"]) | {"metadata": {"name": "other"}}
    launching.namespace.create("batch/v1", "jobs", taken)
    launching.wait_for_pods()
    running = launching.begin("run")
    assert running.stderr
    for line in running.stderr:
        if "exceeded quota" in line:
            break
    launching.namespace.plane.ask(
        "DELETE", launching.namespace.path("batch/v1", "jobs", "other") + "?propagationPolicy=Background"
    )
    assert running.wait(PATIENCE) == 0


def test_who_may_not_launch_is_told(launching: Launching) -> None:
    token = launching.namespace.plane.token_of(launching.namespace.name, "default")
    config = launching.namespace.plane.kubeconfig("nobody", token, launching.namespace.name)
    launching.environ["KUBECONFIG"] = str(config)
    code, said = launching.gates("run")
    assert code == 3, said
    assert "cannot" in said
    assert "Traceback" not in said
