"""An MLflow as teams run it: a process of its own with logins and rights, on PostgreSQL where that is installed. What
`gates status` reads without MLflow is what MLflow reads."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from pytest_httpserver import HTTPServer
from test_mlflow_pages import with_model
from worlds import World

from gates.errors import Exit, GatesError
from gates.registry.address import MLflowAddress
from gates.registry.mlflow import MLflowRegistry
from gates.registry.server import ServerRegistry

pytestmark = pytest.mark.usefixtures("forked_children")
ADMIN, PASSWORD = "admin", "of the tests, 42"
PEOPLE = {"reader": "READ", "promoter": "EDIT"}
PATIENCE = 120  # seconds, for what never comes


@dataclass(frozen=True)
class Team:
    """A server, and how people log in to it."""

    url: str

    def env(self, user: str, password: str = PASSWORD) -> dict[str, str]:
        """What a workflow's secret holds: one token."""
        return {"MLFLOW_TRACKING_URI": self.url, "MLFLOW_TRACKING_TOKEN": f"{user}:{password}"}

    def ask(self, method: str, path: str, body: dict[str, str]) -> requests.Response:
        return requests.request(method, f"{self.url}/api/{path}", json=body, auth=(ADMIN, PASSWORD), timeout=PATIENCE)


def free_port() -> int:
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return int(opened.getsockname()[1])


