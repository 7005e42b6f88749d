"""facts.json beside a model, and gates of the kind `require` on it."""

from __future__ import annotations

import gc
import json

import pytest
from edge_project import Project, refused

FACTS = {"parameters": {"depth": 6, "rate": 0.1, "balanced": True, "solver": "liblinear"}, "tags": {"team": "risk"}}
GATES = [{"metric": "roc_auc", "min": 0.6}, {"require": "parameters.depth <= 12 && tags.team == 'risk'"}]


@pytest.fixture
def project(tmp_path):
    made = Project(tmp_path)
    made.ready(gates=GATES)
    return made


def say(project, text):
    (project.root / "made/facts.json").write_text(text)


def test_what_the_training_says_is_judged(project):
    say(project, json.dumps(FACTS))
    assert project.gates("run").code == 0
    assert project.evidence["candidate"]["facts"] == FACTS
    before = project.bytes()
    assert project.gates("judge").code == 0
    assert project.bytes() == before
    say(project, json.dumps(FACTS | {"parameters": {"depth": 13}}))
    assert project.gates("run").code == 1
    assert "parameters.depth is 13" in project.gate("require")["reason"]


def test_facts_are_part_of_the_models_digest(project):
    say(project, json.dumps(FACTS))
    project.gates("run")
    before = project.evidence["candidate"]["digest"]
    say(project, json.dumps(FACTS | {"tags": {"team": "risk", "seen": "yes"}}))
    project.gates("run")
    assert project.evidence["candidate"]["digest"] != before


def test_a_training_that_says_nothing_lacks_the_fact(project):
    assert project.gates("run").code == 2
    assert project.gate("require")["code"] == "missing_fact"
    assert project.evidence["candidate"]["facts"] is None


def test_one_part_may_be_left_out(project):
    say(project, '{"tags": {"team": "risk"}}')
    project.policy(gates=[{"metric": "roc_auc", "min": 0.6}, {"require": "tags.team == 'risk'"}])
    assert project.gates("run").code == 0


def test_facts_alone_are_no_judgement_of_the_model(project):
    say(project, json.dumps(FACTS))
    project.policy(gates=[{"require": "holdout.rows > 0"}, {"metric": "roc_auc", "max_worsening": 0.1}])
    assert project.gates("run").code == 0
    assert project.decision["verdict"] == "inconclusive"
    assert project.decision["code"] == "nothing_judged"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", ["not valid JSON"]),
        ("[]", ["expected keys"]),
        ('{"parameter": {}}', ["unknown key", "did you mean parameters"]),
        ('{"parameters": {"depth": NaN}}', ["NaN is not a number"]),
        ('{"parameters": {"depth": 1e999}}', ["1e999 is not a number"]),
        ('{"parameters": {"depth": 9007199254740993}}', ["depth", "Write it as text"]),
        ('{"parameters": {"depth": [1]}}', ["depth", "expected"]),
        ('{"parameters": {"depth": null}}', ["depth", "expected"]),
        ('{"tags": {"team": 3}}', ["team", "expected text"]),
        ('{"tags": {"team": "\\ud800"}}', ["not valid JSON"]),
        ("[" * 100_000, ["not valid JSON"]),
        (json.dumps({"tags": {"much": "x" * 300_000}}), ["larger than 256 KiB"]),
    ],
)
def test_facts_of_another_form_are_told(project, text, words):
    say(project, text)
    gc.disable()  # a collection deep in a recursion would make other tests' finalizers fail
    try:
        done = project.gates("run")
    finally:
        gc.enable()
    refused(done, "facts.json", *words)


def test_a_link_is_no_facts(project, tmp_path):
    (tmp_path / "secret.json").write_text(json.dumps(FACTS))
    (project.root / "made/facts.json").symlink_to(tmp_path / "secret.json")
    refused(project.gates("run"), "facts.json")
    (project.root / "made/facts.json").unlink()
    (project.root / "made/facts.json").symlink_to("nowhere")
    refused(project.gates("run"), "facts.json")
