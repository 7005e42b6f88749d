"""gates data: one table held to a contract, without a policy."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest
from edge_project import call, refused, write_table

CONTRACT = """
record:
  required: [id, plan]
  properties:
    id: {type: integer, minimum: 1}
    plan: {enum: [basic, full]}
    age: {type: integer, minimum: 18, x-severity: warn}
    secret: {maxLength: 2, x-sensitive: true}
table:
  - unique: id
  - leakage: id
  - drift: age
    max: 0.1
"""
ROWS = [{"id": n, "plan": "basic", "age": 30, "secret": "no"} for n in range(1, 5)]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The current folder, with a contract in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "contract.yaml").write_text(CONTRACT)
    return tmp_path


def put(name, *changes):
    """A table of four rows, the last ones of which are changed."""
    rows = [row | change for row, change in zip(ROWS, [*[{}] * (4 - len(changes)), *changes], strict=True)]
    write_table(Path(name), rows)
    return name


@pytest.mark.usefixtures("place")
def test_a_contract_that_holds_ends_with_0():
    done = call("data", put("data.parquet"))
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "✅ 9 of 9 rules hold",
        "➖ 2 skipped: they need training data: leakage(id), drift(age)",
        "✅ data.parquet, 4 rows: the contract holds",
    ]


@pytest.mark.usefixtures("place")
def test_what_is_broken_comes_first_then_warnings():
    done = call("data", put("data.csv", {"plan": "none", "age": 3}, {"plan": "none", "id": 1, "secret": "hush"}))
    assert done.code == 1
    rules = [line.split()[2] for line in done.out.splitlines() if line.startswith((" ❌", " ⚠"))]
    assert rules == ["plan.enum", "secret.maxLength", "unique(id)", "age.minimum"]
    assert re.search(r"plan.enum \(.*\) is broken in 2 of 4 rows \(50.*%\), such as none", done.out)
    assert "✅ 5 of 9 rules hold" in done.out
    assert done.out.endswith("data.csv, 4 rows: the contract is broken\n")
    assert "hush" not in done.out


@pytest.mark.usefixtures("place")
def test_a_warning_alone_does_not_break_it():
    done = call("data", put("data.csv", {"age": 3}))
    assert (done.code, "(warning only)" in done.out) == (0, True)


@pytest.mark.usefixtures("place")
def test_json_is_one_document_of_its_published_schema():
    done = call("data", put("data.csv", {"plan": "none"}), "--json")
    document = json.loads(done.out)
    jsonschema.validate(document, json.loads(call("schema", "data").out))
    assert (done.code, document["verdict"], document["rows"]) == (1, "fail", 4)
    assert document["skipped"] == ["leakage(id)", "drift(age)"]
    (broken,) = (gate for gate in document["gates"] if gate["verdict"] == "fail")
    (counted,) = (one for one in document["findings"] if one["rule"] == broken["rule"])
    assert (broken["rule"], counted["count"], counted["examples"]) == ("plan.enum", 1, ["none"])


def test_the_contract_beside_the_data_goes_before_that_of_the_current_folder(place):
    (place / "lake").mkdir()
    put("lake/data.csv", {"plan": "none"})
    assert call("data", "lake/data.csv").code == 1
    (place / "lake/contract.yaml").write_text("table: [{rows: {min: 1}}]")
    assert call("data", "lake/data.csv").code == 0
    assert call("data", "lake/data.csv", "--contract", "contract.yaml").code == 1


def test_other_tables_are_looked_for_beside_the_contract(place, monkeypatch):
    write_table(place / "plans.csv", [{"plan": "basic"}])
    (place / "contract.yaml").write_text("table: [{refers: plan, to: plans.csv}]")
    put("data.csv", {"plan": "none"})
    (place / "elsewhere").mkdir()
    monkeypatch.chdir(place / "elsewhere")
    done = call("data", "../data.csv")
    assert (done.code, "refers(plan)" in done.out) == (1, True)


@pytest.mark.usefixtures("place")
def test_mistakes_end_with_2_and_say_what_to_do():
    refused(call("data", "none.csv"), "none.csv can't be read")
    refused(call("data", "data.txt"), "data.txt: not a table; supported are")
    write_table(Path("short.csv"), [{"plan": "basic"}])
    refused(call("data", "short.csv"), "unique(id): short.csv has no column id")
    put("data.csv")
    refused(call("data", "data.csv", "--contract", "none.yaml"), "none.yaml: can't be read", "gates init")
    Path("contract.yaml").write_text("table: [{leakage: id}]")
    refused(call("data", "data.csv"), "no rule that one table alone can be held to")
    Path("contract.yaml").write_text("record: {properties: {id: {minimun: 1}}}\ntable: [{rows: {mn: 1}}]")
    assert refused(call("data", "data.csv"), "contract.yaml:1:", "minimum?", "contract.yaml:2:").count("\n") == 1
    Path("contract.yaml").unlink()
    refused(call("data", "data.csv"), "there is no contract.yaml", "--contract", "gates init")
