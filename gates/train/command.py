"""Training by a shell command, in a process group of its own, without the credentials of this one."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from gates.errors import GatesError
from gates.policy import Policy

SHOWN = 20  # last lines of a failed training
SECRETS = ("TOKEN", "SECRET", "PASSWORD", "CREDENTIAL", "ACCESS_KEY", "API_KEY", "PRIVATE_KEY")
RUNNER_FILES = ("GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_PATH", "GITHUB_STATE", "GITHUB_STEP_SUMMARY")


def train(policy: Policy, root: Path, work: Path, holdout: Path, environment: Mapping[str, str]) -> Path:
    """Run the command beside the policy and give the folder it filled; its output goes to ``train.log``.

    Raises ``GatesError`` with the last lines where it fails, takes
    too long or leaves the folder empty.
    """
    out = work / "candidate"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    given = {"GATES_OUT": str(out), "GATES_HOLDOUT": str(holdout), "GATES_SEED": "0"}
    if policy.data.train:
        given["GATES_TRAIN"] = str(root / policy.data.train)
    log = work / "train.log"
    status = _run(policy.train.run, root, {**without_secrets(environment), **given}, policy.train.seconds, log)
    where = f"train: {policy.train.run}"
    if status is None:
        raise GatesError(f"stopped after {policy.train.timeout}", where=where, mend="Set train.timeout higher.")
    if status:
        lines = log.read_text(errors="replace").splitlines()[-SHOWN:]
        last = "\n".join(f"  | {line}" for line in lines) or "  (it printed nothing)"
        raise GatesError(f"ended with exit code {status}; its last lines:\n{last}", where=where)
    if not any(out.iterdir()):
        raise GatesError(
            "wrote nothing into $GATES_OUT",
            where=where,
            mend="Write an MLflow model folder to $GATES_OUT/model, or $GATES_OUT/predictions.parquet or .csv.",
        )
    return out


def without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment less what looks like a credential and the files by which a step steers the runner."""
    return {
        name: value
        for name, value in environment.items()
        if name not in RUNNER_FILES and not any(word in name.upper() for word in SECRETS)
    }


def _run(command: str, root: Path, environment: Mapping[str, str], seconds: int, log: Path) -> int | None:
    """The exit code; None where the time ran out."""
    with (
        log.open("wb") as file,
        subprocess.Popen(  # noqa: S603 -- running the policy's own command is the point
            ["/bin/sh", "-c", command],
            cwd=root,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process,
    ):
        try:
            status = process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            status = None
        finally:
            _end(process)  # nothing that the training left running outlives it
    return status


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
