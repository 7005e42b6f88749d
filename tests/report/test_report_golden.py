"""Reports word for word. What is rendered are the golden decisions of tests/judge."""

from __future__ import annotations

import dataclasses
import html
import re
from pathlib import Path

import pytest
from reports import CASES, FACTS, NAMES, PAST, PULL, decision_of, facts_about

from gates.documents.decision import Verdict
from gates.report.headline import first_line, headline
from gates.report.markdown import render as markdown
from gates.report.run_facts import Facts
from gates.report.terminal.verdicts import render as terminal
from gates.wording import number

HERE = Path(__file__).parent


@pytest.mark.parametrize("name", NAMES)
def test_markdown(name, golden):
    golden(HERE / f"{name}.md", markdown(decision_of(name), facts_about(name)))


@pytest.mark.parametrize("name", CASES)
def test_what_must_be_known_beside_the_decision(name, golden):
    decision, facts = CASES[name]
    golden(HERE / "facts" / f"{name}.md", markdown(decision, facts))
    golden(HERE / "facts" / f"{name}.txt", terminal(decision, facts))


@pytest.mark.parametrize("name", NAMES)
def test_terminal(name, golden):
    golden(HERE / f"{name}.txt", terminal(decision_of(name)))


@pytest.mark.parametrize("name", NAMES)
def test_without_facts_it_is_still_a_report(name):
    report = markdown(decision_of(name), Facts())
    assert report.startswith("## ")
    assert "None" not in report


@pytest.mark.parametrize("name", NAMES)
def test_the_first_line_says_the_verdict_and_the_next_one_why(name):
    decision = decision_of(name)
    first, _, second, *_ = markdown(decision, FACTS).split("\n")
    assert headline(decision) in first
    assert second.startswith("**Why:** ")
    assert headline(decision) in terminal(decision)


def test_every_absence_has_a_first_line_of_its_own():
    lines = [headline(decision_of(name)) for name in NAMES]
    absent = ("first_run", "cannot_tell", "nothing_judged", "data_broken", "could_not_judge")
    assert len({headline(decision_of(name)) for name in absent}) == len(absent)
    ready = [name for line, name in zip(lines, NAMES, strict=True) if line.startswith("ready")]
    assert ready == ["passes", "too_few_rows"]


def test_every_fact_has_a_first_line_of_its_own():
    lines = {name: " ".join(first_line(*case)) for name, case in CASES.items() if name != "pull_request"}
    told = {name: line for name, line in lines.items() if name not in ("observed", "strict", "acceptance_ended")}
    assert len(set(told.values())) == len(told)
    assert not [name for name, line in lines.items() if line.startswith(("✅", "ready"))]


@pytest.mark.parametrize("verdict", [Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.FAIL])
def test_observing_is_shouted_with_its_end_in_the_first_line(verdict):
    name = {Verdict.PASS: "passes", Verdict.INCONCLUSIVE: "cannot_tell", Verdict.FAIL: "fails"}[verdict]
    first = markdown(decision_of(name), dataclasses.replace(PULL, observing="2027-03-01")).split("\n")[0]
    assert "observing until 2027-03-01, nothing is blocked" in first
    assert headline(decision_of(name)) in first


@pytest.mark.parametrize("name", ["pull_request", "weaker_fails"])
def test_who_accepts_is_told_how(name):
    report = html.unescape(markdown(*CASES[name]))
    command = (
        "gh workflow run gates-waive.yml -f pull-request=418 -f commit=0123456789abcdef0123456789abcdef01234567 "
        "-f gate=recall:max_worsening -f reason='…' -f until=YYYY-MM-DD"
    )
    assert command in report


@pytest.mark.parametrize("missing", [{"waive": None}, {"pull_request": None}, {"waivable": ()}])
def test_where_nobody_can_accept_nobody_is_told_how(missing):
    fails = dataclasses.replace(decision_of("fails"), gates=decision_of("fails").gates[:1])
    assert "gh workflow" not in markdown(fails, dataclasses.replace(PULL, **missing))


def test_the_history_of_a_pull_request_is_told_from_the_second_verdict_on():
    report = markdown(decision_of("fails"), dataclasses.replace(PULL, history=PAST))
    assert "verdicts on this pull request: ✅ <code>7c1a2f0</code> → ❌ <code>0123456</code>" in report
    assert "verdicts on" not in markdown(decision_of("fails"), dataclasses.replace(PULL, history=PAST[1:]))


@pytest.mark.parametrize("name", NAMES)
def test_what_is_printed_are_the_numbers_that_were_judged(name):
    """No number in the tables that isn't in the decision, at the digits shown."""
    decision = decision_of(name)
    known = set()
    for gate in decision.gates:
        for estimate in (gate.candidate, gate.champion, gate.difference):
            known |= {abs(number) for number in dataclasses.astuple(estimate)} if estimate else set()
        known |= {abs(value) for value in (gate.groups or {}).values() if value is not None}
    tables = [line for line in markdown(decision, FACTS).split("\n") if line.startswith("| ") and " | " in line]
    for line in tables:
        cells = [cell for cell in line.split("|")[3:6] if "Champion" not in cell and "<code>" not in cell]
        for shown in re.findall(r"[0-9]+\.[0-9]+(?:e-[0-9]+)?", " ".join(cells)):
            assert any(abs(float(shown) - number) <= max(0.0005, number / 99) for number in known), line


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("width", range(60, 201, 7))
def test_any_width(name, width):
    text = terminal(decision_of(name), width=width)
    assert headline(decision_of(name)).split(" — ")[0] in " ".join(text.split())
    lines = [line for line in text.split("\n") if "gates waive" not in line]  # a command is copied whole
    assert max(map(len, lines)) <= width


@pytest.mark.parametrize("width", [60, 80, 100])
@pytest.mark.parametrize("name", NAMES)
def test_a_narrow_terminal_cuts_nothing(name, width):
    decision = decision_of(name)
    squeezed = "".join(terminal(decision, width=width).split())
    judged = [gate for gate in decision.gates if gate.kind != "data" and gate.verdict is not None]
    for estimate in [gate.candidate for gate in judged if gate.candidate]:
        assert number(estimate.value) in squeezed
    assert "…" not in squeezed


def test_data_that_was_not_counted_is_not_said_to_break_its_contract():
    assert headline(decision_of("data_uncounted")).startswith("could not judge")


@pytest.mark.parametrize("name", NAMES)
def test_one_is_singular(name):
    text = terminal(decision_of(name))
    assert " 1 rules" not in text
    assert " 1 rules" not in text
    assert "all 1 " not in text


@pytest.mark.parametrize("name", NAMES)
def test_colour_only_where_asked(name, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    assert "\x1b" not in terminal(decision_of(name))
    coloured = terminal(decision_of(name), colour=True)
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == terminal(decision_of(name))
