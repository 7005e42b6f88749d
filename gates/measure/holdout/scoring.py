"""Score the holdout with an MLflow model, in a child process: loading a model runs its author's code.

Run as a module it is that child: ``python -m gates.measure.holdout.scoring MODEL FEATURES OUT ANSWER``.
"""

from __future__ import annotations

import gc
import importlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gates.contract.sql import literal, quoted
from gates.errors import GatesError
from gates.measure.engines import connect
from gates.measure.holdout import inputs
from gates.measure.holdout.answer import Returns, ToldAnswer, UnfitError, frame
from gates.measure.holdout.labels import Labels
from gates.measure.holdout.tables import open_table
from gates.metrics import Task
from gates.system import sandbox

_LONGEST = 1000  # characters of a complaint


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringRequest:
    """What a model is asked, beside the rows: what its answer means, the key to put beside it, and how long it has.

    ``further``: columns that gates name with `of`; ``returns``: what the policy says of one number a row.
    """

    task: Task
    labels: Labels
    key: str | None
    seconds: int
    further: tuple[str, ...] = ()
    returns: Returns | None = None

    def dump(self) -> str:
        """Write the request as JSON, for another process or machine."""
        told = {"task": self.task, "key": self.key, "seconds": self.seconds}
        return json.dumps(told | {"labels": self.labels.plain(), "further": self.further, "returns": self.returns})

    @classmethod
    def load(cls, text: str | bytes) -> ScoringRequest:
        """Return what ``dump`` wrote."""
        told = json.loads(text)
        return cls(**told | {"labels": Labels.read(told["labels"]), "further": tuple(told["further"])})


def scored(model: Path, features: Path, target: Path, asked: ScoringRequest, environment: Mapping[str, str]) -> Path:
    """Let an MLflow model folder score ``features``, and write its scores with the key beside them."""
    bare = target.with_name(f"{target.stem}-scores.parquet")
    score(model, features, bare, asked, environment)
    if asked.key is None:
        return bare.replace(target)
    engine = connect()
    given = open_table(engine, features.parent, features.name, "features")
    key = given.require(asked.key, "data.key")
    engine.run(f"CREATE OR REPLACE TEMP TABLE keys AS SELECT {key} FROM {quoted(given.name)}")
    beside = f"SELECT * FROM keys POSITIONAL JOIN {literal(str(bare))}"
    engine.run(f"COPY ({beside}) TO {literal(str(target))} (FORMAT parquet)")
    bare.unlink()
    return target


def score(model: Path, features: Path, out: Path, asked: ScoringRequest, environment: Mapping[str, str]) -> None:
    """Write ``out`` (Parquet): the columns that predictions have, a row a row.

    ``features``: the holdout without its label, as Parquet, or as CSV where the holdout is. A scikit-learn classifier
    is asked for ``predict_proba``; what any other returns is read as ``answer`` says.
    Raises ``GatesError`` with the model's own complaint where it fails.
    """
    answer, log = out.with_suffix(".json"), out.with_suffix(".log")
    for old in (answer, out):
        old.unlink(missing_ok=True)
    command = [
        sys.executable,
        "-m",
        "gates.measure.holdout.scoring",
        *map(str, (model, features, out, answer)),
        asked.dump(),
    ]
    status = sandbox.run(command, out.parent, sandbox.without_secrets(environment), log, asked.seconds)
    if status is None:
        raise GatesError(f"the model took longer than {asked.seconds} s to score the holdout", where=str(model))
    if not answer.exists():
        last = " / ".join(sandbox.last_lines(log, 3)) or "it printed nothing"
        raise GatesError(f"the model's process ended with exit code {status}: {last}", where=str(model))
    complaint = _complaint(answer)
    if complaint is not None or status or not out.exists():
        raise GatesError(f"the model could not score the holdout: {complaint or 'no reason given'}", where=str(model))


