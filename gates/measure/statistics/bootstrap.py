"""Call somebody else's metric in a child process: on the rows, and on resamples of them.

    python -m gates.measure.statistics.bootstrap ROWS ASKED ANSWER

Rows, or units with all their rows, are drawn with replacement, the same for both models. The draws are those of a
generator whose sequence numpy promises, seeded by what is asked; so the same rows give the same answer. Source: Efron
and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 6 (200 draws tell a standard error).
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import json
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd

from gates.system.sandbox import leave

DRAWS = 200
LEAST = 0.9  # of the draws must have a value
_SCORES = ("y_score", "y_proba", "y_prob", "probas_pred")
_SHOWN = 200


class _UnfitError(Exception):
    """The function can't be called ok."""


@dataclass(frozen=True, kw_only=True)
class MetricRequest:
    """The function, ready to be called with (y_true, predictions, weights or None)."""

    call: Callable[[Any, Any, Any], float]
    predictions: Sequence[Any]  # a model's calls or scores, a row a row
    id: str
    absent: Sequence[str] = ()  # the classes that no row of the holdout has
    wrong: Callable[[Any], Any] | None = None  # of one row's right prediction a wrong one; None where they are values


def _function(wanted: Mapping[str, Any]) -> Callable[..., Any]:
    module, _, name = str(wanted["function"]).rpartition(":")
    if wanted["root"] is not None:
        sys.path.insert(0, wanted["root"])
    try:
        function = getattr(importlib.import_module(module or "sklearn.metrics"), name)
    except ImportError as error:
        raise _UnfitError(f"{module} can't be imported: {error}") from error
    except AttributeError as error:
        raise _UnfitError(f"{module or 'this scikit-learn'} has no {name}") from error
    if not callable(function):
        raise _UnfitError(f"{name} is not a function")
    return cast(Callable[..., Any], function)


def _asked(wanted: Mapping[str, Any], rows: Any) -> MetricRequest:
    function, arguments = _function(wanted), wanted["arguments"]
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError) as error:
        raise _UnfitError("its parameters can't be determined") from error
    names, any_ = list(parameters), any(one.kind is one.VAR_KEYWORD for one in parameters.values())
    if len(names) < 2:  # the truth and what was predicted
        raise _UnfitError(f"it must take (y_true, y_pred) or (y_true, y_score), not ({', '.join(names)})")
    unknown = [name for name in arguments if name not in names and not any_]
    if unknown:
        raise _UnfitError(f"it takes no {unknown[0]}")
    if wanted["places"] is not None and "sample_weight" not in names and not any_:
        raise _UnfitError("it takes no sample_weight, and the policy has data.weight")
    scores = wanted["takes"] == "scores" or (wanted["takes"] is None and names[1] in _SCORES)
    if scores and not wanted["scored"][0]:
        raise _UnfitError("it needs scores; only calls were predicted")

    def call(truth: Any, predicted: Any, weights: Any) -> float:
        given = arguments if weights is None else {**arguments, "sample_weight": weights}
        value = function(truth, predicted, **given)
        if isinstance(value, np.ndarray) and value.ndim == 0:
            value = value.item()
        if not isinstance(value, Real):
            raise _UnfitError(f"it returned {type(value).__name__}, not one number")
        return float(value)

    return MetricRequest(
        call=call,
        predictions=[
            _predicted(rows, one, wanted, scores)
            for one, scored in zip(wanted["models"], wanted["scored"], strict=True)
            if scored or not scores
        ],
        id=wanted["id"],
        absent=wanted["absent"],
        wrong=_wrong(rows, wanted, scores),
    )


def _wrong(rows: Any, wanted: Mapping[str, Any], scores: bool) -> Callable[[Any], Any] | None:
    if wanted["kind"] == "value":
        return None
    if scores:
        return lambda score: np.roll(score, 1) if np.ndim(score) else 1 - score
    classes = np.unique(_truth(rows["label"], wanted))
    return lambda call: next((one for one in classes if one != call), call)


def _predicted(rows: Any, model: Sequence[Any], wanted: Mapping[str, Any], scores: bool) -> Any:
    call, score, by_class = model
    if scores and (by_class or wanted["kind"] != "value"):
        return rows[by_class].to_numpy() if by_class else rows[score].to_numpy()
    return _truth(rows[call], wanted)


def _truth(column: Any, wanted: Mapping[str, Any]) -> Any:
    """Return values as they are; of two classes 0 and 1; of more the classes themselves."""
    values, classes = column.to_numpy(), wanted["classes"]
    if wanted["kind"] == "value" or len(classes) <= 2:  # negative and positive
        return values if wanted["kind"] == "value" else values.astype(int)
    named = [float(one) for one in classes] if wanted["kind"] == "number" else classes
    return np.array(named)[values.astype(int)]


def _called(asked: MetricRequest, truth: Any, predicted: Any, weights: Any) -> float | str:
    """Return the value; in words why there is none."""
    try:
        value = asked.call(truth, predicted, weights)
    except _UnfitError:
        raise
    except Exception as error:  # somebody else's code: anything may come out of it
        return f"{type(error).__name__}: {(str(error).strip().splitlines() or ['no message'])[0]}"[:_SHOWN]
    return value if np.isfinite(value) else "it is not a finite number"


