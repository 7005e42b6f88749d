"""Two policies compared: a table of changes, every weakening mutant, and the judge as an oracle."""

from __future__ import annotations

import copy
import dataclasses
import json

import jsonschema
import pytest
from extent import examples, part
from hypothesis import given, settings
from hypothesis import strategies as st
from mutants import CONTRACT, POLICIES, weaker

from gates.checkout.base_policy import Base, BasePolicy
from gates.checkout.workspace import Workspace
from gates.documents.decision import Code, Verdict, worse
from gates.documents.printed.diff import Effect, PolicyDiff
from gates.judge.judge import judge
from gates.pipeline.pipeline import Pipeline
from gates.pipeline.session import Session
from gates.policy.policy_diff import compare, weakened
from gates.schema.fields import build, plain, schema_of
from gates.system.progress import Steps

ROC = {"metric": "roc_auc", "min": 0.8, "max_worsening": 0.01}
PLAIN = {"gates": [ROC]}
APPROVED = {"promotion": {"approvals": ["ml-lead", "risk"]}}
OTHER_CALLS = PLAIN | {"predict": {"threshold": 0.6}}
LAX = {"gates": [{"metric": "recall", "min": 0.1}]}
SLICED = {"gates": [{"metric": "recall", "slices": {"min": 0.5}}]}
ROWS = [
    {"region": region, "sex": sex, "age": age, "plan": plan, "scores": scores}
    for region, sex, age, plan, scores in [
        ("north", "f", 25, "a", [[1, 0.6, 0.9, 40], [1, 0.4, 0.8, 20], [0, 0.2, 0.1, 60], [0, 0.55, 0.2, 20]]),
        ("south", "m", 40, "b", [[1, 0.7, 0.9, 50], [1, 0.2, 0.6, 20], [0, 0.1, 0.3, 60], [0, 0.9, 0.1, 10]]),
        ("south", "f", 60, "a", [[1, 0.8, 0.8, 30], [1, 0.4, 0.9, 30], [0, 0.3, 0.4, 50]]),
    ]
]
FEW = [{"region": "north", "sex": "f", "age": 25, "plan": "a", "scores": [[1, 0.9, 0.9, 12], [0, 0.1, 0.1, 12]]}]
MUTANTS = [
    pytest.param(policy, contract, mutant, of_mutant, id=f"{number}-{told}")
    for number, (policy, contract) in enumerate(POLICIES)
    for told, mutant, of_mutant in weaker(policy, contract)
]


