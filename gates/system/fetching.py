"""Fetch data by the user's command, which alone sees the credentials that it needs."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from gates.errors import Exit, GatesError
from gates.system import credential_names, identity

GIVEN = "GATES_FETCH_CREDENTIALS"  # lines NAME=VALUE, as a workflow's secret holds them


def fetch(command: str, environ: Mapping[str, str]) -> None:
    """Run a command in bash, which stops at its first failure. Raises ``GatesError`` where it fails."""
    variables = credential_names.read(environ.get(GIVEN, ""), GIVEN)
    seen = {name: value for name, value in environ.items() if name != GIVEN}
    with tempfile.TemporaryDirectory(prefix="gates-") as folder:  # only this user may read what is in it

        def keep(text: str) -> str:
            handle, path = tempfile.mkstemp(dir=folder)
            with os.fdopen(handle, "w") as file:
                file.write(text)
            return path

        seen |= identity.completed(variables, seen, keep)
        script = ["bash", "--noprofile", "--norc", "-euo", "pipefail", "-c", command]
        done = subprocess.run(script, env=seen, cwd=Path.cwd(), check=False)  # noqa: S603 -- what the caller asks
    if done.returncode:
        what = f"the command that fetches the data ended with {done.returncode}"
        raise GatesError(what, where="fetch", hint="Its own lines in the log say why.", exit_code=Exit.OUTSIDE)
