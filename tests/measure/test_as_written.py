"""Data is read as it is written: types by the documented rule, names that are the file's own, literal paths."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import hypothesis.strategies as st
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from extent import examples
from hypothesis import HealthCheck, given, settings

from gates.api import check_data
from gates.checkout.pointers import named
from gates.errors import GatesError
from gates.measure.engines import column_types, connect, csv_files
from gates.measure.holdout.tables import content_digest, open_table

DOCS = (Path(__file__).parents[2] / "docs/contract.md").read_text(encoding="utf-8")
TYPES = [
    (re.findall("`([^`]*)`", cells), told.split(",")[0].strip())
    for cells, told in re.findall(
        r"^\| ((?:`[^`]*` ?)+)\| ([a-z, 0-9]+) \|$", DOCS.split("Nothing else is guessed")[1], re.M
    )
]


@pytest.fixture(scope="module")
def engine():
    return connect(threads=1)


def line_of(engine, folder, cells):
    """What a column of a CSV is: a type of JSON's, or date or timestamp."""
    lines = "".join('"' + cell.replace('"', '""') + '"\n' if cell else '""\n' for cell in cells)
    (folder / "t.csv").write_text("a\n" + lines, encoding="utf-8")
    return open_table(engine, folder, "t.csv", "t").seen["a"].line


def test_the_table_in_the_docs_has_not_lost_its_form():
    assert len(TYPES) > 25
    assert {told for _, told in TYPES} == {"integer", "number", "boolean", "text", "date", "timestamp"}


@pytest.mark.parametrize(("cells", "told"), TYPES, ids=lambda one: " ".join(one) if isinstance(one, list) else one)
def test_a_column_has_the_type_that_the_docs_say(engine, tmp_path, cells, told):
    expected = "string" if told == "text" else told
    for order in (cells, cells[::-1], ["", *cells], [*cells[::-1], ""], [cells[0]] * 1500 + cells):
        assert line_of(engine, tmp_path, order) == expected, order


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=4)
WORDS = "1 -0 007 1.5 1e3 0x1F true True t 2026-02-28 2026-2-8 2026-02-28T10:00:00Z 10:00 NaN inf +1 1/2/3 epoch"
ODD = st.sampled_from([*WORDS.split(), "2026-02-28 10:00:00", "", " 1", "9" * 19, "9" * 38, "9" * 39, "0000-01-01"])


@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.one_of(ODD, TEXT), min_size=1, max_size=6), st.randoms())
def test_no_order_of_rows_changes_a_type_or_a_cell(engine, tmp_path, cells, random):
    """Cells that are text to the contract are those of the file, character by character."""
    found = line_of(engine, tmp_path, cells)
    if found in ("string", "date", "timestamp"):
        rows = engine.run("SELECT coalesce(a, '') FROM t")
        assert [row[0] for row in rows] == cells
    random.shuffle(cells)
    assert line_of(engine, tmp_path, cells) == found


KEPT = {  # what a column is by its first rows -> the classes of the cells that leave it so
    column_types.INT: column_types.INT,
    column_types.INT | column_types.WIDE: column_types.INT | column_types.WIDE,
    column_types.NUM: column_types.INT | column_types.WIDE | column_types.NUM,
    column_types.BOOL: column_types.BOOL,
    column_types.DAY: column_types.DAY,
    column_types.AT: column_types.AT,
    column_types.TEXT: 255,
    column_types.INT | column_types.BOOL: 255,
    0: 0,
}
CHARACTERS = "05.-+eE_ /\tax"
DATED = [f"{year}-{day}{rest}" for year in ("0000", "0001", "9999", "10000", "2024", "-2024") for day in
         ("01-01", "02-29", "02-30", "1-1", "13-01") for rest in ("", " ", " (BC)", "T10:00:00Z", "T24:00:00Z",
          "T10:00:00.123456789+14:00", "T10:00:00", " 10:00:00Z", "t10:00:00z")]  # fmt: skip
LONG = [sign + digit * length + end for sign in ("", "-", "+", "0") for digit in "19" for length in (17, 18, 19, 37, 38,
        39, 40, 400) for end in ("", ".5", "e1", " ")]  # fmt: skip
NAMES = re.findall(
    r"\S+", "true True TRUE tRUE t false False FALSE yes 1 0 nan NaN inf -inf Infinity -Infinity epoch infinity null"
)
SHORT = ["".join(cell) for length in (1, 2, 3, 4) for cell in product(CHARACTERS, repeat=length)]


