"""How a job of each kind stands, by its own words: they are those of its project's definitions."""

import pytest

from gates.launch.job_kinds import BY_NAME
from gates.launch.job_state import state
from gates.launch.task import LastWords, Phase

ACK = "sagemaker.services.k8s.aws/v1alpha1"
TRUE, FALSE = {"status": "True"}, {"status": "False"}


def conditions(*held):
    return {"conditions": [{"type": name, **more} for name, more in held]}


CASES = {
    ("batch/v1 Job", "nothing yet"): ({}, Phase.RUNNING),
    ("batch/v1 Job", "complete"): (conditions(("SuccessCriteriaMet", TRUE), ("Complete", TRUE)), Phase.DONE),
    ("batch/v1 Job", "failed"): (conditions(("Failed", {**TRUE, "reason": "DeadlineExceeded"})), Phase.FAILED),
    ("batch/v1 Job", "not failed"): (conditions(("Failed", FALSE)), Phase.RUNNING),
    ("batch/v1 Job", "suspended by Kueue"): (conditions(("Suspended", TRUE)), Phase.QUEUED),
    ("batch/v1 Job", "resumed"): (conditions(("Suspended", FALSE)), Phase.RUNNING),
    ("kubeflow.org/v1 PyTorchJob", "running"): (conditions(("Created", TRUE), ("Running", TRUE)), Phase.RUNNING),
    ("kubeflow.org/v1 PyTorchJob", "succeeded"): (conditions(("Running", FALSE), ("Succeeded", TRUE)), Phase.DONE),
    ("kubeflow.org/v1 PyTorchJob", "failed"): (conditions(("Failed", TRUE)), Phase.FAILED),
    ("trainer.kubeflow.org/v1alpha1 TrainJob", "complete"): (conditions(("Complete", TRUE)), Phase.DONE),
    ("trainer.kubeflow.org/v1alpha1 TrainJob", "failed"): (conditions(("Failed", TRUE)), Phase.FAILED),
    ("trainer.kubeflow.org/v1alpha1 TrainJob", "suspended"): (conditions(("Suspended", TRUE)), Phase.QUEUED),
    ("ray.io/v1 RayJob", "new"): ({}, Phase.QUEUED),
    ("ray.io/v1 RayJob", "initializing"): ({"jobDeploymentStatus": "Initializing"}, Phase.QUEUED),
    ("ray.io/v1 RayJob", "running"): ({"jobDeploymentStatus": "Running", "jobStatus": "RUNNING"}, Phase.RUNNING),
    ("ray.io/v1 RayJob", "complete"): ({"jobDeploymentStatus": "Complete", "jobStatus": "SUCCEEDED"}, Phase.DONE),
    ("ray.io/v1 RayJob", "complete, but not well"): (
        {"jobDeploymentStatus": "Complete", "jobStatus": "FAILED"},
        Phase.FAILED,
    ),
    ("ray.io/v1 RayJob", "stopped"): ({"jobDeploymentStatus": "Complete", "jobStatus": "STOPPED"}, Phase.FAILED),
    ("ray.io/v1 RayJob", "failed"): ({"jobDeploymentStatus": "Failed", "message": "no head"}, Phase.FAILED),
    ("argoproj.io/v1alpha1 Workflow", "pending"): ({"phase": "Pending"}, Phase.QUEUED),
    ("argoproj.io/v1alpha1 Workflow", "running"): ({"phase": "Running"}, Phase.RUNNING),
    ("argoproj.io/v1alpha1 Workflow", "succeeded"): ({"phase": "Succeeded"}, Phase.DONE),
    ("argoproj.io/v1alpha1 Workflow", "failed"): ({"phase": "Failed", "message": "child failed"}, Phase.FAILED),
    ("argoproj.io/v1alpha1 Workflow", "error"): ({"phase": "Error"}, Phase.FAILED),
    ("sparkoperator.k8s.io/v1beta2 SparkApplication", "submitted"): (
        {"applicationState": {"state": "SUBMITTED"}},
        Phase.QUEUED,
    ),
    ("sparkoperator.k8s.io/v1beta2 SparkApplication", "completed"): (
        {"applicationState": {"state": "COMPLETED"}},
        Phase.DONE,
    ),
    ("sparkoperator.k8s.io/v1beta2 SparkApplication", "failed"): (
        {"applicationState": {"state": "FAILED", "errorMessage": "driver failed"}},
        Phase.FAILED,
    ),
    ("sparkoperator.k8s.io/v1beta2 SparkApplication", "an unknown word"): (
        {"applicationState": {"state": "PENDING_RERUN"}},
        Phase.RUNNING,
    ),
    (f"{ACK} TrainingJob", "in progress"): ({"trainingJobStatus": "InProgress"}, Phase.RUNNING),
    (f"{ACK} TrainingJob", "completed"): ({"trainingJobStatus": "Completed"}, Phase.DONE),
    (f"{ACK} TrainingJob", "stopped"): ({"trainingJobStatus": "Stopped"}, Phase.FAILED),
    (f"{ACK} TrainingJob", "a name that was taken"): (
        conditions(("ACK.Terminal", {**TRUE, "message": "Requested resource already exists"})),
        Phase.FAILED,
    ),
    (f"{ACK} PipelineExecution", "executing"): ({"pipelineExecutionStatus": "Executing"}, Phase.RUNNING),
    (f"{ACK} PipelineExecution", "succeeded"): ({"pipelineExecutionStatus": "Succeeded"}, Phase.DONE),
    (f"{ACK} PipelineExecution", "failed"): ({"pipelineExecutionStatus": "Failed"}, Phase.FAILED),
}


