"""Artifacts in a store that clients go to themselves: S3's own protocol, and how credentials get to the clients."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from mlflow import MlflowClient
from moto.server import ThreadedMotoServer
from pytest_httpserver import HTTPServer

from gates.errors import Exit, GatesError
from gates.registry.credentials import GIVEN, log_in
from gates.registry.mlflow import MLflowRegistry
from gates.system import identity
from gates.system.files import folder_digest
from gates.system.identity import GOOGLE_FILE as GOOGLE

KEYS = {"AWS_ACCESS_KEY_ID": "reader", "AWS_SECRET_ACCESS_KEY": "s3cret", "AWS_DEFAULT_REGION": "us-east-1"}


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The address of a server that speaks S3, with one bucket."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    login = {name.lower(): value for name, value in KEYS.items() if name != "AWS_DEFAULT_REGION"}
    client = boto3.client("s3", endpoint_url=address, region_name="us-east-1", **login)
    client.create_bucket(Bucket="models")
    yield address
    server.stop()


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No credential of whoever runs the tests, and no machine that could be asked for one."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "AZURE_", "GOOGLE_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, os.devnull)


KEEP = """
import sys
from pathlib import Path
from gates.errors import GatesError
from gates.registry.mlflow import MLflowRegistry

uri, folder = sys.argv[1], Path(sys.argv[2])
try:
    registry = MLflowRegistry(uri, folder)
    kept = registry.keep("churn", folder / "candidate", folder / "predictions.csv", "churn-1")
    version = registry.register("churn", kept, {})
    registry.move("churn", "champion", version)
    print(registry.stored("churn", version), registry.kept("churn", kept))
except GatesError as error:
    print(error)
    sys.exit(error.exit_code)
"""


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize(
    "given",
    [
        pytest.param("\n".join(f"{name}={value}" for name, value in KEYS.items()), id="given"),
        pytest.param("", id="none", marks=pytest.mark.slow),
    ],
)
def test_a_model_is_kept_in_s3_and_read_back_with_the_credentials_of_a_workflows_secret(
    tmp_path: Path, s3: str, given: str
) -> None:
    candidate = tmp_path / "candidate"
    candidate.mkdir()
    (candidate / "model.bin").write_bytes(b"weights")
    (tmp_path / "predictions.csv").write_text("id,score\n1,0.5\n")
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    MlflowClient(tracking_uri=uri).create_experiment("churn", f"s3://models/{tmp_path.name}")
    environ = {**os.environ, "MLFLOW_S3_ENDPOINT_URL": s3, GIVEN: given}
    done = subprocess.run(
        [sys.executable, "-c", KEEP, uri, str(tmp_path)], env=environ, capture_output=True, text=True, check=False
    )
    if given:
        whole = folder_digest(candidate)
        assert (done.returncode, done.stdout.split()) == (0, [whole, whole]), done.stderr
    else:  # without them the store's own reason is told
        assert done.returncode == Exit.OUTSIDE
        assert "redentials" in done.stdout
    assert "s3cret" not in done.stdout + done.stderr


@pytest.mark.usefixtures("alone")
@pytest.mark.skipif(sys.platform != "linux", reason="files in memory are Linux's")
def test_a_role_opens_the_store_by_the_jobs_own_identity(
    s3: str, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AWS's own client exchanges the token, at a server that speaks its protocol."""
    httpserver.expect_request("/token").respond_with_json({"value": "header.body.signature"})
    monkeypatch.setenv(identity.URL, httpserver.url_for("/token"))
    monkeypatch.setenv(identity.TOKEN, "ask")
    lines = ("AWS_ROLE_ARN=arn:aws:iam::123456789012:role/reader", f"AWS_ENDPOINT_URL_STS={s3}", "AWS_REGION=us-east-1")
    environ = {**os.environ, GIVEN: "\n".join(lines)}
    log_in(environ)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    session = boto3.Session(region_name="us-east-1")
    assert session.get_credentials().method == "assume-role-with-web-identity"
    listed = session.client("s3", endpoint_url=s3).list_buckets()["Buckets"]
    assert [bucket["Name"] for bucket in listed] == ["models"]


def test_each_line_goes_where_its_client_looks_and_the_whole_is_seen_by_nobody_else() -> None:
    environ = {GIVEN: "# ours\n\n AWS_ACCESS_KEY_ID=a=b \nAZURE_STORAGE_CONNECTION_STRING=x;y=z\n", "PATH": "/bin"}
    log_in(environ)
    assert environ == {"AWS_ACCESS_KEY_ID": "a=b", "AZURE_STORAGE_CONNECTION_STRING": "x;y=z", "PATH": "/bin"}


@pytest.mark.skipif(sys.platform != "linux", reason="files in memory are Linux's")
def test_googles_json_becomes_a_file_that_lies_on_no_disk() -> None:
    environ = {GIVEN: GOOGLE + '={"type": "service_account"}'}
    log_in(environ)
    for _ in range(2):  # read again and again
        assert Path(environ[GOOGLE]).read_text() == '{"type": "service_account"}'
    assert os.readlink(environ[GOOGLE]).startswith("/memfd:")


@pytest.mark.parametrize(
    ("text", "number"),
    [("AKIA123", 1), ("AWS_ACCESS_KEY_ID=", 1), ("# x\nPATH=/evil", 2), ("LD_PRELOAD=x.so", 1), ("aws_key=x", 1),
     ("AWS_ACCESS_KEY_ID=ok\nGITHUB_TOKEN=ghp_x", 2)],
)  # fmt: skip
def test_a_line_that_is_none_is_named_by_its_number_and_never_quoted(text: str, number: int) -> None:
    environ = {GIVEN: text}
    with pytest.raises(GatesError) as caught:
        log_in(environ)
    assert f"line {number} " in str(caught.value)
    assert caught.value.exit_code is Exit.INPUT
    assert not any(word in str(caught.value) for word in ("AKIA123", "/evil", "x.so", "ghp_x"))
    assert environ == {}


def test_without_any_nothing_changes(tmp_path: Path) -> None:
    before = dict(os.environ)
    MLflowRegistry(f"sqlite:///{tmp_path / 'mlflow.db'}", tmp_path)
    assert dict(os.environ) == before
