"""What comes from data or from a model's author stays text: it can't link, mention, break a table, or say a verdict."""

from __future__ import annotations

import dataclasses
import html
import re
import shlex
from dataclasses import replace

import pytest
from extent import examples
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from gates.documents.decision import SCHEMA, Code, Decision, Estimate, GateVerdict, ModelRef, Past, Verdict
from gates.documents.record import User, Waiver
from gates.judge.waivers import Settled, Void, Waived
from gates.report.escape import LONGEST, code, text
from gates.report.markdown import render as markdown
from gates.report.run_facts import Facts
from gates.report.terminal.verdicts import render as terminal

GITHUB = 65_536
RUN = "https://github.com/acme/churn/actions/runs/7"
TRICKS = [
    "@dana", "@acme/team", "<script>alert(1)</script>", "<img src=x onerror=y>", "](http://x)",
    "[x](javascript:y)", "https://evil.example", "ftp://evil.example", "www.evil.example", "WWW.evil.example",
    "#12", "GH-12", "acme/churn#3", "|", "\\|", "\\", "\n\n# head\n", "\r\n| a | b |\n|--|--|\n",
    "<!-- gates -->", "-->", "```\n", "`", "``", "~~~", "![x](y)", "</details>", "</code>", "&lt;b&gt;",
    "&#64;dana", "&#x40;dana", "\u202e", "\u200b", "$$x$$", "$`x`$", "**", "__x__", "_x_", "~~x~~", "* a",
    "- a", "+ a", "1. a", "> a", "---", "===", "    x", "\t", "[^1]", "[ ]", "a@b.example", "\x1b[2J",
    "\x1b]8;;http://x\x07", "\x07", "\x00", "\u2028", "\x85", "\n::error::x", "\r::add-mask::a", "✅ pass",
    "[!NOTE]", "😀", "é", ":tada:",
]  # fmt: skip
HOSTILE = st.lists(st.sampled_from(TRICKS) | st.text(max_size=6) | st.sampled_from("<>|`@#[]()!*_~\\&$ \n"), max_size=6)
HOSTILE = HOSTILE.map("".join).filter(lambda value: not any("\ud800" <= char <= "\udfff" for char in value))
PARSER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
NUMBER = Estimate(value=0.5, low=0.4, high=0.6)


def gate(foreign: str, verdict: Verdict | None = Verdict.FAIL, **other) -> GateVerdict:
    fields = {
        "id": f"recall by {foreign}", "kind": "metric", "metric": "recall", "rule": "min", "bar": 0.5,
        "slice": {foreign: foreign}, "by": None, "groups": None, "n": 100, "verdict": verdict, "code": Code.BELOW_BAR,
        "reason": f"because {foreign}", "candidate": NUMBER, "champion": NUMBER,
        "difference": Estimate(value=0.2, low=0.1, high=0.3), "detectable": 0.1, "method": "wilson",
    }  # fmt: skip
    return GateVerdict(**fields | other)


def decision_of(foreign: str, gates: list[GateVerdict] | None = None, verdict: Verdict = Verdict.FAIL) -> Decision:
    made = [
        gate(foreign),
        gate(foreign, Verdict.PASS),
        gate(foreign, None),
        gate(foreign, slice=None, by=f"by {foreign}", groups={foreign: 0.5, "other": None}),
        gate(foreign, kind="data", rule=foreign, metric=None, slice=None, candidate=None, difference=None),
    ]
    return Decision(
        schema=SCHEMA, verdict=verdict, code=Code.BELOW_BAR, reason=foreign, model=foreign, confidence=0.95,
        candidate=ModelRef(digest=foreign, version=None), champion=ModelRef(digest=foreign, version=foreign),
        gates=tuple(gates if gates is not None else made), evidence="sha256:e", policy="sha256:p",
    )  # fmt: skip