@pytest.mark.parametrize(("kind", "case"), CASES)
def test_how_a_job_stands(kind, case):
    status, phase = CASES[kind, case]
    assert state(BY_NAME[kind], {"metadata": {}, "status": status}).phase is phase


def test_every_kind_has_cases():
    assert {kind for kind, _ in CASES} == set(BY_NAME)


JOB = {"metadata": {"creationTimestamp": "2026-12-01T10:00:00Z"}}


def pod(name, began=None, ended=None, **status):
    container = {"image": "i", "imageID": "i@sha256:1", "state": {}}
    if ended is not None:
        container["state"]["terminated"] = {"startedAt": began, **ended}
    elif began:
        container["state"]["running"] = {"startedAt": began}
    held = {"phase": "Running", "containerStatuses": [container], **status}
    return {"metadata": {"name": name, "uid": name, "creationTimestamp": name}, "status": held}


def test_what_its_pods_say():
    evicted = pod("2026-12-01T10:01:00Z", conditions=[{"type": "DisruptionTarget", "status": "True"}])
    said = '{"digest": "ab", "seconds": 7, "exit": 0, "memory": 1024}'
    last = pod("2026-12-01T10:01:00Z", "2026-12-01T10:01:30Z", {"exitCode": 0, "message": said})
    stands = state(BY_NAME["batch/v1 Job"], JOB, [last, evicted])
    assert stands.queued == 90
    assert stands.interrupted == {"2026-12-01T10:01:00Z"}
    assert stands.image == "i@sha256:1"
    assert stands.said == LastWords(digest="ab", seconds=7, code=0, memory=1024)


@pytest.mark.parametrize(
    "said", ["", "{", "[]", "null", "7", '{"digest": 3, "seconds": "x", "exit": true}', "[" * 4000]
)
def test_last_words_that_are_none(said):
    last = pod("2026-12-01T10:01:00Z", "2026-12-01T10:01:30Z", {"exitCode": 0, "message": said})
    assert state(BY_NAME["batch/v1 Job"], JOB, [last]).said in (None, LastWords())


@pytest.mark.parametrize("odd", [{}, {"status": None}, {"status": {"conditions": None}}, {"metadata": None}])
def test_an_object_that_says_little(odd):
    for row in BY_NAME.values():
        assert state(row, {"metadata": {}, **odd}, [{"metadata": {}, **odd}]).phase in (Phase.RUNNING, Phase.QUEUED)


@pytest.mark.parametrize("by", ["the first of the pod", "an annotation"])
def test_a_container_beside_the_training_is_not_taken_for_it(by):
    """A node lists containers by their names."""
    last = pod("2026-12-01T10:01:00Z", "2026-12-01T10:01:30Z", {"exitCode": 7, "reason": "Error"})
    (ours,) = last["status"]["containerStatuses"]
    other = {"name": "agent", "imageID": "other", "state": {"running": {"startedAt": "2026-12-01T10:01:00Z"}}}
    last["status"]["containerStatuses"] = [other, ours | {"name": "train"}]
    if by == "an annotation":
        last["metadata"]["annotations"] = {"kubectl.kubernetes.io/default-container": "train"}
        last["spec"] = {"containers": [{"name": "agent"}, {"name": "train"}]}
    else:
        last["spec"] = {"containers": [{"name": "train"}, {"name": "agent"}]}
    failed = JOB | {"status": conditions(("Failed", TRUE))}
    stands = state(BY_NAME["batch/v1 Job"], failed, [last])
    assert (stands.image, stands.why, stands.queued) == ("i@sha256:1", "Error, exit code 7", 90)