def wait(ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        if ready():
            return
        time.sleep(0.1)
    raise RuntimeError(f"{process.args} ended with {process.poll()}: {log.read_text()[-2000:]}")


@contextmanager
def running(folder: Path, name: str, command: list[str], ready: Callable[[], bool], **env: str) -> Iterator[None]:
    log = folder / f"{name}.log"
    with (
        log.open("wb") as out,
        subprocess.Popen(
            command, stdout=out, stderr=out, env=os.environ | env, cwd=folder, start_new_session=True
        ) as process,
    ):
        try:
            wait(ready, process, log)
            yield
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    folder, port = tmp_path_factory.mktemp("team"), free_port()
    url = f"http://127.0.0.1:{port}"
    (folder / "auth.ini").write_text(
        f"[mlflow]\ndefault_permission = NO_PERMISSIONS\ndatabase_uri = sqlite:///{folder}/auth.db\n"
        f"admin_username = {ADMIN}\nadmin_password = {PASSWORD}\n"
        "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
    )

    def answers() -> bool:
        try:
            return requests.get(f"{url}/health", timeout=PATIENCE).status_code == 200
        except requests.ConnectionError:
            return False

    command = [
        sys.executable,
        "-m",
        "mlflow",
        "server",
        "--app-name",
        "basic-auth",
        "--port",
        str(port),
        "--workers",
        "1",
    ]
    command += [
        "--backend-store-uri",
        f"sqlite:///{folder}/mlflow.db",
        "--artifacts-destination",
        str(folder / "files"),
    ]
    secrets = {"MLFLOW_AUTH_CONFIG_PATH": str(folder / "auth.ini"), "MLFLOW_FLASK_SERVER_SECRET_KEY": "of the tests"}
    with running(folder, "mlflow", command, answers, **secrets):
        made = Team(url)
        for user in PEOPLE:
            made.ask("POST", "2.0/mlflow/users/create", {"username": user, "password": PASSWORD}).raise_for_status()
        yield made


@pytest.fixture
def promoted(world: World, team: Team) -> World:
    """A model that the administrator promoted, which others have their rights to."""
    with_model(world, model="churn")
    for command in ("run", "promote"):
        done = world.run(command, **team.env(ADMIN))
        assert done.code == 0, done.out + done.err
    return world


def opened(team: Team, user: str, monkeypatch: pytest.MonkeyPatch, root: Path) -> tuple[ServerRegistry, MLflowRegistry]:
    """The server by its own interface, and by MLflow."""
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", user)
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", PASSWORD)
    monkeypatch.delenv("MLFLOW_TRACKING_TOKEN", raising=False)
    address = MLflowAddress(team.url, team.url)
    return ServerRegistry(address, lambda: pytest.fail("MLflow was asked")), MLflowRegistry(team.url, root)


@pytest.mark.slow
def test_a_team_promotes_and_reads_with_its_rights(
    promoted: World, team: Team, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server, mlflow = opened(team, ADMIN, monkeypatch, tmp_path)
    assert server.at("churn", "champion") == mlflow.at("churn", "champion") == "1"
    assert server.at("churn", "shadow") is mlflow.at("churn", "shadow") is None
    assert server.at("another", "champion") is mlflow.at("another", "champion") is None
    digest = promoted.records()[-1]["after"]["digest"]
    assert server.stored("churn", "1") == mlflow.stored("churn", "1") == digest
    assert server.stored("churn", "7") is mlflow.stored("churn", "7") is None

    for user, password, word in (("reader", PASSWORD, "login is refused"), ("reader", "wrong", "login is refused")):
        done = promoted.run("status", **team.env(user, password))
        assert done.code == 3, done.out + done.err  # no right to this model, or no login at all
        assert word in done.err
        assert password not in done.out + done.err
    experiment = team.ask("GET", "2.0/mlflow/experiments/get-by-name?experiment_name=churn", {}).json()["experiment"]
    for user, right in PEOPLE.items():
        for kind, name in (("registered_model", "churn"), ("experiment", experiment["experiment_id"])):
            grant = {"resource_type": kind, "resource_id": name, "permission": right, "username": user}
            told = team.ask("POST", "3.0/mlflow/users/permissions/grant", grant)
            assert told.ok, told.text
    status = promoted.run("status", **team.env("reader"))
    assert (status.code, "version 1" in status.out) == (0, True), status.out + status.err

    (promoted.root / "made" / "notes.txt").write_text("trained on a Tuesday")
    judged = promoted.run("run", **team.env("reader"))
    assert judged.code == 0, judged.out + judged.err
    refused = promoted.run("promote", **team.env("reader"))
    assert refused.code == 3, refused.out + refused.err
    assert "Traceback" not in refused.err
    assert promoted.run("status", "--json", **team.env("reader")).code == 0, "nothing moved"
    done = promoted.run("promote", **team.env("promoter"))
    assert done.code == 0, done.out + done.err
    assert "version 2" in promoted.run("status", **team.env("reader")).out


@pytest.mark.parametrize("refusal", [500, 404])
def test_a_server_that_is_none_is_told(refusal: int, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/api/2.0/mlflow/registered-models/alias").respond_with_data("<h1>no</h1>", refusal)
    url = httpserver.url_for("").rstrip("/")
    registry = ServerRegistry(MLflowAddress(url, url), lambda: pytest.fail("MLflow was asked"))
    with pytest.raises(GatesError, match=f"{refusal} is the answer") as told:
        registry.at("churn", "champion")
    assert told.value.exit_code is Exit.OUTSIDE


def test_a_file_cannot_leave_its_folder(httpserver: HTTPServer) -> None:
    version = {"model_version": {"source": "mlflow-artifacts:/1/x", "run_id": ""}}
    api = "/api/2.0/mlflow"
    httpserver.expect_request(f"{api}/model-versions/get").respond_with_json(version)
    httpserver.expect_request(f"{api}/model-versions/get-download-uri").respond_with_json(
        {"artifact_uri": "mlflow-artifacts:/1/x"}
    )
    files = {"files": [{"path": "..", "is_dir": True}]}
    httpserver.expect_request(f"{api}-artifacts/artifacts").respond_with_json(files)
    url = httpserver.url_for("").rstrip("/")
    with pytest.raises(GatesError, match="names a file"):
        ServerRegistry(MLflowAddress(url, url), lambda: pytest.fail("MLflow was asked")).stored("churn", "1")
