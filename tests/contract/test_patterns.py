"""A pattern is translated for RE2 or refused; where it is translated it finds what Python's ``re.search`` finds."""

from __future__ import annotations

import re
import time
import warnings

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gates.contract.columns import Column, literal, matches
from gates.contract.keywords import KEYWORDS
from gates.contract.patterns import LONGEST, UnsupportedError, translate

TEXTS = st.lists(
    st.one_of(
        st.text("ab1\n _-", max_size=6),
        st.sampled_from(
            [
                "",
                "\n",
                "a\n",
                "a\n\n",
                "é",
                "É",
                "日本",
                "٣",
                "²",
                "\u00a0",
                "\u2028",
                "\u0301",
                "👩‍👩‍👧",
                "a\x00b",
                "_",
                "ǅ",
            ]
        ),
        # no characters that Unicode got after Python's own tables were made
        st.text(st.characters(exclude_categories=("Cs", "Cn", "Co")), max_size=5),
    ),
    min_size=1,
    max_size=6,
)
ATOMS = st.one_of(
    st.sampled_from(
        [
            "a",
            "b",
            "1",
            " ",
            "_",
            "-",
            ".",
            r"\.",
            r"\n",
            "\n",
            "é",
            "日",
            "👩",
            r"\x00",
            r"\u0301",
            r"\-",
            "/",
            '"',
            "'",
        ]
    ),
    st.sampled_from([r"\d", r"\D", r"\w", r"\W", r"\s", r"\S"]),
    st.sampled_from(
        [
            "^",
            "$",
            r"\A",
            r"\Z",
            r"\b",
            r"\B",
            "(?i)",
            r"\1",
            "(?=a)",
            "(?!a)",
            "(?<=a)",
            "(?P<n>a)",
            "(?>a)",
            "a*+",
            "(?i:a)",
        ]
    ),
    st.lists(
        st.sampled_from(
            ["a", "b-d", "1", " ", r"\d", r"\D", r"\w", r"\W", r"\s", r"\S", r"\n", "é", "à-ü", "_", "-", r"\]"]
        ),
        min_size=1,
        max_size=3,
    ).flatmap(lambda parts: st.sampled_from(["[{}]", "[^{}]"]).map(lambda form: form.format("".join(parts)))),
)
REPEATS = st.sampled_from(["", "", "*", "+", "?", "*?", "+?", "??", "{2}", "{1,3}", "{,2}", "{2,}", "{0}", "{1,2}?"])


def joined(inner):
    branches = st.lists(inner, min_size=1, max_size=3).map("|".join)
    groups = st.builds(
        lambda form, text, repeat: form.format(text) + repeat, st.sampled_from(["({})", "(?:{})"]), branches, REPEATS
    )
    return st.lists(groups | inner, min_size=1, max_size=3).map("".join)


ANY_PATTERN = st.recursive(st.builds(str.__add__, ATOMS, REPEATS), joined, max_leaves=6)


def found(pattern, texts):
    condition = KEYWORDS["pattern"].kept(Column(name="x", category="string"), pattern)
    query = f"SELECT {condition} FROM (SELECT $1 AS x)"  # noqa: S608 -- the pattern is quoted
    return [duckdb.execute(query, [text]).fetchall()[0][0] for text in texts]


@settings(max_examples=300)
@given(ANY_PATTERN, TEXTS)
def test_translated_patterns_find_what_python_finds(pattern, texts):
    try:
        translate(pattern)
    except UnsupportedError:
        return
    with warnings.catch_warnings(action="ignore"):
        assert found(pattern, texts) == [re.search(pattern, text) is not None for text in texts], translate(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        r"^[A-Z]{2}\d{4}$",
        r"^\S+@\S+\.\S+$",
        "^(yes|no)$",
        r"^[\w.-]+$",
        r"^\d{4}-\d{2}-\d{2}$",
        "^.{1,255}$",
        r"^\w{1,20}$",
        "^$|^a+$",
        r"^(?:\+\d{1,3})?[ \d]{6,14}$",
        r"^[^\s]+$",
        "",
    ],
)
def test_common_patterns_are_translated(pattern):
    texts = ["", "ab", "AB1234", "AB1234\n", "a@b.c", "yes", "2020-01-01", "+49 123456", "x" * 300, "é", "\n"]
    assert found(pattern, texts) == [re.search(pattern, text) is not None for text in texts]


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        (r"(a)\1", "groupref"),
        ("(?=a)", "assert"),
        ("(?<!a)b", "assert not"),
        (r"\bword\b", "anchor"),
        ("a$b", "anchor"),
        ("(a$)*", "anchor"),
        ("(?i)abc", "flags"),
        ("(?i:abc)", "flags"),
        ("a{1001}", "repeats"),
        ("(a{40}){40}", "repeats"),
        (r"\w{1000}", "too large"),
        (r"(\w{1,30}){1,30}", "too large"),
        ("(", "no regular expression"),
        ("a" * (LONGEST + 1), "longer"),
        ("(?>a+)b", "atomic"),
        ("a++b", "possessive"),
        ("(" * 450 + ")" * 450, "nested too deep"),
    ],
)
def test_what_can_not_be_said_is_refused_with_the_reason(pattern, why):
    with pytest.raises(UnsupportedError, match=why):
        translate(pattern)


@pytest.mark.parametrize("pattern", [r"(a+)+$", r"(a|aa)+$", r"(.*)*x", r"(\w+\s?)*$", "(a?){30}a{30}"])
def test_patterns_that_backtrack_do_no_harm(pattern):
    start = time.monotonic()
    assert len(found(pattern, ["a" * 50_000 + "!"])) == 1
    assert time.monotonic() - start < 5


@settings(max_examples=80)
@given(ATOMS, st.integers(1, 1001), st.integers(1, 60), st.integers(1, 40))
def test_what_is_translated_the_engine_takes(atom, times, outer, beside):
    """The reckoning of sizes never lets pass what RE2 finds too large."""
    for pattern in (f"(?:{atom}){{{times}}}" * beside, f"(?:(?:{atom}){{1,{times}}}){{{outer}}}"):
        try:
            text = translate(pattern)
        except UnsupportedError:
            continue
        duckdb.execute(f"SELECT {matches(literal('aaa'), text)}").fetchall()
