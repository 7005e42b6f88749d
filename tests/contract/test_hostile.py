"""Whatever the data or the contract are, there is one clear message, exit code 2, and nothing else."""

from __future__ import annotations

import io
import json
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from contract_bench import gates

PLAIN = "record: {properties: {a: {type: integer}}}"


@pytest.fixture
def hold(tmp_path, monkeypatch):
    """hold(contract, {"data.csv": bytes}): hold the first file to the contract."""
    monkeypatch.chdir(tmp_path)

    def held(contract, files):
        (tmp_path / "contract.yaml").write_text(contract)
        for name, data in files.items():
            (tmp_path / name).write_bytes(data.encode() if isinstance(data, str) else data)
        return gates("data", next(iter(files)), "--contract", "contract.yaml")

    return held


def refused(done, *words):
    code, out, err = done
    assert (code, out) == (2, ""), (code, out, err)
    assert err.startswith("gates: ")
    assert err.count("gates: ") == 1
    assert "Traceback" not in err
    assert len(err) < 600
    for word in words:
        assert word in err, err


def parquet(table, **options):
    buffer = io.BytesIO()
    pq.write_table(table, buffer, **options)
    return buffer.getvalue()


MANY = "1,2\n" * 30_000
FILES = {
    "a row too long": ("h.csv", "a,b\n1,2\n3,4,5\n6,7\n", ("line 3 has 3 fields, the header 2",)),
    "a row too short": ("h.csv", "a,b\n1,2\n3\n", ("line 3 has 1 field, the header 2",)),
    "a row too long after many": ("h.csv", f"a,b\n{MANY}1,2,3\n", ("line 30002 has 3 fields",)),
    "a header too long": ("h.csv", "a,b,c\n1,2\n1,2\n", ("line 2 has 2 fields, the header 3",)),
    "a header too short": ("h.csv", "a\n1,2\n1,2\n", ("line 2", "the header 1")),
    "Latin-1": ("h.csv", "a,b\n1,ä\n".encode("latin-1"), ("not UTF-8",)),
    "Latin-1 after many": ("h.csv", f"a,b\n{MANY}1,ä\n".encode("latin-1"), ("not UTF-8",)),
    "UTF-16": ("h.csv", "a,b\n1,ä\n".encode("utf-16"), ("not UTF-8",)),
    "a quote without end": ("h.csv", 'a,b\n1,"x\n2,y\n', ("h.csv is damaged",)),
    "columns of one name": ("h.csv", "a,b,a\n1,2,3\n", ("the column a occurs twice",)),
    "names that differ in case": ("h.csv", "a,A\n1,2\n", ("columns 1 and 2 are 'a' and 'A'",)),
    "nothing": ("h.csv", "", ("h.csv has no rows",)),
    "a header alone": ("h.csv", "a,b\n", ("h.csv has no rows",)),
    "bytes": ("h.csv", bytes(range(256)) * 20, ("h.csv",)),
    "not valid JSON": ("h.jsonl", '{"a": 1}\n{"a": \n', ("h.jsonl is damaged",)),
    "lists of JSON": ("h.jsonl", "[1, 2]\n", ("line 1 is not an object",)),
    "nested JSON": ("h.jsonl", '{"a": 1, "b": {"c": 2}}\n', ("the column b holds values of several types, or nested",)),
    "values of several types": ("h.jsonl", '{"a": 1}\n{"a": "x"}\n', ("the column a holds values of several types",)),
    "a key twice": ("h.jsonl", '{"a": 1, "a": 2}\n', ("h.jsonl", "line 1")),
    "no lines": ("h.jsonl", "", ("h.jsonl",)),
    "no Parquet": ("h.parquet", "a,b\n1,2\n", ("h.parquet is damaged",)),
    "Parquet without its end": ("h.parquet", parquet(pa.table({"a": [1, 2]}))[:-7], ("h.parquet is damaged",)),
    "Parquet without its middle": ("h.parquet", parquet(pa.table({"a": [1, 2]}))[:20] + b"PAR1", ("h.parquet",)),
    "an empty file": ("h.parquet", b"", ("h.parquet is damaged",)),
    "no rows": ("h.parquet", parquet(pa.table({"a": pa.array([], pa.int64())})), ("h.parquet has no rows",)),
    "a column without a name": ("h.parquet", parquet(pa.table({"": [1]})), ("column 1 has no name",)),
    "no columns": ("h.parquet", parquet(pa.table({})), ("h.parquet",)),
    "Parquet columns of one name": (
        "h.parquet", parquet(pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["a", "a"])), ("a occurs twice",),
    ),
    "a list": ("h.parquet", parquet(pa.table({"a": [1], "b": [[1, 2]]})), ("the column b holds lists",)),
    "a struct": ("h.parquet", parquet(pa.table({"a": [{"x": 1, "y": "z"}]})), ("the column a holds records",)),
    "a blob": ("h.parquet", parquet(pa.table({"a": [b"x"]})), ("the column a holds bytes",)),
    "Git LFS's pointer": (
        "h.parquet", "version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 7\n", ("pointer", "git lfs pull"),
    ),
    "another table": ("h.xlsx", b"x", ("h.xlsx: not a table",)),
}  # fmt: skip


