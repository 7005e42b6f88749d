"""An MLflow model folder scores the holdout, in a child process: loading a model runs its author's code.

Run as a module it is that child: ``python -m gates.measure.scoring MODEL FEATURES OUT ANSWER``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gates import child
from gates.contract.columns import literal, quoted
from gates.errors import GatesError
from gates.measure.engines import connect
from gates.measure.labels import Labels
from gates.measure.tables import run
from gates.metrics import Task

_TWO = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a model is asked, beside the rows: what its answer means, the key to put beside it, and how long it has."""

    task: Task
    labels: Labels
    key: str | None
    seconds: int

    def dump(self) -> str:
        """As JSON, for another process or machine."""
        labels = {"classes": self.labels.classes, "kind": self.labels.kind}
        return json.dumps({"task": self.task, "labels": labels, "key": self.key, "seconds": self.seconds})

    @classmethod
    def load(cls, text: str | bytes) -> Asked:
        """What ``dump`` wrote."""
        told = json.loads(text)
        labels = Labels(classes=tuple(told["labels"]["classes"]), kind=told["labels"]["kind"])
        return cls(task=told["task"], labels=labels, key=told["key"], seconds=told["seconds"])


def scored(model: Path, features: Path, target: Path, asked: Asked, environment: Mapping[str, str]) -> Path:
    """Let an MLflow model folder score ``features`` (Parquet), and write its scores with the key beside them."""
    bare = target.with_name(f"{target.stem}-scores.parquet")
    score(model, features, bare, asked, environment)
    if asked.key is None:
        return bare.replace(target)
    keys = f"(SELECT {quoted(asked.key)} FROM {literal(str(features))})"
    beside = f"SELECT * FROM {keys} POSITIONAL JOIN {literal(str(bare))}"
    run(connect(), f"COPY ({beside}) TO {literal(str(target))} (FORMAT parquet)")
    bare.unlink()
    return target


def score(model: Path, features: Path, out: Path, asked: Asked, environment: Mapping[str, str]) -> None:
    """Write ``out`` (Parquet): ``score``, or ``score_CLASS`` of each class, or else ``prediction``, a row a row.

    ``features``: the holdout without its label, as Parquet. A scikit-learn classifier is asked for ``predict_proba``;
    of any other, what it returns must be probabilities, one or a column a class, or classes; of a task without classes,
    numbers. Raises ``GatesError`` with the model's own complaint where it fails.
    """
    answer, log = out.with_suffix(".json"), out.with_suffix(".log")
    for old in (answer, out):
        old.unlink(missing_ok=True)
    command = [sys.executable, "-m", "gates.measure.scoring", *map(str, (model, features, out, answer)), asked.dump()]
    status = child.run(command, out.parent, child.without_secrets(environment), log, asked.seconds)
    if status is None:
        raise GatesError(f"the model took longer than {asked.seconds} s to score the holdout", where=str(model))
    if not answer.exists():
        last = " / ".join(child.last_lines(log, 3)) or "it printed nothing"
        raise GatesError(f"the model ended its process with exit code {status}: {last}", where=str(model))
    complaint = _complaint(answer)
    if complaint is not None or status or not out.exists():
        raise GatesError(f"the model could not score the holdout: {complaint or 'no reason given'}", where=str(model))


def _complaint(answer: Path) -> str | None:
    """What the child said; the model could have written over it."""
    try:
        told = json.loads(answer.read_bytes())
    except ValueError:
        return "its answer is no JSON"
    return None if told is None else str(told)[:1000]


class _UnfitError(Exception):
    """The model works, but not for this holdout."""


def _predict(model: Path, features: Any) -> tuple[Any, list[str] | None]:
    """(what the model returned, its classes in the order of the columns)."""
    import mlflow

    described = mlflow.models.Model.load(str(model))
    inputs = described.get_input_schema()
    if inputs is not None and inputs.has_input_names():
        lacking = [name for name in inputs.required_input_names() if name not in features.columns]
        if lacking:
            raise _UnfitError(f"it needs columns that the holdout lacks: {', '.join(lacking)}")
        features = features[[name for name in inputs.input_names() if name in features.columns]]
    if "sklearn" in described.flavors:
        native = mlflow.sklearn.load_model(str(model))
        if hasattr(native, "predict_proba"):
            return native.predict_proba(features), [str(value) for value in native.classes_]
        return native.predict(features), None
    return mlflow.pyfunc.load_model(str(model)).predict(features), None


def _frame(returned: Any, classes: list[str] | None, task: Task, labels: Labels) -> Any:
    import numpy
    import pandas

    if isinstance(returned, pandas.DataFrame):
        given = [column for column in returned if str(column).startswith("score_")] if task == "multiclass" else []
        for column in ("score", "prediction"):
            if given or column in returned:
                return returned[given or [column]].reset_index(drop=True)
    values = numpy.asarray(returned)
    if task in ("regression", "ranking"):
        return pandas.DataFrame({"prediction" if task == "regression" else "score": values.reshape(-1)})
    if values.ndim == _TWO and values.shape[1] == (_TWO if task == "binary" else len(labels.classes)):
        names = classes or list(labels.classes)
        wanted = [labels.positive] if task == "binary" else list(labels.classes)
        places = [next((at for at, name in enumerate(names) if labels.same(name, one)), None) for one in wanted]
        for one, at in zip(wanted, places, strict=True):
            if at is None:
                raise _UnfitError(f"it knows the classes {', '.join(names)}, not {one}")
        columns = ["score"] if task == "binary" else [f"score_{name}" for name in wanted]
        return pandas.DataFrame({column: values[:, at] for column, at in zip(columns, places, strict=True)})
    values = values.reshape(-1)
    scores = task == "binary" and numpy.issubdtype(values.dtype, numpy.floating)
    return pandas.DataFrame({"score" if scores else "prediction": values})


def _answer(model: Path, features: Path, out: Path, task: Task, labels: Labels) -> str | None:
    """Score and write; gives the complaint where that fails."""
    import pandas

    try:
        table = pandas.read_parquet(features)
        frame = _frame(*_predict(model, table), task, labels)
        if len(frame) != len(table):
            return f"it returned {len(frame):,} values for {len(table):,} rows"
        frame.to_parquet(out, index=False)
    except _UnfitError as error:
        return str(error)
    except Exception as error:  # the model's code: anything may come out of it
        return f"{type(error).__name__}: {(str(error).strip().splitlines() or ['no message'])[0][:300]}"
    return None


if __name__ == "__main__":
    _asked = Asked.load(sys.argv[5])
    _told = _answer(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), _asked.task, _asked.labels)
    Path(sys.argv[4]).write_text(json.dumps(_told))
