"""Know the kinds of job documents: where each says how it stands, and in which words. A kind is a kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gates.launch.task import KEY, Phase
from gates.schema.fields import Plain

SECONDS = "$SECONDS"  # stands for the task's time limit
NAME = "$NAME"  # stands for the job's name
DAY = 86400
CONDITIONS = "status.conditions"
DATA, OUT, SEED = "gates_data", "gates_out", "gates_seed"  # what a pipeline of the user's own is given
_IGNORED: Plain = {"rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}]}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobKind:
    """A kind of job document. Paths have dots; ``*`` is any key or item.

    ``state``: where it says how it stands: a list of conditions, or one word. ``words``: what they mean; any other word
    means that it goes on. ``queued``: words of one that has not begun. ``failed``: words at other paths that mean so.
    ``why``: where it says why, beside a condition's message. ``templates``: pod templates whose first container, or
    that called ``container``, runs the training; or ``trainer``: what is like one; or ``given``: where the parameters
    of a user's own pipeline are. ``entrypoint``: where the command is, if not in the container. ``filled``: what is set
    where it is absent. ``alone``: numbers that may only be 1. ``pods``: the label that its pods bear. ``logs``: that of
    the pod which prints, if it is another one. ``leader``: a label of the pod that hands over, where there are several.
    """

    api: str
    kind: str
    plural: str
    state: str
    words: Mapping[str, Phase]
    queued: tuple[str, ...] = ()
    failed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    why: str = "status.message"
    templates: tuple[str, ...] = ()
    container: str | None = None
    trainer: str | None = None
    entrypoint: str | None = None
    given: str | None = None
    filled: Mapping[str, Plain] = field(default_factory=dict)
    alone: tuple[str, ...] = ()
    pods: str = f"{KEY}={{key}}"
    logs: str = ""
    leader: tuple[str, str] | None = None
    braces: bool = False  # whether {{ }} is its own language

    @property
    def named(self) -> str:
        """Its name for people: ``batch/v1 Job``."""
        return f"{self.api} {self.kind}"

    @property
    def resource(self) -> str:
        """Its name for kubectl: ``jobs.v1.batch``."""
        group, _, version = self.api.rpartition("/")
        return f"{self.plural}.{version}.{group}"


_POD: Mapping[str, Plain] = {"restartPolicy": "Never", "automountServiceAccountToken": False}
_DONE, _FAILED = Phase.DONE, Phase.FAILED
_SAGEMAKER = {"Failed": _FAILED, "Stopped": _FAILED, "ACK.Terminal": _FAILED}


def _of_pods(template: str) -> dict[str, Plain]:
    return {f"{template}.spec.{name}": value for name, value in _POD.items()}


KINDS = (
    JobKind(
        api="batch/v1",
        kind="Job",
        plural="jobs",
        state=CONDITIONS,
        words={"Complete": _DONE, "Failed": _FAILED},
        templates=("spec.template",),
        alone=("spec.completions", "spec.parallelism"),
        filled={
            "spec.activeDeadlineSeconds": SECONDS,
            "spec.backoffLimit": 0,
            "spec.ttlSecondsAfterFinished": DAY,
            "spec.podReplacementPolicy": "Failed",  # never two pods at once
            "spec.podFailurePolicy": _IGNORED,
            **_of_pods("spec.template"),
        },
    ),
    JobKind(
        api="kubeflow.org/v1",
        kind="PyTorchJob",
        plural="pytorchjobs",
        state=CONDITIONS,
        words={"Succeeded": _DONE, "Failed": _FAILED},
        templates=("spec.pytorchReplicaSpecs.Master.template", "spec.pytorchReplicaSpecs.Worker.template"),
        container="pytorch",
        alone=("spec.pytorchReplicaSpecs.Master.replicas",),
        leader=("training.kubeflow.org/replica-type", "master"),
        filled={
            "spec.runPolicy.activeDeadlineSeconds": SECONDS,
            "spec.runPolicy.backoffLimit": 0,
            "spec.runPolicy.ttlSecondsAfterFinished": DAY,
            "spec.pytorchReplicaSpecs.*.restartPolicy": "Never",
            "spec.pytorchReplicaSpecs.*.template.spec.automountServiceAccountToken": False,
        },
    ),
    JobKind(
        api="trainer.kubeflow.org/v1alpha1",
        kind="TrainJob",
        plural="trainjobs",
        state=CONDITIONS,
        words={"Complete": _DONE, "Failed": _FAILED},
        trainer="spec.trainer",
        pods="jobset.sigs.k8s.io/jobset-name={name}",
        leader=("batch.kubernetes.io/job-completion-index", "0"),
    ),
    JobKind(
        api="ray.io/v1",
        kind="RayJob",
        plural="rayjobs",
        state="status.jobDeploymentStatus",
        words={"Complete": _DONE, "Failed": _FAILED},
        queued=("", "Initializing", "Suspended", "Suspending", "Waiting"),
        failed={"status.jobStatus": ("FAILED", "STOPPED")},  # complete is what has run to whatever end
        templates=("spec.rayClusterSpec.headGroupSpec.template", "spec.rayClusterSpec.workerGroupSpecs.*.template"),
        entrypoint="spec.entrypoint",
        logs="job-name={name}",  # of the pod that submits it, which prints what it prints
        leader=("ray.io/node-type", "head"),
        filled={
            "spec.activeDeadlineSeconds": SECONDS,
            "spec.backoffLimit": 0,
            "spec.ttlSecondsAfterFinished": DAY,
            "spec.shutdownAfterJobFinishes": True,
        },
    ),
    JobKind(
        api="argoproj.io/v1alpha1",
        kind="Workflow",
        plural="workflows",
        state="status.phase",
        words={"Succeeded": _DONE, "Failed": _FAILED, "Error": _FAILED},
        queued=("", "Pending"),
        given="spec.arguments.parameters",
        pods="workflows.argoproj.io/workflow={name}",
        filled={"spec.activeDeadlineSeconds": SECONDS, "spec.ttlStrategy": {"secondsAfterCompletion": DAY}},
        braces=True,
    ),
    JobKind(
        api="sparkoperator.k8s.io/v1beta2",
        kind="SparkApplication",
        plural="sparkapplications",
        state="status.applicationState.state",
        words={"COMPLETED": _DONE, "FAILED": _FAILED, "SUBMISSION_FAILED": _FAILED},
        queued=("", "SUBMITTED", "PENDING_SUBMISSION"),
        why="status.applicationState.errorMessage",
        given="spec.arguments",
        pods="sparkoperator.k8s.io/app-name={name}",
        leader=("spark-role", "driver"),
        filled={"spec.restartPolicy": {"type": "Never"}, "spec.timeToLiveSeconds": DAY},
    ),
    JobKind(
        api="sagemaker.services.k8s.aws/v1alpha1",
        kind="TrainingJob",
        plural="trainingjobs",
        state="status.trainingJobStatus",
        words={"Completed": _DONE, **_SAGEMAKER},
        queued=("",),
        why="status.failureReason",
        given="spec.hyperParameters",
        pods="",
        filled={"spec.trainingJobName": NAME, "spec.stoppingCondition.maxRuntimeInSeconds": SECONDS},
    ),
    JobKind(
        api="sagemaker.services.k8s.aws/v1alpha1",
        kind="PipelineExecution",
        plural="pipelineexecutions",
        state="status.pipelineExecutionStatus",
        words={"Succeeded": _DONE, **_SAGEMAKER},
        queued=("",),
        why="status.failureReason",
        given="spec.pipelineParameters",
        pods="",
    ),
)
BY_NAME = {row.named: row for row in KINDS}
