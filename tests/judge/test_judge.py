"""(Policy, Evidence) -> Decision: the same bytes always, the worst verdict, and no pass for nothing."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gates.documents.decision import Code, Decision, GateVerdict, Verdict, could_not_judge, exit_code, worst
from gates.documents.evidence import Evidence
from gates.errors import Exit, GatesError
from gates.judge.judge import judge
from gates.schema.canonical import canonical, digest
from gates.schema.fields import schema_of
from gates.schema.validation import read_json

HERE = Path(__file__).parent
CASES = sorted(HERE.glob("*.yaml"))


def stem(path):
    return path.stem


@pytest.fixture(scope="session")
def case_of(policy_of, evidence_of):
    def load(path):
        case = yaml.safe_load(path.read_text(encoding="utf-8"))
        resolved = policy_of(case.pop("policy"), case.pop("contract", None))
        expect = case.pop("expect")
        return resolved, evidence_of(resolved, case.pop("rows"), **case), expect

    return load


@pytest.mark.parametrize("path", CASES, ids=stem)
def test_decision(path, golden, case_of):
    resolved, evidence, expect = case_of(path)
    decision = judge(resolved, evidence)
    assert f"{decision.verdict} {decision.code}" == expect
    golden(path.with_suffix(".json"), canonical(decision).decode() + "\n")


@pytest.mark.parametrize("path", CASES, ids=stem)
def test_judging_twice_gives_the_same_bytes(path, case_of):
    resolved, evidence, _ = case_of(path)
    again = read_json(Evidence, canonical(evidence), "evidence.json")
    assert again == evidence
    assert canonical(judge(resolved, again)) == canonical(judge(resolved, evidence))


@pytest.mark.parametrize("path", CASES, ids=stem)
def test_a_decision_is_what_its_published_schema_says(path, case_of):
    resolved, evidence, _ = case_of(path)
    decision = judge(resolved, evidence)
    for value in (decision, evidence):
        schema = schema_of(type(value))
        jsonschema.Draft202012Validator.check_schema(schema)
        jsonschema.validate(json.loads(canonical(value)), schema)
    assert read_json(Decision, canonical(decision), "decision.json") == decision


@pytest.mark.parametrize("path", CASES, ids=stem)
def test_a_decision_names_what_it_rests_on(path, case_of):
    resolved, evidence, _ = case_of(path)
    decision = judge(resolved, evidence)
    assert decision.evidence == digest(evidence)
    assert decision.policy == resolved.digest
    assert decision.model == "churn"
    assert (decision.candidate is None) == (evidence.candidate is None)
    assert (decision.champion is None) == (evidence.champion is None)


@pytest.mark.parametrize("path", CASES, ids=stem)
def test_the_worst_verdict_wins_and_no_not_judged_counts(path, case_of):
    resolved, evidence, _ = case_of(path)
    decision = judge(resolved, evidence)
    verdicts = {gate.verdict for gate in decision.gates if gate.verdict}
    if decision.code is not Code.NOTHING_JUDGED:
        assert decision.verdict is max(verdicts, key=lambda one: one.badness)


ROWS = [{"sex": "f", "cells": [[1, 1, 1, 90], [1, 0, 0, 10], [0, 0, 0, 100]]}]
RECALL = {"gates": [{"metric": "recall", "min": 0.5}]}
OTHERS = {
    "data": {"data": {"holdout": "other.csv", "label": "left"}, **RECALL},
    "label": {"data": {"holdout": "holdout.csv", "label": "right"}, **RECALL},
    "threshold": {"predict": {"threshold": 0.4}, **RECALL},
    "slices": {"slices": ["sex"], "gates": [{"metric": "recall", "slices": {"min": 0.5}}]},
    "ranks": {"gates": [{"metric": "roc_auc", "min": 0.5}]},
    "by": {"gates": [{"metric": "demographic_parity_ratio", "by": "sex", "min": 0.5}]},
    "model": {"model": "other", **RECALL},
    "champion": {"champion": "models:/churn@serving", **RECALL},
}


@pytest.mark.parametrize("keys", OTHERS.values(), ids=OTHERS)
def test_evidence_of_another_policy_is_refused(keys, policy_of, evidence_of):
    evidence = evidence_of(policy_of(RECALL), ROWS)
    with pytest.raises(GatesError, match="measured under another policy") as caught:
        judge(policy_of(keys), evidence)
    assert caught.value.exit_code == Exit.INPUT


def test_evidence_under_another_contract_is_refused(policy_of, evidence_of):
    evidence = evidence_of(policy_of(RECALL, {"table": [{"rows": {"min": 5}}]}), ROWS)
    with pytest.raises(GatesError, match="measured under another policy"):
        judge(policy_of(RECALL, {"table": [{"rows": {"min": 6}}]}), evidence)


SAME = {
    "bar": {"gates": [{"metric": "recall", "min": 0.6}]},
    "more bars": {"gates": [{"metric": "recall", "min": 0.5, "max_worsening": 0.1}, {"metric": "f1", "min": 0.1}]},
    "confidence": {"confidence": 0.9, **RECALL},
    "training": {"train": {"run": "python other.py", "timeout": "5m"}, **RECALL},
    "on_inconclusive": {"on_inconclusive": "fail", **RECALL},
    "a default written out": {"task": "binary", "predict": {"threshold": 0.5}, **RECALL},
}


@pytest.mark.parametrize("keys", SAME.values(), ids=SAME)
def test_what_needs_no_new_counting_can_be_judged_anew(keys, policy_of, evidence_of):
    assert judge(policy_of(keys), evidence_of(policy_of(RECALL), ROWS)).verdict is Verdict.PASS


def test_a_default_counts_the_same_whether_it_is_written_or_not(policy_of):
    assert policy_of(SAME["a default written out"]).digest == policy_of(RECALL).digest
    assert policy_of(SAME["bar"]).digest != policy_of(RECALL).digest


def test_nothing_is_drawn_at_random(policy_of, evidence_of):
    """Evidence of another digest, but of the same counts, gives the same numbers."""
    resolved = policy_of({"gates": [{"metric": "f1", "min": 0.5}]})
    evidence = evidence_of(resolved, ROWS)
    other = dataclasses.replace(evidence, tables=(dataclasses.replace(evidence.tables[0], digest="sha256:x"),))
    first, second = (judge(resolved, one).gates[0].candidate for one in (evidence, other))
    assert first == second


def verdict_of(verdict: Verdict | None, index: int) -> GateVerdict:
    nothing = dict.fromkeys([field.name for field in dataclasses.fields(GateVerdict)])
    return GateVerdict(**nothing | {"id": str(index), "verdict": verdict})


@given(st.lists(st.sampled_from([None, *Verdict]), max_size=12))
def test_worst_is_the_first_of_the_worst(verdicts):
    gates = [verdict_of(verdict, index) for index, verdict in enumerate(verdicts)]
    judged = [verdict for verdict in verdicts if verdict is not None]
    found = worst(gates)
    if not judged:
        assert found is None
    else:
        most = max(judged, key=["pass", "inconclusive", "fail", "error"].index)
        assert found.verdict is most
        assert found.id == str(verdicts.index(most))


@pytest.mark.parametrize(
    ("verdict", "strict", "code"),
    [
        (Verdict.PASS, False, 0), (Verdict.PASS, True, 0),
        (Verdict.INCONCLUSIVE, False, 0), (Verdict.INCONCLUSIVE, True, 1),
        (Verdict.FAIL, False, 1), (Verdict.FAIL, True, 1),
        (Verdict.ERROR, False, 2), (Verdict.ERROR, True, 2),
    ],
)  # fmt: skip
def test_exit_codes(verdict, strict, code):
    decision = dataclasses.replace(could_not_judge("churn", "why"), verdict=verdict)
    assert exit_code(decision, inconclusive_fails=strict) == code


def test_could_not_judge_is_an_error_that_says_why():
    decision = could_not_judge("churn", "the training failed")
    assert (decision.verdict, decision.code, decision.reason) == (
        Verdict.ERROR,
        Code.COULD_NOT_JUDGE,
        "the training failed",
    )
    assert read_json(Decision, canonical(decision), "decision.json") == decision


def test_evidence_may_be_large_and_stays_exact(policy_of, evidence_of):
    """Sums past 2**53 are written as text and read back whole."""
    resolved = policy_of({"gates": [{"metric": "roc_auc", "min": 0.5}]})
    n = 3_000_000
    evidence = evidence_of(resolved, [{"scores": [[1, 0.9, 0.8, n], [0, 0.1, 0.9, n], [0, 0.9, 0.2, 1]]}])
    assert evidence.slices[0].ranks.positives.aa > 2**53
    assert read_json(Evidence, canonical(evidence), "evidence.json") == evidence
    assert judge(resolved, evidence).verdict is Verdict.PASS
