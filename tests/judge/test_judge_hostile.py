"""Evidence may have been handed over by somebody hostile: whatever its numbers, it ends in a decision or a message."""

from __future__ import annotations

import json

import pytest

from gates.documents.decision import Verdict
from gates.documents.evidence import Evidence
from gates.errors import GatesError
from gates.judge.judge import judge
from gates.schema.canonical import canonical
from gates.schema.validation import read_json

GATES = [
    {"metric": "recall", "min": 0.5, "max_worsening": 0.1, "slices": {"min": 0.5}},
    {"metric": "precision", "max_worsening": 0.1},
    {"metric": "matthews_corrcoef", "min": 0.1},
    {"metric": "roc_auc", "min": 0.5, "max_worsening": 0.1},
    {"metric": "demographic_parity_ratio", "by": "sex", "min": 0.5},
]
ROWS = [{"sex": sex, "scores": [[1, 0.9, 0.9, 90], [1, 0.1, 0.2, 10], [0, 0.1, 0.3, 100]]} for sex in "fm"]


def change_cells(cells):
    return lambda value: [one.update(cells=cells) for one in value["slices"]]


def change_ranks(**sums):
    return lambda value: [one["ranks"]["positives"].update(sums) for one in value["slices"] if one["ranks"]]


CHANGES = {
    "no slices": lambda value: value.update(slices=[]),
    "whole holdout missing": lambda value: value["slices"].pop(0),
    "slices of a dimension missing": lambda value: value.update(slices=value["slices"][:1]),
    "whole holdout twice": lambda value: value["slices"].append(value["slices"][0]),
    "a slice twice": lambda value: value["slices"].append(value["slices"][-1]),
    "slices without a key": lambda value: [one.update(key=[]) for one in value["slices"]],
    "keys of other columns": lambda value: [one.update(key=[["x", "y"]]) for one in value["slices"]],
    "an unknown class": change_cells([[7, 0, 0, 10], [1, 1, 1, 10]]),
    "a cell too short": change_cells([[1, 1, 10]]),
    "an empty cell": change_cells([[]]),
    "negative rows": change_cells([[0, 0, 0, -5], [1, 1, 1, 3]]),
    "negative hits": change_cells([[1, 0, 0, 5], [1, 1, 1, -3], [0, 0, 0, 5]]),
    "no champion's calls": change_cells([[0, 0, -1, 50], [1, 1, -1, 50]]),
    "no rows": change_cells([]),
    "astronomic rows": change_cells([[0, 0, 0, 2**53 - 1], [1, 1, 1, 2**53 - 1]]),
    "impossible ranks": change_ranks(a="99999999", aa="0"),
    "negative ranks": change_ranks(rows=-4),
    "astronomic ranks": change_ranks(a="9" * 400),
    "ranks missing": lambda value: [one.update(ranks=None) for one in value["slices"]],
    "a lone surrogate": lambda value: value["slices"][-1].update(key=[["sex", "\ud800"]]),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_ends_in_a_decision_or_a_message(change, policy_of, evidence_of):
    resolved = policy_of({"slices": ["sex"], "gates": GATES})
    value = json.loads(canonical(evidence_of(resolved, ROWS)))
    change(value)
    try:
        decision = judge(resolved, read_json(Evidence, json.dumps(value).encode(), "evidence.json"))
        canonical(decision)
    except GatesError:
        return
    assert decision.verdict is not Verdict.PASS


def test_what_was_not_changed_passes(policy_of, evidence_of):
    """The yardstick of the test above."""
    resolved = policy_of({"slices": ["sex"], "gates": GATES})
    assert judge(resolved, evidence_of(resolved, ROWS)).verdict is Verdict.PASS
