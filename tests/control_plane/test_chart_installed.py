"""The chart, installed by Helm on a real control plane: what its boundary allows, and what becomes of its runs."""

from __future__ import annotations

from typing import Any

import pytest
from charts import CHART, IMAGE
from control_plane import kubectl
from namespaces import Namespace, condition, ended, job

LAUNCHER = "gates-launcher"


@pytest.fixture
def bounded(namespace: Namespace) -> Namespace:
    """A namespace with the chart's boundary, whose quota is small."""
    helm = namespace.helm()
    helm.install(CHART, "churn", {"boundary": {"quota": {"jobs": 2, "pods": 2}}})
    return namespace


def refused(namespace: Namespace, token: str, method: str, path: str, body: Any = None) -> str:
    """Why the server refuses something; empty where it does not."""
    answer = namespace.plane.answer(method, path, body, token=token)
    return str(answer.json()["message"]) if answer.status_code == 403 else ""


def test_a_launcher_may_launch_and_nothing_else(bounded: Namespace) -> None:
    token = bounded.plane.token_of(bounded.name, LAUNCHER)
    bounded.create("batch/v1", "jobs", job(["true"]), token)
    bounded.create("v1", "secrets", {"metadata": {"name": "addresses"}, "stringData": {"job": "{}"}}, token)
    assert condition(bounded.wait("batch/v1", "jobs", "it", ended)) == ("Complete", "CompletionsReached")
    config = bounded.plane.kubeconfig("launcher", token, bounded.name)
    assert kubectl(bounded.plane, "logs", "job/it", config=config).returncode == 0
    pod = job(["true"])["spec"]["template"]["spec"]
    for method, path, body in (
        ("GET", bounded.path("v1", "secrets", "addresses"), None),
        ("GET", bounded.path("v1", "secrets"), None),
        ("DELETE", bounded.path("v1", "secrets", "addresses"), None),
        ("POST", bounded.path("v1", "pods"), {"metadata": {"name": "mine"}, "spec": pod}),
        ("POST", bounded.path("v1", "serviceaccounts", f"{LAUNCHER}/token"), {"spec": {}}),
        ("DELETE", bounded.path("v1", "resourcequotas", "churn"), None),
        ("PATCH", bounded.path("rbac.authorization.k8s.io/v1", "roles", LAUNCHER), {"rules": []}),
        ("GET", "/api/v1/namespaces/default/pods", None),
        ("POST", "/apis/batch/v1/namespaces/default/jobs", job(["true"])),
    ):
        assert "cannot" in refused(bounded, token, method, path, body), (method, path)
    assert kubectl(bounded.plane, "delete", "job", "it", config=config).returncode == 0


def test_no_other_account_may_anything(bounded: Namespace) -> None:
    token = bounded.plane.token_of(bounded.name, "default")
    for method, path in (("GET", bounded.path("batch/v1", "jobs")), ("GET", bounded.path("v1", "pods"))):
        assert "cannot list" in refused(bounded, token, method, path)
    assert "cannot create" in refused(bounded, token, "POST", bounded.path("batch/v1", "jobs"), job(["true"]))


def test_no_more_jobs_than_the_quota(bounded: Namespace) -> None:
    for number in range(2):
        bounded.create("batch/v1", "jobs", job(["true"]) | {"metadata": {"name": f"it-{number}"}})
    third = job(["true"]) | {"metadata": {"name": "it-2"}}
    answer = bounded.plane.answer("POST", bounded.path("batch/v1", "jobs"), third)
    assert (answer.status_code, "exceeded quota: churn" in answer.text) == (403, True), answer.text


@pytest.mark.parametrize(
    "change",
    [
        lambda pod: pod["containers"][0].update(securityContext={"privileged": True}),
        lambda pod: pod.update(hostNetwork=True),
        lambda pod: pod.update(volumes=[{"name": "root", "hostPath": {"path": "/"}}]),
        lambda pod: pod["securityContext"].update(runAsNonRoot=False),
    ],
)
def test_what_is_not_restricted_never_starts(bounded: Namespace, change: Any) -> None:
    asked = job(["true"])
    change(asked["spec"]["template"]["spec"])
    bounded.create("batch/v1", "jobs", asked)
    events = bounded.path("v1", "events")

    def is_told(found: Any) -> bool:
        return any("violates PodSecurity" in event["message"] for event in found["items"])

    bounded.plane.wait(events, is_told, "nothing was refused")
    assert bounded.names("v1", "pods") == []