def _slice(asked: MetricRequest, rows: Any, truth: Any, weights: Any, units: Any, seed: str) -> dict[str, Any]:
    """Return the values, variances and covariance of both models on some ``rows``."""
    truth, weights = truth[rows], None if weights is None else weights[rows]
    models = [one[rows] for one in asked.predictions]
    values = [_called(asked, truth, one, weights) for one in models]
    wrong = next((one for one in values if isinstance(one, str)), None)
    if wrong is not None:
        return _undefined(f"{wrong}; no row has the class {', '.join(asked.absent)}" if asked.absent else wrong, 0)
    first, codes = np.unique(units[rows], return_inverse=True)
    many = len(first)
    if many < 2:  # one has no spread
        return _undefined("one row, or unit, has no spread", many)
    drawn = [
        [_called(asked, truth[at], one[at], None if weights is None else weights[at]) for one in models]
        for at in _draws(codes, many, seed)
    ]
    good = np.array([one for one in drawn if not any(isinstance(value, str) for value in one)], dtype=float)
    if len(good) < LEAST * DRAWS:
        return _undefined(f"too few rows: undefined in {DRAWS - len(good)} of {DRAWS} draws of them", len(rows))
    spread = np.cov(good, rowvar=False).reshape(len(models), len(models)) * many / (many - 1)
    for index, model in enumerate(models):
        spread[index, index] = max(spread[index, index], _unseen(asked, truth, model, weights, values[index]))
    return {
        "why": None,
        "paired": len(models) > 1,
        "candidate": values[0],
        "champion": values[-1] if len(models) > 1 else 0.0,
        "aa": spread[0, 0],
        "bb": spread[-1, -1] if len(models) > 1 else 0.0,
        "ab": spread[0, -1] if len(models) > 1 else 0.0,
        "groups": min(len(good), many),
    }


def _unseen(asked: MetricRequest, truth: Any, model: Any, weights: Any, value: Any) -> float:
    """Return the squared error that there is at least: that of two wrong rows, of the class of which one moves the
    value most. Where all rows are right, no draw of them shows any. 0 of values, of which nobody knows what a wrong one
    is."""
    if asked.wrong is None:
        return 0.0
    moved = [0.0]
    for label in np.unique(truth):
        other = model.copy()
        place = int(np.flatnonzero(truth == label)[0])
        other[place] = asked.wrong(model[place])
        without = _called(asked, truth, other, weights)
        moved.append(0.0 if isinstance(without, str) else abs(without - value))
    return float((2 * max(moved)) ** 2)


def _undefined(why: str, groups: int) -> dict[str, Any]:
    return {"why": why, "groups": groups}


def _draws(codes: Any, many: int, seed: str) -> Iterator[Any]:
    """Yield rows of each draw of units, in their order."""
    words = np.frombuffer(hashlib.sha256(seed.encode()).digest(), dtype="<u4")
    random = np.random.RandomState(words)
    for _ in range(DRAWS):
        times = np.bincount(random.randint(0, many, many), minlength=many)
        yield np.repeat(np.arange(len(codes)), times[codes])


def answer(wanted: Mapping[str, Any], rows: Any) -> list[Any]:
    """Compute each slice of each dimension. Each answer is the slice's key and what was computed for it."""
    asked = _asked(wanted, rows)
    truth = _truth(rows["label"], wanted)
    weights = None if wanted["places"] is None else np.ldexp(rows["weight"].to_numpy().astype(float), -wanted["places"])
    units = pd.factorize(rows["unit"])[0] if wanted["together"] else np.arange(len(rows))
    answers = []
    for id_, columns in wanted["dimensions"]:
        if columns:
            groups = rows.groupby(columns, sort=True, dropna=False).indices
            indices = {_key(key): at for key, at in groups.items()}
        else:
            indices = {(): np.arange(len(rows))}
        answers.append(
            [[key, _slice(asked, at, truth, weights, units, f"{asked.id}|{id_}|{key}")] for key, at in indices.items()]
        )
    return answers


def _key(key: Any) -> tuple[str | None, ...]:
    return tuple(None if pd.isna(one) else str(one) for one in (key if isinstance(key, tuple) else (key,)))


def main(rows: Path, asked: Path, target: Path) -> None:
    """Compute, and write the answer; the complaint where that can't be done."""
    warnings.simplefilter("ignore")
    warnings.filterwarnings("error", category=UserWarning, module=r"sklearn\.metrics")  # it calls 0/0 zero, and warns
    complaint, answers = None, None
    try:
        answers = answer(json.loads(asked.read_bytes()), pd.read_parquet(rows))
    except _UnfitError as error:
        complaint = str(error)
    except Exception as error:  # an import runs somebody else's code, too
        complaint = f"{type(error).__name__}: {(str(error).strip().splitlines() or ['no message'])[0]}"
    target.write_text(json.dumps({"complaint": complaint, "found": answers}))


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:4]))
    leave()