@pytest.mark.parametrize("classes", KEPT, ids=lambda one: f"{one:08b}")
def test_the_quick_question_of_a_cell_has_the_answer_of_its_class(engine, classes):
    engine.connection.execute(
        "CREATE OR REPLACE TABLE q AS SELECT unnest($1) AS c", [[*SHORT, *DATED, *LONG, *NAMES, None]]
    )
    cell = f"(SELECT c, TRY_CAST(c AS {column_types.type_of(classes).kind}) AS t FROM q)"  # noqa: S608 -- ours
    asked = f"SELECT {column_types.keeps('c', 't', classes)} AS kept, {column_types.of_cell('c')} AS of FROM {cell}"  # noqa: S608
    rows = engine.run(f"SELECT DISTINCT kept, of & {255 & ~KEPT[classes]} = 0 FROM ({asked})")  # noqa: S608
    assert all(kept is same for kept, same in rows)
    assert (True, True) in rows


NAMED = {
    "twice": (["a", "b", "a"], "the column a occurs twice: columns 1 and 3"),
    "by case": (["a", "A"], "columns 1 and 2 are 'a' and 'A', which differ only in case or blanks"),
    "by blanks": (["a", "b", " a"], "columns 1 and 3 are 'a' and ' a', which differ only in case or blanks"),
    "by no-break space": (["a", "a\u00a0"], "columns 1 and 2 are"),
    "nameless": (["", "a"], "column 1 has no name"),
    "of blanks": (["a", " ", "  "], "columns 2 and 3 are ' ' and '  ', which differ only"),
    "the engine's own": (["", "column0"], "column 1 has no name"),
}


def forms(folder: Path, names: list[str]):
    """A table of one row with these columns, in every form that can hold them."""
    import json

    import pandas

    values = list(range(len(names)))
    csv = ",".join(f'"{name}"' for name in names) + "\n" + ",".join(map(str, values)) + "\n"
    (folder / "t.csv").write_text(csv)
    (folder / "t.tsv").write_text(csv.replace(",", "\t"))
    pairs = ", ".join(f"{json.dumps(name)}: {value}" for name, value in zip(names, values, strict=True))
    (folder / "t.jsonl").write_text("{" + pairs + "}\n")
    frame = pa.table([pa.array([value]) for value in values], names=names)
    pq.write_table(frame, folder / "t.parquet")
    files = [str(folder / f"t.{end}") for end in ("csv", "tsv", "jsonl", "parquet")]
    return [*files, frame, pandas.DataFrame([values], columns=names)]


@pytest.mark.parametrize(("names", "told"), NAMED.values(), ids=NAMED)
def test_names_that_can_not_be_told_apart_are_refused_in_every_form(tmp_path, names, told):
    for form in forms(tmp_path, names):
        with pytest.raises(GatesError) as caught:
            check_data(form, {"properties": {"a": {}}})
        twice = isinstance(form, str) and form.endswith(".jsonl") and len(set(names)) < len(names)
        assert ("twice" if twice else told) in str(caught.value), form
        assert caught.value.hint


def test_keys_of_different_lines_and_files_are_twins_too(tmp_path):
    (tmp_path / "1.jsonl").write_text('{"Q": 3}\n')
    (tmp_path / "2.jsonl").write_text('{"q": 30}\n')
    with pytest.raises(GatesError, match="columns 1 and 2 are 'Q' and 'q'"):
        check_data(str(tmp_path / "*.jsonl"), {"properties": {"q": {"maximum": 10}}})


def test_names_keep_their_blanks(tmp_path):
    for form in forms(tmp_path, ["a", " b "]):
        checked = check_data(form, {"properties": {"a": {}, " b ": {"maximum": 0}}, "additionalProperties": False})
        assert [one.count for one in checked.findings if "maximum" in one.rule] == [1], form


FOLDERS = ["id=5", "a[1]", "a*b", "a?b", "{a,b}", "a b", "é", "~", "#%20&;", "x'y", "p\\q", "p\\[q]", "b!", "run=7,k=8"]


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.parametrize("end", ["csv", "jsonl", "parquet"])
def test_no_name_of_a_folder_changes_what_is_read(engine, tmp_path, folder, end):
    """Beside it lies what its name would match as a pattern; and a path from the outside means the same file."""
    digests = set()
    for place in (tmp_path / "plain", tmp_path / folder / folder):
        place.mkdir(parents=True)
        forms(place, ["id", "v"])
    for decoy in ("a1", "a", "b", "axb", "axxb"):
        (tmp_path / decoy).mkdir(exist_ok=True)
        forms(tmp_path / decoy, ["other"])
    for root, path in (
        (tmp_path / "plain", f"t.{end}"),
        (tmp_path / folder / folder, f"t.{end}"),
        (tmp_path, f"{folder}/{folder}/t.{end}"),
        (tmp_path / folder / folder, f"*.{end}"),
    ):
        opened = open_table(engine, root, path, "t")
        assert list(opened.columns) == ["id", "v"]
        digests.add(content_digest(engine, opened))
    assert len(digests) == 1


