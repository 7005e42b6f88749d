"""The MLflow registry: the champion by its alias, and a plain promotion (register, move the alias).

A version's folder is kept as artifact ``candidate`` of a run, with what it was judged on beside it.
"""

from __future__ import annotations

import logging
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gates.errors import Exit, GatesError
from gates.files import folder_digest
from gates.measure import Served

KEPT = "candidate"  # artifact path of the model's folder
PREDICTIONS = "predictions"  # artifact path of its predictions on the holdout
TAG_DIGEST = "gates.digest"
TAG_HOLDOUT = "gates.holdout"
TAG_DECISION = "gates.decision"
TAG_PREDICTIONS = "gates.predictions"

_CREDENTIALS = re.compile(r"//[^/@\s]*@")  # of an address; they are told to nobody


@contextmanager
def _told(doing: str) -> Iterator[None]:
    """Whatever the registry raises, as one sentence."""
    import requests
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, requests.RequestException, OSError) as error:
        line = _CREDENTIALS.sub("//…@", (str(error).strip().splitlines() or [type(error).__name__])[0])[:300]
        mend = "Is MLFLOW_TRACKING_URI right, and the registry up?"
        raise GatesError(f"{doing}: {line}", where="registry", mend=mend, exit_code=Exit.OUTSIDE) from error


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
        return self._found(
            f"models:/{name}@{alias}", cache, lambda: self._client.get_model_version_by_alias(name, alias)
        )

    def version(self, name: str, version: int, cache: Path) -> Served | None:
        """A version by its number, or None where there is none."""
        return self._found(f"models:/{name}/{version}", cache, lambda: self._client.get_model_version(name, version))

    def _found(self, place: str, cache: Path, look_up: Callable[[], Any]) -> Served | None:
        from mlflow.exceptions import MlflowException

        with _told(f"look up {place}"):
            try:
                version = look_up()
            except MlflowException as error:
                if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                    return None
                raise
        into = cache / f"v{version.version}"
        return self._own(version, into, place) if TAG_DIGEST in version.tags else self._foreign(version, into)

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

    def promote(self, name: str, alias: str, folder: Path, predictions: Path, tags: Mapping[str, str]) -> str:
        """Register the folder as a new version, move the alias, and read it back; gives the version."""
        with _told(f"promote to models:/{name}@{alias}"):
            run_id, kept = self._run(name, folder, predictions)
            self._ensure(name)
            source = self._client.get_run(run_id).info.artifact_uri + f"/{KEPT}"
            source += "/model" if (folder / "model").is_dir() else ""
            version = str(
                self._client.create_model_version(name, source, run_id, tags={**tags, TAG_PREDICTIONS: kept}).version
            )
            self._client.set_registered_model_alias(name, alias, version)
            now = str(self._client.get_model_version_by_alias(name, alias).version)
        if now != version:
            raise GatesError(
                f"the alias {alias} names version {now}, not {version}: somebody moved it meanwhile",
                where="registry",
                mend="Judge against the champion of now, and promote again.",
                exit_code=Exit.OUTSIDE,
            )
        return version

    def _run(self, name: str, folder: Path, predictions: Path) -> tuple[str, str]:
        """Keep the files as a run; gives its id and the digest of the predictions."""
        experiment = self._client.get_experiment_by_name(name)
        experiment_id = (
            experiment.experiment_id if experiment else self._client.create_experiment(name, self._artifacts)
        )
        run: Any = self._client.create_run(experiment_id)
        run_id = str(run.info.run_id)
        self._client.log_artifacts(run_id, str(folder), KEPT)
        with tempfile.TemporaryDirectory() as beside:
            copy = Path(beside) / f"predictions{predictions.suffix}"
            shutil.copyfile(predictions, copy)
            digest = folder_digest(copy.parent)
            self._client.log_artifact(run_id, str(copy), PREDICTIONS)
        self._client.set_terminated(run_id)
        return run_id, digest

    def _ensure(self, name: str) -> None:
        from mlflow.exceptions import MlflowException

        try:
            self._client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