def facts_of(foreign: str, decision: Decision | None = None, **other) -> Facts:
    """All that a report says beside the decision, made of foreign text; a path is of this machine, but printed, too."""
    user = User(id=1, login=foreign, type=None)
    waived, void = [], []
    for one in decision.gates if decision else ():
        waiver = Waiver(
            decision="sha256:" + "0" * 64, gate=one.id, rule=one.rule, slice=one.slice, against=one.against,
            verdict="fail", value=0.5, bound=0.4, who=user, reason=foreign, until="2027-03-01",
        )  # fmt: skip
        if one.verdict is Verdict.FAIL and one.kind == "metric":
            waived.append(Waived(gate=one, waiver=waiver, value=0.5, bound=0.4))
            void.append(Void(gate=one, waiver=waiver, why=f"since {foreign}"))
    settled = Settled(verdict=Verdict.FAIL, waived=tuple(waived[:1]), void=tuple(void[1:]))
    return Facts(
        version="1", policy=foreign, path=foreign, reproduce=foreign, weaker=(foreign,) * 12, changes=(foreign,) * 12,
        commit="a" * 40, pull_request=7, run_url=RUN, waive="gates-waive.yml",
        waivable=tuple(gate.id for gate in decision.gates) if decision else (), settled=settled,
        **other,
    )  # fmt: skip


def whole(foreign: str) -> str:
    decision = decision_of(foreign)
    return markdown(decision, facts_of(foreign, decision))


def structure(report: str) -> list[str]:
    """The tags that a reader of the Markdown ends up with, without the text between them."""
    return re.findall(r"<[^>]*>", PARSER.render(report))


PLAIN, PLAIN_WHOLE = structure(markdown(decision_of("harmless"), Facts(version="1"))), structure(whole("harmless"))


@given(HOSTILE)
@example("|")
@example("\\")
@example("a\\|b")
@example("</code></details>")
@example("<!--")
@example("@acme/team " * 20_000)
@settings(max_examples=examples(300))
def test_foreign_text_changes_nothing_of_the_structure(foreign):
    assert structure(markdown(decision_of(foreign), Facts(version="1"))) == PLAIN
    assert structure(whole(foreign)) == PLAIN_WHOLE


@given(HOSTILE)
@settings(max_examples=examples(300))
def test_foreign_text_links_to_nothing_and_nobody(foreign):
    report = whole(foreign).replace(RUN, "")
    seen = html.unescape(report)  # what GitHub's filters look at
    assert not re.search(r"@[\w-]", seen)
    assert "://" not in seen
    assert not re.search(r"(?i)\bwww\.", seen)
    assert not re.search(r"#\d", seen)
    assert not re.search(r"(?i)\bgh-\d", seen)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", seen)


@given(HOSTILE)
def test_a_line_stays_a_line(foreign):
    assert len(markdown(decision_of(foreign), Facts()).splitlines()) == len(
        markdown(decision_of("harmless"), Facts()).splitlines()
    )


@given(HOSTILE)
def test_escaped_text_is_one_line_without_markup(foreign):
    escaped = text(foreign)
    assert not set('<>|`\\*[]\n\r\t"~$') & set(escaped)
    assert len(html.unescape(escaped).replace("\u200b", "")) <= LONGEST
    assert code(foreign) == f"<code>{escaped}</code>"


@given(st.text(st.characters(categories=["L", "N", "P", "S"]), max_size=40))
def test_nothing_that_can_be_seen_is_lost(foreign):
    assert html.unescape(text(foreign)).replace("\u200b", "") == foreign


@given(HOSTILE, st.integers(60, 200))
@settings(max_examples=examples(60))
def test_the_terminal_obeys_no_foreign_text(foreign, width):
    decision = decision_of(foreign)
    shown = terminal(decision, facts_of(foreign, decision), width=width)
    assert all(char.isprintable() or char == "\n" for char in shown)
    assert "\x1b" not in shown


