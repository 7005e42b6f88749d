"""The MLflow registry: the champion by its alias, and what a promotion does to it, a step at a time.

A version's folder is kept as artifact ``candidate`` of a run, with what it was judged on beside it.
"""

from __future__ import annotations

import logging
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from gates.errors import Exit, GatesError
from gates.files import folder_digest
from gates.measure.models import Served
from gates.ran import ran

KEPT = "candidate"  # artifact path of the model's folder
PREDICTIONS = "predictions"  # artifact path of its predictions on the holdout
TAG_DIGEST = "gates.digest"
TAG_HOLDOUT = "gates.holdout"
TAG_DECISION = "gates.decision"
TAG_PREDICTIONS = "gates.predictions"
TAG_INTENT = "gates.intent"

_CREDENTIALS = re.compile(r"//[^/@\s]*@")  # of an address; they are told to nobody


@contextmanager
def _told(doing: str) -> Iterator[None]:
    """Whatever the registry raises, as one sentence."""
    with ran("registry", doing):
        import requests
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError

        try:
            yield
        except (MlflowException, SQLAlchemyError, requests.RequestException, OSError) as error:
            line = _CREDENTIALS.sub("//…@", (str(error).strip().splitlines() or [type(error).__name__])[0])[:300]
            mend = "Is MLFLOW_TRACKING_URI right, and the registry up?"
            raise GatesError(f"{doing}: {line}", where="registry", mend=mend, exit_code=Exit.OUTSIDE) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Files stored as a run: its id, the digest of the predictions, and whether there is a model among them."""

    run_id: str
    predictions: str
    model: bool


class Registry:
    """One MLflow registry. ``uri`` is an MLflow tracking URI."""

    def __init__(self, uri: str, root: Path) -> None:
        with _told("open"):
            import mlflow

            logging.getLogger("alembic").setLevel(logging.WARNING)
            logging.getLogger("mlflow").setLevel(logging.ERROR)
            self._mlflow = mlflow
            self._client = mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
            self._uri = uri
            self._artifacts = (root / "mlartifacts").as_uri() if uri.startswith("sqlite:") else None

    def champion(self, name: str, alias: str, cache: Path) -> Served | None:
        """The version under the alias, or None where there is none yet. ``cache`` is a folder to fetch into."""
        return self._served(f"models:/{name}@{alias}", cache, self._at(name, alias))

    def version(self, name: str, version: int, cache: Path) -> Served | None:
        """A version by its number, or None where there is none."""
        place = f"models:/{name}/{version}"
        return self._served(place, cache, self._look_up(place, lambda: self._client.get_model_version(name, version)))

    def _served(self, place: str, cache: Path, version: Any) -> Served | None:
        if version is None:
            return None
        into = cache / f"v{version.version}"
        return self._own(version, into, place) if TAG_DIGEST in version.tags else self._foreign(version, into)

    def promoted(self, name: str, version: str, cache: Path) -> Served:
        """A version that gates promoted, whether an alias names it still or not. Raises ``GatesError`` where there is
        none."""
        with _told(f"look up {name} version {version}"):
            found = self._client.get_model_version(name, version)
        into = cache / f"v{version}"
        if TAG_DIGEST not in found.tags:
            return self._foreign(found, into)
        return self._own(found, into, f"models:/{name}/{version}")

    def _own(self, version: Any, into: Path, place: str) -> Served:
        """A version that gates promoted: its bytes are held to the digest that was judged."""

        def fetch() -> Path:
            made = self._download(f"runs:/{version.run_id}/{KEPT}", into)
            if folder_digest(made) != version.tags[TAG_DIGEST]:
                raise GatesError(
                    f"the bytes of version {version.version} are not those that were promoted",
                    where=place,
                    mend="Promote again, or move the alias back to a version whose bytes are whole.",
                )
            return made

        def kept(holdout: str) -> Path | None:
            if version.tags.get(TAG_HOLDOUT) != holdout:
                return None
            folder = self._download(f"runs:/{version.run_id}/{PREDICTIONS}", into)
            if folder_digest(folder) != version.tags.get(TAG_PREDICTIONS):
                raise GatesError(f"the kept predictions of version {version.version} are not those that were judged")
            return next(folder.iterdir())

        digest = version.tags[TAG_DIGEST]
        return Served(version=str(version.version), digest=digest, predictions=kept, folder=fetch)

    def _foreign(self, version: Any, into: Path) -> Served:
        """A version that somebody registered without gates: its model is scored, and its digest is that of now."""
        with _told(f"look up version {version.version}"):
            source = self._client.get_model_version_download_uri(version.name, version.version)
        model = self._download(source, into)
        if model.name != "model":
            model = model.rename(model.with_name("model"))
        folder = model.parent
        return Served(
            version=str(version.version),
            digest=folder_digest(folder),
            predictions=lambda _: None,
            folder=lambda: folder,
        )

    def _download(self, uri: str, into: Path) -> Path:
        """A copy of what lies at an artifact URI, in a fresh folder."""
        shutil.rmtree(into, ignore_errors=True)
        into.mkdir(parents=True)
        with _told(f"fetch {uri}"):
            return Path(self._mlflow.artifacts.download_artifacts(uri, dst_path=str(into), tracking_uri=self._uri))

    @property
    def lock(self) -> Path | None:
        """The file to lock while the registry is changed: beside an SQLite one; None where it is somewhere else."""
        file = self._uri.removeprefix("sqlite:///")
        return Path(f"{file}.gates-lock") if file != self._uri else None

    def at(self, name: str, alias: str) -> str | None:
        """The version that an alias names, or None."""
        found = self._at(name, alias)
        return str(found.version) if found else None

    def _at(self, name: str, alias: str) -> Any:
        place = f"models:/{name}@{alias}"
        return self._look_up(place, lambda: self._client.get_model_version_by_alias(name, alias))

    def _look_up(self, place: str, ask: Callable[[], Any]) -> Any:
        """What the registry has there; None where it has nothing."""
        from mlflow.exceptions import MlflowException

        with _told(f"look up {place}"):
            try:
                return ask()
            except MlflowException as error:
                if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                    return None
                raise

    def keep(self, name: str, folder: Path, predictions: Path) -> Kept:
        """Store the files as a run, of which nothing serves yet."""
        with _told(f"store the files of {name}"):
            run_id, digest = self._run(name, folder, predictions)
            return Kept(run_id=run_id, predictions=digest, model=(folder / "model").is_dir())

    def register(self, name: str, kept: Kept, tags: Mapping[str, str]) -> str:
        """Make a version of stored files, which no alias names yet; gives its number."""
        with _told(f"register {name}"):
            _unless_there(lambda: self._client.create_registered_model(name))
            source = self._source(kept.run_id) + ("/model" if kept.model else "")
            tags = {**tags, TAG_PREDICTIONS: kept.predictions}
            return str(self._client.create_model_version(name, source, kept.run_id, tags=tags).version)

    def attach(self, name: str, version: str, file: str, text: bytes) -> None:
        """Keep a text with a version, as an artifact of its run beside the model's folder; it takes an older one's
        place."""
        with _told(f"keep {file} with {name} version {version}"):
            run_id = self._client.get_model_version(name, version).run_id
            if run_id:
                self._client.log_text(run_id, text.decode(), file)

    def made_for(self, name: str, intent: str) -> str | None:
        """The version that was registered for an intent, or None."""
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
        """Digest of the bytes that a version has now; None where they are gone, or it has another source than ours."""
        from mlflow.exceptions import MlflowException

        with _told(f"read the bytes of {name} version {version}"):
            try:
                found = self._client.get_model_version(name, version)
                source = self._source(found.run_id) if found.run_id else ""
            except MlflowException as error:
                if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                    return None
                raise
            if TAG_DIGEST not in found.tags:
                return self._hashed(self._client.get_model_version_download_uri(name, version), version)
            if found.source not in (source, f"{source}/model"):
                return None
            return self._hashed(source, version)

    def kept(self, run_id: str) -> str:
        """Digest of the stored files of a run."""
        with _told("read the stored files"):
            return self._hashed(self._source(run_id), run_id)

    def _hashed(self, source: str, version: str) -> str:
        """In place where the store is a folder of this machine."""
        if source.startswith("file:///"):
            return hashed(source, version)
        with tempfile.TemporaryDirectory() as beside:
            return folder_digest(self._download(source, Path(beside) / "stored"))

    def _source(self, run_id: str) -> str:
        return f"{self._client.get_run(run_id).info.artifact_uri}/{KEPT}"

    def parameters(self, run_id: str, during: tuple[int, int] | None) -> dict[str, str] | None:
        """What a training logged to this registry's server under that run; None where it knows no such run, and where
        the run was not opened ``during`` the training: a model can name anybody's."""
        from mlflow.exceptions import MlflowException

        if during is None:
            return None
        with _told(f"look up run {run_id}"):
            try:
                found = self._client.get_run(run_id)
            except MlflowException as error:
                if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                    return None
                raise
        opened = found.info.start_time
        return dict(found.data.params) if opened is not None and during[0] <= opened <= during[1] else None

    def _run(self, name: str, folder: Path, predictions: Path) -> tuple[str, str]:
        """Keep the files as a run; gives its id and the digest of the predictions."""
        if self._client.get_experiment_by_name(name) is None:
            _unless_there(lambda: self._client.create_experiment(name, self._artifacts))
        run: Any = self._client.create_run(self._client.get_experiment_by_name(name).experiment_id)
        run_id = str(run.info.run_id)
        self._client.log_artifacts(run_id, str(folder), KEPT)
        with tempfile.TemporaryDirectory() as beside:
            copy = Path(beside) / f"predictions{predictions.suffix}"
            shutil.copyfile(predictions, copy)
            digest = folder_digest(copy.parent)
            self._client.log_artifact(run_id, str(copy), PREDICTIONS)
        self._client.set_terminated(run_id)
        return run_id, digest


def _unless_there(create: Callable[[], Any]) -> None:
    """Make what another machine may just have made, too."""
    from mlflow.exceptions import MlflowException

    try:
        create()
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def hashed(source: str, version: str) -> str:
    """Digest of a folder of this machine, by its file URI. Raises ``GatesError`` where it is gone."""
    folder = Path(url2pathname(urlsplit(source).path))
    if not folder.is_dir():
        raise GatesError(f"the bytes of {version} are gone: no folder {folder}", where="registry")
    return folder_digest(folder)
