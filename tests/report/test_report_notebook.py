"""What a notebook shows: small, whole HTML, in which everything foreign is text."""

from __future__ import annotations

from dataclasses import replace

import pytest
from extent import examples
from hypothesis import example, given, settings
from reports import NAMES, decision_of
from test_report_hostile import HOSTILE
from test_report_hostile import decision_of as hostile
from test_report_html import Page

from gates.api import ShownDecision, ShownEvidence, ShownPolicy, ShownTableCheck, _shown
from gates.contract.contract_file import read as contract
from gates.documents.evidence import Finding, Table
from gates.documents.printed.table_check import Checked as PlainChecked
from gates.judge.table_verdict import judge as hold
from gates.report import notebook
from gates.report.headline import headline
from gates.schema.canonical import digest
from gates.schema.yaml_text import Source
from gates.wording import number

TAGS = {"div", "p", "b", "table", "thead", "tbody", "tr", "th", "td"}


def page(html: str) -> Page:
    found = Page(html)
    assert {name for name, _ in found.tags} <= TAGS
    assert not any(attributes for _, attributes in found.tags)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_decision_shows_its_verdict_why_and_the_judged_numbers(name):
    plain = decision_of(name)
    made = _shown(ShownDecision, plain)
    assert digest(made) == digest(plain)
    text = page(made._repr_html_()).text
    assert headline(plain) in text
    for gate in plain.gates:
        if gate.candidate:
            assert f"{number(gate.candidate.low)} to {number(gate.candidate.high)}" in text


def test_of_many_limits_the_worst_are_shown_and_the_rest_counted():
    gate = next(gate for gate in decision_of("passes").gates if gate.candidate)
    many = replace(decision_of("fails"), gates=(*[gate] * 100, *decision_of("fails").gates))
    html = _shown(ShownDecision, many)._repr_html_()
    assert len(html) < 10_000
    text = page(html).text
    assert f"{len(many.gates) - notebook.MOST} more" in text
    assert "recall:max_worsening" in text


def test_a_policy_shows_what_must_hold(policy_of):
    resolved = policy_of(
        {"gates": [{"metric": "roc_auc", "min": 0.75, "max_worsening": 0.01}]}, {"table": [{"rows": {"min": 10}}]}
    )
    shown = _shown(ShownPolicy, resolved)
    assert shown.digest == resolved.digest
    text = page(shown._repr_html_()).text
    assert "metric: roc_auc, min: 0.75, max_worsening: 0.01" in text
    assert "data: [" in text


def test_evidence_shows_which_models_were_measured_on_what(policy_of, evidence_of):
    resolved = policy_of({"gates": [{"metric": "accuracy", "min": 0.5}]})
    counted = evidence_of(resolved, [{"cells": [[1, 1, 1, 50], [0, 0, 0, 50]]}])
    text = page(_shown(ShownEvidence, counted)._repr_html_()).text
    assert f"candidate {counted.candidate.digest[:19]}" in text
    assert "champion " in text
    assert (
        "no model was measured"
        in page(_shown(ShownEvidence, replace(counted, candidate=None, champion=None))._repr_html_()).text
    )


@settings(max_examples=examples(60))
@given(foreign=HOSTILE)
@example(foreign="<script>alert(1)</script>")
def test_foreign_text_stays_text(foreign):
    page(notebook.decision(hostile(foreign)))
    rules = contract(Source(name="contract", value={"record": {"required": ["x"]}}, places={}))
    finding = Finding(table=foreign, rule=rules.rules[0].id, rows=3, count=1, examples=(foreign,), parts=())
    held = hold(rules, foreign, [finding])
    assert isinstance(held, PlainChecked)
    assert "fail" in page(_shown(ShownTableCheck, held)._repr_html_()).text
    table = Table(name=foreign, digest=foreign, rows=3)
    page(notebook.evidence(replace(EMPTY, model=foreign, tables=(table,), findings=(finding,))))


EMPTY = ShownEvidence(schema="gates/evidence/v1", model="m", measured="", tables=(), findings=())
