"""An MLflow model folder scores the holdout, in a child process: loading a model runs its author's code.

Run as a module it is that child: ``python -m gates.measure.scoring MODEL FEATURES OUT ANSWER``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gates import child
from gates.errors import GatesError
from gates.measure.labels import Labels, described
from gates.metrics import Task
from gates.policy import Policy

_TWO = 2


def score(
    model: Path, features: Path, out: Path, policy: Policy, labels: Labels, environment: Mapping[str, str]
) -> None:
    """Write ``out`` (Parquet): ``score``, or ``score_CLASS`` of each class, or else ``prediction``, a row a row.

    ``features``: the holdout without its label, as Parquet. A scikit-learn classifier is asked for ``predict_proba``;
    of any other, what it returns must be probabilities, one or a column a class, or classes; of a task without classes,
    numbers. Raises ``GatesError`` with the model's own complaint where it fails.
    """
    seconds = policy.train.seconds
    answer, log = out.with_suffix(".json"), out.with_suffix(".log")
    for old in (answer, out):
        old.unlink(missing_ok=True)
    wanted = json.dumps({"task": policy.task, **described(labels)})
    command = [sys.executable, "-m", "gates.measure.scoring", *map(str, (model, features, out, answer)), wanted]
    status = child.run(command, out.parent, child.without_secrets(environment), log, seconds)
    if status is None:
        raise GatesError(f"the model took longer than {seconds} s to score the holdout", where=str(model))
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
    _wanted = json.loads(sys.argv[5])
    _labels = Labels(classes=tuple(_wanted["classes"]), kind=_wanted["kind"])
    _told = _answer(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), _wanted["task"], _labels)
    Path(sys.argv[4]).write_text(json.dumps(_told))
