"""Evidence that no measuring can have made is refused: it may have been handed over by somebody hostile."""

import copy
import json

import pytest

from gates.documents.decision import Verdict
from gates.documents.evidence import Evidence
from gates.errors import GatesError
from gates.judge.judge import judge
from gates.policy.policy_file import read
from gates.schema.fields import plain
from gates.schema.validation import read_json

POLICY = b"""
version: 1
model: m
data: {holdout: h.csv, label: y}
train: "true"
slices: [region]
gates:
  - metric: roc_auc
    min: 0.5
    max_worsening: 0.1
    slices: {min: 0.1}
"""
# Four rows: positives scored .9 and .4 by the candidate, .8 and .6 by the champion; negatives .5, .1 and .3, .2.
RANKS = {
    "positives": {"rows": 2, "a": "6", "b": "8", "aa": "20", "bb": "32", "ab": "24"},
    "negatives": {"rows": 2, "a": "6", "b": "8", "aa": "20", "bb": "32", "ab": "24"},
    "buckets": [],
}
CELLS = [[0, 0, 0, 1], [0, 1, 0, 1], [1, 0, 1, 1], [1, 1, 1, 1]]
COUNTED = {"rows": 4, "cells": CELLS, "weights": [], "ranks": RANKS, "moments": [], "computed": []}
BOUND = read(POLICY, "gates.yaml", None)


def evidence():
    return {
        "schema": "gates/evidence/v1", "model": "m", "measured": BOUND.measured, "classes": ["0", "1"],
        "tables": [{"name": "holdout", "digest": "sha256:0", "rows": 4}], "findings": [],
        "candidate": {"digest": "sha256:1", "version": None, "unscored": None, "facts": None},
        "champion": {"digest": "sha256:2", "version": "1", "unscored": None, "facts": None},
        "slices": [
            {"dimension": "", "key": [], **COUNTED},
            {"dimension": "region", "key": [["region", "north"]], **COUNTED},
        ],
        "used": 0, "uncompared": None, "anchor": None, "runs": [], "search": None, "anchored": [],
        "curves": [],
    }  # fmt: skip


def load(value):
    return read_json(Evidence, json.dumps(value).encode(), "evidence.json")


def test_whole_evidence_is_judged_and_survives_the_round_trip():
    made = load(evidence())
    assert plain(made) == evidence()
    decision = judge(BOUND, made)
    assert [gate.candidate.value for gate in decision.gates] == [0.75, 0.75, 0.75]
    assert decision.gates[1].difference.value == -0.25


def cells(*rows):
    return lambda value: value["slices"][0].update(cells=list(rows))


def ranks(**sums):
    return lambda value: value["slices"][0]["ranks"]["positives"].update(sums)


TAMPERED = {
    "no whole holdout": lambda value: value["slices"].pop(0),
    "the whole holdout twice": lambda value: value["slices"].append(value["slices"][0]),
    "no slice of a dimension": lambda value: value["slices"].pop(1),
    "no rows at all": cells(),
    "a third label": cells([2, 0, 0, 4]),
    "a call that is none": cells([0, 7, 0, 4]),
    "no champion's call": cells([0, 0, -1, 4]),
    "an empty cell": cells([0, 0, 0, 0]),
    "a negative count": cells([0, 0, 0, -4]),
    "a short cell": cells([0, 0, 4]),
    "a cell twice": cells([0, 0, 0, 2], [0, 0, 0, 2]),
    "a champion that is not there": lambda value: value.update(champion=None),
    "more ranks than rows": ranks(rows=3),
    "an AUC above one": ranks(a="80"),
    "a negative sum": ranks(a="-6"),
    "squares too small": ranks(aa="1"),
    "squares too large": ranks(aa="2000"),
    "products too large": ranks(ab="2000"),
    "two AUCs": ranks(a="7"),
    "an anchor that the policy does not name": lambda value: value.update(
        anchor=value["champion"], anchored=value["slices"]
    ),
}


@pytest.mark.parametrize("tamper", TAMPERED.values(), ids=TAMPERED)
def test_evidence_that_contradicts_itself_is_refused(tamper):
    value = copy.deepcopy(evidence())
    tamper(value)
    with pytest.raises(GatesError, match="contradicts itself"):
        judge(BOUND, load(value))


FORMS = {
    "not valid JSON": b"{",
    "too deep": b"[" * 100_000,
    "another document": b"{}",
    "an unknown key": json.dumps(evidence() | {"verdict": "pass"}).encode(),
    "a float for a count": json.dumps(evidence() | {"tables": [{"name": "h", "digest": "d", "rows": 1.5}]}).encode(),
    "NaN": json.dumps(evidence() | {"tables": float("nan")}).encode(),
}


@pytest.mark.parametrize("data", FORMS.values(), ids=FORMS)
def test_evidence_of_another_form_is_refused(data):
    with pytest.raises(GatesError):
        read_json(Evidence, data, "evidence.json")


def test_evidence_of_another_policy_is_refused():
    with pytest.raises(GatesError, match="another policy"):
        judge(BOUND, load(evidence() | {"measured": "sha256:other"}))


def test_a_candidate_without_predictions_is_an_error_never_a_pass():
    value = evidence() | {
        "candidate": {"digest": "sha256:1", "version": None, "unscored": "it broke", "facts": None},
        "slices": [],
    }
    assert judge(BOUND, load(value)).verdict is Verdict.ERROR
