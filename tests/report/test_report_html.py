"""The HTML report: one file of its own, everything foreign is text, its numbers are those that were judged."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from reports import FAILS, PASSES, champion_of, settled

from gates.documents.decision import Decision
from gates.documents.evidence import Finding, Part
from gates.documents.spread import Curve
from gates.judge.judge import judge
from gates.report.html import render
from gates.report.interval import held
from gates.report.rule_list import remark
from gates.report.run_facts import Facts
from gates.schema.fields import plain
from gates.schema.validation import read_json
from gates.wording import number, signed

JUDGED = sorted(Path(__file__).parent.parent.joinpath("judge").glob("*.json"))
VOID = {"meta", "input", "br", "link", "img", "hr"}
HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(2)>{{ 12345679*9 }}'


class Page(HTMLParser):
    """The tags that are open, all attributes, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("script", "style"):
            self.text += data


def load(path: Path) -> Decision:
    return read_json(Decision, path.read_bytes(), path.name)


@pytest.mark.parametrize("path", JUDGED, ids=lambda path: path.stem)
def test_every_decision_makes_one_whole_page_that_asks_for_nothing(path):
    page = Page(render(load(path), Facts(version="1.2.3")))
    assert [name for name, _ in page.tags].count("h1") == 1
    for _, attributes in page.tags:
        assert not {"src", "srcset", "action", "data"} & attributes.keys()
        assert (attributes.get("href") or "#").startswith("#")
    assert not re.search(r"url\(|@import|https?://", render(load(path), Facts()))


@pytest.mark.parametrize("path", JUDGED, ids=lambda path: path.stem)
def test_the_numbers_are_those_that_were_judged(path):
    decision = load(path)
    page = Page(render(decision, Facts()))
    for gate in decision.gates:
        if gate.kind == "data":
            assert gate.reason in page.text
            continue
        judged = held(gate)
        if judged:
            told = signed if judged[0] is gate.difference else number
            assert f"{told(judged[0].low)} to {told(judged[0].high)}" in page.text
        assert " → ".join(number(one.value) for one in (gate.champion, gate.candidate) if one) in page.text
        assert remark(gate) in page.text
    assert decision.reason in page.text


def test_foreign_text_stays_text(policy_of, evidence_of):
    resolved = policy_of({"slices": ["shop"], "gates": [{"metric": "accuracy", "min": 0.5, "slices": {"min": 0.5}}]})
    evidence = evidence_of(resolved, [{"shop": HOSTILE, "cells": [[1, 1, 1, 50], [0, 0, 0, 50]]}])
    part = (Part(label=HOSTILE, here=1, there=2), Part(label=None, here=2, there=1))
    finding = Finding(table=HOSTILE, rule=HOSTILE, rows=3, count=1, examples=(HOSTILE,), parts=part)
    decision = replace(judge(resolved, evidence), model=HOSTILE, reason=HOSTILE)
    facts = Facts(evidence=replace(evidence, findings=(finding,)), weaker=(HOSTILE,), commit=HOSTILE, version=HOSTILE)
    text = render(decision, facts)
    page = Page(text)
    assert [name for name, _ in page.tags].count("script") == 1
    assert not [attributes for name, attributes in page.tags if name == "img" or "onerror" in attributes]
    assert HOSTILE in page.text
    assert "111111111" not in page.text


def test_curves_are_drawn_where_the_evidence_has_them(policy_of, evidence_of):
    resolved = policy_of({"gates": [{"metric": "roc_auc", "min": 0.5}]})
    evidence = evidence_of(resolved, [{"scores": [[1, 0.9, 0.8, 40], [0, 0.2, 0.3, 60], [1, 0.4, 0.6, 10]]}])
    bins = ((20000, 60, 0), (30000, 0, 10), (40000, 0, 40))
    curves = tuple(Curve(model=model, counts="labels", bins=bins) for model in ("candidate", "champion"))
    page = Page(render(judge(resolved, evidence), Facts(evidence=replace(evidence, curves=curves))))
    labels = [
        attributes["aria-label"] for name, attributes in page.tags if name == "svg" and "plot" in attributes["class"]
    ]
    assert labels == ["ROC", "Precision and recall", "Calibration", "Scores of the candidate", "Scores of the champion"]
    (embedded,) = re.findall(
        r'id="curves">(.*?)</script>',
        render(judge(resolved, evidence), Facts(evidence=replace(evidence, curves=curves))),
    )
    assert [one["totals"] for one in json.loads(embedded)] == [[60, 50], [60, 50]]


