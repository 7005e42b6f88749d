"""What is refused of a job document, and what is filled in: offline, before anything is sent."""

import copy
import os
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml
from launch_project import IMAGE

from gates.errors import GatesError
from gates.launch import document, filled, inside, job_kinds
from gates.launch.task import Task
from gates.schema.canonical import digest

HERE = Path(__file__).parent / "kinds"
JOB = {"apiVersion": "batch/v1", "kind": "Job", "spec": {"template": {"spec": {"containers": [{"image": IMAGE}]}}}}
OTHER = "other.example/base@sha256:" + "1" * 64
URIS = {job_kinds.DATA: "s3://bucket/data.tar", job_kinds.OUT: "s3://bucket/out.tar"}


def read(value, image=None):
    return document.read(yaml.safe_dump(value, sort_keys=False).encode(), "job.yaml", image)


def changed(path, value):
    """The plain Job with one thing changed or added."""
    job = copy.deepcopy(JOB)
    *outer, last = path.split(".")
    inner = job
    for step in outer:
        inner = inner[int(step)] if isinstance(inner, list) else inner.setdefault(step, {})
    inner[last] = value
    return job


POD, TRAINER = "spec.template.spec", "spec.template.spec.containers.0"
REFUSED = {
    "a tag": (f"{TRAINER}.image", "registry.example/churn:latest", "has no digest"),
    "a digest that is cut": (f"{TRAINER}.image", IMAGE[:-1], "has no digest"),
    "no image": (f"{TRAINER}.image", None, "no digest|names no image"),
    "another container's tag": (
        f"{POD}.initContainers",
        [{"name": "first", "image": "busybox"}],
        "'busybox' has no digest",
    ),
    "a name of its own": ("metadata.name", "mine", "gates names the job"),
    "a generated name": ("metadata.generateName", "mine-", "gates names the job"),
    "a namespace": ("metadata.namespace", "prod", "kubectl's context"),
    "finalizers": ("metadata.finalizers", ["x/y"], "would hold a job"),
    "an owner": ("metadata.ownerReferences", [{}], "GATES_OWNER"),
    "a label of gates": ("metadata.labels", {"gates-key": "0"}, "gates sets it"),
    "a variable of gates": (f"{TRAINER}.env", [{"name": "GATES_JOB", "value": "{}"}], "takes? it out|GATES_"),
    "a variable like it": (f"{TRAINER}.env", [{"name": "gates_out", "value": "/"}], "GATES_"),
    "more completions": ("spec.completions", 2, "must be 1"),
    "none": ("spec.completions", 0, "must be 1"),
    "in parallel": ("spec.parallelism", 4, "must be 1"),
    "restarts": (f"{POD}.restartPolicy", "OnFailure", "must be Never"),
    "a command": (f"{TRAINER}.command", ["sh"], "the command is train.run"),
    "arguments": (f"{TRAINER}.args", ["-c"], "the command is train.run"),
    "a template left over": (f"{TRAINER}.workingDir", "{{ .Values.folder }}", "is left over"),
    "an image by another name": ("spec.sparkConf", {"spark.kubernetes.container.image": "spark:3"}, "has no digest"),
    "no containers": (f"{POD}.containers", [], "has no container"),
    "another kind": ("kind", "CronJob", "no kind that gates launches"),
    "another version": ("apiVersion", "batch/v2", "no kind that gates launches"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_document_is_refused(case):
    path, value, said = REFUSED[case]
    with pytest.raises(GatesError, match=said) as caught:
        read(changed(path, value))
    assert "job.yaml" in str(caught.value)


def test_what_is_refused_is_not_refused_alone():
    """Each mistake is told with its line, all at once; and the plain Job is fine."""
    read(JOB)
    job = changed("metadata.name", "mine")
    job["spec"]["completions"] = 2
    with pytest.raises(GatesError) as caught:
        read(job)
    lines = str(caught.value).splitlines()
    assert len(lines) == 2
    assert all(line.startswith("job.yaml:") for line in lines)


@pytest.mark.parametrize(
    "allowed",
    [
        (f"{POD}.initContainers", [{"name": "cache", "image": OTHER, "restartPolicy": "Always"}]),
        ("spec.completions", 1),
        ("metadata.labels", {"kueue.x-k8s.io/queue-name": "gpus"}),
        (f"{TRAINER}.env", [{"name": "HF_HOME", "value": "/cache"}]),
        (f"{POD}.restartPolicy", "Never"),
    ],
)
def test_a_document_is_its_user_s_own(allowed):
    read(changed(*allowed))


def test_the_policy_s_image_takes_the_place_of_the_first():
    job = changed(f"{TRAINER}.image", "churn:latest")
    assert manifest(job, OTHER)["spec"]["template"]["spec"]["containers"][0]["image"] == OTHER
    job["spec"]["template"]["spec"]["containers"].append({"name": "second", "image": "side:latest"})
    with pytest.raises(GatesError, match="'side:latest' has no digest"):
        manifest(job, OTHER)


def task(value, image=None, **more):
    source = read(value, image)
    return Task(
        **{
            "model": "churn",
            "ref": "acme/churn@refs/heads/main",
            "seed": 0,
            "run": "python train.py",
            "folder": ".",
            "inputs": {"code": "a" * 64, "data": "b" * 64},
            "paths": {},
            "variables": {},
            "document": source,
            "document_digest": digest(source.value),
            "image": image,
            "seconds": 3600,
            "wait": 7200,
        }
        | more
    )


def manifest(value, image=None, **more):
    return filled.manifest(task(value, image, **more), URIS, None)


def test_what_is_there_is_not_filled_in():
    job = changed("spec.backoffLimit", 3)
    job["spec"]["activeDeadlineSeconds"] = 60
    sent = manifest(job)
    assert sent["spec"]["backoffLimit"] == 3
    assert sent["spec"]["activeDeadlineSeconds"] == 60


CASES = sorted(HERE.glob("*.yaml"))


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_a_kind_of_document_is_filled_in(case, golden):
    """A user's document as it is sent; the long program inside stands as its name."""
    sent = manifest(yaml.safe_load(case.read_text()))
    text = yaml.safe_dump(_shortened(sent), sort_keys=True, width=110)
    golden(case.with_suffix(".sent"), text)


def _shortened(value):
    if isinstance(value, dict):
        return {key: _shortened(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_shortened(item) for item in value]
    return f"<{len(value) // 1000}… characters: inside.py>" if isinstance(value, str) and len(value) > 1000 else value


PLACED = yaml.safe_load((HERE / "fields.excerpt").read_text())


def plain(path):
    """A path without what stands for any key or item, and without what Kubernetes itself defines."""
    own = path.replace(".template.spec", ".template|").partition("|")[0]
    return ".".join(step for step in own.split(".") if step not in ("*", "Master", "Worker"))


@pytest.mark.parametrize("named", PLACED)
def test_every_path_of_a_kind_is_one_of_its_project_s_definition(named):
    row = job_kinds.BY_NAME[named]
    known = {plain(field) for field in PLACED[named]["fields"]}
    used = {*row.templates, *row.filled, *row.failed, *row.alone, row.state, row.trainer, row.entrypoint, row.given}
    used |= {row.why} if row.state != job_kinds.CONDITIONS else set()  # a condition has its own message
    assert {plain(path) for path in used if path} <= known


def test_a_job_is_what_a_server_takes():
    import kubernetes_validate

    sent = manifest(yaml.safe_load((HERE / "job.yaml").read_text()))
    kubernetes_validate.validate(sent, "1.34", strict=True)
    sent["spec"]["podReplacementPolicies"] = "Failed"
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(sent, "1.34", strict=True)


def test_an_entrypoint_survives_the_shells_on_its_way():
    """Ray's operator writes it into a script, and Ray quotes its words again, by Windows' rules."""
    words = shlex.split(filled.ENTRYPOINT)
    assert shlex.split(subprocess.list2cmdline(words)) == words
    environment = {**os.environ, inside.PROGRAM: "print(6 * 7)"}
    ended = subprocess.run(
        ["sh", "-c", subprocess.list2cmdline(words)], env=environment, capture_output=True, check=True
    )
    assert ended.stdout == b"42\n"


def test_every_kind_has_a_case():
    named = {f"{held['apiVersion']} {held['kind']}" for held in (yaml.safe_load(case.read_text()) for case in CASES)}
    assert named == set(job_kinds.BY_NAME) == {*PLACED, "batch/v1 Job"}


DIFFERENT = {
    "model": "other",
    "ref": "acme/churn@refs/pull/3/merge",
    "seed": 1,
    "run": "python other.py",
    "folder": "models",
    "inputs": {"code": "c" * 64, "data": "b" * 64},
    "variables": {"A": "b"},
    "seconds": 60,
    "wait": 60,
    "nonce": "1",
}


@pytest.mark.parametrize("key", DIFFERENT)
def test_another_input_is_another_job(key):
    first, other = task(JOB), task(JOB, **{key: DIFFERENT[key]})
    assert first.key != other.key
    assert first.name != other.name
    assert (first.recipe == other.recipe) == (key == "seed")


@pytest.mark.parametrize("model", ["a", "A.B_c-D", "x" * 100, "é", "---", "9"])
def test_names_and_labels_are_those_that_a_cluster_takes(model):
    import re

    made = task(JOB, model=model, ref=f"acme/{model}@refs/heads/ünï")
    assert re.fullmatch(r"[a-z]([-a-z0-9]{0,45}[a-z0-9])?", made.name)
    for value in made.labels.values():
        assert re.fullmatch(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?", value)
