"""gates.api.check_data: the contract from Python, on what lies in memory."""

from __future__ import annotations

import subprocess
import sys

import duckdb
import numpy
import pandas
import pyarrow as pa
import pytest

from gates.api import GatesError, check_data

CONTRACT = {
    "record": {"required": ["x"], "properties": {"x": {"type": "number", "minimum": 0}, "y": {"enum": ["a", None]}}},
    "table": [{"rows": {"min": 2}}, {"leakage": "x"}],
}
VALUES = {"x": [1.5, -2.0, 3.0], "y": ["a", "b", None]}
OBJECTS = {
    "arrow": pa.table,
    "record batch": pa.RecordBatch.from_pydict,
    "pandas": pandas.DataFrame,
    "duckdb": lambda values: duckdb.connect().from_arrow(pa.table(values)),
}


@pytest.mark.parametrize("make", OBJECTS.values(), ids=OBJECTS)
def test_what_is_found_is_the_same_for_every_object(make):
    checked = check_data(make(VALUES), CONTRACT, name="customers")
    broken = {one.rule: (one.count, one.examples) for one in checked.findings if one.count and one.rule != "rows"}
    assert broken == {"x.minimum": (1, ("-2.0",)), "y.enum": (1, ("b",))}
    assert (str(checked.verdict), checked.rows, checked.skipped) == ("fail", 3, ("leakage(x)",))
    assert checked.reason.startswith("customers: x.minimum")


def test_polars_is_seen_too():
    polars = pytest.importorskip("polars")
    assert str(check_data(polars.DataFrame(VALUES), CONTRACT).verdict) == "fail"


def test_files_and_contracts_are_named_by_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pandas.DataFrame(VALUES).to_csv("data.csv", index=False)
    (tmp_path / "contract.yaml").write_text("table: [{rows: {min: 3}}]")
    assert str(check_data("data.csv", "contract.yaml").verdict) == "pass"
    assert str(check_data(tmp_path / "data.csv", tmp_path / "contract.yaml").verdict) == "pass"


def test_a_bare_schema_is_a_contract():
    assert check_data(pa.table(VALUES), {"properties": {"x": {"maximum": 3}}}).reason == "the one rule holds in 3 rows"


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (3, "int: not a table"),
        (None, "NoneType: not a table"),
        ({"x": [1]}, "dict: not a table"),
        (pandas.DataFrame({"x": []}), "has no rows"),
        (pandas.DataFrame([[1, 2]], columns=["x", "x"]), "the column x occurs twice"),
        (pa.table({"x": [[1]]}), "the column x holds lists"),
        (pandas.DataFrame({"z": [1]}), "all 3 rules"),
    ],
    ids=["number", "none", "dict", "empty", "twins", "nested", "other columns"],
)
def test_what_is_no_table_is_told(table, words):
    if words.startswith("all"):
        assert str(check_data(table, CONTRACT).verdict) == "fail"  # x is required
        return
    with pytest.raises(GatesError, match=words):
        check_data(table, CONTRACT)


def test_mistakes_of_a_contract_are_told_at_once():
    with pytest.raises(GatesError) as told:
        check_data(pa.table(VALUES), {"record": {"properties": {"x": {"minimun": 1}}}, "table": [{"row": 1}]})
    assert "did you mean minimum?" in str(told.value)
    assert "is not a rule" in str(told.value)


def test_a_missing_number_of_pandas_is_null_and_nan_of_arrow_is_not():
    contract = {"properties": {"x": {"type": "number"}}}
    values = numpy.array([1.0, numpy.nan])
    assert str(check_data(pandas.DataFrame({"x": values}), contract).verdict) == "fail"
    assert str(check_data(pa.table({"x": values}), contract).verdict) == "pass"


def test_importing_the_api_loads_nothing_heavy():
    code = "import gates.api, sys; print([m for m in ('duckdb', 'pandas', 'pyarrow') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
