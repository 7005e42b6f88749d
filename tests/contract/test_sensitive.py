"""Values of a column marked `x-sensitive` stand in no output: evidence, decision, reports, messages, JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from contract_bench import Held, gates, parquet

from gates.contract.contract_file import mistakes
from gates.report import markdown
from gates.report.run_facts import Facts
from gates.report.terminal import verdicts
from gates.schema.canonical import canonical
from gates.schema.fields import plain
from gates.schema.yaml_text import parse

SECRETS = ["Syphilis", "Zoster", "Angina"]
NUMBERS = [48151623, 42151623, 16151623]
MARKED = {"x-sensitive": True}
PLACES = {
    "beside its keywords": {"d": {**MARKED, "enum": ["Gout"], "maxLength": 3, "pattern": "^x"}},
    "in a definition": {"d": {"$ref": "#/$defs/secret"}},
    "beside a reference": {"d": {"$ref": "#/$defs/open", **MARKED}},
    "in a definition beside keywords": {"d": {"$ref": "#/$defs/secret", "minLength": 40}},
    "in a combination": {"d": {"maxLength": 3, "anyOf": [{**MARKED, "const": "Gout"}, {"enum": ["Angina"]}]}},
    "in a condition": {
        "d": {"if": {"const": "Zoster"}, "then": {"allOf": [{"not": MARKED | {"const": "Zoster"}}]}, "maxLength": 3}
    },
}


def everything(root, contract, **more) -> str:
    """All that is ever written of a decision."""
    held = Held(root, contract, **more)
    texts = [
        canonical(plain(held.decision)),
        held.bytes,
        markdown.render(held.decision, Facts()),
        verdicts.render(held.decision),
    ]
    return "\n".join(text.decode() if isinstance(text, bytes) else text for text in texts)


def secret_free(text):
    for secret in [*SECRETS, "Gout", *map(str, NUMBERS)]:
        assert secret not in text, text[max(0, text.find(secret) - 200) : text.find(secret) + 50]


@pytest.fixture
def tables(tmp_path):
    columns = {"y": ["a", "b", "a"], "d": SECRETS, "n": NUMBERS, "open": ["u", "v", "w"]}
    parquet(tmp_path / "holdout.parquet", columns)
    parquet(tmp_path / "train.parquet", columns)
    return tmp_path


@pytest.mark.parametrize("place", PLACES)
def test_wherever_a_column_is_marked(tables, place):
    record = {
        "$defs": {"secret": {**MARKED, "enum": ["Gout"]}, "open": {"enum": ["Gout"]}},
        "properties": {**PLACES[place], "open": {"maxLength": 0}},
    }
    text = everything(tables, {"record": record}, train="train.parquet")
    assert "broken in 3 of 3 rows" in text
    assert "such as u, v, w" in text  # of the others examples are shown
    secret_free(text)


@pytest.mark.parametrize("word", ["allOf", "if", "then", "$ref"])
def test_a_mark_in_a_rule_of_rows_counts_for_every_rule(tables, word):
    marking = {"properties": {"d": MARKED, "n": MARKED}}
    whole = (
        {word: [marking] if word == "allOf" else marking} if word != "$ref" else {"$ref": "#/$defs/row", "title": "x"}
    )
    record = {"$defs": {"row": marking}, **whole} | ({"if": True} if word == "then" else {})
    record |= {"properties": {"d": {"maxLength": 1}, "n": {"maximum": 1}}} if word != "$ref" else {}
    rules = [
        {"values": "d", "equal": "Zoster", "max": 0.1},
        {"values": "d", "equal": "Angina", "max": 0.1},
        {"values": "n", "equal": NUMBERS[0], "max": 0},
        {"drift": "d", "max": 0},
        {"drift": "n", "max": 0},
        {"drift": "d", "measure": "js", "max": 0},
        {"drift": "n", "measure": "ks", "max": 0},
        {"unique": "d"},
        {"nulls": "d"},
        {"leakage": "d"},
        {"refers": "d", "to": "other.csv"},
    ]
    (tables / "other.csv").write_text("d\nGout\n")
    text = everything(tables, {"record": record, "table": rules}, train="train.parquet")
    assert "values(d=entry 1 of table)" in text
    assert "values(d=entry 2 of table)" in text
    secret_free(text)


@pytest.mark.parametrize(
    ("shown", "told"),
    [
        ({}, ", such as often, seldom"),
        ({"values": 1}, ", such as often"),
        ({"min_cell": 2}, ", such as often"),
        ({"min_cell": 3}, ""),
        ({"values": 0}, ""),
    ],
    ids=str,
)
def test_so_many_values_are_shown_and_rare_ones_need_not_be(tmp_path, shown, told):
    parquet(tmp_path / "holdout.parquet", {"y": ["a", "b", "a"], "open": ["seldom", "often", "often"]})
    record = {"properties": {"open": {"maxLength": 0}}}
    gates = Held(tmp_path, {"record": record, "shown": shown}).decision.gates
    gate = next(gate for gate in gates if gate.kind == "data")
    assert gate.reason.endswith(f"broken in 3 of 3 rows (100 %){told}")


def test_rules_across_columns_show_no_examples(tables):
    condition = {
        "if": {"properties": {"d": {**MARKED, "const": "Zoster"}}},
        "then": {"properties": {"n": {"maximum": 1}}},
    }
    combined = {
        "oneOf": [{"properties": {"d": {"enum": SECRETS}}}, {"properties": {"open": {"const": "u"}}}],
        **condition,
    }
    secret_free(everything(tables, {"record": combined}))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("h.csv", "d,n\nSyphilis,1\n" + "Zoster,2\n" * 30_000 + "Angina,3,4\n"),
        ("h.csv", 'd,n\nSyphilis,1\n"Zoster,2\n'),
        ("h.jsonl", '{"d": "Syphilis"}\n{"d": "Zoster", "d": "Angina"}\n'),
        ("h.jsonl", '{"d": "Syphilis"}\n{"d": "Zoster" "Angina"}\n'),
        ("h.jsonl", '{"d": "Syphilis"}\n{"d": 48151623}\n'),
    ],
)
def test_files_that_can_not_be_read_tell_no_value(tmp_path, monkeypatch, name, text):
    monkeypatch.chdir(tmp_path)
    Path(name).write_text(text)
    Path("contract.yaml").write_text(json.dumps({"properties": {"d": {**MARKED, "type": "string"}}}))
    code, out, err = gates("data", name, "--contract", "contract.yaml")
    assert code == 2
    secret_free(out + err)


def test_the_command_line_tells_no_value(tables, monkeypatch):
    monkeypatch.chdir(tables)
    (tables / "contract.yaml").write_text(
        json.dumps({"properties": {"d": {**MARKED, "maxLength": 1, "enum": ["Gout"]}}})
    )
    for more in ((), ("--json",)):
        code, out, err = gates("data", "holdout.parquet", "--contract", "contract.yaml", *more)
        assert code == 1
        secret_free(out + err)


def test_a_mark_that_would_do_nothing_is_refused():
    for contract in ({**MARKED, "properties": {}}, {"allOf": [MARKED]}, {"additionalProperties": MARKED}):
        (problem,) = mistakes(parse(json.dumps(contract).encode(), "contract.json"))
        assert "write it into the column's properties" in str(problem)
