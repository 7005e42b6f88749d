"""What code that nobody vouches for sees of the process that started it, and what of it is left when it has ended."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from edge_project import Project
from hypothesis import given
from hypothesis import strategies as st

from gates.checkout.workspace import Workspace
from gates.errors import GatesError
from gates.measure.holdout.models import ModelOutput
from gates.measure.measurement import Measurement
from gates.system import sandbox

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="the promise is Linux's")
NOBODY = 65534
CANARY = "hush-hush"
SYSTEMS = "/usr/bin/python3"  # which every user can run
USUAL = (
    "AZURE_STORAGE_CONNECTION_STRING", "GIT_CONFIG_VALUE_0", "MYSQL_PWD", "DB_PWD", "OPENAI_KEY", "ENCRYPTION_KEY",
    "SLACK_WEBHOOK_URL", "SENTRY_DSN", "HF_AUTH", "JWT", "REDIS_URL", "KUBECONFIG", "NETRC", "PIP_INDEX_URL",
    "BASH_ENV", "LD_PRELOAD", "PYTHONSTARTUP", "GITHUB_EVENT_PATH", "NVIDIA_API_KEY", "TF_VAR_db", "SSH_AUTH_SOCK",
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(USUAL) | st.text(min_size=1, max_size=30), st.text(max_size=20), max_size=8))
def test_a_child_sees_only_what_is_on_the_list(environment: dict[str, str]) -> None:
    seen = sandbox.without_secrets(environment | {"PATH": "/bin"})
    assert seen.keys() <= sandbox.ALLOWED
    assert seen["PATH"] == "/bin"


def test_no_name_on_the_list_is_that_of_a_credential() -> None:
    assert [name for name in sandbox.ALLOWED if sandbox.SECRETS.search(name)] == []
    assert sandbox.ALLOWED.isdisjoint({*USUAL, *sandbox.RUNNER_FILES})


@pytest.mark.parametrize("address", ["http://u:p@proxy", "https://token@proxy:8080/x"])
def test_an_address_with_a_login_in_it_is_left_out(address: str) -> None:
    assert sandbox.without_secrets({"HTTPS_PROXY": address, "HTTP_PROXY": "http://proxy"}) == {
        "HTTP_PROXY": "http://proxy"
    }


def test_a_policy_may_name_more_but_no_credential() -> None:
    environment = {"TREES": "100", "GITHUB_TOKEN": CANARY, "OTHER": "x"}
    assert sandbox.without_secrets(environment, ["TREES", "ABSENT"]) == {"TREES": "100"}
    for name in ("GITHUB_TOKEN", "GITHUB_ENV", "AWS_SECRET_ACCESS_KEY"):
        with pytest.raises(GatesError, match=f"{name} is a credential"):
            sandbox.without_secrets(environment, [name])


SPIED = """
import sys
from pathlib import Path
from gates.system import sandbox
if sys.argv[2] == "guarded":
    sandbox.guard()
