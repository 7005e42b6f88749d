"""Find the registry, independent of the current folder, and check that it answers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gates.errors import Exit, GatesError
from gates.system.activity import ran
from gates.system.retries import retried

if TYPE_CHECKING:
    from requests import Response

SQLITE = "sqlite:///"
GIT = "git"
HINT = "MLFLOW_TRACKING_URI names an MLflow registry; without it, a branch of the repository is the registry."
CREDENTIALS = ("MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")
TRIES, PAUSE = 3, 1.0  # of an address that does not answer; seconds before it is asked again
PATIENCE = (5, 10)  # seconds to connect, and to be answered
_REFUSED = (401, 403)
_SEARCH = "/api/2.0/mlflow/registered-models/search?max_results=1"
_OTHER = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|databricks(-uc)?$")  # an address that no folder has a part in


@dataclass(frozen=True, slots=True)
class MLflowAddress:
    """Where an MLflow is: runs and files by its tracking URI, versions and aliases by its registry URI."""

    tracking: str
    registry: str


def named(environ: Mapping[str, str], root: Path) -> MLflowAddress | None:
    """Return the address of MLflow that the environment names; None where it names none.

    A branch of the repository is the registry then, whatever a training has left beside the policy.
    """
    uri, registry = environ.get("MLFLOW_TRACKING_URI"), environ.get("GATES_REGISTRY") or ""
    if registry not in ("", GIT):
        raise GatesError(f"{registry[:40]!r} is not a registry", where="GATES_REGISTRY", hint=HINT)
    if registry and uri:
        raise GatesError("both name a registry", where="GATES_REGISTRY, MLFLOW_TRACKING_URI", hint=HINT)
    if environ.get("MLFLOW_REGISTRY_URI") and not uri and not registry:
        raise GatesError(
            "names a registry without the place where its models are kept",
            where="MLFLOW_REGISTRY_URI",
            hint="Set MLFLOW_TRACKING_URI, too, or GATES_REGISTRY=git.",
        )
    return both(uri, environ.get("MLFLOW_REGISTRY_URI") or uri, root) if uri else None


def both(tracking: str, registry: str, root: Path) -> MLflowAddress:
    """Return the address that two URIs make, each made to start at ``root`` if it is relative."""
    return MLflowAddress(tracking=rooted(tracking, root), registry=rooted(registry, root))


def rooted(uri: str, root: Path) -> str:
    """Return the address, with a relative path in it made to start at ``root``: MLflow would take the current
    folder."""
    if uri.startswith(SQLITE) and uri != SQLITE and not uri.startswith(f"{SQLITE}/"):
        name = uri.removeprefix(SQLITE)
        return uri if name.startswith((":memory:", "file:")) else f"{SQLITE}{root / name}"
    if uri.startswith("file:") and not uri.startswith("file:/"):
        return str(root / uri.removeprefix("file:"))
    return uri if _OTHER.match(uri) else str(root / uri)


def is_server(uri: str) -> bool:
    """Tell whether an address is a server's, which may be down, or want a credential."""
    return uri.startswith(("http://", "https://"))


def refuses(uri: str, environ: Mapping[str, str]) -> bool:
    """Tell whether a server asks for a credential, and none is here. Raises ``GatesError`` where it does not answer."""
    held = any(environ.get(name) for name in CREDENTIALS) or "@" in urlsplit(uri).netloc
    return is_server(uri) and not held and _answer(uri).status_code in _REFUSED


def reached(uri: str) -> None:
    """Raise ``GatesError`` where a server does not answer at all: MLflow would try for four minutes in silence."""
    if is_server(uri):
        _answer(uri)


def _answer(uri: str) -> Response:
    import requests

    host = urlsplit(uri).hostname or ""
    try:
        with ran("registry", f"reach {host}"):
            return retried(
                lambda: requests.get(uri.rstrip("/") + _SEARCH, timeout=PATIENCE, allow_redirects=False),
                requests.RequestException,
                tries=TRIES,
                pause=PAUSE,
            )
    except requests.RequestException as error:
        why = "it refuses connections" if "refused" in str(error) else type(error).__name__
        raise GatesError(
            f"{host} does not answer, asked {TRIES} times: {why}",
            where="registry",
            hint="Is MLFLOW_TRACKING_URI right, and is the registry up?",
            exit_code=Exit.OUTSIDE,
        ) from error