@pytest.mark.parametrize("case", FILES)
def test_hostile_files(hold, case):
    name, data, words = FILES[case]
    refused(hold(PLAIN, {name: data}), *words)


def test_what_parts_a_row_is_seen_outside_quotes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    record = {"properties": {"; drop; table; --": {"type": "integer"}, "b": {"const": "x"}}}
    (tmp_path / "contract.yaml").write_text(json.dumps(record))
    for delimiter in ",;\t|":
        (tmp_path / "h.csv").write_text(f'"; drop; table; --"{delimiter}b\n1{delimiter}x\n"2"{delimiter}"x"\n')
        code, _, err = gates("data", "h.csv", "--contract", "contract.yaml")
        assert code == 0, err


def test_files_of_a_glob_must_have_the_same_columns(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p1.csv").write_text("a,b\n1,2\n")
    (tmp_path / "p2.csv").write_text("b,a\n1,2\n")
    (tmp_path / "contract.yaml").write_text(PLAIN)
    refused(gates("data", "p*.csv", "--contract", "contract.yaml"), "the header of p2.csv is not that of p1.csv")
    pq.write_table(pa.table({"a": [1]}), "q1.parquet")
    pq.write_table(pa.table({"b": [1]}), "q2.parquet")
    refused(gates("data", "q*.parquet", "--contract", "contract.yaml"), "q2.parquet has other columns than q1.parquet")
    refused(gates("data", "gone*.parquet", "--contract", "contract.yaml"), "there is no such file")


HOSTILE = ['"; drop table', "'; --", "a b", "a.b", "select", "é", "%s{}", "$1", "?", "x" * 300, "#", "a\\"]


@pytest.mark.parametrize("name", HOSTILE)
def test_columns_of_any_name(hold, name):
    columns = {name: pa.array([1, 2, 3]), "other": pa.array(["x", "y", "x"])}
    record = {"properties": {name: {"maximum": 2, "enum": [1, 2]}, "other": {"minLength": 1}}, "required": [name]}
    table = [
        {"unique": name},
        {"nulls": name},
        {"values": name, "equal": 1},
        {"drift": name, "max": 9, "against": "h.parquet"},
    ]
    table += [
        {"unique": [name, "other"]},
        {"refers": name, "to": "h.parquet"},
        {"refers": [name, "other"], "to": "h.parquet"},
    ]
    files = {"h.parquet": parquet(pa.table(columns))}
    code, out, _ = hold(json.dumps({"record": record, "table": table}, ensure_ascii=False), files)
    assert code == 1, out
    assert "broken in 1 of 3 rows" in out


@pytest.mark.parametrize("value", ["'", "''", '"', "\\", "a'; drop table h; --", "\x00", "{}", "%s", "\U0001f600"])
def test_values_of_any_text(hold, value):
    files = {"h.parquet": parquet(pa.table({"a": [value, "other"]}))}
    contract = {
        "record": {"properties": {"a": {"enum": [value]}}},
        "table": [{"values": "a", "equal": value, "min": 0.5, "max": 0.5}],
    }
    code, out, err = hold(json.dumps(contract), files)
    assert code == 1, err
    assert "broken in 1 of 2 rows" in out


def test_half_a_surrogate_pair_is_no_text(hold):
    contract = '{"record": {"properties": {"a": {"enum": ["\\ud800"]}}}}'
    refused(hold(contract, {"h.csv": "a\nx\n"}), "contract.yaml:1:", "invalid Unicode")


@pytest.mark.parametrize("pattern", ["^(a+)+$", "^(a|a)*$", "(x+x+)+y", "^(([a-z])+.)+[A-Z]([a-z])+$"])
def test_patterns_that_backtrack(hold, pattern):
    start = time.process_time()
    contract = json.dumps({"record": {"properties": {"a": {"pattern": pattern}}}})
    code, _, err = hold(contract, {"h.csv": "a\n" + ("a" * 20_000 + "!\n") * 20})
    assert code == 1, err
    assert time.process_time() - start < 30


def nested(word, depth, inner):
    return (
        inner
        if not depth
        else {word: [nested(word, depth - 1, inner)] if word == "anyOf" else nested(word, depth - 1, inner)}
    )


def bomb(width, word, depth=40):
    twice = lambda name: {word: [{"$ref": f"#/$defs/{name}"}] * width}  # noqa: E731
    definitions = {f"d{one}": twice(f"d{one + 1}") for one in range(depth)} | {f"d{depth}": {"type": "integer"}}
    return {"$defs": definitions, "properties": {"a": {"$ref": "#/$defs/d0"}}}


CONTRACTS = {
    "a reference to itself": (
        '{$defs: {x: {$ref: "#/$defs/x"}}, properties: {a: {$ref: "#/$defs/x"}}}',
        ("refers to itself",),
    ),
    "a circle": (
        '{$defs: {x: {not: {$ref: "#/$defs/y"}}, y: {not: {$ref: "#/$defs/x"}}}, properties: {a: {$ref: "#/$defs/x"}}}',
        ("refers to itself",),
    ),
    "the whole": ('{allOf: [{$ref: "#"}]}', ("refers to itself",)),
    "a bomb": (json.dumps(bomb(2, "allOf")), ("with its references expanded",)),
    "a bomb of choices": (json.dumps(bomb(3, "oneOf")), ("with its references expanded",)),
    "a long way": (json.dumps(bomb(1, "allOf", 2000)), ("levels deep",)),
    "a reference to another file": (
        "{properties: {a: {$ref: other.json}}}",
        ("other.json names no schema in this file",),
    ),
    "a reference to nowhere": ('{properties: {a: {$ref: "#/$defs/x"}}}', ("contract.yaml:1:19", "names no schema")),
    "a reference to no schema": ('{properties: {a: {$ref: "#/properties"}}}', ("names no schema",)),
    "a reference into a default": ('{default: {x: 1}, properties: {a: {$ref: "#/default"}}}', ("names no schema",)),
    "too deep": (json.dumps(nested("not", 40, {})), ("nested deeper",)),
    "an unknown keyword": (
        "record:\n  properties:\n    a: {minimun: 3}\n",
        ("contract.yaml:3:9: minimun", "did you mean minimum?"),
    ),
    "a keyword of lists": (
        "record:\n  properties:\n    a:\n      items: {}\n",
        ("contract.yaml:4:7: items", "does not support this keyword"),
    ),
    "a keyword of a definition": ("{$defs: {x: {contains: 1}}}", ("contract.yaml:1:14: contains",)),
    "an unknown format": ("{properties: {a: {format: color}}}", ("contract.yaml:1:19: format",)),
    "look-ahead": ('{properties: {a: {pattern: "(?=a)"}}}', ("contract.yaml:1:19: pattern", "look-ahead is not known")),
    "no expression": ('{properties: {a: {pattern: "("}}}', ("not a regular expression",)),
    "a huge expression": ('{properties: {a: {pattern: "(a{900}){900}"}}}', ("repeats",)),
    "a bound without end": ("{properties: {a: {minimum: 1e999}}}", ("contract.yaml:1:",)),
    "no bound": ("{properties: {a: {minimum: '1'}}}", ("expected a number",)),
    "a multiple of nothing": ("{properties: {a: {multipleOf: 0}}}", ("multipleOf",)),
    "an empty choice": ("{properties: {a: {anyOf: []}}}", ("expected a schema",)),
    "no schema": ("{properties: {a: 3}}", ("expected a schema",)),
    "a name that is none": ("{properties: {a: {$id: 3}}}", ("contract.yaml:1:19: $id",)),
    "a secret of columns without a name": (
        '{$defs: {s: {x-sensitive: true}}, allOf: [{patternProperties: {"^d": {$ref: "#/$defs/s"}}}]}',
        ("x-sensitive in patternProperties names no column",),
    ),
    "a secret of all other columns": (
        '{$defs: {s: {x-sensitive: true}}, additionalProperties: {anyOf: [{$ref: "#/$defs/s"}]}}',
        ("x-sensitive in additionalProperties names no column",),
    ),
    "a vocabulary": (
        "{$schema: 'https://example.com/mine'}",
        ("contract.yaml:1:2: $schema", "unknown vocabulary"),
    ),
    "an anchor that is not there": ("{properties: {a: {$ref: '#gone'}}}", ("#gone names no schema in this file",)),
    "another file": ("{properties: {a: {$ref: other.json}}}", ("other.json names no schema in this file",)),
    "a pattern of names": ("{patternProperties: {'(': {}}}", ("is not closed",)),
    "too many columns": ("{maxProperties: -1}", ("maxProperties",)),
    "a severity without effect": ("{properties: {a: {anyOf: [{x-severity: warn}]}}}", ("belongs to a whole rule",)),
    "secrecy without effect": ("{x-sensitive: true, properties: {a: {type: string}}}", ("belongs to one column",)),
    "an unknown table rule": ("table: [{row: {min: 1}}]", ("contract.yaml:1:9", "did you mean rows?")),
    "a rule twice": ("table: [{unique: a}, {unique: [a]}]", ("occurs twice",)),
    "an unknown key": ("table: [{unique: a, maxx: 1}]", ("maxx: unknown key", "did you mean max?")),
    "pairs that don't fit": (
        "table: [{refers: [a, b], to: x.csv, column: id}]",
        ("refers and column must name equally many columns, not 2 and 1",),
    ),
    "a column that is not there": ("table: [{unique: aa}]", ("h.csv has no column aa", "did you mean a?")),
    "ks of text": ("table: [{drift: t, max: 1, measure: ks, against: h.csv}]", ("ks of t",)),
    "dates of numbers": ("table: [{fresh: a, within: 1d}]", ("fresh(a)",)),
}


@pytest.mark.parametrize("case", CONTRACTS)
def test_hostile_contracts(hold, case):
    text, words = CONTRACTS[case]
    start = time.process_time()
    code, out, err = hold(text, {"h.csv": "a,t\n1,x\n"})
    assert (code, out) == (2, ""), (code, out, err)
    assert "Traceback" not in err
    assert "unforeseen" not in err
    for word in words:
        assert word in err, err
    assert time.process_time() - start < 30


def test_conditions_within_conditions_stay_small(hold):
    """Written out twice at every step they would be millions of characters."""
    schema = {"type": "integer"}
    for _ in range(18):
        schema = {"if": schema, "then": {"minimum": 0}, "else": {"maximum": 9}}
    code, _, err = hold(json.dumps({"record": {"properties": {"a": schema}}}), {"h.csv": "a\n1\n"})
    assert code == 0, err


def test_as_much_as_references_may_hold_is_compiled(hold):
    code, _, err = hold(json.dumps(bomb(2, "anyOf", 11)), {"h.csv": "a\n1\n"})
    assert code == 0, err
