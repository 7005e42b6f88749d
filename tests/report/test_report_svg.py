"""The picture of a decision: well-formed, small, asking for nothing; foreign text in it is text."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from extent import examples
from hypothesis import example, given, settings
from reports import CASES, FACTS, NAMES, PICTURE, PULL, decision_of, facts_about
from test_report_hostile import HOSTILE, facts_of
from test_report_hostile import decision_of as hostile

from gates.report import svg
from gates.report.headline import first_line
from gates.report.html import render as page
from gates.report.html.pictures import COLOURS, forest
from gates.report.markdown import render as markdown

EVERY = {name: (decision_of(name), facts_about(name)) for name in NAMES} | CASES
SCHEMES = ("light", "dark", None)
SPACE = "{http://www.w3.org/2000/svg}"
TAGS = {"svg", "title", "style", "rect", "text", "path", "g", "circle"}


def drawn(decision, facts, scheme):
    return svg.picture(decision, facts, scheme) if scheme else svg.render(decision, facts)


def tree(text):
    """The picture as an XML parser reads it, after a look at everything that could do harm."""
    root = ElementTree.fromstring(text)  # noqa: S314 -- our own
    for part in root.iter():
        assert part.tag.removeprefix(SPACE) in TAGS
        assert not {name for name in part.attrib if name.startswith("on") or "href" in name or name == "style"}
        assert part.tag != f"{SPACE}style" or not re.search(r"url\(|@import|var\(", part.text)
    return root


def words(root):
    return [part.text or "" for part in root.iter(f"{SPACE}text")]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", EVERY)
def test_every_decision_makes_a_picture_that_says_the_verdict(name, scheme):
    decision, facts = EVERY[name]
    text = drawn(decision, facts, scheme)
    root = tree(text)
    told = first_line(decision, facts)[1]
    assert told[:100] in words(root)[0]
    assert told[:100] in root.get("aria-label")
    assert len(text.encode()) < 12_000


@pytest.mark.parametrize("name", EVERY)
def test_its_marks_are_those_of_the_html_report(name):
    decision, facts = EVERY[name]
    inner = re.compile(r'viewBox="0 0 200 \d+"(.*?<circle[^>]*>)(?:<path class="a"|</svg>)', re.DOTALL)
    ours, report = (inner.findall(text) for text in (svg.render(decision, facts), page(decision, facts)))
    assert sorted(ours) == sorted(report)
    assert svg.drawable(decision) == bool(ours)


def test_the_worst_stand_first_and_the_rest_is_counted():
    decision = decision_of("fails")
    one = next(gate for gate in decision.gates if forest(gate) and gate.verdict == "pass")
    many = replace(decision, gates=(*[replace(one, id=f"recall {n}") for n in range(40)], *decision.gates))
    root = tree(svg.render(many, FACTS))
    verdicts = [text.split(" ", 1)[1] for text in words(root)[1:-1:3]]
    assert verdicts == ["fail", "inconclusive", *["pass"] * (svg.MOST - 2)]
    assert words(root)[-1].startswith("31 more rules not drawn · ")


@settings(max_examples=examples(60))
@given(foreign=HOSTILE)
@example(foreign='"><script>alert(1)</script><image href="https://evil.example"/>')
@example(foreign="]]></style><style>@import url(https://evil.example)")
@example(foreign="\ud800\ufffe\x00\x1b\u202e")
def test_foreign_text_stays_text_and_on_its_line(foreign):
    decision = hostile(foreign)
    for scheme in SCHEMES:
        root = tree(drawn(decision, facts_of(foreign, decision), scheme).encode("utf-8", "replace").decode())
        assert all(len(text) <= 160 for text in words(root))
        assert style(root) == style(tree(drawn(FAILS, FACTS, scheme)))


def style(root):
    return root.find(f"{SPACE}style").text


FAILS = decision_of("fails")


@pytest.mark.parametrize("scheme", COLOURS)
def test_a_scheme_has_its_own_colours_alone(scheme):
    other = COLOURS["dark" if scheme == "light" else "light"]
    text = svg.picture(FAILS, FACTS, scheme)
    assert COLOURS[scheme]["paper"] in text
    assert not [colour for colour in other.values() if f"{colour};" in text]


@pytest.mark.parametrize("scheme", COLOURS)
@pytest.mark.parametrize("name", ["ink", "quiet", "good", "bad", "unsure", "ours", "theirs"])
def test_what_is_written_can_be_told_from_what_it_is_written_on(name, scheme):
    def light(colour):
        whole = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
        parts = [int(whole[at : at + 2], 16) / 255 for at in (0, 2, 4)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    colours = COLOURS[scheme]
    for ground in ("paper", "soft"):
        darker, lighter = sorted((light(colours[name]), light(colours[ground])))
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5  # WCAG 2.2, 1.4.3


@pytest.mark.parametrize("name", EVERY)
def test_a_comment_without_the_picture_is_the_same_but_for_the_picture(name):
    decision, facts = EVERY[name]
    without, whole = (markdown(decision, replace(facts, picture=one)) for one in (None, PICTURE))
    (line,) = [line for line in whole.splitlines() if line.startswith("<picture>")]
    assert whole.replace(f"{line}\n\n", "") == without
    assert "prefers-color-scheme: dark" in line


def test_what_the_picture_says_in_words_can_not_end_them():
    evil = replace(PICTURE, spoken='"><img src=x onerror=alert(1)>')
    (line,) = [one for one in markdown(FAILS, replace(PULL, picture=evil)).splitlines() if one.startswith("<picture>")]
    assert line.count("<") == 4  # picture, source, img, /picture
