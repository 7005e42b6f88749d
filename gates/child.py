"""Child processes for code that nobody vouches for: no credentials, no way to steer the runner, nothing outlives it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from gates.ran import ran

SECRETS = re.compile(
    "TOKEN|SECRET|PASSW|PASSPHRASE|CREDENTIAL|(ACCESS|API|PRIVATE|ACCOUNT)_?KEY|_PAT$|AUTH_SOCK|AUTH_CONFIG",
    re.IGNORECASE,
)
LOGIN = re.compile(r"://[^/@\s]+:[^/@\s]*@")  # an address with a password in it
RUNNER_FILES = ("GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_PATH", "GITHUB_STATE", "GITHUB_STEP_SUMMARY")


def without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment less what looks like a credential and the files by which a step steers the runner."""
    return {
        name: value
        for name, value in environment.items()
        if name not in RUNNER_FILES and not SECRETS.search(name) and not LOGIN.search(value)
    }


def run(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], log: Path, seconds: int | None = None
) -> int | None:
    """The exit code; None where the time ran out. Both streams go to ``log``; whatever the process left running in
    its group is ended with it."""
    with (
        ran("command", _told(command)),
        log.open("wb") as file,
        subprocess.Popen(  # noqa: S603 -- running what the policy and its model say is the point
            list(command),
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process,
    ):
        try:
            return process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            return None
        finally:
            _end(process)


def _told(command: Sequence[str]) -> str:
    """What a shell was asked, or a program's first words: the others may hold values of the data."""
    return command[-1] if command[:2] == ["/bin/sh", "-c"] else " ".join(command[:3])


def last_lines(log: Path, most: int) -> list[str]:
    """The end of what a process printed."""
    return log.read_text(errors="replace").splitlines()[-most:]


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
