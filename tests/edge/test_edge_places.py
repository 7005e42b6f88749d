"""Where things are and where gates runs, whatever the current folder and the system."""

from __future__ import annotations

import os
import socket
import sys
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from edge_project import Project, call, pull_request

from gates.checkout.workspace import Workspace
from gates.errors import Exit, GatesError
from gates.pipeline.session import Session
from gates.registry import address
from gates.registry.address import rooted
from gates.registry.mlflow import MLflowRegistry
from gates.registry.mlflow_calls import calling
from gates.system import files
from gates.system.progress import Steps

ROOT = Path(__file__).parents[2]

ADDRESSES = {
    "sqlite:///mlflow.db": "sqlite:////policy/mlflow.db",
    "sqlite:///../shared/mlflow.db": "sqlite:////policy/../shared/mlflow.db",
    "sqlite:////srv/mlflow.db": "sqlite:////srv/mlflow.db",
    "sqlite:///:memory:": "sqlite:///:memory:",
    "mlruns": "/policy/mlruns",
    "./mlruns": "/policy/mlruns",
    "/srv/mlruns": "/srv/mlruns",
    "file:mlruns": "/policy/mlruns",
    "file:///srv/mlruns": "file:///srv/mlruns",
    "https://mlflow.example": "https://mlflow.example",
    "http://u:p@127.0.0.1:5000": "http://u:p@127.0.0.1:5000",
    "postgresql+psycopg2://db/mlflow": "postgresql+psycopg2://db/mlflow",
    "databricks": "databricks",
    "databricks-uc": "databricks-uc",
    "uc:http://127.0.0.1:8080": "uc:http://127.0.0.1:8080",
    "databricks-uc:profile": "databricks-uc:profile",
}


@pytest.mark.parametrize(("written", "meant"), ADDRESSES.items())
def test_a_relative_registry_starts_at_the_policy(
    written: str, meant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in (tmp_path, Path("/")):
        monkeypatch.chdir(folder)
        assert rooted(written, Path("/policy")) == meant


@pytest.mark.parametrize("command", ["run", "check", "promote", "status", "verify", "doctor", "schema", "--help"])
@pytest.mark.parametrize("lacking", ["O_NOFOLLOW", "killpg"])
def test_on_windows_every_command_says_so(command: str, lacking: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, lacking)
    done = call(command)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("gates: runs on Linux and macOS. On Windows use it inside WSL")


# -- a registry that does not answer, or wants what is not here --


@contextmanager
def server(status: int) -> Iterator[str]:
    """A registry that answers everything with one status."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            pass

    made = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=made.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{made.server_port}"
    finally:
        made.shutdown()
        made.server_close()


@pytest.mark.parametrize(("status", "wants"), [(200, False), (401, True), (403, True), (404, False), (500, False)])
def test_whether_a_registry_wants_a_credential(status: int, wants: bool) -> None:
    with server(status) as uri:
        assert address.refuses(uri, {}) is wants
        assert address.refuses(uri, {"MLFLOW_TRACKING_TOKEN": "x"}) is False  # then it is asked, and says no by itself
        address.reached(uri)  # an answer of any kind is one


def test_a_registry_that_is_not_there_is_told_soon() -> None:
    with socket.socket() as taken:  # bound, and nobody listens
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(GatesError, match="does not answer, asked 3 times: it refuses") as caught:
            MLflowRegistry(f"http://user:hush@127.0.0.1:{taken.getsockname()[1]}", Path("/nonexistent"))
    assert caught.value.exit_code is Exit.OUTSIDE
    assert "MLFLOW_TRACKING_URI" in str(caught.value)
    assert "hush" not in str(caught.value)
    longest = [address.PAUSE * (2**before + 1) for before in range(address.TRIES - 1)]
    assert sum(address.PATIENCE) * address.TRIES + sum(longest) < 60


@pytest.mark.parametrize(
    ("event", "fork", "status", "apart"),
    [
        ("pull_request", True, 401, True),
        ("pull_request", True, 200, False),  # whoever may ask it without a credential compares
        ("pull_request", False, 401, False),  # our own run: that is an error, and never «no champion»
        ("push", False, 401, False),
    ],
)
def test_a_forks_run_is_judged_without_a_registry_that_wants_a_credential(
    project: Project, event: str, fork: bool, status: int, apart: bool
) -> None:
    project.ready()
    with server(status) as uri:
        environ = pull_request(project, "http://127.0.0.1:1", head="a" * 40, base="b" * 40, fork=fork)
        environ |= {"GITHUB_EVENT_NAME": event, "MLFLOW_TRACKING_URI": uri}
        if event == "push":
            Path(environ["GITHUB_EVENT_PATH"]).write_text('{"before": "' + "b" * 40 + '"}')
        session = Session(
            workspace=Workspace(policy=project.root / "gates.yaml"), steps=Steps(sys.stderr), environ=environ,
            today="2027-01-01",
        )  # fmt: skip
        assert bool(session.unreachable) is apart


@pytest.mark.parametrize(
    ("module", "extra"), [("botocore", "s3"), ("boto3", "s3"), ("google.cloud", "gcs"), ("azure.storage.blob", "azure")]
)
def test_a_store_whose_client_is_missing_names_the_extra(module: str, extra: str) -> None:
    with pytest.raises(GatesError) as caught, calling("keep the model"):
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)
    assert f"{module} is not installed" in str(caught.value)
    assert f"pip install 'gates-ml[{extra}]'" in str(caught.value)
    assert caught.value.exit_code is Exit.OUTSIDE
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert extra in extras


def test_what_a_client_of_a_store_raises_is_told() -> None:
    class NoCredentialsError(Exception):
        __module__ = "botocore.exceptions"

    with pytest.raises(GatesError, match="Unable to locate credentials"), calling("keep the model"):
        raise NoCredentialsError("Unable to locate credentials")
    with pytest.raises(ZeroDivisionError), calling("keep the model"):  # the control: our own mistakes are not hidden
        raise ZeroDivisionError


def test_a_folder_that_can_not_be_written_is_told(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.ready()

    def refuse(path: Path, _: bytes) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(files, "write", refuse)
    done = project.gates("run")
    assert done.code == 2
    assert ".gates: can't be written: Permission denied" in done.err
    assert "unforeseen" not in done.err
