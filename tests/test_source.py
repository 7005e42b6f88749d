"""YAML text -> plain value and places: YAML 1.2 scalars, places from 1, and bounds that nothing gets past."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gates.errors import GatesError
from gates.schema.yaml_text import MAX_BYTES, MAX_DEPTH, MAX_NODES, parse


def value_of(text: str):
    return parse(f"a: {text}\n".encode(), "f.yaml").value["a"]


TEXTS = """
yes no on off Yes NO On OFF y n Y N nUll tRue falsE 1:30 12:30:45 190:20:30 2024-01-01 2024-01-01T10:00:00Z
0x1F 0x 0o17 0b11 1_000 .inf -.inf .nan .NaN NaN nan inf Infinity 1e 1.2.3 +-1 -a . e5 ½ １２ v1 1a <<
"""


@pytest.mark.parametrize("text", TEXTS.split())
def test_stays_text(text):
    assert value_of(text) == text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True), ("True", True), ("TRUE", True), ("false", False), ("False", False), ("FALSE", False),
        ("null", None), ("Null", None), ("NULL", None), ("~", None), ("", None),
        ("0", 0), ("12", 12), ("-12", -12), ("+12", 12), ("010", 10), ("-0", 0),
        ("0.5", 0.5), (".5", 0.5), ("-.5", -0.5), ("1.", 1.0), ("1e3", 1000.0), ("1.5E-3", 0.0015), ("+1e+2", 100.0),
    ],
)  # fmt: skip
def test_is_a_value(text, value):
    found = value_of(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("text", ["true", "12", "1.5", "null", "~", ""])
@pytest.mark.parametrize("quote", ["'", '"'])
def test_quoted_is_text(text, quote):
    assert value_of(f"{quote}{text}{quote}") == text


@pytest.mark.parametrize("style", ["|-", ">-"])
def test_block_text_is_text(style):
    assert value_of(f"{style}\n  12") == "12"


PRINTED = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), max_size=10)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**18), 10**18) | PRINTED,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(PRINTED, inner, max_size=4),
    max_leaves=15,
)


@given(st.dictionaries(PRINTED, JSON, max_size=5))
def test_json_is_read_as_json(value):
    assert parse(json.dumps(value, ensure_ascii=False).encode(), "f").value == value


def test_places_of_keys_and_items():
    source = parse(b"a: 1\nb:\n  - x\n  - {c: [y, z]}\n", "f")
    assert source.places == {
        (): (1, 1),
        ("a",): (1, 1),
        ("b",): (2, 1),
        ("b", 0): (3, 5),
        ("b", 1): (4, 5),
        ("b", 1, "c"): (4, 6),
        ("b", 1, "c", 0): (4, 10),
        ("b", 1, "c", 1): (4, 13),
    }


def test_the_place_of_what_is_not_there_is_its_parent_s():
    source = parse(b"a: 1\nb: {c: 2}\n", "f")
    assert source.where(("b", "x", 3)) == (2, 1)
    assert source.where(("x",)) == (1, 1)


def nested(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


REFUSED = {
    "not UTF-8": (b"a: \xff\n", "f.yaml: not UTF-8 text (byte 3)\n  Save it as UTF-8."),
    "UTF-16": ("a: 1".encode("utf-16"), "f.yaml: not UTF-8 text (byte 0)\n  Save it as UTF-8."),
    "empty": (b"", "f.yaml: is empty\n  The smallest policy is in docs/quick-start.md."),
    "white space": (b"  \n\n ", "f.yaml: is empty\n  The smallest policy is in docs/quick-start.md."),
    "too large": (b"#" * (MAX_BYTES + 1), "f.yaml: 262,145 bytes are more than the 262,144 a policy may have"),
    "too deep": (nested(MAX_DEPTH + 1), "f.yaml:1:25: nested deeper than 24 levels"),
    "too many": (b"[" + b"1," * MAX_NODES + b"1]", "f.yaml:1:40000: more than 20,000 values"),
    "long number": (b"a: 1" + b"0" * 40, "f.yaml:1:4: a number of 41 characters"),
    "alias": (b"a: *x", "f.yaml:1:4: aliases (*name) are not allowed\n  Write the value in full."),
    "anchor": (b"a: &x 1", "f.yaml:1:4: anchors (&name) are not allowed\n  Write the value in full."),
    "tag": (b"a: !x 1", "f.yaml:1:4: tags (!name) are not allowed\n  Remove the tag."),
    "documents": (b"a: 1\n---\nb: 1", "f.yaml:2:1: a second document starts here\n  Put only one document in a file."),
    "twice": (b"a: 1\nb: {c: 1, c: 2}", "f.yaml:2:11: c: occurs twice (first on line 2)\n  Keep one."),
    "twice as text": (b"1: a\n'1': b", "f.yaml:2:1: 1: occurs twice (first on line 1)\n  Keep one."),
    "a list as key": (b"{[a]: 1}", "f.yaml:1:2: a key must be plain text"),
}


@pytest.mark.parametrize(("data", "told"), REFUSED.values(), ids=REFUSED)
def test_refused(data, told):
    with pytest.raises(GatesError) as caught:
        parse(data, "f.yaml")
    assert str(caught.value) == told


@pytest.mark.parametrize("data", [b"a: \x00", b"a: \x01", b"\x00"])
def test_control_characters_are_no_yaml(data):
    with pytest.raises(GatesError, match="no YAML"):
        parse(data, "f.yaml")


def test_what_is_just_within_bounds_is_read():
    assert parse(b"a: 1 " + b"#" * (MAX_BYTES - 5), "f").value == {"a": 1}
    assert json.dumps(parse(nested(MAX_DEPTH), "f").value) == nested(MAX_DEPTH).decode()
    assert parse(b"a: " + b"9" * 40, "f").value == {"a": int("9" * 40)}


def test_a_bomb_of_aliases_is_not_built():
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]" for before, name in pairwise("abcdefgh")]
    with pytest.raises(GatesError, match="anchors"):
        parse("\n".join(lines).encode(), "f.yaml")
