"""The MLflow registry: the champion by its alias, and each step of a promotion.

A version's folder is kept as artifact ``candidate`` of a run, with what it was judged on beside it.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit
from urllib.request import url2pathname

from gates.documents.record import RecordedModel
from gates.errors import Exit, GatesError
from gates.measure.holdout.models import RegisteredModel
from gates.registry.address import reached
from gates.registry.credentials import log_in
from gates.registry.interface import TAG_INTENT, StoredRun, bound_to, unbound
from gates.schema.canonical import digest
from gates.system.activity import ran
from gates.system.files import folder_digest, manifest

MODEL = "model"  # where an MLflow model lies in a version's folder
KEPT = "candidate"  # artifact path of the model's folder
PREDICTIONS = "predictions"  # artifact path of its predictions on the holdout

CLIENTS = {  # module of a store's client -> the extra that brings it
    "boto3": "s3", "botocore": "s3", "google": "gcs", "azure": "azure",
}  # fmt: skip
_CREDENTIALS = re.compile(r"//[^/@\s]*@")  # of an address; they are told to nobody


@contextmanager
def _told(doing: str) -> Iterator[None]:
    """Turn whatever the registry raises into one sentence."""
    with ran("registry", doing):
        import requests
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError

        try:
            yield
        except ImportError as error:
            raise _lacking(doing, error) from error
        except Exception as error:
            known = (MlflowException, SQLAlchemyError, requests.RequestException, OSError)
            if not isinstance(error, known) and type(error).__module__.partition(".")[0] not in CLIENTS:
                raise
            line = _CREDENTIALS.sub("//…@", (str(error).strip().splitlines() or [type(error).__name__])[0])[:300]
            hint = "Is MLFLOW_TRACKING_URI right, and is the registry up?"
            raise GatesError(f"{doing}: {line}", where="registry", hint=hint, exit_code=Exit.OUTSIDE) from error


def _lacking(doing: str, error: ImportError) -> GatesError:
    """Return the error of a store of artifacts whose client is not installed."""
    module = error.name or str(error)
    extra = CLIENTS.get(module.partition(".")[0])
    hint = f"Install it: pip install 'gates-ml[{extra}]'." if extra else f"Install {module}."
    return GatesError(f"{doing}: {module} is not installed", where="registry", hint=hint, exit_code=Exit.OUTSIDE)


class MLflowRegistry:
    """One MLflow registry. ``uri`` is an MLflow tracking URI."""

    def __init__(self, uri: str, root: Path) -> None:
        reached(uri)
        log_in(os.environ)
        with _told("open"):
            import mlflow

            logging.getLogger("alembic").setLevel(logging.WARNING)
            logging.getLogger("mlflow").setLevel(logging.ERROR)
            self._mlflow = mlflow
            self._client = mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
            self._uri = uri
            self._artifacts = (root / "mlartifacts").as_uri() if uri.startswith("sqlite:") else None

    def refresh(self) -> None:
        """See ``Registry``: nothing is remembered here."""

    def served(self, name: str, version: str, known: RecordedModel | None, cache: Path) -> RegisteredModel | None:
        """Find a version by its number; None where there is none. ``cache`` is a folder to fetch into.

        ``known`` is what the ledger says of its model, and binds: bytes and kept predictions that are others are
        refused, whatever the registry's tags say. Without it the version is what it is now, and has no predictions.
        """
        uri = f"models:/{name}/{version}"
        model_version = self._look_up(uri, lambda: self._client.get_model_version(name, version))
        if model_version is None:
            return None
        number, into = str(model_version.version), cache / f"v{model_version.version}"
        if known is None:
            return unbound(number, self._fetched(model_version, into))

        def predictions() -> Path:
            return self._download(f"runs:/{model_version.run_id}/{PREDICTIONS}", into)

        return bound_to(known, name, number, lambda: self._fetched(model_version, into), predictions)

    def files(self, name: str, version: str, cache: Path) -> Path:
        """Copy a version's files into a folder that is made as gates keeps it. Raises ``GatesError`` where there are
        none."""
        with _told(f"look up {name} version {version}"):
            model_version = self._client.get_model_version(name, version)
        return self._fetched(model_version, cache / f"v{version}")

    def _fetched(self, model_version: Any, into: Path) -> Path:
        """Copy a version's files; what was registered without gates is a model alone, and lies in ``model/``."""
        if self._kept_by_gates(model_version):
            return self._download(f"runs:/{model_version.run_id}/{KEPT}", into)
        model = self._download(self._source_of(model_version), into)
        if model.name != MODEL:
            model = model.rename(model.with_name(MODEL))
        return model.parent

    def _kept_by_gates(self, model_version: Any) -> str | None:
        """Return where gates keeps the files of a version; None for one that was registered without gates."""
        source = self._source(model_version.run_id) if model_version.run_id else ""
        return source if source and model_version.source in (source, f"{source}/{MODEL}") else None

    def _source_of(self, model_version: Any) -> str:
        with _told(f"look up version {model_version.version}"):
            return str(self._client.get_model_version_download_uri(model_version.name, model_version.version))

    def _download(self, uri: str, into: Path) -> Path:
        """Copy what lies at an artifact URI into a fresh folder."""
        shutil.rmtree(into, ignore_errors=True)
        into.mkdir(parents=True)
        with _told(f"fetch {uri}"):
            return Path(self._mlflow.artifacts.download_artifacts(uri, dst_path=str(into), tracking_uri=self._uri))

    @property
    def kind(self) -> Literal["git", "mlflow"]:
        """See ``Registry``."""
        return "mlflow"

    @property
    def lock(self) -> Path | None:
        """The file to lock while the registry is changed: beside an SQLite one; None where it is somewhere else."""
        file = self._uri.removeprefix("sqlite:///")
        return Path(f"{file}.gates-lock") if file != self._uri else None

    def at(self, name: str, alias: str) -> str | None:
        """Return the version that an alias names, or None."""
        found = self._at(name, alias)
        return str(found.version) if found else None

    def _at(self, name: str, alias: str) -> Any:
        uri = f"models:/{name}@{alias}"
        return self._look_up(uri, lambda: self._client.get_model_version_by_alias(name, alias))

    def _look_up(self, uri: str, ask: Callable[[], Any]) -> Any:
        """Return what the registry has there; None where it has nothing."""
        from mlflow.exceptions import MlflowException

        with _told(f"look up {uri}"):
            try:
                return ask()
            except MlflowException as error:
                if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                    return None
                raise

    def keep(self, name: str, folder: Path, predictions: Path | None) -> StoredRun:
        """Store the files as a run, of which nothing serves yet."""
        with _told(f"store the files of {name}"):
            run_id, digest = self._run(name, folder, predictions)
            return StoredRun(run_id=run_id, predictions=digest, model=(folder / MODEL).is_dir())

    def register(self, name: str, kept: StoredRun, tags: Mapping[str, str], wish: str = "") -> str:
        """Make a version of stored files, which no alias names yet; gives its number, which MLflow alone chooses."""
        del wish
        with _told(f"register {name}"):
            _unless_there(lambda: self._client.create_registered_model(name))
            source = self._source(kept.run_id) + (f"/{MODEL}" if kept.model else "")
            return str(self._client.create_model_version(name, source, kept.run_id, tags=tags).version)

    def attach(self, name: str, version: str, file: str, text: bytes) -> None:
        """Keep a text with a version, as an artifact of its run beside the model's folder; it takes an older one's
        place."""
        with _told(f"keep {file} with {name} version {version}"):
            run_id = self._client.get_model_version(name, version).run_id
            if run_id:
                self._client.log_text(run_id, text.decode(), file)

    def made_for(self, name: str, intent: str) -> str | None:
        """Find the version that was registered for an intent, or None."""
        with _told(f"look for the version of {intent[:19]}"):
            found = self._client.search_model_versions(f"name = '{name}' and tags.`{TAG_INTENT}` = '{intent}'")
        return str(found[0].version) if found else None

    def move(self, name: str, alias: str, version: str | None) -> None:
        """Let the alias name a version, or none."""
        with _told(f"move models:/{name}@{alias}"):
            if version is None:
                self._client.delete_registered_model_alias(name, alias)
            else:
                self._client.set_registered_model_alias(name, alias, version)

    def stored(self, name: str, version: str) -> str | None:
        """Digest the bytes that a version has now; None where they are gone."""
        from mlflow.exceptions import MlflowException

        with _told(f"read the bytes of {name} version {version}"):
            try:
                model_version = self._client.get_model_version(name, version)
                kept = self._kept_by_gates(model_version)
            except MlflowException as error:
                if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                    return None
                raise
        return self._hashed(kept) if kept else self._hashed(self._source_of(model_version), f"{MODEL}/")

    def kept(self, name: str, run_id: str) -> str | None:
        """Digest the stored files of a run; None where they are gone."""
        with _told(f"read the stored files of {name}"):
            return self._hashed(self._source(run_id))

    def _hashed(self, source: str, below: str = "") -> str | None:
        """Digest a store's folder, in place where it is on this machine. ``below``: where the files lie in a model's
        folder."""
        if source.startswith("file:///"):
            return hashed(source, below)
        with tempfile.TemporaryDirectory() as beside:
            return digest_below(self._download(source, Path(beside) / "stored"), below)

    def _source(self, run_id: str) -> str:
        return f"{self._client.get_run(run_id).info.artifact_uri}/{KEPT}"

    def parameters(self, run_id: str, during: tuple[int, int] | None) -> dict[str, str] | None:
        """Return what a training logged to this registry's server under that run.

        None where it knows no such run, and where the run was not opened ``during`` the training: a model can name
        anybody's.
        """
        from mlflow.exceptions import MlflowException

        if during is None:
            return None
        with _told(f"look up run {run_id}"):
            try:
                run = self._client.get_run(run_id)
            except MlflowException as error:
                if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                    return None
                raise
        opened = run.info.start_time
        return dict(run.data.params) if opened is not None and during[0] <= opened <= during[1] else None

    def _run(self, name: str, folder: Path, predictions: Path | None) -> tuple[str, str | None]:
        """Keep the files as a run; gives its id and the digest of the predictions."""
        if self._client.get_experiment_by_name(name) is None:
            _unless_there(lambda: self._client.create_experiment(name, self._artifacts))
        run: Any = self._client.create_run(self._client.get_experiment_by_name(name).experiment_id)
        run_id = str(run.info.run_id)
        self._client.log_artifacts(run_id, str(folder), KEPT)
        digest = self._log_predictions(run_id, predictions) if predictions else None
        self._client.set_terminated(run_id)
        return run_id, digest

    def _log_predictions(self, run_id: str, predictions: Path) -> str:
        with tempfile.TemporaryDirectory() as beside:
            copy = Path(beside) / f"predictions{predictions.suffix}"
            shutil.copyfile(predictions, copy)
            self._client.log_artifact(run_id, str(copy), PREDICTIONS)
            return folder_digest(copy.parent)


def _unless_there(create: Callable[[], Any]) -> None:
    """Make what another machine may just have made, too."""
    from mlflow.exceptions import MlflowException

    try:
        create()
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def hashed(source: str, below: str = "") -> str | None:
    """Digest a folder of this machine, by its file URI; None where it is gone.

    Raises ``GatesError`` where all of the store is: that is a disk that is not there, not a model that somebody
    removed.
    """
    folder = Path(url2pathname(urlsplit(source).path))
    store = folder.parent.parent.parent  # STORE/RUN/artifacts/candidate
    if not store.is_dir():
        hint = "Is its disk mounted, and is MLFLOW_TRACKING_URI the right registry?"
        raise GatesError(f"there is no folder {store}", where="registry", hint=hint, exit_code=Exit.OUTSIDE)
    return digest_below(folder, below) if folder.is_dir() else None


def digest_below(folder: Path, below: str) -> str:
    """Return the digest that a folder has whose files all lie ``below``: ``model/``, or nothing."""
    return digest([entry | {"path": f"{below}{entry['path']}"} for entry in manifest(folder)])
