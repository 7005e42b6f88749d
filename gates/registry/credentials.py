"""Log in to the artifact store (S3, Google's or Azure's) if the registry does not serve artifacts."""

from __future__ import annotations

import os
import re
from collections.abc import MutableMapping

from gates.errors import GatesError

GIVEN = "GATES_ARTIFACT_CREDENTIALS"  # lines NAME=VALUE, as a workflow's secret holds them
GOOGLE = "GOOGLE_APPLICATION_CREDENTIALS"  # names a file; a line may hold the file's JSON in its place
_NAMES = re.compile(r"(AWS|AZURE|GOOGLE|GCLOUD|MLFLOW_S3|MLFLOW_GCS|MLFLOW_ARTIFACT)_[A-Z0-9_]+")
_HINT = f"{GIVEN} takes lines such as AWS_ACCESS_KEY_ID=…; # begins a comment."


def log_in(environ: MutableMapping[str, str]) -> None:
    """Take the credentials out of ``GATES_ARTIFACT_CREDENTIALS`` and put each where its store's client looks for it.

    Raises ``GatesError`` where a line is none, or names what no store's client reads. No message holds a value.
    """
    found = _lines(environ.pop(GIVEN, ""))
    if found.get(GOOGLE, "").startswith("{"):
        found[GOOGLE] = _in_memory(found[GOOGLE])
    environ.update(found)


def _lines(text: str) -> dict[str, str]:
    variables: dict[str, str] = {}
    for number, line in enumerate(map(str.strip, text.splitlines()), 1):
        name, equals, value = line.partition("=")
        if not line or line.startswith("#"):
            continue
        if not equals or not value:
            raise GatesError(f"line {number} is not NAME=VALUE", where=GIVEN, hint=_HINT)
        if not _NAMES.fullmatch(name):
            what = f"line {number} names a variable that no client of S3, GCS or Azure reads"
            raise GatesError(what, where=GIVEN, hint=_HINT)
        variables[name] = value
    return variables


def _in_memory(text: str) -> str:
    """Return the name of a file that holds a text and lies on no disk; it is gone with this process."""
    if not hasattr(os, "memfd_create"):
        raise GatesError(f"{GOOGLE} must name a file on this system", where=GIVEN)
    number = os.memfd_create("credentials")
    os.write(number, text.encode())
    return f"/proc/self/fd/{number}"
