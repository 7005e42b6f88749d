"""Give a model its input: the holdout's columns as its training saw them, in its signature's types.

It runs in the process that loads the model, beside pandas and MLflow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from gates.measure.holdout.answer import UnfitError

_SEPARATORS = {".csv": ",", ".tsv": "\t"}


def read(features: Path, schema: Any) -> Any:
    """Return the rows as pandas reads them; of a CSV file, columns that the signature calls text as the text that
    stands there."""
    import pandas

    if features.suffix not in _SEPARATORS:
        return pandas.read_parquet(features)
    texts = [name for name, kind in kinds(schema).items() if kind == "string"]
    separator = _SEPARATORS[features.suffix]
    names = pandas.read_csv(features, sep=separator, nrows=0).columns
    return pandas.read_csv(
        features, sep=separator, skip_blank_lines=False, dtype={name: str for name in texts if name in names}
    )


def kinds(schema: Any) -> dict[str, str]:
    """Return the columns of a signature with the names of their types."""
    if schema is None or not schema.has_input_names():
        return {}
    return {one.name: getattr(one.type, "name", str(one.type)) for one in schema.inputs if hasattr(one, "name")}


def fitted(table: Any, schema: Any) -> Any:
    """Return the columns that a signature names, in its types where that changes no value; MLflow's own check then says
    what does not fit."""
    import mlflow

    wanted = kinds(schema)
    if not wanted:
        return table
    lacking = [name for name in schema.required_input_names() if name not in table.columns]
    if lacking:
        raise UnfitError(f"it needs columns that are missing from the holdout: {', '.join(lacking)}")
    table = table[[name for name in schema.input_names() if name in table.columns]].copy()
    for name, kind in wanted.items():
        if name in table.columns and kind in _CASTS:
            table[name] = _CASTS[kind](table[name])
    mlflow.models.validate_schema(table, schema)
    return table


def _whole(bits: str) -> Callable[[Any], Any]:
    """Return whole numbers, and floats that are whole, where they fit."""

    def cast(column: Any) -> Any:
        import numpy

        if column.dtype.kind not in "iuf" or column.isna().any() or column.empty:
            return column
        limits = numpy.iinfo(bits)
        whole = column.dtype.kind != "f" or bool((column == column.round()).all() and (column.abs() < 2.0**53).all())
        fits = whole and limits.min <= column.min() and column.max() <= limits.max
        return column.astype(bits) if fits else column

    return cast


def _float(bits: str) -> Callable[[Any], Any]:
    """Return a cast to floats: exact for whole numbers that a float holds, the nearest ones of longer floats."""

    def cast(column: Any) -> Any:
        import pandas

        if column.dtype.kind == "O":
            numbers = pandas.to_numeric(column.map(_of_decimal), errors="coerce")
            return column if numbers.isna().sum() > column.isna().sum() else numbers.astype(bits)
        if column.dtype.kind == "f":
            return column.astype(bits)
        if column.dtype.kind not in "iu":
            return column
        made = column.astype(bits)
        return made if bool((made.astype("float64").map(int) == column.map(int)).all()) else column

    return cast


def _of_decimal(value: Any) -> Any:
    from decimal import Decimal

    return float(value) if isinstance(value, Decimal) else value


def _text(column: Any) -> Any:
    """Write days and moments as text; missing ones stay missing."""
    from datetime import date

    if column.dtype.kind == "M":
        return column.map(lambda one: None if one is None or one != one else str(one)).astype(object)  # noqa: PLR0124 -- NaT
    if column.dtype.kind == "O" and any(isinstance(one, date) for one in column):
        return column.map(lambda one: str(one) if isinstance(one, date) else one)
    return column


def _moment(column: Any) -> Any:
    import pandas

    if column.dtype.kind == "M":
        return column
    try:
        return pandas.to_datetime(column)
    except (ValueError, TypeError):
        return column


_CASTS: Mapping[str, Callable[[Any], Any]] = {
    "integer": _whole("int32"),
    "long": _whole("int64"),
    "float": _float("float32"),
    "double": _float("float64"),
    "string": _text,
    "datetime": _moment,
}
