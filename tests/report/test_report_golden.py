"""Reports word for word. What is rendered are the golden decisions of tests/judge."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from gates.decision import Decision, could_not_judge
from gates.report import Facts, headline
from gates.report.markdown import render as markdown
from gates.report.terminal import render as terminal
from gates.validate import read_json
from gates.words import number

HERE = Path(__file__).parent
DECISIONS = HERE.parent / "judge"
FACTS = Facts(
    policy="gates.yaml",
    version="1.2.3",
    commit="0123456789abcdef",
    run_url="https://github.com/acme/churn/actions/runs/7",
)
WHY = "gates.yaml:14:5: max_worsning: unknown key; did you mean max_worsening?\ngates.yaml:20:3: zzz: unknown key"
NAMES = [
    "first_run", "passes", "fails", "cannot_tell", "error_beats_fail", "nothing_judged", "data_broken",
    "data_alone_is_no_pass", "data_uncounted", "fairness", "champion_unscored", "could_not_judge",
]  # fmt: skip


def decision_of(name: str) -> Decision:
    if name == "could_not_judge":
        return could_not_judge("churn", WHY)
    path = DECISIONS / f"{name}.json"
    return read_json(Decision, path.read_bytes(), path.name)


@pytest.mark.parametrize("name", NAMES)
def test_markdown(name, golden):
    golden(HERE / f"{name}.md", markdown(decision_of(name), FACTS))


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
    assert not [line for line, name in zip(lines, NAMES, strict=True) if line.startswith("ready") and name != "passes"]


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
    assert max(map(len, text.split("\n"))) <= width


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
    assert " 1 bars" not in text
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