def _complaint(answer: Path) -> str | None:
    """Return what the child said; the model could have written over it."""
    try:
        complaint = json.loads(answer.read_bytes())
    except ValueError:
        return "its answer is not valid JSON"
    return None if complaint is None else str(complaint)[:_LONGEST]


def _predict(model: Path, features: Path, asked: ScoringRequest) -> tuple[Any, Any, ToldAnswer]:
    """Return what the model returned, the rows that it was given, and what it says of its answer."""
    with _uncollected():
        if any(model.glob("*.skops")):  # skops looks for its names in all that is loaded, which MLflow makes much
            with suppress(ImportError):  # MLflow says what is missing
                importlib.import_module("skops.io")
        import mlflow

        described = mlflow.models.Model.load(str(model))
        native = "sklearn" in described.flavors
        load = (mlflow.sklearn if native else mlflow.pyfunc).load_model
        sys.dont_write_bytecode = True  # else a model of code leaves a file in its folder that nobody has judged
        loaded = load(str(model))
    schema, outputs = described.get_input_schema(), described.get_output_schema()
    table = inputs.read(features, schema)
    names = outputs.input_names() if outputs is not None and outputs.has_input_names() else None
    if not native:
        return loaded.predict(inputs.fitted(table, schema)), table, ToldAnswer(names=names)
    given = inputs.fitted(table, schema) if inputs.kinds(schema) else _seen(loaded, table)
    returned, told = _of_sklearn(loaded, given, asked)
    return returned, table, told


@contextmanager
def _uncollected() -> Iterator[None]:
    """Collect no garbage while a model and its libraries load: looking for it takes a sixth of that time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _seen(native: Any, table: Any) -> Any:
    """Return the columns that a scikit-learn model was trained on, where it says so."""
    names = [str(name) for name in getattr(native, "feature_names_in_", ())]
    return table[names] if names and set(names) <= set(table.columns) else table


def _of_sklearn(native: Any, given: Any, asked: ScoringRequest) -> tuple[Any, ToldAnswer]:
    """Return a classifier's probabilities with their classes, or its classes; another's numbers."""
    from sklearn.base import is_classifier

    classes = [str(value) for value in getattr(native, "classes_", ())]
    if asked.task not in ("binary", "multiclass"):
        if is_classifier(native):
            known = f" of the classes {', '.join(classes)}" if classes else ""
            raise UnfitError(f"it is a classifier{known}, and task: {asked.task} asks for numbers")
        return native.predict(given), ToldAnswer()
    if hasattr(native, "predict_proba"):
        return native.predict_proba(given), ToldAnswer(classes=classes or None)
    return native.predict(given), ToldAnswer(returns="prediction" if is_classifier(native) else "score")


def _answer(model: Path, features: Path, out: Path, asked: ScoringRequest) -> str | None:
    """Score and write; gives the complaint where that fails."""
    try:
        returned, given, told = _predict(model, features, asked)
        frame(returned, given, told, asked).to_parquet(out, index=False)
    except UnfitError as error:
        return str(error)
    except Exception as error:  # the model's code: anything may come out of it
        return f"{type(error).__name__}: {_reason(str(error))}"
    return None


def _reason(text: str) -> str:
    """Return all that an error says, in one line. MLflow puts the rows before its reason, which is the last that it
    says."""
    reason = " ".join(text.split()) or "no message"
    if reason.startswith("Failed to enforce schema of data"):
        reason = f"Failed to enforce its signature. {reason.rpartition(' Error: ')[2]}"
    return reason[:_LONGEST]


def main(arguments: Sequence[str]) -> None:
    """Score, and write the answer; ``arguments`` are those of the module."""
    model, features, out, answer = map(Path, arguments[:4])
    answer.write_text(json.dumps(_answer(model, features, out, ScoringRequest.load(arguments[4]))))


if __name__ == "__main__":
    main(sys.argv[1:])
    sandbox.leave()
