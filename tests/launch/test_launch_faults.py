"""What goes wrong between the start of a job and its end, and what becomes of it."""

import json
import re
import signal
import subprocess
import sys
import threading

import extent
import pytest
from cluster import Fault
from edge_project import clean_environment
from launch_project import Patience

from gates.errors import Exit, GatesError
from gates.launch.kubectl import AnswerError, UnreachableError, refusal

IMPATIENT = Patience(first=0.02, slowest=0.05, stuck=0.2, silent=0.5, late=0)
MANY = "i=0; while [ $i -lt 40 ]; do echo line $i; i=$((i+1)); done; sleep 0.3; python3 train.py"


def test_a_log_stream_that_is_cut_loses_no_line(project):
    project.cluster.pods.cut = 3
    project.policy["train"]["run"] = MANY
    project.train()
    lines = project.log.splitlines()
    assert lines[:40] == [f"line {number}" for number in range(40)]
    assert len(lines) == 41


def test_a_pod_that_is_gone_before_its_log_was_read(project):
    project.cluster.pods.vanishing = True
    (folder,) = project.train()
    assert (folder / "predictions.csv").exists()


@pytest.mark.parametrize("code", [503, 410, 429, 500][: extent.part(4, 1)])
@pytest.mark.parametrize("asked", ["POST .*/jobs", "GET .*/jobs/", "GET .*/pods[?]"])
def test_a_server_that_fails_for_a_moment(project, code, asked):
    project.cluster.faults.append(Fault(asked, code, times=1))
    (folder,) = project.train()
    assert (folder / "predictions.csv").exists()
    assert len(project.jobs) == 1


def test_a_socket_that_hangs(project):
    released = threading.Event()
    project.cluster.faults.append(Fault("GET .*/jobs/", times=1, hang=released))
    (folder,) = project.train(patience=Patience(first=0.02, slowest=0.1, answer=1))
    released.set()
    assert (folder / "predictions.csv").exists()


def test_a_cluster_that_stays_away_is_given_up_and_the_job_goes_on(project):
    project.policy["train"]["run"] = "sleep 60"
    project.cluster.faults.append(Fault("GET .*/pods[?]", 503))
    with pytest.raises(GatesError, match="kubectl: ") as caught:
        project.train(patience=IMPATIENT)
    assert caught.value.exit_code is Exit.OUTSIDE
    assert "The job goes on" in str(caught.value)
    assert len(project.jobs) == 1
    assert not any(line.startswith("DELETE") for line in project.cluster.asked)


NEVER = ("ErrImagePull", "InvalidImageName", "CreateContainerConfigError")


@pytest.mark.parametrize("reason", NEVER[: extent.part(3, 1)])
def test_an_image_that_never_comes_is_named_and_its_job_deleted(project, reason):
    project.cluster.pods.waiting = reason
    with pytest.raises(GatesError, match=f"can't start: {reason}: registry.example/churn@sha256") as caught:
        project.train(patience=IMPATIENT)
    assert caught.value.exit_code is Exit.INPUT
    assert not project.jobs


def test_a_job_that_stays_queued_is_stopped(project):
    project.policy["train"]["wait"] = "1s"
    project.cluster.pods.queued = "0/3 nodes are available: 3 Insufficient nvidia.com/gpu."
    with pytest.raises(GatesError, match=r"still queued after 1 second: 0/3 nodes .* nvidia.com/gpu") as caught:
        project.train()
    assert caught.value.exit_code is Exit.OUTSIDE
    assert not project.jobs


def test_a_job_that_does_not_end_is_stopped(project):
    project.policy["train"] |= {"timeout": "1s", "run": "sleep 60"}
    with pytest.raises(GatesError, match=r"did not end within 1 second|stopped after 1 s"):
        project.train(patience=IMPATIENT)


def test_evicted_twice_is_counted_and_no_failure(project):
    project.cluster.pods.evicted = 2
    (folder,) = project.train()
    facts = json.loads((folder / "launched.json").read_text())
    assert facts["interruptions"] == 2
    assert (folder / "predictions.csv").exists()


@pytest.mark.parametrize(
    ("run", "said"),
    [
        ("echo what is wrong >&2; exit 7", r"exit code 7; .*its last lines:\n  \| what is wrong"),
        ("true", "the command wrote nothing into"),
        ("ln -s /etc/passwd $GATES_OUT/predictions.csv", "a link or a special file"),
        ("mkfifo $GATES_OUT/pipe", "a link or a special file"),
        ("kill -9 $$", "exit code 137"),
        ("echo {} > $GATES_OUT/launched.json", "which gates itself writes"),
    ],
)
def test_a_training_that_fails_says_why(project, run, said):
    project.policy["train"]["run"] = run
    with pytest.raises(GatesError, match=said) as caught:
        project.train()
    assert caught.value.exit_code is Exit.INPUT


