"""Read an MLflow server without MLflow, whose import alone takes seconds.

`gates status` reads a registry, which changes nothing; whoever moves an alias asks MLflow. What the server's own
interface does not tell (another store of files, a login by a plugin) MLflow is asked, so the answer is the same.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, Literal
from urllib.parse import quote, urlsplit

import requests

from gates.errors import Exit, GatesError
from gates.registry.address import PATIENCE, PAUSE, TRIES, MLflowAddress
from gates.registry.credentials import log_in
from gates.registry.mlflow import MLflowRegistry
from gates.registry.mlflow_calls import ABSENT
from gates.registry.stored_files import KEPT, MODEL, ArtifactStore, parts_of
from gates.system.activity import ran
from gates.system.retries import retried

GONE = ("RESOURCE_DOES_NOT_EXIST",)
PROXIED = "mlflow-artifacts:/"  # files that the server itself hands out
DENIED = (401, 403)
PLUGINS = ("MLFLOW_TRACKING_AUTH", "MLFLOW_TRACKING_AWS_SIGV4", "MLFLOW_TRACKING_CLIENT_CERT_PATH")
_API, _FILES = "/api/2.0/mlflow/", "/api/2.0/mlflow-artifacts/artifacts"
_BLOCK = 1 << 20
_DENIED = "Is the login right, and may it read this model? docs/mlflow.md has the rights that each job needs."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Served:
    """One server. ``login`` is what MLflow's variables say."""

    uri: str
    login: Mapping[str, str]

    def ask(self, path: str, absent: tuple[str, ...] = (), **parameters: str) -> Any:
        """Return what the server says; None where it has nothing there, by an error of ``absent``."""
        answer = self.get(f"{_API}{path}", parameters)
        if answer.status_code == requests.codes.ok:
            return answer.json()
        try:
            error = answer.json()
        except requests.JSONDecodeError:
            error = {}
        if error.get("error_code") in absent:
            return None
        raise self._refused(answer, str(error.get("message") or answer.reason))

    def get(self, path: str, parameters: Mapping[str, str], *, stream: bool = False) -> requests.Response:
        """Send one request. Raises ``GatesError`` where no answer comes."""
        host, environ = urlsplit(self.uri).hostname or "", self.login
        insecure = environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() in ("1", "true")
        headers = {"Authorization": f"Bearer {environ['MLFLOW_TRACKING_TOKEN']}"} if self._token else {}
        user = environ.get("MLFLOW_TRACKING_USERNAME")
        try:
            with ran("registry", f"ask {host}"):
                return retried(
                    lambda: requests.get(
                        self.uri.rstrip("/") + path,
                        params=parameters,
                        headers=headers,
                        auth=(user, environ.get("MLFLOW_TRACKING_PASSWORD", "")) if user and not self._token else None,
                        verify=not insecure and (environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH") or True),
                        timeout=PATIENCE,
                        allow_redirects=False,
                        stream=stream,
                    ),
                    requests.RequestException,
                    tries=TRIES,
                    pause=PAUSE,
                )
        except requests.RequestException as error:
            raise GatesError(
                f"{host} does not answer, asked {TRIES} times: {type(error).__name__}",
                where="registry",
                hint="Is MLFLOW_TRACKING_URI right, and is the registry up?",
                exit_code=Exit.OUTSIDE,
            ) from error

    @property
    def _token(self) -> bool:
        return bool(self.login.get("MLFLOW_TRACKING_TOKEN"))

    def _refused(self, answer: requests.Response, why: str) -> GatesError:
        host, code = urlsplit(self.uri).hostname or "", answer.status_code
        what = f"the login is refused by {host}" if code in DENIED else f"{code} is the answer of {host}"
        first = (why.strip().splitlines() or [""])[0][:200]
        hint = _DENIED if code in DENIED else "Is MLFLOW_TRACKING_URI right, and is it an MLflow?"
        return GatesError(f"{what}: {first}", where="registry", hint=hint, exit_code=Exit.OUTSIDE)


@dataclass(frozen=True, slots=True, kw_only=True)
class _ProxiedFiles(ArtifactStore):
    """Files that a server hands out."""

    served: _Served

    def copy(self, uri: str, into: Path) -> Path:
        """See ``ArtifactStore``."""
        folder = into / MODEL
        folder.mkdir(parents=True)
        self._fetch(uri.removeprefix(PROXIED).strip("/"), folder)
        return folder

    def _fetch(self, path: str, into: Path) -> None:
        answer = self.served.get(_FILES, {"path": path})
        for file in answer.json().get("files", ()) if answer.ok else ():
            name = PurePosixPath(str(file["path"])).name
            if name in ("", ".", ".."):
                raise GatesError(f"the server names a file {file['path']!r}", where="registry", exit_code=Exit.OUTSIDE)
            if file.get("is_dir"):
                (into / name).mkdir()
                self._fetch(f"{path}/{name}", into / name)
                continue
            with self.served.get(f"{_FILES}/{quote(f'{path}/{name}')}", {}, stream=True) as sent:
                if not sent.ok:
                    what = f"{path}/{name}: the server answers with {sent.status_code}"
                    raise GatesError(what, where="registry", exit_code=Exit.OUTSIDE)
                with (into / name).open("wb") as local:
                    for block in sent.iter_content(_BLOCK):
                        local.write(block)


class ServerRegistry:
    """One registry, of which ``asked`` is MLflow's own view, made once it is needed."""

    def __init__(self, address: MLflowAddress, asked: Callable[[], MLflowRegistry]) -> None:
        self._address, self._asked = address, asked

    @cached_property
    def _server(self) -> _Served | None:
        """The server; None where its login or its files are of a kind that MLflow alone knows."""
        log_in(os.environ)
        plain = self._address.registry == self._address.tracking and not any(os.environ.get(one) for one in PLUGINS)
        return _Served(uri=self._address.registry, login=dict(os.environ)) if plain else None

    @property
    def kind(self) -> Literal["git", "mlflow"]:
        """See ``Registry``."""
        return "mlflow"

    def at(self, name: str, alias: str) -> str | None:
        """Return the version that an alias names, or None."""
        if self._server is None:
            return self._asked().at(name, alias)
        told = self._server.ask("registered-models/alias", ABSENT, name=name, alias=alias)
        return str(told["model_version"]["version"]) if told else None

    def stored(self, name: str, version: str) -> str | None:
        """Digest the bytes that a version has now; None where they are gone."""
        server = self._server
        parts = self._parts(server, name, version) if server else None
        if server is None or (parts and not all(uri.startswith(PROXIED) for uri in parts.values())):
            return self._asked().stored(name, version)
        if parts is None:
            return None
        files = _ProxiedFiles(tracking=server.uri, registry=server.uri, served=server)
        return files.digest(parts)

    @staticmethod
    def _parts(server: _Served, name: str, version: str) -> Mapping[str, str] | None:
        """Return where a version's files lie, as ``MLflowRegistry`` finds it; None where there is no such version."""
        found = server.ask("model-versions/get", GONE, name=name, version=version)
        if found is None:
            return None
        source, run_id = str(found["model_version"]["source"]), found["model_version"].get("run_id")
        kept, beside = "", None
        if run_id:
            kept = f"{server.ask('runs/get', run_id=run_id)['run']['info']['artifact_uri']}/{KEPT}"
            listed = server.ask("artifacts/list", run_id=run_id).get("files", ())
            beside = kept if any(file["path"] == KEPT for file in listed) else None
        parts = dict(parts_of(source, kept, beside))
        if parts.get(f"{MODEL}/") == source:  # where the registry serves it from
            told = server.ask("model-versions/get-download-uri", name=name, version=version)
            parts[f"{MODEL}/"] = str(told["artifact_uri"])
        return parts
