"""The formats that other programs read: JUnit, SARIF, annotations."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import jsonschema
import junitparser
import pytest
from extent import examples
from hypothesis import given, settings
from reports import CASES, FACTS, NAMES, PULL, decision_of, facts_about
from test_report_hostile import HOSTILE, facts_of, gate
from test_report_hostile import decision_of as hostile

from gates.documents.decision import Decision, Verdict, could_not_judge
from gates.report.ci import annotation, junit, sarif
from gates.report.formats import FORMATS
from gates.report.run_facts import Facts
from gates.schema.validation import Problem

SCHEMA = Path(__file__).parents[1] / "node_modules/@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json"
EVERY = {name: (decision_of(name), facts_about(name)) for name in NAMES} | CASES


@pytest.fixture(scope="session")
def validator() -> jsonschema.Draft7Validator:
    return jsonschema.Draft7Validator(json.loads(SCHEMA.read_text()))


# -- JUnit --


def parsed(decision: Decision, facts: Facts) -> junitparser.TestSuite:
    (suite,) = junitparser.JUnitXml.fromstring(junit.render(decision, facts).encode())
    return suite


def outcomes(suite: junitparser.TestSuite) -> dict[str, str]:
    return {case.name: type(case.result[0]).__name__ if case.result else "passed" for case in suite}


@pytest.mark.parametrize("name", EVERY)
def test_junit_is_what_its_parser_reads(name):
    decision, facts = EVERY[name]
    suite = parsed(decision, facts)
    cases = list(suite)
    assert len(cases) == suite.tests == max(len(decision.gates), 1 if decision.code != "nothing_judged" else 0)
    kinds = [type(result).__name__ for case in cases for result in case.result]
    assert kinds.count("Failure") == suite.failures
    assert kinds.count("Error") == suite.errors
    assert kinds.count("Skipped") == suite.skipped
    assert {suite.time, *(case.time for case in cases)} == {0}  # nobody measured it
    assert "timestamp" not in junit.render(decision, facts)  # the same bytes whenever it is made
    told = {one.name: one.value for one in suite.properties()}
    assert told["verdict"] == facts.verdict(decision)
    assert (suite.errors > 0) == (decision.verdict is Verdict.ERROR)


def test_junit_fails_what_blocks_and_nothing_else():
    decision, facts = CASES["pull_request"]
    told = {"specificity:min": "passed", "recall:max_worsening": "Failure", "accuracy:max_worsening": "Skipped"}
    assert outcomes(parsed(decision, facts)) == told
    assert outcomes(parsed(decision, replace(facts, strict=True)))["accuracy:max_worsening"] == "Failure"
    assert outcomes(parsed(*CASES["observing"]))["recall:max_worsening"] == "Skipped"
    assert outcomes(parsed(*CASES["accepted"]))["recall:max_worsening"] == "Skipped"
    assert parsed(*CASES["accepted"]).failures == 0
    assert outcomes(parsed(*EVERY["could_not_judge"])) == {"judge": "Error"}
    assert outcomes(parsed(*CASES["unchanged"])) == {"judge": "Skipped"}


@given(HOSTILE)
@settings(max_examples=examples(100))
def test_junit_keeps_foreign_text_inside(foreign):
    decision = hostile(foreign)
    suite = parsed(decision, facts_of(foreign, decision))
    assert len(list(suite)) == len(decision.gates)


@pytest.mark.parametrize("char", ["\x00", "\x1b", "\ud800", "\ufffe", "\x0b"])
def test_junit_holds_no_character_that_xml_cannot(char):
    assert "bad\ufffdone" in next(iter(parsed(could_not_judge("m", f"bad{char}one"), FACTS))).result[0].message


# -- SARIF --


@pytest.mark.parametrize("name", EVERY)
def test_sarif_is_what_its_schema_says(name, validator):
    decision, facts = EVERY[name]
    log = json.loads(sarif.render(decision, facts))
    assert [error.message for error in validator.iter_errors(log)] == []
    (run,) = log["runs"]
    told = [one for one in decision.gates if one.verdict not in (Verdict.PASS, None)]
    assert len(run["results"]) == len(told) + len(facts.problems)
    assert {result["ruleId"] for result in run["results"]} == {rule["id"] for rule in run["tool"]["driver"]["rules"]}
    assert run["invocations"][0]["executionSuccessful"] == (decision.verdict is not Verdict.ERROR)
    for rule in run["tool"]["driver"]["rules"]:
        texts = [rule[part]["text"] for part in ("shortDescription", "fullDescription", "help")]
        assert all(0 < len(text) <= 1024 for text in texts)
        assert "`" not in rule["help"]["text"] != rule["help"]["markdown"]
    assert run["automationDetails"]["id"] == f"gates/{facts.path}/"


def test_sarif_has_a_fingerprint_of_github_for_each_slice_of_a_rule():
    """GitHub's own, of the policy's line, would make one alert of all slices, and a new one when the line changes."""
    decision, facts = CASES["pull_request"]
    sliced = [replace(one, slice={"region": str(at)}) for at, one in enumerate(decision.gates * 2)]
    moved = replace(facts, places=tuple((line + 7, 1) for line, _ in facts.places * 2))
    logs = [json.loads(sarif.render(replace(decision, gates=tuple(sliced)), one)) for one in (facts, moved)]
    prints = [
        [result["partialFingerprints"]["primaryLocationLineHash"] for result in log["runs"][0]["results"]]
        for log in logs
    ]
    assert prints[0] == prints[1]
    assert len(set(prints[0])) == len(prints[0]) > 2
    assert all(re.fullmatch("[0-9a-f]{16}:1", one) for one in prints[0])


@given(HOSTILE)
@settings(max_examples=examples(60))
def test_sarif_keeps_foreign_text_inside(validator, foreign):
    decision = hostile(foreign)
    log = json.loads(sarif.render(decision, facts_of(foreign, decision)))
    assert [error.message for error in validator.iter_errors(log)] == []


def test_sarif_suppresses_what_was_accepted_and_says_by_whom():
    (run,) = json.loads(sarif.render(*CASES["accepted"]))["runs"]
    for result in run["results"]:
        (one,) = result["suppressions"]
        assert one["status"] == "accepted"
        assert one["justification"] == "accepted by dana until 2026-12-31: relabelled"
    (run,) = json.loads(sarif.render(*CASES["pull_request"]))["runs"]
    assert not any("suppressions" in result for result in run["results"])
    assert [result["level"] for result in run["results"]] == ["error", "warning"]
    (run,) = json.loads(sarif.render(*CASES["observing"]))["runs"]
    assert {result["level"] for result in run["results"]} == {"note"}


# -- annotations --

_DATA = {"%0D": "\r", "%0A": "\n"}
_PROPERTY = _DATA | {"%3A": ":", "%2C": ","}


def obeyed(text: str) -> list[tuple[str, dict[str, str], str]]:
    """What the runner makes of the lines of a step: command, properties, data."""
    found = []
    for line in re.split(r"\r\n|\r|\n", text):
        match = re.match(r"::([a-z-]+)(?: ([^:]*))?::(.*)", line.lstrip(), re.DOTALL)
        if match:
            pairs = (pair.split("=", 1) for pair in (match[2] or "").split(","))
            properties = {key: unescaped(value, _PROPERTY) for key, value in pairs}
            found.append((match[1], properties, unescaped(match[3], _DATA)))
        else:
            assert line == "", line
    return found


def unescaped(text: str, escapes: dict[str, str]) -> str:
    for escape, char in escapes.items():
        text = text.replace(escape, char)
    return text.replace("%25", "%")


def notes(decision: Decision, facts: Facts) -> list[tuple[str, dict[str, str], str]]:
    return obeyed(annotation.render(decision, facts))


def test_an_annotation_stands_at_the_line_of_its_limit():
    decision, facts = CASES["pull_request"]
    facts = replace(facts, path="models/churn/gates.yaml", places=((10, 5), (14, 7), (17, 7)))
    file = {"file": "models/churn/gates.yaml"}
    assert notes(decision, facts) == [
        ("error", file | {"line": "14", "col": "7", "title": "recall: fail"}, decision.gates[1].reason),
        ("warning", file | {"line": "17", "col": "7", "title": "accuracy: inconclusive"}, decision.gates[2].reason),
    ]


def test_what_does_not_block_only_warns():
    levels = {name: {level for level, *_ in notes(*CASES[name])} for name in CASES}
    assert levels["observing"] == levels["accepted"] == {"warning"}
    assert levels["pull_request"] == {"error", "warning"}
    assert levels["strict"] == levels["observing_error"] == {"error"}
    assert levels["fork"] == levels["unchanged"] == set()


def test_mistakes_of_the_policy_stand_at_their_own_lines():
    facts = replace(PULL, path="models/churn/gates.yaml")
    found = notes(decision_of("could_not_judge"), facts_about("could_not_judge", facts))
    assert [(one["file"], one["line"], one["col"], text) for _, one, text in found] == [
        ("models/churn/gates.yaml", "14", "5", "max_worsning: unknown key; did you mean max_worsening?"),
        ("models/churn/gates.yaml", "20", "3", "zzz: unknown key"),
    ]
    problem = Problem(file="contract.yaml", line=3, column=1, text="x: unknown key")
    found = notes(could_not_judge("m", str(problem)), replace(facts, problems=(problem,)))
    assert [(one["file"], one["line"]) for _, one, _ in found] == [("models/churn/contract.yaml", "3")]


@pytest.mark.parametrize("why", ["the training failed", "gates.yaml:3:1: x", "a:b:c: d", "x\n::error::y"])
def test_what_has_no_line_stands_at_the_first(why):
    """A message that only looks like a place is none: places are never read out of sentences."""
    ((level, one, text),) = notes(could_not_judge("m", why), FACTS)
    assert (level, one["file"], one["line"], text) == ("error", "gates.yaml", "1", why)


@pytest.mark.parametrize("file", ["/etc/passwd", "../x", "a/../../x"])
def test_no_file_outside_the_repository_is_annotated(file):
    facts = replace(FACTS, problems=(Problem(file=file, line=7, column=1, text="x"),))
    ((_, one, _),) = notes(could_not_judge("m", "x"), facts)
    assert (one["file"], one["line"]) == ("gates.yaml", "1")


def test_sarif_has_a_result_for_each_mistake():
    facts = facts_about("could_not_judge", replace(PULL, path="models/churn/gates.yaml"))
    results = json.loads(FORMATS["sarif"].render(decision_of("could_not_judge"), facts))["runs"][0]["results"]
    at = [one["locations"][0]["physicalLocation"] for one in results]
    assert [(one["artifactLocation"]["uri"], one["region"]["startLine"]) for one in at] == [
        ("models/churn/gates.yaml", 14), ("models/churn/gates.yaml", 20),
    ]  # fmt: skip
    assert [one["message"]["text"] for one in results] == [one.text for one in facts.problems]


@given(HOSTILE)
@settings(max_examples=examples(200))
def test_no_foreign_text_becomes_a_command(foreign):
    decision = hostile(foreign)
    places = tuple((number + 1, 1) for number in range(len(decision.gates)))
    found = notes(decision, replace(facts_of(foreign, decision), places=places))
    assert [level for level, *_ in found] == ["error", "error", "warning"]
    assert all(set(one) == {"file", "line", "col", "title"} for _, one, _ in found)
    stopped = notes(could_not_judge("m", f"because {foreign}"), facts_of(foreign))
    assert [level for level, *_ in stopped] == ["error"]


def test_a_line_is_annotated_once_and_a_step_ten_times_at_most():
    gates = [gate("x", Verdict.FAIL, id=f"g{n // 50}", slice={"shop": str(n)}) for n in range(1000)]
    decision = hostile("m", gates)
    places = tuple((n // 50 + 1, 1) for n in range(1000))
    found = notes(decision, Facts(places=places))
    assert len(found) == 10
    assert [one["line"] for _, one, _ in found[:9]] == [str(n) for n in range(1, 10)]
    assert found[0][1]["title"] == "g0: 50 rules"
    assert found[0][2].count("\n") == 5
    assert found[9][2] == "11 more; the report has them all"


# -- the table --


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("name", EVERY)
def test_every_format_renders_every_decision(form, name):
    rendered = FORMATS[form].render(*EVERY[name])
    assert rendered == "" or rendered.endswith("\n")
    assert FORMATS[form].render(*EVERY[name]) == rendered


def test_files_of_formats_differ():
    files = [form.file for form in FORMATS.values() if form.file]
    assert len(set(files)) == len(files) == 5