def test_files_that_a_glob_finds_are_read_as_they_are_called(tmp_path):
    (tmp_path / "data1.csv").write_text("id\n1\n")
    (tmp_path / "data[1].csv").write_text("id\n999\n")
    checked = check_data(str(tmp_path / "*.csv"), {"properties": {"id": {"maximum": 10}}})
    assert [(one.rows, one.count) for one in checked.findings] == [(2, 1)]
    one = check_data(str(tmp_path / "data[1].csv"), {"properties": {"id": {"maximum": 10}}})
    assert [(one.rows, one.count) for one in one.findings] == [(1, 1)]  # the file, rather than what it matches
    assert named(tmp_path, "data[1].csv") == [tmp_path / "data[1].csv"]  # the pointers of DVC and LFS are its own, too


def test_json_lines_of_many_like_columns_and_of_rare_keys(tmp_path):
    (tmp_path / "wide.jsonl").write_text(("{" + ", ".join(f'"f{i}": {i}' for i in range(300)) + "}\n") * 2)
    checked = check_data(str(tmp_path / "wide.jsonl"), {"properties": {"f299": {"maximum": 10}}})
    assert checked.findings[0].count == 2
    (tmp_path / "rare.jsonl").write_text("{}\n" * 5000 + '{"a": 999}\n')
    rule = {"properties": {"a": {"type": ["integer", "null"], "maximum": 10}}}
    assert [one.count for one in check_data(str(tmp_path / "rare.jsonl"), rule).findings] == [0, 1]


REFUSED = {
    "a line of JSON that is cut": ("t.jsonl", '{"a": 1}\n{"a": 1', ["line 2", "not valid JSON"]),
    "a line that is a number": ("t.jsonl", '{"a": 1}\n\n3\n', ["line 3", "not an object"]),
    "a key that occurs twice": ("t.jsonl", '{"b": 1}\n{"a": 1, "a": 2}\n', ["line 2", 'the key "a" twice']),
    "a short row": ("t.csv", "a,b\n1,2\n3\n", ["line 3 has 1 field, the header 2"]),
    "a long cell before a short row": ("t.csv", f"a,b\n1,{'x' * 200_000}\n3\n", ["line 3 has 1 field, the header 2"]),
    "an empty cell too many": ("t.csv", "a,b\n1,2\n3,4,\n", ["line 3 has 3 fields, the header 2"]),
    "a quoted empty cell too many": ("t.csv", 'a,b\n1,2\n3,4,""', ["line 3 has 3 fields, the header 2"]),
    "an empty cell too many, and a quote": ("t.csv", 'a,b\n1,\n"3",4,\n', ["line 3 has 3 fields, the header 2"]),
    "an empty cell too many, and \\r": ("t.csv", "a,b\r1,2\r3,4,\r", ["has 3 fields, the header 2"]),
    "an empty cell too many, and no last line end": ("t.csv", "a,b\n1,2,\n3,4", ["line 2 has 3 fields"]),
    "an empty cell too many as the last": ("t.csv", "a,b\n1,2\n3,4,", ["line 3 has 3 fields"]),
    "an empty cell too many, and \\r\\n": ("t.csv", "a,b\r\n1,2,\r\n3,4\r\n", ["line 2 has 3 fields"]),
    "an empty cell too many, and ends that make up for it": ("t.csv", "a,b\r\n1,2,\n3,4\r\n", ["line 2 has 3 fields"]),
    "an empty cell too many after many rows": (
        "t.csv",
        "a,b\n" + "1,2\n" * 3000 + "1,2,\n",
        ["line 3002 has 3 fields"],
    ),
    "an empty first line": ("t.csv", "\na,b\n1,2\n", ["line 1 is empty"]),
    "an open quote": ("t.csv", 'a,b\n1,"2\n3,4\n', ["line 3", "unexpected end of data"]),
    "Latin-1": ("t.csv", "a,b\n1,2\n3,é\n".encode("latin-1"), ["line 3 is not UTF-8 text"]),
    "UTF-16": ("t.csv", "a,b\n1,2\n".encode("utf-16"), ["UTF-16"]),
    "an empty Parquet file": ("t.parquet", b"", ["it is empty"]),
    "a CSV called Parquet": ("t.parquet", "a,b\n1,2\n3,4\n5,6\n", ["not a Parquet file"]),
    "encrypted Parquet": ("t.parquet", b"PARE" + bytes(20) + b"PARE", ["encrypted"]),
    "Parquet that is cut": ("t.parquet", b"PAR1" + bytes(200), ["its end is missing"]),
}


