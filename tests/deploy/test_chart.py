"""deploy/chart, rendered: valid for Kubernetes, nothing by a tag, one step alone, and every wrong value refused."""

from __future__ import annotations

from typing import Any

import kubernetes_validate
import pytest
import yaml
from charts import CHART, IMAGE, ROOT, rendered
from helm_client import HelmError, lint

VERSION = "1.37"
STEP = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "train"}, "spec": {"template": {}}}
RUN: dict[str, Any] = {"enabled": True, "image": IMAGE, "steps": {"train": STEP, "score": STEP}}
SCALED: dict[str, Any] = {
    "enabled": True,
    "deployment": "shop",
    "external": {"metric": "queue_depth", "average": "30", "labels": {"queue": "visits"}},
}
ALL = {
    "pipeline": RUN,
    "autoscaling": SCALED,
    "boundary": {"kinds": [{"group": "kubeflow.org", "resource": "pytorchjobs"}]},
}


def test_kubernetes_takes_all_of_it() -> None:
    documents = rendered(ALL)
    assert {kind for kind, _ in documents} == {
        "ConfigMap", "HorizontalPodAutoscaler", "Job", "NetworkPolicy", "ResourceQuota", "Role", "RoleBinding",
        "ServiceAccount",
    }  # fmt: skip
    for document in documents.values():
        kubernetes_validate.validate(document, VERSION, strict=True)
    wrong = documents["ServiceAccount", "gates-launcher"] | {"automount": False}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSION, strict=True)


def test_it_is_linted() -> None:
    for values in (None, ALL):
        assert lint(CHART, values)["errors"] == []


def test_alone_it_is_a_boundary() -> None:
    assert {kind for kind, _ in rendered()} == {
        "NetworkPolicy", "ResourceQuota", "Role", "RoleBinding", "ServiceAccount"
    }  # fmt: skip


def test_no_account_reads_a_secret() -> None:
    rules = rendered(ALL)["Role", "gates-launcher"]["rules"]
    verbs = {resource: set(rule["verbs"]) for rule in rules for resource in rule["resources"]}
    assert verbs["secrets"] == {"create"}
    assert verbs["jobs"] == verbs["pytorchjobs"] == {"create", "get", "list", "watch", "delete"}
    assert verbs["pods"] == verbs["pods/log"] == verbs["events"] == {"get", "list"}


def test_nobody_comes_in_and_nothing_but_names_goes_out() -> None:
    policy = rendered()["NetworkPolicy", "churn"]["spec"]
    assert (policy["podSelector"], policy["policyTypes"], policy.get("ingress")) == ({}, ["Ingress", "Egress"], None)
    assert policy["egress"] == [{"ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]}]
    store = {"to": [{"ipBlock": {"cidr": "10.1.0.0/16"}}], "ports": [{"protocol": "TCP", "port": 443}]}
    assert rendered({"boundary": {"egress": [store]}})["NetworkPolicy", "churn"]["spec"]["egress"][1] == store


def test_the_steps_are_files_and_one_of_them_alone_is_itself() -> None:
    documents = rendered(ALL)
    ((files),) = [document["data"] for (kind, _), document in documents.items() if kind == "ConfigMap"]
    assert {name: yaml.safe_load(text) for name, text in files.items()} == {"train.yaml": STEP, "score.yaml": STEP}
    assert rendered(ALL | {"step": "train"}) == {("Job", "train"): STEP}


def test_other_values_are_another_run_and_the_same_are_the_same() -> None:
    def run(**changed: Any) -> str:
        return next(name for kind, name in rendered({"pipeline": RUN | changed}) if kind == "Job")

    assert run() == run()
    assert len({run(), run(timeout=60), run(env={"A": "b"}), run(steps={})}) == 4


def test_what_it_launches_it_owns() -> None:
    ((run),) = [document for (kind, _), document in rendered(ALL).items() if kind == "Job"]
    env = {item["name"]: item for item in run["spec"]["template"]["spec"]["containers"][0]["env"]}
    assert env["GATES_OWNER"]["value"] == f"batch/v1/Job/{run['metadata']['name']}/$(GATES_JOB_UID)"
    path = env["GATES_JOB_UID"]["valueFrom"]["fieldRef"]["fieldPath"]
    assert path == "metadata.labels['batch.kubernetes.io/controller-uid']"


HOSTILE = 'x"\n      - {name: LD_PRELOAD, value: /tmp/evil.so}\n      #'


def test_a_value_is_never_more_than_a_value() -> None:
    ((run),) = [
        document
        for (kind, _), document in rendered({"pipeline": RUN | {"env": {"A": HOSTILE}, "command": [HOSTILE]}}).items()
        if kind == "Job"
    ]
    container = run["spec"]["template"]["spec"]["containers"][0]
    assert container["command"] == [HOSTILE]
    assert {item["name"]: item.get("value") for item in container["env"]}["A"] == HOSTILE
    assert "LD_PRELOAD" not in {item["name"] for item in container["env"]}


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a tag": ({"pipeline": RUN | {"image": "registry.example/churn:latest"}}, "/pipeline/image"),
    "no image": ({"pipeline": {"enabled": True}}, "/pipeline/image"),
    "a wrong key": ({"pipelines": {}}, "pipelines"),
    "a wrong key below": ({"boundary": {"quotas": {}}}, "quotas"),
    "a number for a name": ({"boundary": {"launcher": "No Name"}}, "/boundary/launcher"),
    "a step that is no document": ({"pipeline": RUN | {"steps": {"train": {"image": "x"}}}}, "/pipeline/steps/train"),
    "a variable that is none": ({"pipeline": RUN | {"env": {"A B": "x"}}}, "invalid propertyName 'A B'"),
    "nothing to scale": ({"autoscaling": {"enabled": True}}, "/autoscaling/deployment"),
    "down to zero": ({"autoscaling": SCALED | {"min": 0}}, "/autoscaling/min"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_values_are_refused_with_their_place(name: str) -> None:
    values, place = WRONG[name]
    with pytest.raises(HelmError, match=f"(?s)HelmValuesError.*{place}"):
        rendered(values)


def test_a_step_that_there_is_not() -> None:
    with pytest.raises(HelmError, match=r"pipeline\.steps has no tune"):
        rendered(ALL | {"step": "tune"})


def test_there_are_no_hooks() -> None:
    for document in rendered(ALL).values():
        assert not any("hook" in name for name in document["metadata"].get("annotations", {}))


def test_runners_come_from_their_own_chart() -> None:
    values = yaml.safe_load((ROOT / "deploy/arc-values.yaml").read_text())
    assert (
        values["template"]["spec"]["serviceAccountName"]
        == rendered()["ServiceAccount", "gates-launcher"]["metadata"]["name"]
    )
    assert isinstance(values["githubConfigSecret"], str), "the name of a secret, never a key"
    assert values["minRunners"] == 0 < values["maxRunners"]
