"""An MLflow model folder scores the holdout. Loads the model: never in a job that holds a credential."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gates.errors import GatesError
from gates.measure.labels import Labels

_TWO_CLASSES = 2


def score(model: Path, features: Any, labels: Labels) -> Any:
    """A pandas frame with ``score`` (probability of the positive class) or else ``prediction``, a row a row.

    ``features``: the holdout without its label. A scikit-learn model is asked for ``predict_proba``; of
    any other, what it returns must be a probability, two columns of them, or classes.
    Raises ``GatesError`` with the model's own complaint where it fails.
    """
    try:
        return _frame(*_predict(model, features), labels)
    except GatesError:
        raise
    except Exception as error:  # user code: anything may come out of it
        raise GatesError(
            f"the model could not score the holdout: {type(error).__name__}: {_first_line(error)}", where=str(model)
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or ["no message"])[0][:300]


def _predict(model: Path, features: Any) -> tuple[Any, list[str] | None]:
    """(what the model returned, its classes in the order of the columns)."""
    import mlflow

    described = mlflow.models.Model.load(str(model))
    inputs = described.get_input_schema()
    if inputs is not None and inputs.has_input_names():
        lacking = [name for name in inputs.required_input_names() if name not in features.columns]
        if lacking:
            raise GatesError(f"the model needs columns that the holdout lacks: {', '.join(lacking)}", where=str(model))
        features = features[[name for name in inputs.input_names() if name in features.columns]]
    if "sklearn" in described.flavors:
        native = mlflow.sklearn.load_model(str(model))
        if hasattr(native, "predict_proba"):
            return native.predict_proba(features), [str(value) for value in native.classes_]
        return native.predict(features), None
    return mlflow.pyfunc.load_model(str(model)).predict(features), None


def _frame(returned: Any, classes: list[str] | None, labels: Labels) -> Any:
    import numpy
    import pandas

    if isinstance(returned, pandas.DataFrame):
        for column in ("score", "prediction"):
            if column in returned:
                return returned[[column]].reset_index(drop=True)
    values = numpy.asarray(returned)
    if values.ndim == _TWO_CLASSES and values.shape[1] == _TWO_CLASSES:
        names = classes or list(labels.classes)
        if labels.positive not in names:
            raise GatesError(f"the model knows the classes {', '.join(names)}, not {labels.positive}")
        return pandas.DataFrame({"score": values[:, names.index(labels.positive)]})
    values = values.reshape(-1)
    column = "score" if numpy.issubdtype(values.dtype, numpy.floating) else "prediction"
    return pandas.DataFrame({column: values})
