"""Traces: a command's spans are sent where the environment asks for it, and no endpoint changes how a command ends."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from collector import FAILED, INTERNAL, UNSET, Received, attributes, collector
from edge_project import COPY, Project, call, clean_environment, table
from opentelemetry.semconv._incubating.attributes import cicd_attributes as cicd
from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE

from gates.errors import GatesError
from gates.system import sandbox
from gates.system.telemetry import spans

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
NAME, ID = cicd.CICD_PIPELINE_TASK_NAME, cicd.CICD_PIPELINE_TASK_RUN_ID
RESULT, URL = cicd.CICD_PIPELINE_TASK_RUN_RESULT, cicd.CICD_PIPELINE_TASK_RUN_URL_FULL
GITHUB = {
    "GITHUB_ACTIONS": "true", "GITHUB_SERVER_URL": "https://github.example", "GITHUB_REPOSITORY": "acme/churn",
    "GITHUB_RUN_ID": "77", "GITHUB_RUN_ATTEMPT": "2", "GITHUB_JOB": "model",
}  # fmt: skip
SAY = "env -0 > environment; " + COPY


def environment(project: Project) -> dict[str, str]:
    entries = (project.root / "environment").read_text().split("\0")
    return dict(entry.split("=", 1) for entry in entries if entry)


def told(received: Received) -> dict[str, str]:
    return attributes(received.root)


def test_a_command_and_its_steps_are_spans(project: Project) -> None:
    project.ready(train={"run": SAY})
    with collector() as received:
        done = project.gates("run", OTEL_EXPORTER_OTLP_ENDPOINT=received.address, TRACEPARENT=PARENT)
    assert done.code == 0, done.err
    assert received.scopes == {"gates"}, "neither MLflow nor anybody else sends theirs through ours"
    assert received.resources[0]["service.name"] == "gates"
    assert received.headers[0]["path"] == "/v1/traces"
    root, training = received.root, received.named("train")
    assert root.trace_id.hex() == training.trace_id.hex() == "0af7651916cd43dd8448eb211c80319c"
    assert root.parent_span_id.hex() == "b7ad6b7169203331"
    assert training.parent_span_id == root.span_id
    assert root.start_time_unix_nano <= training.start_time_unix_nano < training.end_time_unix_nano
    assert training.end_time_unix_nano <= root.end_time_unix_nano
    assert {one.kind for one in received.spans} == {INTERNAL}
    assert {one.status.code for one in received.spans} == {UNSET}
    assert told(received) == {
        NAME: "gates run", ID: root.span_id.hex(), RESULT: "success", "gates.verdict": "pass"
    }  # fmt: skip
    assert attributes(training) == {NAME: "train", ID: training.span_id.hex(), RESULT: "success"}
    assert len({one.span_id for one in received.spans}) == len(received.spans)
    seen = environment(project)
    assert seen["TRACEPARENT"] == f"00-{root.trace_id.hex()}-{training.span_id.hex()}-01", "the training may go on"


VERDICTS = {  # verdict -> the limit, the result, the exit code
    "pass": (0.6, "success", 0),
    "inconclusive": (None, "success", 0),
    "fail": (0.99, "failure", 1),
}


@pytest.mark.parametrize("verdict", VERDICTS)
def test_a_verdict_is_told_and_becomes_a_result(project: Project, verdict: str) -> None:
    limit, result, code = VERDICTS[verdict]
    rows = table(200)
    if limit is None:
        project.ready(rows)
        project.gates("run")
        limit = project.decision["gates"][0]["candidate"]["value"]
    project.ready(rows, gates=[{"metric": "roc_auc", "min": limit}])
    with collector() as received:
        done = project.gates("run", OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"{received.address}/own")
    assert done.code == code, done.err
    root = told(received)
    assert (root["gates.verdict"], root[RESULT]) == (verdict, result)
    assert root.get(ERROR_TYPE) == (project.decision["code"] if code else None)
    assert received.root.status.code == (FAILED if code else UNSET)
    assert received.headers[0]["path"] == "/own"


def test_on_github_the_run_is_named(project: Project) -> None:
    project.ready()
    with collector() as received:
        done = project.gates("check", OTEL_EXPORTER_OTLP_ENDPOINT=received.address, **GITHUB)
    assert done.code == 0, done.err
    assert told(received)[URL] == "https://github.example/acme/churn/actions/runs/77/attempts/2"
    assert told(received)[ID] == f"77/2/model/{received.root.span_id.hex()}"


def test_an_error_has_a_type_and_no_words(project: Project) -> None:
    project.ready(train={"run": "echo s3cret >&2; exit 7"})
    with collector() as received:
        done = project.gates("run", OTEL_EXPORTER_OTLP_ENDPOINT=received.address)
    assert done.code == 2
    assert told(received)[RESULT] == attributes(received.named("train"))[RESULT] == "error"
    assert told(received)[ERROR_TYPE] == "GatesError"
    assert "s3cret" not in str(received.spans)


def test_an_error_of_the_decision_is_told_by_its_code(project: Project) -> None:
    project.ready(gates=[{"require": "train.nothing >= 1"}])
    with collector() as received:
        done = project.gates("run", OTEL_EXPORTER_OTLP_ENDPOINT=received.address)
    assert (done.code, project.decision["code"]) == (2, "missing_fact"), done.err
    root = told(received)
    assert (root["gates.verdict"], root[RESULT], root[ERROR_TYPE]) == ("error", "error", "missing_fact")


def test_usage_and_unknown_commands_are_errors_without_their_text(project: Project) -> None:
    project.ready()
    with collector() as received:
        done = project.gates("s3cret", OTEL_EXPORTER_OTLP_ENDPOINT=received.address)
    assert done.code == 2
    assert (received.root.name, told(received)[ERROR_TYPE]) == ("gates", "NoSuchCommand")


def test_help_is_no_task() -> None:
    with collector() as received:
        done = call("--help", env={"OTEL_EXPORTER_OTLP_ENDPOINT": received.address})
    assert (done.code, received.headers) == (0, [])


@pytest.mark.parametrize(
    "parent",
    ["", "x", "00-0-0-01", PARENT.upper(), PARENT + "-more", "ff" + PARENT[2:], PARENT + "\n",
     PARENT.replace("b7ad6b7169203331", "0" * 16), "00-" + "0" * 32 + PARENT[35:]],
)  # fmt: skip
def test_a_malformed_parent_makes_a_root(project: Project, parent: str) -> None:
    project.ready()
    with collector() as received:
        done = project.gates("check", OTEL_EXPORTER_OTLP_ENDPOINT=received.address, TRACEPARENT=parent)
    assert done.code == 0
    assert not received.root.parent_span_id


@pytest.mark.parametrize(
    "off",
    [
        {"OTEL_SDK_DISABLED": "true"},
        {"OTEL_TRACES_EXPORTER": "none"},
        {"TRACEPARENT": PARENT[:-1] + "0"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
    ],
)
def test_nothing_is_sent_where_somebody_says_no(project: Project, off: dict[str, str]) -> None:
    project.ready(train={"run": SAY})
    with collector() as received:
        done = project.gates("run", **({"OTEL_EXPORTER_OTLP_ENDPOINT": received.address} | off))
    assert (done.code, received.headers) == (0, [])
    assert environment(project).get("TRACEPARENT") == off.get("TRACEPARENT"), "handed on as it came"


def ended(project: Project, **env: str) -> tuple[int, str, str]:
    """How a run ended: its code, what it printed, and its complaints."""
    done = project.gates("run", "--json", **env)
    return done.code, done.out, done.complaint


def test_no_endpoint_changes_how_a_command_ends(project: Project) -> None:
    """Each is compared with a run that asks for no trace. The one that hangs answers only after all have ended."""
    project.ready(gates=[{"metric": "roc_auc", "min": 0.99}])
    code, out, complaint = ended(project)
    assert code == 1
    line = "gates: the trace was not sent: "
    hang = threading.Event()
    with collector(403) as refusing, collector(503) as failing, collector(hang=hang) as hanging:
        endpoints = {
            "nobody": "http://127.0.0.1:1", "refuses": refusing.address, "fails": failing.address,
            "hangs": hanging.address, "no address": "s3cret://", "unresolved": "http://user:s3cret@nowhere.invalid",
        }  # fmt: skip
        for name, endpoint in endpoints.items():
            found = ended(project, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, OTEL_EXPORTER_OTLP_HEADERS="key=s3cret")
            assert found[:2] == (code, out), name
            assert [one for one in found[2].splitlines() if one not in complaint.splitlines()] != [], name
            (extra,) = (one for one in found[2].splitlines() if one not in complaint.splitlines())
            assert extra.startswith(line), name
            assert not any(word in found[2] for word in ("s3cret", "SECRET", "Traceback")), name
    grpc = ended(project, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1", OTEL_EXPORTER_OTLP_PROTOCOL="grpc")
    assert (grpc[0], "http/protobuf" in grpc[2]) == (code, True)
    with collector() as received:
        good = ended(project, OTEL_EXPORTER_OTLP_ENDPOINT=received.address, OTEL_EXPORTER_OTLP_HEADERS="key=s3cret")
    assert good == (code, out, complaint), "and one that works says nothing"
    assert received.headers[0]["key"] == "s3cret"


def test_an_endpoint_that_never_ends_its_answer_is_left_behind(project: Project) -> None:
    """In a process of its own, as somebody still waits for the answer when it ends."""
    project.ready()
    over = threading.Event()

    def dribble(listening: socket.socket) -> None:
        there, _ = listening.accept()
        there.recv(1 << 16)
        there.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while not over.wait(0.2):
            there.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=dribble, args=(listening,), daemon=True).start()
        command = [sys.executable, "-m", "gates", "check", "--policy", str(project.root / "gates.yaml")]
        endpoint = f"http://127.0.0.1:{listening.getsockname()[1]}"
        environment = clean_environment(OTEL_EXPORTER_OTLP_ENDPOINT=endpoint)
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        over.set()
    assert (done.returncode, done.stdout.count("no mistakes")) == (0, 1)
    assert done.stderr.splitlines()[-1].startswith("gates: the trace was not sent: the endpoint took longer than")
    assert "Traceback" not in done.stderr
    assert "Fatal" not in done.stderr


def test_without_the_extra_the_command_goes_on(project: Project, tmp_path: Path) -> None:
    project.ready()
    (tmp_path / "opentelemetry").mkdir()
    (tmp_path / "opentelemetry/__init__.py").write_text("")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); sys.argv = ['gates', 'check']\n"
    code += "from gates.cli import main; main()"
    done = project.python(code, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1")
    assert done.returncode == 0, done.stderr
    assert 'pip install "gates-ml[observe]"' in done.stderr


def test_a_training_sees_no_endpoint_and_no_header(project: Project) -> None:
    project.ready(train={"run": SAY})
    secret = {"OTEL_EXPORTER_OTLP_HEADERS": "key=s3cret", "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "key=s3cret"}
    with collector() as received:
        done = project.gates("run", OTEL_EXPORTER_OTLP_ENDPOINT=received.address, **secret)
    assert done.code == 0
    assert [name for name in environment(project) if name.startswith("OTEL_")] == []
    assert "s3cret" not in str(environment(project))
    for name in (*secret, "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_CLIENT_KEY"):
        with pytest.raises(GatesError, match="a training gets none"):
            sandbox.without_secrets(secret, [name])


def test_mlflow_sends_nothing_of_its_own(registered: Project) -> None:
    """A promotion into MLflow, whose library has tracers of its own."""
    registered.ready()
    with collector() as received:
        for command in ("run", "promote"):
            done = registered.gates(command, OTEL_EXPORTER_OTLP_ENDPOINT=received.address)
            assert done.code == 0, done.err
    assert received.scopes == {"gates"}
    assert {one["path"] for one in received.headers} == {"/v1/traces"}, "no metrics either"
    assert len(received.headers) == 2, "one request a command"
    assert {one.name for one in received.spans} >= {"gates run", "gates promote", "train", "promote"}


def test_nothing_is_remembered_without_an_endpoint() -> None:
    sent: list[spans.TaskTrace] = []
    with spans.traced("gates run", {}, sent.append), spans.span("train"):
        assert spans.carried() == {}
    assert sent == []
    with spans.traced("gates run", {"OTEL_EXPORTER_OTLP_ENDPOINT": "x"}, sent.append), spans.span("train"):
        assert spans.carried()
    assert [one.name for one in sent[0].spans] == ["gates run", "train"]


def test_results_follow_the_exit_code() -> None:
    def result(error: BaseException) -> tuple[str, str]:
        sent: list[spans.TaskTrace] = []
        with pytest.raises(type(error)), spans.traced("gates", {"OTEL_EXPORTER_OTLP_ENDPOINT": "x"}, sent.append):
            raise error
        return sent[0].spans[0].result, sent[0].spans[0].error

    expected = {0: "success", None: "success", 1: "failure", 2: "error", 3: "error", 130: "cancellation",
                143: "cancellation", 77: "error"}  # fmt: skip
    assert {code: result(SystemExit(code))[0] for code in expected} == expected
    assert result(KeyboardInterrupt()) == ("cancellation", "KeyboardInterrupt")
    assert result(ValueError("s3cret")) == ("error", "ValueError")


def test_a_trace_of_a_command_is_json_for_nobody_else(project: Project) -> None:
    """What is printed stays one document."""
    project.ready()
    with collector() as received:
        done = project.gates("check", "--json", OTEL_EXPORTER_OTLP_ENDPOINT=received.address)
    assert json.loads(done.out)["model"] == "churn"
