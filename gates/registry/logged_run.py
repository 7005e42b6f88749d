"""Log a candidate as a run of MLflow: its files, and beside them what people read of it there.

The model is a logged model of MLflow 3, made by that run. Nothing that is read here counts: the ledger does.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gates.registry.interface import StoredRun, Summary
from gates.registry.mlflow_calls import unless_there
from gates.registry.stored_files import KEPT, MODEL
from gates.system.files import folder_digest

PREDICTIONS = "predictions"  # artifact path of a candidate's predictions on the holdout
_LONGEST = 36  # characters of a dataset's digest in MLflow
_ODD = re.compile(r"[^A-Za-z0-9_\-. :/]")  # in a metric's name
_CONTEXTS = {"holdout": "eval", "train": "train"}  # what MLflow calls the use of a dataset
_UNKNOWN = ("ENDPOINT_NOT_FOUND",)  # how a server of MLflow 2 answers a call that it does not know


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLog:
    """The runs of one tracking server. ``artifacts``: where a new experiment keeps its files, if not where the server
    says."""

    client: Any
    artifacts: str | None

    def keep(self, name: str, folder: Path, predictions: Path | None, label: str) -> StoredRun:
        """Store a candidate as a run of that name."""
        if self.client.get_experiment_by_name(name) is None:
            unless_there(lambda: self.client.create_experiment(name, self.artifacts))
        experiment = self.client.get_experiment_by_name(name).experiment_id
        run: Any = self.client.create_run(experiment, run_name=label)
        run_id = str(run.info.run_id)
        has_model = (folder / MODEL).is_dir()
        logged_model = self._log_model(name, experiment, run_id, folder / MODEL) if has_model else None
        self._log_rest(run_id, folder, without_model=logged_model is not None)
        judged = self._log_predictions(run_id, predictions) if predictions else None
        self.client.set_terminated(run_id)
        return StoredRun(run_id=run_id, predictions=judged, model=has_model, logged_model=logged_model)

    def _log_model(self, name: str, experiment: str, run_id: str, folder: Path) -> str | None:
        """Store a model as what MLflow 3 calls a logged model; None where the server knows no such thing."""
        from mlflow.entities import LoggedModelOutput
        from mlflow.exceptions import MlflowException

        try:
            model_id = str(self.client.create_logged_model(experiment, name=name, source_run_id=run_id).model_id)
        except MlflowException as error:
            if error.error_code in _UNKNOWN:
                return None
            raise
        self.client.log_model_artifacts(model_id, str(folder))
        self.client.finalize_logged_model(model_id, "READY")
        self.client.log_outputs(run_id, [LoggedModelOutput(model_id, 0)])
        return model_id

    def _log_rest(self, run_id: str, folder: Path, *, without_model: bool) -> None:
        if not without_model:
            self.client.log_artifacts(run_id, str(folder), KEPT)
            return
        for path in sorted(folder.iterdir()):
            if path.name == MODEL:
                continue
            if path.is_dir():
                self.client.log_artifacts(run_id, str(path), f"{KEPT}/{path.name}")
            else:
                self.client.log_artifact(run_id, str(path), KEPT)

    def _log_predictions(self, run_id: str, predictions: Path) -> str:
        with tempfile.TemporaryDirectory() as beside:
            copy = Path(beside) / f"predictions{predictions.suffix}"
            shutil.copyfile(predictions, copy)
            self.client.log_artifact(run_id, str(copy), PREDICTIONS)
            return folder_digest(copy.parent)

    def summarize(self, kept: StoredRun, summary: Summary) -> None:
        """Log what people read of a run: metrics with their bounds, the data that they were measured on, and tags."""
        from mlflow.entities import RunTag

        if summary.tables:
            self.client.log_inputs(kept.run_id, list(_datasets(summary)))
        tags = {**summary.tags, "mlflow.note.content": summary.version}
        tagged = [RunTag(key, value) for key, value in tags.items()]
        self.client.log_batch(kept.run_id, list(_metrics(summary, kept.logged_model)), tags=tagged)
        if kept.logged_model:
            self.client.set_logged_model_tags(kept.logged_model, dict(summary.tags))


def _metrics(summary: Summary, model_id: str | None) -> Iterator[Any]:
    """Yield the metrics, each as one of the run, of its logged model, and of the holdout."""
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    holdout = next((table for table in summary.tables if table.name == "holdout"), None)
    of = {"dataset_name": holdout.name, "dataset_digest": _short(holdout.digest)} if holdout else {}
    for name, value in summary.metrics.items():
        yield Metric(_ODD.sub("_", name), value, now, 0, model_id=model_id, **of)


def _datasets(summary: Summary) -> Iterator[Any]:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    for table in summary.tables:
        profile = json.dumps({"num_rows": table.rows, "digest": table.digest})
        source = json.dumps({"uri": table.path})
        dataset = Dataset(table.name, _short(table.digest), "local", source, profile=profile)
        yield DatasetInput(dataset, [InputTag("mlflow.data.context", _CONTEXTS.get(table.name, table.name))])


def _short(digest: str) -> str:
    return digest.removeprefix("sha256:")[:_LONGEST]
