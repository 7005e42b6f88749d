"""Credentials as lines of a secret, and roles that are exchanged for a job's own identity."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from edge_project import Project
from hypothesis import given
from hypothesis import strategies as st
from pytest_httpserver import HTTPServer

from gates.checkout.workspace import Workspace
from gates.errors import Exit, GatesError
from gates.measure.holdout.models import ModelOutput
from gates.measure.measurement import Measurement
from gates.registry.credentials import GIVEN, log_in
from gates.system import credential_names, identity
from gates.system.fetching import GIVEN as FOR_FETCH
from gates.system.fetching import fetch
from gates.system.sandbox import ALLOWED, RUNNER_FILES, without_secrets

PAGE = Path(__file__).parents[2] / "docs/credentials.md"
_STEERING = """PATH HOME SHELL IFS ENV BASH_ENV LD_PRELOAD LD_LIBRARY_PATH LD_AUDIT PYTHONPATH PYTHONSTARTUP PYTHONHOME
NODE_OPTIONS GIT_SSH_COMMAND GIT_CONFIG_COUNT HTTPS_PROXY REQUESTS_CA_BUNDLE AWS_CONFIG_FILE AWS_PROFILE
AWS_SHARED_CREDENTIALS_FILE GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES MLFLOW_TRACKING_URI MLFLOW_REGISTRY_URI
MLFLOW_ALLOW_PICKLE_DESERIALIZATION MLFLOW_TRACKING_AUTH MLFLOW_TRACKING_INSECURE_TLS MLFLOW_S3_IGNORE_TLS
DATABRICKS_CONFIG_FILE DATABRICKS_CLI_PATH GITHUB_TOKEN GITHUB_ENV ACTIONS_ID_TOKEN_REQUEST_URL GATES_LEDGER"""
STEERING = _STEERING.split()
VALUE = "s3cret-that-nobody-may-see"
ROLE = "AWS_ROLE_ARN=arn:aws:iam::1:role/reader\n"


@pytest.fixture
def job(httpserver: HTTPServer) -> dict[str, str]:
    """What a job sees that may ask GitHub for its identity; a token says for whom it is."""

    def token(request: Any) -> Any:
        from werkzeug import Response

        known = request.headers.get("Authorization") == "bearer ask-with-this" and request.args["api-version"] == "2"
        audience = request.args.get("audience")
        return Response(json.dumps({"value": f"token for {audience}"}), 200 if known else 401)

    httpserver.expect_request("/token").respond_with_handler(token)
    return {identity.URL: httpserver.url_for("/token?api-version=2"), identity.TOKEN: "ask-with-this"}


@given(st.text(st.characters(codec="ascii", exclude_characters="=\r\n#"), max_size=40) | st.sampled_from(STEERING))
def test_a_line_can_set_nothing_but_a_clients_own_variable(name: str) -> None:
    environ = {GIVEN: f"AWS_REGION=x\n{name}={VALUE}"}
    if name.lstrip() in credential_names.NAMES:
        log_in(environ)
        assert environ.keys() == {"AWS_REGION", name.lstrip()}
        return
    with pytest.raises(GatesError) as caught:
        log_in(environ)
    assert caught.value.exit_code is Exit.INPUT
    assert VALUE not in str(caught.value)
    assert environ == {}


def test_no_name_steers_a_shell_a_loader_or_the_runner() -> None:
    assert credential_names.NAMES.isdisjoint([*STEERING, *RUNNER_FILES, *ALLOWED])
    assert all(
        re.fullmatch(r"(AWS|AZURE|GOOGLE|DATABRICKS|MLFLOW)_[A-Z0-9_]+", name) for name in credential_names.NAMES
    )


def test_no_training_sees_any_of_them() -> None:
    everything = dict.fromkeys([*credential_names.NAMES, GIVEN, FOR_FETCH, identity.URL, identity.TOKEN], VALUE)
    assert without_secrets(everything | {"PATH": "/bin"}) == {"PATH": "/bin"}


SECRET = re.compile("(KEY|SECRET|TOKEN|PASSWORD|STRING|CREDENTIALS|TOKEN_FILE)$")


@pytest.mark.parametrize("name", sorted(filter(SECRET.search, credential_names.NAMES)))
def test_a_policy_hands_no_training_one_that_is_a_secret(name: str) -> None:
    with pytest.raises(GatesError, match="is a credential"):
        without_secrets({name: VALUE}, [name])


def test_the_page_lists_the_names() -> None:
    rows = PAGE.read_text().split("| for | names |")[1].split("\n\n")[0]
    assert set(re.findall(r"`([A-Z0-9_]+)`", rows)) == credential_names.NAMES


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (f"AWS_SECRET_ACESS_KEY={VALUE}", "AWS_SECRET_ACESS_KEY; did you mean AWS_SECRET_ACCESS_KEY?"),
        (f"DATABRICKS_TOKN={VALUE}", "DATABRICKS_TOKN; did you mean DATABRICKS_TOKEN?"),
        (f"{VALUE}=", "line 1 is not NAME=VALUE"),
        (f"{VALUE}==", "line 1 names a variable that can't be set here\n"),
        (VALUE.upper(), "line 1 is not NAME=VALUE"),
        (f"AKIA{VALUE}=x", "line 1 names a variable that can't be set here\n"),
    ],
)
def test_no_message_shows_a_value(line: str, told: str) -> None:
    with pytest.raises(GatesError) as caught:
        log_in({GIVEN: line})
    assert told in str(caught.value)
    assert VALUE not in str(caught.value)
    assert VALUE.upper() not in str(caught.value)


# -- roles --


@pytest.mark.skipif(sys.platform != "linux", reason="files in memory are Linux's")
def test_each_role_is_exchanged_where_its_clouds_client_looks(job: dict[str, str]) -> None:
    lines = f"{ROLE}AZURE_CLIENT_ID=a\nAZURE_TENANT_ID=b\nGOOGLE_WORKLOAD_IDENTITY_PROVIDER=projects/1/providers/p\n"
    environ = {GIVEN: f"{lines}GOOGLE_SERVICE_ACCOUNT=reader@acme\n", **job}
    log_in(environ)
    assert Path(environ["AWS_WEB_IDENTITY_TOKEN_FILE"]).read_text() == "token for sts.amazonaws.com"
    assert environ["AWS_ROLE_SESSION_NAME"] == "gates"
    assert Path(environ["AZURE_FEDERATED_TOKEN_FILE"]).read_text() == "token for api://AzureADTokenExchange"
    google = json.loads(Path(environ["GOOGLE_APPLICATION_CREDENTIALS"]).read_text())
    told = Path(google["credential_source"]["file"]).read_text()
    assert told == "token for https://iam.googleapis.com/projects/1/providers/p"
    assert google["audience"] == "//iam.googleapis.com/projects/1/providers/p"
    assert google["service_account_impersonation_url"].endswith("/reader@acme:generateAccessToken")


@pytest.mark.parametrize(
    ("lines", "have"),
    [
        ("AZURE_CLIENT_ID=a\nAZURE_TENANT_ID=b\nAZURE_CLIENT_SECRET=c", {}),
        ("AZURE_CLIENT_ID=a", {}),
        (ROLE, {"AWS_WEB_IDENTITY_TOKEN_FILE": "/var/run/eks/token"}),
        ("DATABRICKS_AUTH_TYPE=github-oidc\nDATABRICKS_CLIENT_ID=x", {}),  # its client asks GitHub itself
    ],
)
def test_nothing_is_exchanged_where_there_is_a_login(lines: str, have: dict[str, str]) -> None:
    environ = {GIVEN: lines, **have}
    log_in(environ)
    assert environ == dict(line.split("=", 1) for line in lines.split()) | have


def test_a_role_without_an_identity_is_told(job: dict[str, str]) -> None:
    with pytest.raises(
        GatesError, match=r"AWS_ROLE_ARN: is given, but this job has no identity(?s:.*)-oidc\.yml"
    ) as no:
        log_in({GIVEN: ROLE})
    assert no.value.exit_code is Exit.INPUT
    with pytest.raises(GatesError, match="GitHub gives no identity: HTTPError") as refused:
        log_in({GIVEN: ROLE, **job, identity.TOKEN: "another"})
    assert refused.value.exit_code is Exit.OUTSIDE


def test_googles_own_client_takes_the_file(job: dict[str, str]) -> None:
    auth = pytest.importorskip("google.auth")
    environ = {GIVEN: "GOOGLE_WORKLOAD_IDENTITY_PROVIDER=projects/1/locations/global/providers/p", **job}
    log_in(environ)
    found, _ = auth.load_credentials_from_file(environ["GOOGLE_APPLICATION_CREDENTIALS"])
    assert found.retrieve_subject_token(None).startswith("token for https://iam.googleapis.com/projects/1/")


def test_no_code_of_the_repository_runs_beside_an_identity(project: Project, job: dict[str, str]) -> None:
    """Neither a training nor a model, nor a metric of the repository's own where jobs don't trust each other."""
    (project.root / "mine.py").write_text("def hits(y_true, y_pred):\n    return float((y_true == y_pred).mean())\n")
    project.ready(gates=[{"metric": "mine:hits", "min": 0, "better": "larger"}])
    given = ("--handed", "handed", "--digests", "data sha256:" + "0" * 64)
    for command in (("train", *given), ("score", "--model", "candidate", *given)):
        done = project.gates(*command, **job)
        assert done.code == Exit.INPUT
        assert "this job has id-token: write" in done.err
    bench = Measurement(Workspace(policy=project.root / "gates.yaml").load(), project.root, project.work, environ=job)
    candidate = ModelOutput(digest="sha256:" + "0" * 64, folder=project.root / "made")
    bench.evidence(bench.check(), [candidate])  # one job does all: it said that it trusts the code
    bench.elsewhere = lambda name: project.root / name
    with pytest.raises(GatesError, match="the metric mine:hits is code of the repository"):
        bench.evidence(bench.check(), [candidate])


# -- fetch --


def test_only_the_command_sees_what_it_was_given(tmp_path: Path, job: dict[str, str]) -> None:
    told = tmp_path / "told"
    given = {"PATH": os.environ["PATH"], "DATA_CREDENTIAL": "one", FOR_FETCH: f"{ROLE}AWS_REGION=here", **job}
    fetch(f'cat "$AWS_WEB_IDENTITY_TOKEN_FILE" > {told}; ls "$(dirname "$AWS_WEB_IDENTITY_TOKEN_FILE")" -l >> {told}; '
          f'env >> {told}', given)  # fmt: skip
    seen = told.read_text()
    assert seen.startswith("token for sts.amazonaws.com")
    assert "-rw------- 1" in seen
    assert "AWS_REGION=here" in seen
    assert "DATA_CREDENTIAL=one" in seen
    assert FOR_FETCH not in seen
    (file,) = re.findall(r"AWS_WEB_IDENTITY_TOKEN_FILE=(.*)", seen)
    assert not Path(file).exists()
    assert "AWS_REGION" not in given


def test_a_command_that_fails_at_any_step_is_an_error(tmp_path: Path) -> None:
    environ = {"PATH": os.environ["PATH"], "BASH_ENV": str(tmp_path / "nothing")}
    for command in ("false; true", "exit 7", "false | true", "echo $NO_SUCH_NAME"):
        with pytest.raises(GatesError, match="the command that fetches the data ended with"):
            fetch(command, environ)
    fetch("true", environ)
