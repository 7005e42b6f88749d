"""A decision as in-toto's Simple Verification Result: its published fields, and nothing that does not hold."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from in_toto_attestation.v1.resource_descriptor import ResourceDescriptor
from in_toto_attestation.v1.statement import Statement

from gates.attestation.statement import read, statement
from gates.attestation.verification_result import PASSED, SVR, read_result, verification_result
from gates.documents.decision import Decision, Verdict, could_not_judge
from gates.errors import GatesError
from gates.schema.canonical import canonical
from gates.schema.validation import read_json

JUDGED = Path(__file__).parents[1] / "judge"
DECISION = read_json(Decision, (JUDGED / "passes.json").read_bytes(), "passes.json")
AT = "2026-11-30T12:00:00Z"


def predicate(decision: Decision) -> Any:
    return json.loads(verification_result(decision, AT))["predicate"]


def test_its_fields_are_those_that_in_toto_publishes() -> None:
    value = json.loads(verification_result(DECISION, AT))
    assert value["predicateType"] == SVR == "https://in-toto.io/attestation/svr/v0.1"
    assert {name: type(part) for name, part in value["predicate"].items()} == {
        "verifier": dict,
        "timeCreated": str,
        "properties": list,
    }
    verifier = value["predicate"]["verifier"]
    assert verifier["id"].startswith("urn:")
    assert verifier["policy"] == {"digest": {"sha256": str(DECISION.policy)[7:]}}  # a resource descriptor
    assert value["predicate"]["timeCreated"] == AT
    subjects = [ResourceDescriptor(one["name"], digest=one["digest"]).pb for one in value["subject"]]
    Statement(subjects, value["predicateType"], value["predicate"]).validate()  # by in-toto's own library
    assert value["subject"] == json.loads(statement(DECISION))["subject"]


def test_it_says_what_holds_and_nothing_else() -> None:
    rules = {f"GATES_RULE_PASS:{gate.id}:{gate.rule}" for gate in DECISION.gates}
    assert set(predicate(DECISION)["properties"]) == {PASSED, *rules}
    first, *rest = DECISION.gates
    for verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.ERROR, None):
        sliced = replace(first, slice={"region": "Ruritania"}, verdict=verdict)
        other = replace(DECISION, verdict=verdict or Verdict.INCONCLUSIVE, gates=(first, *rest, sliced))
        properties = predicate(other)["properties"]
        assert PASSED not in properties
        assert f"GATES_RULE_PASS:{first.id}:{first.rule}" not in properties, "one slice of it does not pass"
        assert "Ruritania" not in str(properties)


def test_what_was_written_is_read() -> None:
    found = read_result(verification_result(DECISION, AT), "s.json")
    assert found is not None
    assert (found.model, found.digest) == (DECISION.model, DECISION.candidate and DECISION.candidate.digest)
    assert (found.result.timeCreated, PASSED in found.result.properties) == (AT, True)
    assert read_result(statement(DECISION), "s.json") is None
    with pytest.raises(GatesError, match="not an in-toto statement about a decision"):
        read(verification_result(DECISION, AT), "s.json")


CHANGES: dict[str, Any] = {
    "a key more": lambda value: value.update(more=1),
    "a subject more": lambda value: value["subject"].append(value["subject"][0]),
    "no subject": lambda value: value.update(subject=[]),
    "a subject that is not one": lambda value: value.update(subject=[1]),
    "another verifier": lambda value: value["predicate"]["verifier"].update(id="urn:other"),
    "no time": lambda value: value["predicate"].pop("timeCreated"),
    "not a time": lambda value: value["predicate"].update(timeCreated="yesterday"),
    "properties that are not a list": lambda value: value["predicate"].update(properties=PASSED),
    "a digest that is not one": lambda value: value["predicate"]["verifier"]["policy"]["digest"].update(sha256="x"),
    "another type": lambda value: value.update(_type="https://in-toto.io/Statement/v0.1"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_anything_else_is_refused(name: str) -> None:
    value = json.loads(verification_result(DECISION, AT))
    CHANGES[name](value)
    with pytest.raises(GatesError, match=r"s\.json"):
        read_result(canonical(value), "s.json")


def test_a_decision_about_no_model_has_no_result() -> None:
    with pytest.raises(GatesError, match="no policy"):
        verification_result(could_not_judge("churn", "x"), AT)
