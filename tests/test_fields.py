"""A declared dataclass is its own schema, reader and writer; the three agree."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

import jsonschema
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from gates.documents.decision import Decision
from gates.documents.evidence import Evidence
from gates.documents.slices import Dimension, edge_text, key_text
from gates.errors import GatesError
from gates.policy import Policy
from gates.report.markdown import render
from gates.report.run_facts import Facts
from gates.schema.canonical import canonical, digest, settled
from gates.schema.fields import build, declare, plain, schema_of
from gates.schema.validation import nearest, read_json, shown


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, kw_only=True)
class Inner:
    """What is inside."""

    run: str = declare("A command.")
    count: int = declare("How often.", default=1, minimum=0)


@dataclass(frozen=True, kw_only=True)
class Outer:
    """What people write.

    More of it.
    """

    name: str = declare("A name.", minLength=1)
    kind: Literal["a", "b"] = declare("Which.", default="a")
    inner: Inner = declare("Inside.", short="run")
    many: tuple[str, ...] = declare("Many.", default=(), single=True)
    pairs: tuple[tuple[str, int], ...] = declare("Pairs.", default=())
    share: float | None = declare("A share.", default=None)
    table: dict[str, Inner] | None = declare("Named ones.", default=None)
    colour: Colour | None = declare("A colour.", default=None)
    any_: str | float | bool | None = declare("Anything.", default=None)


@dataclass(frozen=True, kw_only=True)
class Whole:
    """What is written by gates."""

    WRITTEN = "whole"
    big: int = declare("Past 2**53.", big=True)
    none: str | None = declare("Maybe.")
    flag: bool = declare("Yes or no.")
    inner: tuple[Inner, ...] = declare("Inside.")


def accepts(cls: type, value: Any) -> bool:
    schema = schema_of(cls)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema).is_valid(value)


@pytest.mark.parametrize(
    ("value", "made"),
    [
        ({"name": "n", "inner": {"run": "x"}}, Outer(name="n", inner=Inner(run="x"))),
        ({"name": "n", "inner": "x"}, Outer(name="n", inner=Inner(run="x"))),
        ({"name": "n", "inner": "x", "many": "m"}, Outer(name="n", inner=Inner(run="x"), many=("m",))),
        ({"name": "n", "inner": "x", "many": ["m", "k"]}, Outer(name="n", inner=Inner(run="x"), many=("m", "k"))),
        ({"name": "n", "inner": "x", "pairs": [["a", 1]]}, Outer(name="n", inner=Inner(run="x"), pairs=(("a", 1),))),
        ({"name": "n", "inner": "x", "share": 1}, Outer(name="n", inner=Inner(run="x"), share=1.0)),
        ({"name": "n", "inner": "x", "colour": "red"}, Outer(name="n", inner=Inner(run="x"), colour=Colour.RED)),
        ({"name": "n", "inner": "x", "any": True}, Outer(name="n", inner=Inner(run="x"), any_=True)),
        (
            {"name": "n", "inner": "x", "table": {"k": {"run": "y", "count": 0}}},
            Outer(name="n", inner=Inner(run="x"), table={"k": Inner(run="y", count=0)}),
        ),
    ],
)
def test_what_is_accepted_is_built(value, made):
    assert accepts(Outer, value)
    assert build(Outer, value) == made
    written = {key: item for key, item in plain(made).items() if item is not None}
    assert accepts(Outer, written)
    assert build(Outer, written) == made


@pytest.mark.parametrize(
    "value",
    [
        {}, {"name": "n"}, {"inner": "x"}, {"name": "", "inner": "x"}, {"name": 1, "inner": "x"}, [], None, "n",
        {"name": "n", "inner": 3}, {"name": "n", "inner": {}}, {"name": "n", "inner": {"run": "x", "zzz": 1}},
        {"name": "n", "inner": {"run": "x", "count": -1}}, {"name": "n", "inner": {"run": "x", "count": 1.5}},
        {"name": "n", "inner": "x", "kind": "c"}, {"name": "n", "inner": "x", "colour": "RED"},
        {"name": "n", "inner": "x", "many": 3}, {"name": "n", "inner": "x", "many": [3]},
        {"name": "n", "inner": "x", "pairs": [["a"]]}, {"name": "n", "inner": "x", "pairs": [["a", 1, 2]]},
        {"name": "n", "inner": "x", "share": None}, {"name": "n", "inner": "x", "share": "1"},
        {"name": "n", "inner": "x", "share": True}, {"name": "n", "inner": "x", "any_": 1},
        {"name": "n", "inner": "x", "zzz": 1}, {"name": "n", "inner": "x", "any": []},
    ],
)  # fmt: skip
def test_what_is_not_of_the_form_is_refused(value):
    assert not accepts(Outer, value)


def test_whole_documents_have_every_key_and_null_for_nothing():
    made = Whole(big=2**90, none=None, flag=False, inner=(Inner(run="x"),))
    value = {"big": str(2**90), "none": None, "flag": False, "inner": [{"run": "x", "count": 1}]}
    assert plain(made) == value
    assert accepts(Whole, value)
    assert build(Whole, value) == made
    for key in value:
        assert not accepts(Whole, {name: item for name, item in value.items() if name != key})
    assert not accepts(Whole, value | {"big": 5})
    assert not accepts(Whole, value | {"big": "5.0"})


def test_a_schema_tells_what_each_key_is_for():
    schema = schema_of(Outer)
    assert schema["description"] == "What people write."
    assert [one["description"] for one in schema["properties"].values()] == [
        "A name.", "Which.", "Inside.", "Many.", "Pairs.", "A share.", "Named ones.", "A colour.", "Anything.",
    ]  # fmt: skip


def keys_without_words(schema: Any, path: str = "") -> list[str]:
    """Paths of the keys whose schema says nothing about them."""
    if isinstance(schema, list):
        return [found for item in schema for found in keys_without_words(item, path)]
    if not isinstance(schema, dict):
        return []
    silent = [f"{path}.{key}" for key, one in schema.get("properties", {}).items() if not one.get("description")]
    inner = [(f"{path}.{key}", one) for key, one in schema.get("properties", {}).items()]
    inner += [(path, one) for key, one in schema.items() if key != "properties"]
    return silent + [found for where, one in inner for found in keys_without_words(one, where)]


@pytest.mark.parametrize("cls", [Policy, Evidence, Decision])
def test_every_key_of_every_document_is_documented(cls):
    schema = schema_of(cls)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert keys_without_words(schema) == []


def test_canonical_bytes_do_not_depend_on_the_order_of_keys():
    assert canonical({"b": 1, "a": [1.0, "é", None, True]}) == '{"a":[1,"é",null,true],"b":1}'.encode()
    assert digest({"b": 1, "a": 2}) == digest({"a": 2, "b": 1})
    assert digest({}) == "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


@given(st.floats())
def test_a_settled_number_stays_settled_and_near(number):
    kept = settled(number)
    if math.isfinite(number):
        assert settled(kept) == kept
    else:
        assert str(kept) == str(number)
    if math.isfinite(number) and abs(number) > 1e-300:
        assert abs(kept - number) <= 1e-11 * abs(number)


@pytest.mark.parametrize("number", [2**53, -(2**53), 99999999999999999999])
def test_a_whole_number_that_readers_of_json_would_round_is_spelt(number):
    assert canonical({"a": [number]}) == f'{{"a":[{{"integer":"{number}"}}]}}'.encode()
    assert digest(number) != digest(number + 1)


@pytest.mark.parametrize("number", [0, 2**53 - 1, -(2**53 - 1)])
def test_a_whole_number_that_every_reader_of_json_keeps_stays_a_number(number):
    assert canonical(number) == str(number).encode()


def test_there_is_no_negative_zero():
    assert str(settled(-0.0)) == "0.0"


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "is not valid JSON"),
        (b"{", "is not valid JSON"),
        (b"\xff", "is not valid JSON"),
        (b"[" * 100_000, "is not valid JSON"),
        (b"[]", "expected keys with values"),
        (b"{}", "is missing"),
        (b"NaN", "expected keys with values"),
    ],
)
def test_json_that_is_not_ours_is_told(data, told):
    with pytest.raises(GatesError, match=told) as caught:
        read_json(Evidence, data, "evidence.json")
    assert caught.value.where == "evidence.json"
    assert caught.value.hint


@pytest.mark.parametrize("change", [{"model": "\ud800"}, {"confidence": 10**400}])
def test_json_that_no_file_of_ours_can_hold_is_told(change):
    value = json.loads((Path(__file__).parent / "judge/fails.json").read_text()) | change
    with pytest.raises(GatesError):
        render(read_json(Decision, json.dumps(value).encode(), "decision.json"), Facts()).encode()


@given(st.binary(max_size=50))
def test_any_json_is_read_or_told(data):
    with pytest.raises(GatesError):
        read_json(Decision, data, "decision.json")


@pytest.mark.parametrize(
    ("value", "columns", "edges", "name", "bins"),
    [
        ("region", ("region",), (), "region", ((),)),
        ("auto", (), (), "auto", ()),
        ("sex * region", ("sex", "region"), (), "sex * region", ((), ())),
        ({"age": [40]}, ("age",), ((40.0,),), "age[40]", (("< 40", ">= 40"),)),
        ({"age": [25, 40.5]}, ("age",), ((25.0, 40.5),), "age[25,40.5]", (("< 25", "[25, 40.5)", ">= 40.5"),)),
        ({"t": [-1, 0]}, ("t",), ((-1.0, 0.0),), "t[-1,0]", (("< -1", "[-1, 0)", ">= 0"),)),
    ],
)
def test_dimensions(value, columns, edges, name, bins):
    made = Dimension.read(value)
    assert (made.columns, made.edges, made.id, made.bins) == (columns, edges, name, bins)
    assert Dimension.read(made.plain()) == made


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_an_edge_is_told_exactly(edge):
    assert float(edge_text(edge)) == edge


def test_keys_in_words():
    assert key_text(()) == "overall"
    assert key_text((("a", "x"), ("b", None))) == "a=x, b=(missing)"
    assert key_text({"a": "x"}) == "a=x"


def test_values_in_messages_are_short():
    assert len(shown("x" * 1000)) == 60
    assert shown({"a": "é"}) == '{"a": "é"}'
    assert nearest("recal", ["recall", "f1"]) == "; did you mean recall?"
    assert nearest("zzz", ["recall", "f1"]) == ""


NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53) + 1, 2**53 - 1)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(JSON)
def test_canonical_bytes_are_those_of_rfc_8785(value):
    assert canonical(value) == rfc8785.dumps(value)


@pytest.mark.parametrize(
    "value",
    [1e15, 1e16, 1e21, 1e-4, 1e-5, 1e-7, -0.0, 0.1, 5e-324, '\x7f\u2028\b\x1f\\"/', {"\ue000": 1, "\U00010000": 2}],
)
def test_canonical_bytes_where_writers_differ(value):
    assert canonical([value]) == rfc8785.dumps([value])
