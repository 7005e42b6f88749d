"""The MLflow registry: the champion by its alias, and each step of a promotion.

A version's model is a logged model, made by a run that keeps the rest of the candidate and what it was judged by.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal

from gates.documents.record import RecordedModel
from gates.errors import Exit, GatesError
from gates.measure.holdout.models import RegisteredModel
from gates.registry.address import is_server, reached
from gates.registry.catalog_rules import rules_of
from gates.registry.credentials import log_in
from gates.registry.interface import StoredRun, Summary, bound_to, unbound
from gates.registry.logged_run import PREDICTIONS, RunLog
from gates.registry.mlflow_calls import calling, look_up, unless_there
from gates.registry.stored_files import KEPT, MODEL, ArtifactStore, Parts, parts_of

VERSIONS = "mlflow.modelVersions"  # MLflow's own tag of a logged model: which versions were made of it


class MLflowRegistry:
    """One MLflow. ``tracking`` is its tracking URI; ``registry`` is where versions and aliases are, if elsewhere."""

    def __init__(self, tracking: str, root: Path, registry: str | None = None) -> None:
        registry = registry or tracking
        for address in dict.fromkeys((tracking, registry)):
            reached(address)
        log_in(os.environ)
        with calling("open"):
            import mlflow

            logging.getLogger("alembic").setLevel(logging.WARNING)
            logging.getLogger("mlflow").setLevel(logging.ERROR)
            self._client = mlflow.MlflowClient(tracking_uri=tracking, registry_uri=registry)
        self._tracking, self._registry = tracking, registry
        self._rules = rules_of(registry)
        self._store = ArtifactStore(tracking=tracking, registry=registry)
        artifacts = (root / "mlartifacts").as_uri() if tracking.startswith("sqlite:") else None
        self._runs = RunLog(client=self._client, artifacts=artifacts)

    def refresh(self) -> None:
        """See ``Registry``: nothing is remembered here."""

    @property
    def kind(self) -> Literal["git", "mlflow"]:
        """See ``Registry``."""
        return "mlflow"

    @property
    def lock(self) -> Path | None:
        """The file to lock while the registry is changed: beside an SQLite one; None where it is somewhere else."""
        file = self._registry.removeprefix("sqlite:///")
        return Path(f"{file}.gates-lock") if file != self._registry else None

    # -- reading --

    def served(self, name: str, version: str, known: RecordedModel | None, cache: Path) -> RegisteredModel | None:
        """Find a version by its number; None where there is none. ``cache`` is a folder to fetch into.

        ``known`` is what the ledger says of its model, and binds: bytes and kept predictions that are others are
        refused, whatever the registry's tags say. Without it the version is what it is now, and has no predictions.
        """
        model_version = look_up(f"models:/{name}/{version}", lambda: self._client.get_model_version(name, version))
        if model_version is None:
            return None
        number, into = str(model_version.version), cache / f"v{model_version.version}"
        files = partial(self._fetched, model_version, into / KEPT)
        if known is None:
            return unbound(number, files())

        def predictions() -> Path:
            return self._store.copy(f"runs:/{model_version.run_id}/{PREDICTIONS}", into / PREDICTIONS)

        return bound_to(known, name, number, files, predictions)

    def files(self, name: str, version: str, cache: Path) -> Path:
        """Copy a version's files into a folder that is made as gates keeps it. Raises ``GatesError`` where there are
        none."""
        with calling(f"look up {name} version {version}"):
            model_version = self._client.get_model_version(name, version)
        return self._fetched(model_version, cache / f"v{version}")

    def _fetched(self, model_version: Any, into: Path) -> Path:
        with calling(f"look up the files of version {model_version.version}"):
            parts = self._parts(model_version)
        return self._store.candidate(parts, into)

    def _parts(self, model_version: Any) -> Parts:
        run_id, source = model_version.run_id, str(model_version.source)
        kept, beside = (self._kept_at(run_id), self._beside(run_id)) if run_id else ("", None)
        parts = dict(parts_of(source, kept, beside))
        if parts.get(f"{MODEL}/") == source:  # where the registry serves it from
            name, version = model_version.name, str(model_version.version)
            parts[f"{MODEL}/"] = self._rules.served_from(self._client, name, version)
        return parts

    def _kept_at(self, run_id: str) -> str:
        return f"{self._client.get_run(run_id).info.artifact_uri}/{KEPT}"

    def _beside(self, run_id: str) -> str | None:
        """Return where a run keeps what a candidate has beside its model; None where it has nothing more."""
        kept = any(artifact.path == KEPT for artifact in self._client.list_artifacts(run_id))
        return self._kept_at(run_id) if kept else None

    def at(self, name: str, alias: str) -> str | None:
        """Return the version that an alias names, or None."""
        found = look_up(f"models:/{name}@{alias}", lambda: self._client.get_model_version_by_alias(name, alias))
        return str(found.version) if found else None

    def made_for(self, name: str, intent: str) -> str | None:
        """Find the version that was registered for an intent, or None."""
        with calling(f"look for the version of {intent[:19]}"):
            return self._rules.made_for(self._client, name, intent)

    def stored(self, name: str, version: str) -> str | None:
        """Digest the bytes that a version has now; None where they are gone."""
        missing = ("RESOURCE_DOES_NOT_EXIST",)
        parts = look_up(
            f"the bytes of {name} version {version}",
            lambda: self._parts(self._client.get_model_version(name, version)),
            missing,
        )
        return self._digest(parts) if parts else None

    def kept(self, name: str, stored: StoredRun) -> str | None:
        """Digest stored files; None where they are gone."""
        with calling(f"look up the stored files of {name}"):
            parts = parts_of(self._source(stored), self._kept_at(stored.run_id), self._beside(stored.run_id))
        return self._digest(parts)

    def _digest(self, parts: Parts) -> str | None:
        with calling("read the stored bytes"):
            return self._store.digest(parts)

    def parameters(self, run_id: str, during: tuple[int, int] | None) -> dict[str, str] | None:
        """Return what a training logged to this registry's server under that run.

        None where it knows no such run, and where the run was not opened ``during`` the training: a model can name
        anybody's.
        """
        if during is None:
            return None
        run = look_up(f"run {run_id}", lambda: self._client.get_run(run_id))
        opened = run.info.start_time if run else None
        return dict(run.data.params) if opened is not None and during[0] <= opened <= during[1] else None

    # -- changing --

    def keep(self, name: str, folder: Path, predictions: Path | None, label: str) -> StoredRun:
        """Store the files as a run of that label, of which nothing serves yet."""
        with calling(f"store the files of {name}"):
            return self._runs.keep(name, folder, predictions, label)

    def summarize(self, name: str, kept: StoredRun, summary: Summary) -> None:
        """See ``Registry``: metrics, data and tags of the run, and a description where the registered model has
        none."""
        with calling(f"log the metrics of {name}"):
            self._runs.summarize(kept, summary)
            unless_there(lambda: self._client.create_registered_model(name, description=summary.model))
            if not self._client.get_registered_model(name).description:
                self._client.update_registered_model(name, summary.model)

    def register(
        self, name: str, kept: StoredRun, tags: Mapping[str, str], wish: str = "", description: str = ""
    ) -> str:
        """Make a version of stored files, which no alias names yet; gives its number, which MLflow alone chooses."""
        del wish
        with calling(f"register {name}"):
            unless_there(lambda: self._client.create_registered_model(name))
            same = self._registry == self._tracking
            known = kept.logged_model if same or self._rules.unity else None  # another server has other models
            tagged = {self._rules.tag(key): value for key, value in tags.items()}
            with _within_reach(same):
                version = self._client.create_model_version(
                    name, self._source(kept), kept.run_id, tags=tagged, description=description or None, model_id=known
                )
            if known and same and not is_server(self._registry):  # which does that itself
                versions = json.dumps([{"name": name, "version": version.version}])
                self._client.set_logged_model_tags(known, {VERSIONS: versions})
            return str(version.version)

    def _source(self, kept: StoredRun) -> str:
        """Return where the version's files lie: of a model alone, or of a candidate that is none."""
        if kept.logged_model:
            return str(self._client.get_logged_model(kept.logged_model).artifact_location)
        return self._kept_at(kept.run_id) + (f"/{MODEL}" if kept.model else "")

    def attach(self, name: str, version: str, file: str, text: bytes) -> None:
        """Keep a text with a version, as an artifact of its run beside the model's folder; it takes an older one's
        place."""
        with calling(f"keep {file} with {name} version {version}"):
            run_id = self._client.get_model_version(name, version).run_id
            if run_id:
                self._client.log_text(run_id, text.decode(), file)

    def move(self, name: str, alias: str, version: str | None) -> None:
        """Let the alias name a version, or none."""
        with calling(f"move models:/{name}@{alias}"):
            if version is None:
                self._client.delete_registered_model_alias(name, alias)
            else:
                self._client.set_registered_model_alias(name, alias, version)


@contextmanager
def _within_reach(same: bool) -> Iterator[None]:
    """Say what to do where a registry refuses files because it can't reach them: another server keeps them."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        if same or error.error_code != "INVALID_PARAMETER_VALUE":
            raise
        raise GatesError(
            f"the registry does not take files that another server keeps: {str(error).splitlines()[0][:200]}",
            where="MLFLOW_REGISTRY_URI",
            hint="Give both servers one store of files that both reach (--default-artifact-root s3://…).",
            exit_code=Exit.OUTSIDE,
        ) from error