RUN = ["sh", "-c", 'echo "owner $GATES_OWNER, store $GATES_STORE"; sleep "$SECONDS_TO_RUN"']


def pipeline(seconds: int = 600, **changed: Any) -> dict[str, Any]:
    env = {"GATES_STORE": "s3://parcels/churn", "SECONDS_TO_RUN": str(seconds)}
    steps = {"train": job(["true"])}
    return {"pipeline": {"enabled": True, "image": IMAGE, "command": RUN, "env": env, "steps": steps} | changed}


def running(namespace: Namespace) -> Any:
    """The one job of the release, once its pod runs."""

    def runs(found: Any) -> bool:
        return [thing["status"].get("ready", 0) or thing["status"].get("active", 0) for thing in found["items"]] == [1]

    (found,) = namespace.plane.wait(namespace.path("batch/v1", "jobs"), runs)["items"]
    return found


def test_an_upgrade_stops_the_run_before_with_all_that_it_launched(namespace: Namespace) -> None:
    helm = namespace.helm()
    helm.install(CHART, "churn", pipeline())
    first = running(namespace)
    name, uid = first["metadata"]["name"], first["metadata"]["uid"]
    log = namespace.plane.wait(
        namespace.path("v1", "pods"), lambda found: found["items"][0]["status"]["phase"] == "Running"
    )
    done = kubectl(namespace.plane, "-n", namespace.name, "logs", log["items"][0]["metadata"]["name"])
    owner = f"batch/v1/Job/{name}/{uid}"
    assert done.stdout == f"owner {owner}, store s3://parcels/churn\n", done.stderr
    launched = job(["sleep", "600"])
    reference = dict(zip(("apiVersion", "kind", "name", "uid"), owner.rsplit("/", 3), strict=True))
    launched["metadata"] = {"name": "launched", "ownerReferences": [reference]}
    namespace.create("batch/v1", "jobs", launched)

    helm.upgrade(CHART, "churn", pipeline(601))
    namespace.wait("batch/v1", "jobs", "launched", lambda thing: thing is None, "what it launched goes on")
    second = running(namespace)["metadata"]["name"]
    assert second != name
    assert namespace.names("v1", "configmaps") == sorted({second, "kube-root-ca.crt"})

    helm.upgrade(CHART, "churn", pipeline(601))
    assert running(namespace)["metadata"]["name"] == second, "the same values are the same run"

    helm.rollback("churn", version=1)
    assert running(namespace)["metadata"]["name"] == name
    helm.uninstall("churn")
    namespace.plane.wait(namespace.path("batch/v1", "jobs"), lambda found: not found["items"], "a run goes on")
    namespace.plane.wait(namespace.path("v1", "pods"), lambda found: not found["items"], "a pod goes on")


def test_a_run_that_ends_says_how(namespace: Namespace) -> None:
    helm = namespace.helm()
    helm.install(CHART, "churn", pipeline(0))
    (only,) = namespace.plane.wait(
        namespace.path("batch/v1", "jobs"), lambda found: found["items"] and ended(found["items"][0])
    )["items"]
    assert condition(only) == ("Complete", "CompletionsReached")
    assert only["spec"]["template"]["spec"]["serviceAccountName"] == LAUNCHER


def test_a_step_by_itself_is_the_document_as_it_is(namespace: Namespace) -> None:
    """For whoever orders steps: installed, it runs; uninstalled, it is gone."""
    helm = namespace.helm()
    helm.install(CHART, "train", pipeline() | {"step": "train"})
    assert namespace.names("batch/v1", "jobs") == ["it"]
    assert condition(namespace.wait("batch/v1", "jobs", "it", ended))[0] == "Complete"
    helm.uninstall("train")
    namespace.wait("batch/v1", "jobs", "it", lambda thing: thing is None)