@pytest.mark.parametrize("foreign", ["x" * 300, "|" * 300, "@" * 300, "\U0001f600" * 100, "é|" * 200])
@pytest.mark.parametrize("verdict", list(Verdict))
def test_it_always_fits_into_a_comment(foreign, verdict):
    gates = [
        gate(f"{foreign}{index}", verdict, id=f"{foreign} gate {name}", slice={f"{foreign}c": f"{foreign}{index}"})
        for name in range(20)
        for index in range(200)
    ]
    decision = decision_of("model" + foreign, gates, verdict)
    history = (Past(verdict=Verdict.ERROR, commit="a" * 40),) * 8
    report = markdown(decision, facts_of(foreign, decision, history=history, observing="2027-03-01", fork=True))
    assert len(report) <= GITHUB - 1500  # of the marker
    for block in report.split("\n\n"):  # no table is cut
        rows = [line for line in block.split("\n") if line.startswith("|")]
        assert len({line.count("|") for line in rows}) <= 1
        assert all(line.endswith("|") for line in rows)
    assert report.count("<details>") == report.count("</details>")
    assert report.startswith("## ")


SHELL = ["'; touch pwned; '", "$(touch pwned)", "`touch pwned`", "a b", "--help", "\\", "'", '"', "\n-f x=y", "é"]


@pytest.mark.parametrize("foreign", SHELL)
def test_the_command_that_accepts_is_one_command_whatever_the_slice_is_called(foreign):
    """As a reader would copy it."""
    decision = decision_of("m", [gate(foreign, id="recall", slice={"region": foreign})])
    report = markdown(decision, replace(facts_of("m", decision), settled=None))
    command = html.unescape(re.search(r"<code>(gh workflow run .*?)</code>", report)[1]).replace("\u200b", "")
    words = shlex.split(command)
    assert words[:4] == ["gh", "workflow", "run", "gates-waive.yml"]
    assert words[4::2] in ([], ["-f"] * 5)
    if "\n" not in foreign:
        assert words[9] == f"gate=recall:min@region={foreign}"


def test_a_command_that_would_be_cut_is_not_given():
    decision = decision_of("m", [gate("x", id="recall", slice={"region": "x" * 300})])
    report = markdown(decision, replace(facts_of("m", decision), settled=None))
    assert "<code>gh workflow run gates-waive.yml</code>" in report


@pytest.mark.parametrize("kind", ["data", "fairness", "waiting"])
def test_other_parts_always_fit_too(kind):
    foreign = "|" * 300
    other = {
        "data": {"kind": "data", "slice": None},
        "fairness": {"slice": None, "by": foreign, "groups": {f"{foreign}{index}": 0.5 for index in range(40)}},
        "waiting": {"verdict": None},
    }[kind]
    gates = [gate(foreign, **{"reason": f"{foreign} {index}"} | other) for index in range(300)]
    assert len(markdown(decision_of("model", gates), Facts())) <= GITHUB


def test_what_does_not_fit_is_counted_not_cut():
    gates = [gate("x", Verdict.FAIL, slice={"shop": f"{'long name ' * 5}{index}"}) for index in range(4000)]
    report = markdown(decision_of("model", gates), Facts())
    rows = [line for line in report.split("\n") if line.startswith("| ❌")]
    assert all(line.endswith(" |") for line in rows)
    assert f"| | {4000 - len(rows)} more | | | | |" in report


def test_a_decision_without_gates():
    empty = dataclasses.replace(decision_of("m", []), candidate=None, champion=None, code=Code.NOTHING_JUDGED)
    assert "nothing was judged" in markdown(empty, Facts())
    assert "nothing was judged" in terminal(empty)


@pytest.mark.parametrize("shortcode", [":white_check_mark:", ":+1:", ":100x:", "a:x:b"])
def test_no_foreign_text_becomes_an_emoji(shortcode):
    assert shortcode not in text(shortcode)
    assert text(shortcode).replace("\u200b", "").replace("&#95;", "_") == shortcode.replace("_", "_")


def test_times_and_labels_can_still_be_copied():
    assert text("12:30:45 roc_auc:min@a=b") == "12:30:45 roc_auc:min@\u200ba=b"