def test_an_output_that_is_not_the_job_s_own_is_refused(project, tmp_path):
    project.train()
    (tar,) = tmp_path.glob("store/runs/*/*/out.tar")
    tar.write_bytes(tar.read_bytes() + bytes(10240))
    with pytest.raises(GatesError, match="its digest differs"):
        project.train(project.session())


def test_a_store_that_can_t_be_written_is_known_before_the_work(project, tmp_path):
    started = tmp_path / "started"
    project.policy["train"]["run"] = f"touch {started}"
    store = tmp_path / "store"
    (store / "parcels").mkdir(parents=True)
    (store / "runs").write_text("in the way")
    with pytest.raises(GatesError, match=r"could not be written|can't head"):
        project.train()
    assert not started.exists()


DENIED = {
    "POST .*/jobs": "Forbidden",
    "GET .*/jobs[?]": "Forbidden",
    "GET .*/jobs/": "Forbidden",
    "GET .*/pods[?]": "Forbidden",
}


@pytest.mark.parametrize("asked", DENIED)
def test_what_the_cluster_forbids_is_said_at_once(project, asked):
    project.cluster.faults.append(Fault(asked, 403, reason="Forbidden"))
    with pytest.raises(GatesError, match="Forbidden") as caught:
        project.train()
    assert caught.value.exit_code is Exit.OUTSIDE
    assert "docs/kubernetes.md lists what gates asks for" in str(caught.value)
    assert not project.jobs


def test_logs_that_are_forbidden_stop_nothing(project):
    project.cluster.faults.append(Fault("GET .*/log[?]", 403, reason="Forbidden"))
    (folder,) = project.train()
    assert (folder / "predictions.csv").exists()


SIGNALS = {signal.SIGINT: 130, signal.SIGTERM: 143}
STEPS = {
    "while it runs": "GET .*/log",
    "while it is started": "POST .*/jobs",
    "while it is looked at": "GET .*/pods[?]",
}


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("step", list(STEPS)[: extent.part(3, 1)])
def test_a_signal_stops_the_jobs(project, number, step):
    project.policy["train"]["seeds"] = 2
    process = started(project, STEPS[step])
    process.send_signal(number)
    assert process.wait(60) == SIGNALS[number]
    project.cluster.wait(lambda: not project.cluster.of("jobs"))


def started(project, asked, run="sleep 60"):
    """Run `gates train` as a process, until it has asked the cluster for something."""
    project.policy["train"]["run"] = run
    project.write()
    process = subprocess.Popen(
        [sys.executable, "-m", "gates", "train", "--policy", str(project.root / "gates.yaml")],
        env={**clean_environment(), **project.environ},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    project.cluster.wait(lambda: any(re.search(asked, line) for line in project.cluster.asked))
    return process


@pytest.mark.parametrize("step", list(STEPS)[: extent.part(3, 1)])
def test_after_a_kill_the_next_launch_follows_the_same_job(project, step):
    flag = project.cluster.folder / "go"
    process = started(project, STEPS[step], f"while [ ! -e {flag} ]; do sleep 0.05; done; python3 train.py")
    process.kill()
    process.wait(60)
    flag.touch()
    done = project.gates("train")
    assert done.code == 0, done.err
    assert len(project.jobs) == 1
    assert (project.root / ".gates" / "candidate" / "predictions.csv").exists()


SAID = {
    'Error from server (AlreadyExists): jobs "x" already exists': ("AlreadyExists", Exit.OUTSIDE),
    'Error from server (Forbidden): jobs.batch is forbidden: User "u" cannot list resource': (
        "Forbidden",
        Exit.OUTSIDE,
    ),
    "error: You must be logged in to the server (Unauthorized)": ("Unauthorized", Exit.OUTSIDE),
    'Error from server (BadRequest): strict decoding error: unknown field "spec.parralelism"': ("Invalid", Exit.INPUT),
    'The Job "x" is invalid: spec.template: Required value': ("Invalid", Exit.INPUT),
    'error: the server doesn\'t have a resource type "rayjobs"': ("NoKind", Exit.OUTSIDE),
    'error: no matches for kind "RayJob" in version "ray.io/v1"': ("NoKind", Exit.OUTSIDE),
    "Unable to connect to the server: net/http: TLS handshake timeout": (None, Exit.OUTSIDE),
    "The connection to the server localhost:8080 was refused": (None, Exit.OUTSIDE),
    "Error from server: etcdserver: leader changed": (None, Exit.OUTSIDE),
    "": (None, Exit.OUTSIDE),
}


@pytest.mark.parametrize("said", SAID)
def test_what_kubectl_s_words_mean(said):
    """An answer is final; whatever else it is, it may be gone at the next call."""
    error, (reason, code) = refusal(said), SAID[said]
    assert isinstance(error, AnswerError if reason else UnreachableError)
    assert getattr(error, "reason", None) == reason
    assert error.exit_code is code


def test_without_kubectl_it_is_said(project):
    done = project.gates("jobs", PATH="/nowhere")
    assert (done.code, "kubectl: can't be started" in done.err) == (3, True)
