"""Every limit that did not hold carries the name that `gates waive --gate` takes, with the command to copy."""

from __future__ import annotations

import html
import re
import shlex
from dataclasses import replace

import pytest
from reports import NAMES, PULL, decision_of

from gates.documents.decision import Verdict
from gates.report.headline import acceptable_bars, acceptance, command, labelled
from gates.report.html import render as page
from gates.report.markdown import render as markdown
from gates.report.run_facts import Facts
from gates.report.terminal.verdicts import render as terminal

EVERY = Facts(waivable=("recall", "accuracy", "roc_auc", "specificity"))


def shown(text):
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", "", text)).replace("\u200b", ""))


@pytest.mark.parametrize("name", NAMES)
def test_every_limit_is_named_as_commands_take_it(name):
    decision = decision_of(name)
    loud = [one for one in decision.gates if one.kind != "data" and one.verdict not in (Verdict.PASS, None)]
    report, site = shown(markdown(decision, EVERY)), shown(page(decision, EVERY))
    narrow = re.sub(r"\s+", "", terminal(decision, EVERY, width=100))
    for gate in loud:
        assert gate.label in report
        assert gate.label in site
        assert re.sub(r"\s+", "", gate.label) in narrow
    assert [one["label"] for one in labelled(decision, EVERY)] == [one.label for one in decision.gates]


@pytest.mark.parametrize("name", NAMES)
def test_the_worst_rule_that_may_be_accepted_comes_with_its_command_and_the_others_are_counted(name):
    decision = decision_of(name)
    open_ = acceptable_bars(decision, EVERY)
    told = acceptance(decision, EVERY)
    pages = shown(markdown(decision, EVERY)), shown(page(decision, EVERY)), shown(terminal(decision, EVERY))
    assert bool(told) == bool(open_)
    assert all(text.count("gates waive") == bool(open_) for text in pages)
    if told:
        command_, others = told
        assert shlex.split(command_)[3] == open_[0].label
        assert others.startswith(f"{len(open_) - 1} more") if len(open_) > 1 else not others
        assert all(command_ in text and others in text for text in pages)
    accepted = {one["label"]: one["accept"] for one in labelled(decision, EVERY) if one["accept"]}
    assert accepted == {one.label: command(one, EVERY) for one in open_}


def test_on_a_pull_request_the_worst_rule_has_the_workflows_command():
    decision = decision_of("fails")
    report = shown(markdown(decision, replace(PULL, waivable=EVERY.waivable)))
    first, *others = acceptable_bars(decision, EVERY)
    assert f"-f gate={shlex.quote(first.label)} " in report
    assert f"({len(others)} more in the same way" in report


@pytest.mark.parametrize(
    "foreign", ["'; touch pwned; '", "$(touch pwned)", "a b", "--help", "\\", '"', "\x1b[31m", "\n", "é"]
)
def test_a_command_is_one_command_whatever_the_slice_is_called(foreign):
    decision = decision_of("fails")
    gates = [replace(one, slice={"region": foreign}) for one in decision.gates]
    for told in filter(None, (command(gate, EVERY) for gate in gates)):
        assert told.isprintable()
        words = shlex.split(told)
        assert words[:3] == ["gates", "waive", "--gate"]
        assert words[3].endswith(f"@region={foreign}")
        assert words[4:] == ["--reason", "WHY", "--until", "YYYY-MM-DD"]


def test_another_policy_is_named_in_the_command():
    told = acceptance(decision_of("fails"), replace(EVERY, policy="models/a b/gates.yaml"))
    assert told
    assert shlex.split(told[0])[:4] == ["gates", "waive", "--policy", "models/a b/gates.yaml"]