spy = 'cat /proc/$PPID/environ > environ; head -c 1 /proc/$PPID/mem > mem; readlink /proc/$PPID/exe > exe; env > own'
sandbox.run(["/bin/sh", "-c", spy], Path(sys.argv[1]), {"PATH": "/usr/bin:/bin"}, Path(sys.argv[1]) / "log")
import os, subprocess
asked = subprocess.run(["sh", "-c", "echo $SECRET_OF_OURS"], capture_output=True, text=True)
print(os.environ["SECRET_OF_OURS"], asked.stdout)
"""


def spied(folder: Path, how: str, user: int | None) -> tuple[str, str]:
    """What a child could read of its parent, and what that said of its own environment afterwards."""
    folder.mkdir()
    if user is not None:
        os.chown(folder, user, user)
    environment = {
        "SECRET_OF_OURS": CANARY,
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(Path(sandbox.__file__).parents[2]),
    }
    done = subprocess.run(
        [sys.executable if user is None else SYSTEMS, "-c", SPIED, str(folder), how], env=environment, user=user,
        capture_output=True, text=True,
        check=False, cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return "".join((folder / name).read_text(errors="replace") for name in ("environ", "exe", "own")), done.stdout


@LINUX
def test_a_child_reads_no_credential_of_the_process_that_started_it(tmp_path: Path) -> None:
    seen, told = spied(tmp_path / "guarded", "guarded", None)
    assert CANARY not in seen
    assert told.split() == [CANARY, CANARY]  # we ourselves, and git, still have it


@LINUX
@pytest.mark.skipif(os.getuid() != 0 or not os.access(SYSTEMS, os.X_OK), reason="an ordinary user is to be made")
def test_an_ordinary_users_child_can_not_even_open_it() -> None:
    with tempfile.TemporaryDirectory() as made:  # where an ordinary user gets to
        Path(made).chmod(0o755)
        seen, _ = spied(Path(made) / "own", "guarded", NOBODY)
        bare, _ = spied(Path(made) / "bare", "bare", NOBODY)
        assert (Path(made) / "own/mem").read_bytes() == b""
    for told in (seen, bare):  # even where the environment was not wiped
        assert CANARY not in told
        assert "python" not in told  # not even which program it is


@LINUX
def test_the_control_of_the_guard(tmp_path: Path) -> None:
    """Without it the credential is there to be read, at least by root."""
    if os.getuid() != 0:
        pytest.skip("that the process can't be opened protects an ordinary user's already")
    assert CANARY in spied(tmp_path / "bare", "bare", None)[0]


LEFT = {
    "in its own group": "sleep 60 & echo $! > left",
    "in a session of its own": "setsid sh -c 'echo $$ > left; exec sleep 60' & sleep 0.2",
    "an orphan twice over": "setsid sh -c 'setsid sh -c \"echo \\$\\$ > left; exec sleep 60\" & sleep 0.1' & sleep 0.5",
    "one that ignores signals": "setsid sh -c 'trap \"\" TERM INT HUP; echo $$ > left; sleep 60; sleep 60' & sleep 0.2",
    "one that starts others": "setsid sh -c 'echo $$ > left; while :; do sleep 0.01 & done' & sleep 0.2",
}


@LINUX
@pytest.mark.parametrize("script", LEFT.values(), ids=LEFT)
def test_nothing_outlives_a_step(tmp_path: Path, script: str) -> None:
    sandbox.guard()
    before = sandbox._children()
    assert sandbox.run(["/bin/sh", "-c", script], tmp_path, dict(os.environ), tmp_path / "log") == 0
    left = int((tmp_path / "left").read_text())
    assert not Path(f"/proc/{left}").exists()
    assert sandbox._children() <= before


@LINUX
def test_the_control_of_what_outlives_a_group(tmp_path: Path) -> None:
    """The group alone, which is what would be ended without the rest."""
    process = subprocess.Popen(["/bin/sh", "-c", LEFT["in a session of its own"]], cwd=tmp_path, start_new_session=True)
    process.wait()
    left = int((tmp_path / "left").read_text())
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    assert Path(f"/proc/{left}").exists()
    os.kill(left, signal.SIGKILL)


@LINUX
def test_what_runs_beside_it_is_left_alone(tmp_path: Path) -> None:
    """A git, a Spark or whatever else this process has started itself."""
    sandbox.guard()
    beside = subprocess.Popen(["sleep", "60"], start_new_session=True)
    try:
        sandbox.run(["/bin/sh", "-c", "exit 0"], tmp_path, dict(os.environ), tmp_path / "log")
        assert beside.poll() is None
    finally:
        beside.kill()
        beside.wait()


def test_a_training_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    assert sandbox.run(["/bin/sh", "-c", "sleep 600"], tmp_path, dict(os.environ), tmp_path / "log", 1) is None


OWN = "def profit(y_true, y_pred):\n    return float((y_pred * (y_true * 5 - 1)).mean())\n"
PLANTED = "open(__file__ + '.called', 'w').close()\n"


def test_a_promotion_on_github_runs_no_function_of_the_repository(project: Project) -> None:
    """It takes what the job without credentials has computed, of these very models and no others."""
    (project.root / "mine.py").write_text(OWN)
    own = {"metric": "mine:profit", "min": 0, "better": "larger", "slices": {"min": -1}}
    project.ready(gates=[own, {"metric": "roc_auc", "min": 0.5}], slices=["region"])
    assert project.gates("run").code == 0, "the control: a run calls it"
    (project.root / "mine.py").write_text(PLANTED + OWN)
    workspace = Workspace(policy=project.root / "gates.yaml")
    evidence = workspace.load_evidence()
    assert evidence.candidate
    bench = Measurement(workspace.load(), project.root, project.work, environ={})
    bench.judged = evidence
    files = ModelOutput(digest=evidence.candidate.digest, folder=workspace.candidate)
    assert bench.evidence(bench.check(), [files]) == evidence
    assert not (project.root / "mine.py.called").exists()
    bench.judged = replace(evidence, champion=replace(evidence.candidate, version="7"))
    with pytest.raises(GatesError, match="the champion has changed"):
        bench.evidence(bench.check(), [files])
    bench.judged = None
    bench.evidence(bench.check(), [files])
    assert (project.root / "mine.py.called").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_a_process_that_ends_while_it_is_looked_at_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its entry in /proc is still there, but nothing can be asked of it."""
    ask = os.stat

    def gone(path: object, *arguments: object, **named: object) -> os.stat_result:
        if str(path).startswith("/proc/") and str(path).endswith("/stat"):
            raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH), str(path))
        return ask(path, *arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "stat", gone)
    assert sandbox.run(["true"], tmp_path, {"PATH": os.environ["PATH"]}, tmp_path / "log") == 0
