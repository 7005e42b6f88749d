"""A pattern is translated for RE2 or refused; where it is translated it finds what ECMA's own engine finds."""

from __future__ import annotations

import json
import subprocess
import time

import duckdb
import pytest
from extent import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from gates.contract.rules.keywords import KEYWORDS
from gates.contract.sql import Column, literal, matches
from gates.contract.text.patterns import LONGEST, UnsupportedError, is_expression, translate

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
                "\ufeff",
                "\r",
                "৪",
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
    st.sampled_from(
        [r"\d", r"\D", r"\w", r"\W", r"\s", r"\S", r"\p{L}", r"\P{Lu}", r"\p{digit}", r"\p{sc=Greek}", "[]", "[^]"]
    ),
    st.sampled_from(
        [r"\cJ", r"\u0061", r"\u{1F469}", r"\uD83D\uDC69", r"\0", r"\v", "(?<n>a)", r"\/", "{", "a{x", "]", "}"]
    ),
    st.sampled_from(
        [
            "^",
            "$",
            r"\A",
            r"\Z",
            r"\a",
            r"\-",
            r"\b",
            r"\B",
            "(?i)",
            r"\1",
            r"\k<n>",
            "(?=a)",
            "(?!a)",
            "(?<=a)",
            "(?P<n>a)",
            "(?>a)",
            "a*+",
            "(?#a)",
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


def refusal(pattern):
    """Why a pattern is refused; nothing where it is translated."""
    try:
        translate(pattern)
    except UnsupportedError as error:
        return str(error)
    return ""


NODE = """
const read = (pattern, flags) => { try { return new RegExp(pattern, flags) } catch { return null } };
const asked = JSON.parse(require("fs").readFileSync(0, "utf8"));
console.log(JSON.stringify(asked.map(([pattern, texts]) => {
  const strict = read(pattern, "u"), loose = read(pattern, "");
  return [strict !== null, loose !== null, strict && texts.map((text) => strict.test(text))];
})));
"""


def told_by_node(asked):
    """Of each pattern: whether it is one in Unicode mode, whether it is one at all, and in which texts it is found."""
    given = json.dumps(asked)
    ran = subprocess.run(["node", "-e", NODE], input=given, capture_output=True, text=True, check=True)
    return json.loads(ran.stdout)


@settings(max_examples=examples(8), deadline=None)
@given(st.lists(st.tuples(ANY_PATTERN, TEXTS), min_size=30, max_size=60))
def test_translated_patterns_find_what_ecma_finds(asked):
    for (pattern, texts), (strict, loose, wanted) in zip(asked, told_by_node(asked), strict=True):
        assert is_expression(pattern) or not strict, pattern
        assert loose or not is_expression(pattern), pattern
        if strict:
            assert refusal(pattern).rpartition(" ")[2] in ("known", "repeats", "large", ""), pattern
            assert refusal(pattern) or found(pattern, texts) == wanted, (pattern, translate(pattern))


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
    ((strict, _, wanted),) = told_by_node([(pattern, texts)])
    assert (strict, found(pattern, texts)) == (True, wanted)


@pytest.mark.parametrize(
    ("pattern", "text", "other"),
    [(r"^\d{4}\-\d$", "2026-1", "20261"), (r"^[\w-.]+$", "a.b-c", "a/b"), ("^a{$", "a{", "a"), (r"^\@\_$", "@_", "_")],
)
def test_what_people_write_though_unicode_mode_has_no_such_escape(pattern, text, other):
    assert found(pattern, [text, other]) == [True, False]


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        (r"(a)\1", "a back reference is not known"),
        ("(?=a)", "look-ahead is not known"),
        ("(?<!a)b", "look-behind is not known"),
        ("(?i)abc", "flags"),
        (r"^a\Z", r"not an ECMA 262 regular expression: \\Z"),
        (r"\p{Nonsense}", "is not known"),
        ("[b-a]", "reversed"),
        ("[a", "not closed"),
        ("a)", "has no match"),
        ("*", "nothing to repeat"),
        ("a{1001}", "repeats"),
        ("(a{40}){40}", "repeats"),
        (r"\p{L}{1000}", "too large"),
        (r"(\p{L}{1,30}){1,30}", "too large"),
        ("(", "not a regular expression"),
        ("a" * (LONGEST + 1), "longer"),
        ("(?>a+)b", "flags and groups"),
        ("a++b", "repeat of a repeat"),
        ("(" * 450 + ")" * 450, "nested too deep"),
    ],
)
def test_what_can_not_be_said_is_refused_with_the_reason(pattern, why):
    with pytest.raises(UnsupportedError, match=why):
        translate(pattern)


@pytest.mark.parametrize("pattern", [r"(a+)+$", r"(a|aa)+$", r"(.*)*x", r"(\w+\s?)*$", "(a?){30}a{30}"])
def test_patterns_that_backtrack_do_no_harm(pattern):
    start = time.process_time()
    assert len(found(pattern, ["a" * 50_000 + "!"])) == 1
    assert time.process_time() - start < 30  # about 0.1; what backtracks takes for ever


@settings(max_examples=examples(80))
@given(ATOMS, st.integers(1, 1001), st.integers(1, 60), st.integers(1, 40))
def test_what_is_translated_the_engine_takes(atom, times, outer, beside):
    """The reckoning of sizes never lets pass what RE2 finds too large."""
    for pattern in (f"(?:{atom}){{{times}}}" * beside, f"(?:(?:{atom}){{1,{times}}}){{{outer}}}"):
        try:
            text = translate(pattern)
        except UnsupportedError:
            continue
        duckdb.execute(f"SELECT {matches(literal('aaa'), text)}").fetchall()