def told(base, head):
    return [f"{change.rule} {change.kind}" for change in compare(base, head).changes]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({}, {}, []),
        ({}, {"predict": {"threshold": 0.5}, "on_inconclusive": "warn", "confidence": 0.95}, []),
        ({}, {"champion": "models:/churn@champion"}, []),
        ({}, {"train": {"run": "make", "timeout": "5m"}}, []),
        ({}, {"gates": [ROC | {"min": 0.7}]}, ["roc_auc.min weaker"]),
        ({}, {"gates": [ROC | {"min": 0.9}]}, ["roc_auc.min stricter"]),
        ({}, {"gates": [ROC | {"max_worsening": 0.02}]}, ["roc_auc.max_worsening weaker"]),
        ({}, {"gates": [ROC | {"max": 0.99}]}, ["roc_auc.max new"]),
        ({}, {"gates": [{"metric": "roc_auc", "min": 0.8}]}, ["roc_auc.max_worsening gone"]),
        ({}, {"gates": [ROC, {"metric": "f1", "min": 0.5}]}, ["f1.min new"]),
        ({}, {"gates": [{"metric": "f1", "min": 0.5}]}, [
            "roc_auc.min gone", "roc_auc.max_worsening gone", "f1.min new",
        ]),
        ({"gates": [ROC, {"metric": "f1", "min": 0.5}]}, {"gates": [{"metric": "f1", "min": 0.5}, ROC]}, []),
        ({}, {"confidence": 0.9}, ["confidence weaker"]),
        ({}, {"min_rows": 50}, ["min_rows weaker"]),
        ({"min_rows": 50}, {"min_rows": 51}, ["min_rows weaker"]),
        ({"min_rows": 50}, {"min_rows": 49}, ["min_rows stricter"]),
        ({"min_rows": 50}, {}, ["min_rows stricter"]),
        ({}, {"confidence": 0.99}, ["confidence stricter"]),
        ({}, {"on_inconclusive": "fail"}, ["on_inconclusive stricter"]),
        ({"on_inconclusive": "fail"}, {}, ["on_inconclusive weaker"]),
        ({}, {"predict": {"threshold": 0.4}}, ["predict.threshold unknown"]),
        ({"champion": "models:/churn@champion"}, {"champion": "models:/old@champion"}, ["champion unknown"]),
        ({}, {"data": {"holdout": "easy.csv", "label": "left"}}, ["data.holdout unknown"]),
        ({}, {"mode": "observe until 2027-03-01"}, ["mode weaker"]),
        ({"mode": "observe until 2027-03-01"}, {"mode": "observe until 2027-04-01"}, ["mode weaker"]),
        ({"mode": "observe until 2027-03-01"}, {"mode": "observe until 2027-02-01"}, ["mode stricter"]),
        ({"mode": "observe until 2027-03-01"}, {}, ["mode stricter"]),
        (APPROVED, {"promotion": {"approvals": ["ml-lead"]}}, ["promotion.stages.champion.approvals.risk gone"]),
        ({"promotion": {"approvals": ["risk"]}}, APPROVED, ["promotion.stages.champion.approvals.ml-lead new"]),
        (APPROVED, {"promotion": {"stages": [{"alias": "champion", "approvals": ["risk", "ml-lead"]}]}}, []),
        ({}, {"promotion": {"alias": "live"}}, [
            "champion unknown", "promotion.stages.champion gone", "promotion.stages.live new",
        ]),
        ({}, {"promotion": {"stages": [{"alias": "staging"}, {"alias": "champion"}]}}, [
            "promotion.stages.champion.after unknown", "promotion.stages.staging new",
        ]),
        ({}, {"promotion": {"distinct_people": False}}, ["promotion.distinct_people weaker"]),
        ({}, {"promotion": {"quote_digest": True}}, ["promotion.quote_digest stricter"]),
        ({"promotion": {"quote_digest": True}}, {}, ["promotion.quote_digest weaker"]),
        ({"promotion": {"team": "acme/risk"}}, {}, ["promotion.team gone"]),
        ({}, {"promotion": {"team": "acme/risk"}}, ["promotion.team new"]),
        ({"promotion": {"team": "acme/risk"}}, {"promotion": {"team": "acme/all"}}, ["promotion.team unknown"]),
        ({}, {"promotion": {"waivable": ["roc_auc"]}}, ["promotion.waivable weaker"]),
        ({"promotion": {"waivable": ["roc_auc"]}}, {}, ["promotion.waivable stricter"]),
        ({"slices": ["plan"]} | SLICED, {"slices": ["plan", "region"]} | SLICED, ["slices.region new"]),
        ({"slices": ["plan", "region"]} | SLICED, {"slices": ["plan"]} | SLICED, ["slices.region gone"]),
        ({"slices": [{"age": [30]}]} | SLICED, {"slices": [{"age": [30, 60]}]} | SLICED, [
            "slices.age[30] gone", "slices.age[30,60] new",
        ]),
    ],
)  # fmt: skip
def test_a_change_is_told(policy_of, before, after, expected):
    assert told(policy_of(PLAIN | before), policy_of(PLAIN | after)) == expected


def test_the_contract_is_compared_rule_by_rule(policy_of):
    looser = copy.deepcopy(CONTRACT)
    looser["record"]["properties"]["age"]["minimum"] = 0
    looser["table"].append({"fresh": "at", "within": "7d"})
    assert told(policy_of(PLAIN, CONTRACT), policy_of(PLAIN, looser)) == [
        "contract.age.minimum weaker", "contract.fresh(at) new",
    ]  # fmt: skip


