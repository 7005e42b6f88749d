"""Log in to the registry and its artifact store with what a workflow's secret has, and the job's own identity."""

from __future__ import annotations

import os
from collections.abc import MutableMapping

from gates.errors import GatesError
from gates.system import credential_names, identity

TOKEN = "MLFLOW_TRACKING_TOKEN"  # noqa: S105 -- its name
GIVEN = "GATES_REGISTRY_CREDENTIALS"  # lines NAME=VALUE, as a workflow's secret holds them


def log_in(environ: MutableMapping[str, str]) -> None:
    """Take the credentials out of ``GATES_REGISTRY_CREDENTIALS`` and put each where its client looks for it. A token
    ``USER:PASSWORD`` becomes MLflow's two variables.

    Raises ``GatesError`` where a line is none, or names a variable that is not on the list. No message holds a value.
    """
    found = credential_names.read(environ.pop(GIVEN, ""), GIVEN)
    environ.update(identity.completed(found, environ, in_memory))
    user, colon, password = environ.get(TOKEN, "").partition(":")
    if colon:  # no token of a server has one: these are the two variables of its basic authentication
        del environ[TOKEN]
        environ.update(MLFLOW_TRACKING_USERNAME=user, MLFLOW_TRACKING_PASSWORD=password)


def in_memory(text: str) -> str:
    """Return the name of a file that holds a text and lies on no disk; it is gone with this process."""
    if not hasattr(os, "memfd_create"):
        raise GatesError("a credential that is a file must be named by its path on this system", where=GIVEN)
    number = os.memfd_create("credentials")
    os.write(number, text.encode())
    return f"/proc/self/fd/{number}"
