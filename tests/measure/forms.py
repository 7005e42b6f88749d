"""One table of values in every form that gates reads, for tests that hold the forms together."""

from __future__ import annotations

import csv
import datetime as dt
import json
from pathlib import Path

import pandas
import polars
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

KINDS = {  # column -> (its type in Arrow, its values)
    "i": (pa.int64(), st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 3)),
    "n": (pa.float64(), st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([0.5, 1.0, -0.0])),
    "b": (pa.bool_(), st.booleans()),
    "t": (pa.string(), st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5).map("x".__add__)),
    "d": (pa.date32(), st.dates()),
    "m": (
        pa.timestamp("us", "UTC"),
        st.datetimes(dt.datetime(1, 1, 2), dt.datetime(9999, 12, 30), timezones=st.just(dt.UTC)),
    ),
}
ROW = st.fixed_dictionaries({name: values for name, (_, values) in KINDS.items()})
GAPS = st.fixed_dictionaries({name: st.none() | values for name, (_, values) in KINDS.items()})
TABLES = st.builds(lambda first, rest: [first, *rest], ROW, st.lists(GAPS, max_size=6))  # no column of nulls alone

CONTRACT = {
    "properties": {
        "i": {"type": "integer", "minimum": 0, "enum": [0, 1, 2, None]},
        "n": {"type": ["integer", "null"], "maximum": 0.5, "multipleOf": 0.5},
        "b": {"const": True},
        "t": {"pattern": "^x[a-z]*$", "maxLength": 3},
        "d": {"type": "string", "format": "date", "pattern": "^2", "enum": ["2000-01-01"]},
        "m": {"type": "string", "format": "date-time", "pattern": "^[0-9-]+T[0-9:]+Z$"},
    }
}
TABLE = [
    *({"unique": name} for name in KINDS),
    *({"nulls": name} for name in KINDS),
    {"values": "b", "equal": True},
    {"columns": "ordered"},
]


def text(value: object) -> str:
    """A value as a file without types has it."""
    if isinstance(value, dt.datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else value.isoformat() if isinstance(value, dt.date) else str(value)


def _csv(file: Path, rows: list[dict]) -> None:
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out, delimiter="\t" if file.suffix == ".tsv" else ",", lineterminator="\n")
        writer.writerows([list(KINDS), *([text(row[name]) for name in KINDS] for row in rows)])


def _json(file: Path, rows: list[dict]) -> None:
    kept = [{n: text(row[n]) if isinstance(row[n], dt.date) else row[n] for n in KINDS} for row in rows]
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in kept), encoding="utf-8")


def arrow(rows: list[dict]) -> pa.Table:
    """The table in Arrow."""
    return pa.table({name: pa.array([row[name] for row in rows], kind) for name, (kind, _) in KINDS.items()})


def _parquet(file: Path, rows: list[dict]) -> None:
    pq.write_table(arrow(rows), file)


def _pandas(rows: list[dict]) -> pandas.DataFrame:
    frame = arrow(rows).to_pandas(types_mapper={pa.int64(): pandas.Int64Dtype(), pa.bool_(): pandas.BooleanDtype()}.get)
    frame["n"] = frame["n"].astype("Float64")  # a number that is missing, and none that is NaN
    return frame


FILES = {".csv": _csv, ".tsv": _csv, ".jsonl": _json, ".parquet": _parquet}
FRAMES = {"arrow": arrow, "pandas": _pandas, "polars": lambda rows: polars.from_arrow(arrow(rows))}


def written(folder: Path, end: str, rows: list[dict], cut: int) -> str:
    """The name of the files, or their glob, that hold the rows in two parts."""
    for file in folder.glob(f"*{end}"):
        file.unlink()
    parts = [part for part in (rows[:cut], rows[cut:]) if part]
    for place, part in enumerate(parts):
        FILES[end](folder / f"{place}{end}", part)
    return f"*{end}" if len(parts) > 1 else f"0{end}"


MOMENT = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
FIXED = [
    {
        "i": i,
        "n": i / 4,
        "b": i % 2 == 0,
        "t": f"x{i % 3}",
        "d": dt.date(2020, 1, 1 + i),
        "m": MOMENT + dt.timedelta(hours=i),
    }
    for i in range(12)
]
FIXED += [dict.fromkeys(KINDS)]