def test_a_contract_that_comes_or_goes_is_told(policy_of):
    without, held = policy_of(PLAIN), policy_of(PLAIN, CONTRACT)
    assert told(held, without) == ["data(holdout) gone"]
    assert told(without, held) == ["data(holdout) new"]


def test_more_tables_held_to_the_contract_are_not_weaker(policy_of):
    tables = {"data": {"train": "t.csv", "holdout": "holdout.csv", "label": "left"}}
    one, both = ({"gates": [ROC, {"data": data}]} | tables for data in ("holdout", ["train", "holdout"]))
    assert told(policy_of(one, CONTRACT), policy_of(both, CONTRACT)) == ["data(train) new"]
    assert told(policy_of(both, CONTRACT), policy_of(one, CONTRACT)) == ["data(train) gone"]


@pytest.mark.parametrize(("policy", "contract"), POLICIES)
def test_a_policy_is_not_weaker_than_itself(policy_of, policy, contract):
    assert compare(policy_of(policy, contract), policy_of(copy.deepcopy(policy), contract)).changes == ()


@pytest.mark.parametrize(("policy", "contract", "mutant", "of_mutant"), MUTANTS)
def test_every_weakening_is_named(policy_of, policy, contract, mutant, of_mutant):
    assert weakened(policy_of(policy, contract), policy_of(mutant, of_mutant))


def findings(resolved, contract):
    """Every rule is broken."""
    count = {"rows": 10, "values(left=1)": 0}
    names = [rule.id for rule in resolved.contract.rules] if contract else []
    return [[table, name, 390, count.get(name, 390)] for name in names for table in resolved.policy.data.tables]


def judged_as_in_a_pull_request(folder, resolved, evidence, base, of_base):
    """Through the steps themselves: evidence as it lies in files, the base commit's policy at hand."""
    workspace = Workspace(policy=folder / "gates.yaml")
    session = Session(workspace=workspace, steps=Steps(None, quiet=True), environ={}, today="2027-01-01")
    session.resolved = resolved
    held = BasePolicy(resolved=base, root=workspace.root) if base else None
    session.base = held and Base(commit="0" * 40, policies=(held,))
    workspace.prepare()
    workspace.save(workspace.evidence, evidence)
    if of_base is not None:
        workspace.save(workspace.base / "evidence.json", of_base)
    return Pipeline(session).judge()


@pytest.mark.parametrize(
    ("policy", "contract", "mutant", "of_mutant"), [one for one in MUTANTS if "hair" not in one.id][:: part(1, 3)]
)
def test_no_weakening_changes_the_verdict(tmp_path, policy_of, evidence_of, policy, contract, mutant, of_mutant):
    base, head = policy_of(policy, contract), policy_of(mutant, of_mutant)
    of_base, of_head = (evidence_of(one, ROWS, findings=findings(one, one.contract)) for one in (base, head))
    asked = judge(base, of_base)
    assert asked.verdict is not Verdict.PASS
    both = judged_as_in_a_pull_request(tmp_path, head, of_head, base, of_base)
    assert both == worse(judge(head, of_head), asked)
    assert both.verdict.badness >= asked.verdict.badness


def test_without_the_defence_weakenings_change_the_verdict(tmp_path, policy_of, evidence_of):
    """The negative control: alone, the mutants' own policies let more pass."""
    better = 0
    for policy, contract in POLICIES[:6]:
        asked = judge(policy_of(policy, contract), evidence_of(policy_of(policy, contract), ROWS))
        for _, mutant, of_mutant in weaker(policy, contract):
            head = policy_of(mutant, of_mutant)
            alone = judged_as_in_a_pull_request(tmp_path, head, evidence_of(head, ROWS), None, None)
            better += alone.verdict.badness < asked.verdict.badness
    assert better >= 4


def test_what_was_not_measured_for_the_base_is_an_error(tmp_path, policy_of, evidence_of):
    base, head = (
        policy_of(PLAIN | {"predict": {"threshold": 0.6}}),
        policy_of({"gates": [{"metric": "recall", "min": 0.1}]}),
    )
    decision = judged_as_in_a_pull_request(tmp_path, head, evidence_of(head, ROWS), base, None)
    assert decision.verdict is Verdict.ERROR
    assert decision.code is Code.COULD_NOT_JUDGE
    assert "by the base commit's policy" in decision.reason


