"""Files as other tools write them, each with its reading: the type of each column, and the first row's text."""

from __future__ import annotations

from pathlib import Path

import pytest

from gates.errors import GatesError
from gates.measure.engines import connect
from gates.measure.holdout.tables import open_table

REAL = Path(__file__).parent / "real"
# path -> (rows, columns with their types, the first row as JSON has it); Excel's dates and decimal commas stay text
READ = {
    "excel-english.csv": (
        2,
        "id integer, Amount number, Ok boolean, Date string, Note string",
        ("1", "1234.5", "true", "2/28/2026", "two\nlines"),
    ),
    "excel-german.csv": (
        2,
        "id integer, Betrag string, Ok string, Datum string, Größe string",
        ("1", "1234,5", "WAHR", "28.02.2026", "groß"),
    ),
    "pandas.csv": (
        3,
        "id integer, name string, share number, ok boolean, day date, at string",
        ("1", "Ann", "0.5", "true", "2026-02-28", "2026-02-28 12:00:00"),
    ),
    "pandas.jsonl": (
        3,
        "id integer, name string, share number, ok boolean, at string",
        ("1", "Ann", "0.5", "true", "2026-02-28T12:00:00.000"),
    ),
    "pandas.parquet": (
        3,
        "id integer, name string, share number, ok boolean, at timestamp",
        ("1", "Ann", "0.5", "true", "2026-02-28T12:00:00Z"),
    ),
    "polars.csv": (  # NaN is no number of JSON's
        3,
        "id integer, name string, share string, ok boolean, day date, at string",
        ("1", "Ann", "0.5", "true", "2026-02-28", "2026-02-28T12:00:00.000000"),
    ),
    "polars.jsonl": (
        3,
        "id integer, name string, share number, ok boolean, day date, at string",
        ("1", "Ann", "0.5", "true", "2026-02-28", "2026-02-28 12:00:00"),
    ),
    "r.csv": (  # so is NA
        3,
        "id integer, name string, share number, ok string, day date",
        ("1", "Ann", "0.5", "TRUE", "2026-02-28"),
    ),
    "spark.csv/part-*.csv": (
        3,
        "id integer, name string, share number, ok boolean, day date, at timestamp",
        ("1", "Ann", "0.5", "true", "2026-02-28", "2026-02-28T12:00:00.000Z"),
    ),
    "spark.parquet/*.parquet": (
        3,
        "id integer, name string, share number, ok boolean, day date, at timestamp",
        ("1", "Ann", "0.5", "true", "2026-02-28", "2026-02-28T12:00:00Z"),
    ),
    "postgres.csv": (  # its booleans are t and f
        3,
        "id integer, name string, share number, ok string, day date, at string",
        ("1", "Ann", "0.5", "t", "2026-02-28", "2026-02-28 12:00:00+00"),
    ),
    "jq.jsonl": (
        3,
        "id integer, name string, share number, ok boolean, more string",
        ("1", "Ann", "0.5", "true", None),
    ),
}
REFUSED = {
    "excel-french.csv": ("line 1 is not UTF-8 text", "Save it as UTF-8."),
    "excel-unicode.tsv": ("it is UTF-16 text, not UTF-8", "Save it as UTF-8."),
    "excel-trailing.csv": ("column 3 has no name", "Give it a name"),
    "pandas-index.csv": ("column 1 has no name", "to_csv(index=False)"),
    "r-row-names.csv": ("column 1 has no name", "row.names=FALSE"),
    "spark.parquet": ("it is a folder", "spark.parquet/*.parquet"),
}


@pytest.fixture(scope="module")
def engine():
    return connect(threads=1)


def test_every_file_has_a_reading():
    named = {path.split("/", maxsplit=1)[0] for path in (*READ, *REFUSED)}
    assert {file.name for file in REAL.iterdir()} == named


@pytest.mark.parametrize("path", READ)
def test_a_file_of_another_tool_is_read(engine, path):
    rows, columns, first = READ[path]
    opened = open_table(engine, REAL, path, "t")
    assert engine.run("SELECT count(*) FROM t") == [(rows,)]
    assert ", ".join(f"{name} {column.line}" for name, column in opened.seen.items()) == columns
    texts = ", ".join(f"CAST({column.text} AS VARCHAR)" for column in opened.seen.values())
    assert engine.run(f"SELECT {texts} FROM t WHERE id = 1") == [first]  # noqa: S608 -- ours


@pytest.mark.parametrize("path", REFUSED)
def test_a_file_of_another_tool_is_refused_with_a_way_out(engine, path):
    what, hint = REFUSED[path]
    with pytest.raises(GatesError) as caught:
        open_table(engine, REAL, path, "t")
    assert what in caught.value.what
    assert hint in caught.value.hint