@pytest.mark.parametrize(
    ("threshold", "starts", "told"), [(0.4, "0.40", "0.4"), (0.375, "0.38", "0.375"), (None, "0.50", None)]
)
def test_the_threshold_explorer_starts_at_the_policys(policy_of, evidence_of, threshold, starts, told):
    resolved = policy_of({"gates": [{"metric": "recall", "min": 0.5}]})
    evidence = evidence_of(resolved, [{"cells": [[1, 1, 0, 40], [0, 0, 0, 60], [1, 0, 1, 10]]}])
    evidence = replace(
        evidence, curves=(Curve(model="candidate", counts="labels", bins=((20000, 60, 10), (40000, 0, 40))),)
    )
    page = Page(render(judge(resolved, evidence), Facts(evidence=evidence, threshold=threshold)))
    (slider,) = (attributes for _, attributes in page.tags if attributes.get("id") == "threshold")
    assert slider["value"] == starts
    assert (f"a score of at least {told} is called" in page.text) == (told is not None)
    assert page.text.count("is called;") == (told is not None)  # the champion gave calls alone


CHAMPIONS = (
    champion_of(PASSES, 1),
    champion_of(PASSES, 2, waivers=(settled(FAILS, 1).waived[0].waiver,)),
    champion_of(PASSES, 1, back=True),
)


def test_the_champions_so_far_stand_there_with_who_approved_them():
    page = Page(render(FAILS, Facts(champions=CHAMPIONS)))
    assert "Champions so far" in page.text
    assert page.text.index("rollback v1") < page.text.index("promotion v2") < page.text.index("promotion v1")
    for told in ("dana as dana", "accepted: ", "because dana", "2026-01-01 09:30:00"):
        assert told in page.text
    digests = dict(re.findall(r"<dt>(.*?)</dt><dd><code>(.*?)</code>", render(FAILS, Facts(champions=CHAMPIONS))))
    assert digests["ledger&#39;s record 2"] == CHAMPIONS[-1].digest
    assert "Champions so far" not in render(FAILS, Facts())


def test_a_chart_a_metric_says_the_numbers_in_a_table_too():
    text = render(PASSES, Facts(champions=CHAMPIONS))
    page = Page(text)
    values = {gate.id: gate.candidate for gate in PASSES.gates if gate.metric and not gate.slice}
    shown = [gate.id for gate in PASSES.gates if gate.candidate and not gate.slice and gate.id in values]
    charts = [attributes for name, attributes in page.tags if name == "svg" and attributes["class"] == "past"]
    assert len(charts) == len(set(shown)) > 0
    for id_ in shown:
        assert f"{number(values[id_].low)} to {number(values[id_].high)}" in page.text
        assert f"{id_} as a table" in page.text


@pytest.mark.parametrize("decision", [FAILS, PASSES, replace(FAILS, gates=())], ids=["fails", "passes", "no gates"])
def test_what_can_not_be_read_of_the_past_leaves_the_rest_of_it(decision):
    blind = replace(CHAMPIONS[0], decision=None)
    assert 'class="past"' not in render(decision, Facts(champions=(blind,)))
    both = render(decision, Facts(champions=(blind, CHAMPIONS[1])))
    assert ('class="past"' in both) == bool({gate.id for gate in decision.gates or PASSES.gates} & METRICS)


METRICS = {gate.id for gate in PASSES.gates if gate.candidate and not gate.slice}


def test_foreign_text_of_the_ledger_stays_text():
    champions = tuple(champion_of(PASSES, 3, foreign=HOSTILE) for _ in range(2))
    odd = replace(champions[0].record.after, version=HOSTILE)
    champions = (replace(champions[0], record=replace(champions[0].record, after=odd)), champions[1])
    page = Page(render(PASSES, Facts(champions=champions, approver=HOSTILE)))
    assert not [attributes for name, attributes in page.tags if name == "img" or "onerror" in attributes]
    assert [name for name, _ in page.tags].count("script") == 1
    assert "111111111" not in page.text


def test_fifty_slices_of_twenty_gates_stay_under_a_megabyte():
    decision = load(next(path for path in JUDGED if path.stem == "passes"))
    gate = next(gate for gate in decision.gates if gate.difference)
    gates = tuple(
        replace(gate, id=f"metric_number_{at}", slice={"a_column_of_some_length": f"value {place}"})
        for at in range(20)
        for place in range(50)
    )
    past = tuple(champion_of(replace(decision, gates=gates), 1 + n % 12) for n in range(30))
    text = render(replace(decision, gates=gates), Facts(champions=past))
    assert len(text.encode()) < 2**20
    assert plain(gates[0])["id"] in text