def test_evidence_about_another_candidate_is_an_error(tmp_path, policy_of, evidence_of):
    base, head = (
        policy_of(PLAIN | {"predict": {"threshold": 0.6}}),
        policy_of({"gates": [{"metric": "recall", "min": 0.1}]}),
    )
    other = evidence_of(base, ROWS)
    other = dataclasses.replace(other, candidate=dataclasses.replace(other.candidate, digest="sha256:" + "d" * 64))
    decision = judged_as_in_a_pull_request(tmp_path, head, evidence_of(head, ROWS), base, other)
    assert decision.verdict is Verdict.ERROR
    assert "another candidate" in decision.reason


COMPARISONS = {
    "min": st.sampled_from([0.2, 0.5, 0.7, 0.8]),
    "max": st.sampled_from([0.7, 0.9, 0.95]),
    "max_worsening": st.sampled_from([0.0, 0.1, 0.3, 0.5]),
    "min_improvement": st.sampled_from([0.0, 0.05]),
}


def ordered(limits):
    return limits.get("min", 0) <= limits.get("max", 1)


def used(policy):
    """Without slices that no gate looks at."""
    sliced = any("slices" in gate for gate in policy["gates"])
    return policy if sliced else {key: value for key, value in policy.items() if key != "slices"}


GATE = st.builds(
    lambda metric, limits, slices: {"metric": metric} | limits | ({"slices": slices} if slices else {}),
    st.sampled_from(["recall", "precision", "roc_auc", "false_positive_rate"]),
    st.fixed_dictionaries({}, optional=COMPARISONS),
    st.fixed_dictionaries({}, optional=COMPARISONS),
).filter(lambda gate: len(gate) > 1 and all(map(ordered, (gate, gate.get("slices", {})))))
POLICY = st.fixed_dictionaries(
    {
        "gates": st.lists(GATE, min_size=1, max_size=3, unique_by=lambda gate: gate["metric"]),
        "slices": st.lists(st.sampled_from(["region", "sex", "region * sex"]), min_size=1, max_size=2, unique=True),
        "confidence": st.sampled_from([0.6, 0.9, 0.95, 0.99]),
    }
).map(used)


@settings(max_examples=examples(50))
@given(one=POLICY, other=POLICY, rows=st.sampled_from([ROWS, FEW]))
def test_what_only_the_second_lets_pass_is_weaker(policy_of, evidence_of, one, other, rows):
    """The judge as an oracle: no evidence passes a policy that is not weaker and fails the one before."""
    base, head = policy_of(one), policy_of(other)
    before, after = (judge(resolved, evidence_of(resolved, rows)) for resolved in (base, head))
    nothing = before.code is Code.NOTHING_JUDGED  # a first limit that needs no champion
    if after.verdict is Verdict.PASS and before.verdict is not Verdict.PASS and not nothing:
        assert weakened(base, head)


@given(one=POLICY, other=POLICY)
def test_there_and_back(policy_of, one, other):
    """What is stricter one way is weaker the other way, what is new is gone."""
    opposite = {
        Effect.WEAKER: Effect.STRICTER, Effect.STRICTER: Effect.WEAKER, Effect.NEW: Effect.GONE,
        Effect.GONE: Effect.NEW, Effect.UNKNOWN: Effect.UNKNOWN,
    }  # fmt: skip
    there, back = (
        compare(*pair).changes for pair in ((policy_of(one), policy_of(other)), (policy_of(other), policy_of(one)))
    )
    assert {(change.rule, opposite[change.kind]) for change in there} == {(change.rule, change.kind) for change in back}


def test_the_document_keeps_its_schema(policy_of):
    made = compare(policy_of(PLAIN, CONTRACT), policy_of({"gates": [{"metric": "f1", "min": 0.1}], "confidence": 0.9}))
    jsonschema.validate(json.loads(json.dumps(plain(made))), schema_of(PolicyDiff))
    assert build(PolicyDiff, plain(made)) == made