@pytest.mark.parametrize(("name", "text", "told"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_is_told_by_file_and_line_and_how_to_fix_it(tmp_path, name, text, told):
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(GatesError) as caught:
        check_data(str(tmp_path / name), {"properties": {"a": {}}})
    message = str(caught.value)
    assert all(word in message for word in [name, *told]), message
    assert caught.value.hint
    assert "…" not in message


READ = {
    "mixed line ends": ("t.csv", b"a,b\r\n1,2\n3,4\r\n", [("1", "2"), ("3", "4")]),
    "line ends of a cell and others of rows": ("t.csv", b'a,b\r\n1,"x\ny"\r\n3,4\r\n', [("1", "x\ny"), ("3", "4")]),
    "\\r alone": ("t.csv", b"a,b\r1,2\r3,4", [("1", "2"), ("3", "4")]),
    "a name with a line break": ("t.csv", b'"a\nb";c\n1;2\n', [("1", "2")]),
    "a byte order mark": ("t.csv", b"\xef\xbb\xbfa,b\n1,2\n", [("1", "2")]),
    "a byte order mark before JSON": ("t.jsonl", b'\xef\xbb\xbf{"a": 1, "b": 2}\n', [("1", "2")]),
    "empty last cells": ("t.csv", b'a,b\n1,\n,\n3,""\n', [("1", None), (None, None), ("3", None)]),
    "quotes at the end": ("t.csv", b'a,b\n1,"x,"""\n', [("1", 'x,"')]),
}


@pytest.mark.parametrize(("name", "text", "rows"), READ.values(), ids=READ)
def test_what_needs_no_refusal_is_read(engine, tmp_path, name, text, rows):
    (tmp_path / name).write_bytes(text)
    opened = open_table(engine, tmp_path, name, "t")
    told = ", ".join(f'CAST("{column}" AS VARCHAR)' for column in opened.columns)
    assert engine.run(f"SELECT {told} FROM t") == rows  # noqa: S608 -- ours


@pytest.fixture(params=[0, csv_files.SMALL], ids=["on disk", "in memory"])
def _kept_there(request, monkeypatch):
    monkeypatch.setattr(csv_files, "SMALL", request.param)


@pytest.mark.usefixtures("_kept_there")
def test_a_csv_file_is_read_once(engine, tmp_path):
    """What is looked at later is what was opened, whatever becomes of the file."""
    (tmp_path / "t.csv").write_text("a,b\n1,x\n2,y\n")
    open_table(engine, tmp_path, "t.csv", "t")
    (tmp_path / "t.csv").write_text("a,b\n7,z\n")
    assert engine.run("SELECT a, b FROM t") == [(1, "x"), (2, "y")]
    open_table(engine, tmp_path, "t.csv", "t")
    assert engine.run("SELECT a, b FROM t") == [(7, "z")]


LATER = {  # cells after many of another sort -> what the column is, and the cells as the engine has them
    "1": (["9" * 30], "integer", [1, int("9" * 30)]),
    "2": (["2.5", "9" * 20], "number", [2.0, 2.5, float("9" * 20)]),
    "9" * 38: (["-1"], "integer", [-1, int("9" * 38)]),
    "1.5": (["9" * 40], "string", ["1.5", "9" * 40]),
    "true": (["1"], "string", ["1", "true"]),
    "2026-01-01": (["2026-01-01T10:00:00Z"], "string", ["2026-01-01", "2026-01-01T10:00:00Z"]),
    "": (["7"], "integer", [7, None]),
}


@pytest.mark.usefixtures("_kept_there")
@pytest.mark.parametrize("cell", LATER, ids=LATER)
def test_what_the_first_rows_are_does_not_bind_the_rest(engine, tmp_path, cell):
    rest, told, values = LATER[cell]
    assert line_of(engine, tmp_path, [cell] * 2000 + rest) == told
    assert engine.run("SELECT a FROM t GROUP BY a ORDER BY a") == [(value,) for value in values]


def test_a_folder_is_told_from_a_file_that_is_not_there(tmp_path):
    (tmp_path / "spark.parquet").mkdir()
    with pytest.raises(GatesError, match="it is a folder") as caught:
        check_data(str(tmp_path / "spark.parquet"), {"properties": {"a": {}}})
    assert "spark.parquet/*.parquet" in caught.value.hint


def test_a_message_of_the_engine_keeps_its_reason_and_shows_no_value():
    from gates.measure.engines.duckdb import _told_by

    told = _told_by(ValueError("Conversion Error: Could not convert string 'Miller' to INT32\nLINE 1: SELECT 'Miller'"))
    assert told == "Conversion Error: Could not convert string … to INT32"
    told = _told_by(
        ValueError('JSON transform error in file "a b.jsonl", in line 2: Object {"name":"Miller"} has no "x"')
    )
    assert told == 'JSON transform error in file "a b.jsonl", in line 2: Object … has no …'
