"""Whatever the text, reading a policy ends in a policy or in a message; never in a traceback."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gates.errors import GatesError
from gates.policy.policy_file import read, schema
from gates.schema.validation import PolicyError

WORDS = [*schema()["properties"], "metric", "by", "min", "max_worsening", "holdout", "label", "contract", "run", "data"]
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["recall", "roc_auc", "train", "sex * age", "a.yaml", "models:/m@champion", "5m", ""]),
    st.text(max_size=8),
)
KEYS = st.one_of(st.sampled_from(WORDS), st.text(max_size=5))
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=12
)


def no_file(_path):
    raise GatesError("can't be read: No such file or directory")


def reads_or_tells(data: bytes, contract: bytes | None = None) -> None:
    error = None
    try:
        read(data, "gates.yaml", no_file if contract is None else lambda _: contract)
    except GatesError as raised:
        error = raised
    if isinstance(error, PolicyError):
        assert error.problems
        assert all(problem.file in ("gates.yaml", "c.yaml") for problem in error.problems)
    elif error:
        assert error.where
        assert error.what


@given(st.binary(max_size=200))
@example(b"\xff\xfe\x00a")
@example(b"a: \x00")
@example(b"- " * 2000)
@example(b"[" * 5000)
@example(b"{" * 5000)
@example(b"? " * 2000)
@example(b"a: |\n" + b" x\n" * 1000)
@example(b"%YAML 9.9\n---\na: 1")
@example(b"%TAG ! tag:x,2000:\n---\na: 1")
@example(b'a: "\\ud800"')
@example("\u2028a: 1\u2029b: 2\x85c: 3".encode())
def test_any_bytes(data):
    reads_or_tells(data)


@given(st.text(alphabet=st.sampled_from(":-?[]{},&*!|>'\"%@`#~\n ab1.\t"), max_size=80))
def test_any_text_of_marks(text):
    reads_or_tells(text.encode())


def emit(value) -> bytes:
    """Flow YAML, every text quoted, so that what was drawn is what is read."""
    if isinstance(value, dict):
        return b"{" + b", ".join(emit(str(key)) + b": " + emit(item) for key, item in value.items()) + b"}"
    if isinstance(value, list):
        return b"[" + b", ".join(map(emit, value)) + b"]"
    if isinstance(value, str):
        return ("'" + "".join(c for c in value if c.isprintable()).replace("'", "''") + "'").encode(errors="replace")
    return {None: b"null", True: b"true", False: b"false"}.get(value, repr(value).encode())


@given(st.dictionaries(KEYS, VALUES, max_size=8))
def test_any_values_under_known_keys(value):
    reads_or_tells(emit(value))


GOOD = {
    "version": 1,
    "model": "churn",
    "data": {"holdout": "h.csv", "label": "left", "contract": "c.yaml"},
    "train": "x",
    "gates": [{"metric": "recall", "min": 0.5}],
}


@given(st.sampled_from(sorted(GOOD)), VALUES, st.lists(VALUES, max_size=3))
def test_any_value_in_place_of_a_right_one(key, value, gates):
    reads_or_tells(emit(GOOD | {key: value, "slices": gates}))
    reads_or_tells(emit(GOOD | {"gates": [*gates, {"metric": "recall", "min": value, "slices": value}]}))


@given(st.dictionaries(st.sampled_from(["record", "table", "x"]), VALUES, max_size=3), st.binary(max_size=60))
def test_any_contract(value, data):
    reads_or_tells(emit(GOOD), contract=emit(value))
    reads_or_tells(emit(GOOD), contract=data)


RIGHT = b"version: 1\nmodel: m\ndata: {holdout: h, label: l}\ntrain: x\ngates: [{metric: recall, min: 0.5}]\n"


@pytest.mark.parametrize("cut", range(0, len(RIGHT), 3))
def test_half_a_policy(cut):
    reads_or_tells(RIGHT[:cut])
