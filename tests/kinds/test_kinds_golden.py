"""Every kind of gate: its golden folder, its examples, its promises."""

from __future__ import annotations

import dataclasses
import inspect
import json
from pathlib import Path

import pytest
import yaml

from gates.documents.decision import GateVerdict
from gates.documents.slices import OVERALL, Dimension
from gates.documents.statistic import CELLS, RANKS
from gates.kinds import KINDS
from gates.kinds.protocol import GateContext, GateKind, Needs
from gates.policy import Gate
from gates.schema.fields import plain, schema_of

HERE = Path(__file__).parent
CASES = sorted(HERE.glob("*/*.yaml"))
CONTRACT = {"record": {"type": "object", "properties": {"age": {"type": "integer"}}}}


def name_of(path):
    return f"{path.parent.name}-{path.stem}"


def load(path, policy_of, evidence_of):
    case = yaml.safe_load(path.read_text(encoding="utf-8"))
    resolved = policy_of(case.pop("policy"), case.pop("contract", None))
    expect = case.pop("expect")
    return resolved, evidence_of(resolved, case.pop("rows"), **case), expect


def told(verdict: GateVerdict) -> str:
    key = ", ".join(f"{column}={value or '(missing)'}" for column, value in (verdict.slice or {}).items())
    where = f" {key}" if key else ""
    return f"{verdict.id} {verdict.rule}{where}: {verdict.verdict or 'none'} {verdict.code}"


@pytest.mark.parametrize("path", CASES, ids=name_of)
def test_verdicts(path, golden, policy_of, evidence_of):
    resolved, evidence, expect = load(path, policy_of, evidence_of)
    gates = [gate for gate in resolved.gates if gate.kind == path.parent.name]
    verdicts = [one for gate in gates for one in gate.module.judge(gate.rule, evidence, resolved.terms())]
    assert [told(one) for one in verdicts] == expect
    golden(path.with_suffix(".json"), json.dumps(plain(tuple(verdicts)), indent=1, ensure_ascii=False) + "\n")


def test_every_kind_has_a_golden_folder_and_every_folder_a_kind():
    assert {path.parent.name for path in CASES} == set(KINDS)


@pytest.mark.parametrize("key", KINDS)
def test_a_kind_brings_what_the_protocol_asks(key):
    kind = KINDS[key]
    assert key == kind.KEY
    assert inspect.getdoc(kind)
    assert dataclasses.is_dataclass(kind.RULE)
    assert kind.RULE.__dataclass_params__.frozen
    assert key in {field.name for field in dataclasses.fields(kind.RULE)}
    for name in ("name", "asks", "mistakes", "needs", "judge"):
        wanted = list(inspect.signature(getattr(GateKind, name)).parameters)[1:]
        assert list(inspect.signature(getattr(kind, name)).parameters) == wanted


@pytest.mark.parametrize("key", KINDS)
def test_every_key_of_a_kind_is_documented(key):
    assert all(one.get("description") for one in schema_of(KINDS[key].RULE)["properties"].values())


EXAMPLES = [(key, example) for key in KINDS for example in KINDS[key].EXAMPLES]


@pytest.mark.parametrize(("key", "example"), EXAMPLES)
def test_an_example_is_a_gate_of_its_kind(key, example, policy_of):
    gate = yaml.safe_load(example)
    data = {"data": {"train": "train.csv", "holdout": "holdout.csv", "label": "left"}}
    slices = {"slices": ["region"]} if "slices" in gate else {}
    resolved = policy_of(slices | {"gates": [gate]} | data, CONTRACT)
    (read,) = resolved.policy.gates
    assert read.kind == key
    assert read.module is KINDS[key]
    assert Gate.read({k: v for k, v in read.plain().items() if v not in (None, [])}) == read


@pytest.mark.parametrize("key", KINDS)
def test_every_kind_has_examples(key):
    assert KINDS[key].EXAMPLES


def test_needs_are_joined():
    region = Dimension(columns=("region",))
    one, other = Needs.of([], CELLS), Needs.of([region], RANKS)
    assert (one | other).wanted == {(CELLS, OVERALL), (RANKS, OVERALL), (RANKS, region)}
    assert (one | other).dimensions == (OVERALL, region)
    assert (one | other).along(OVERALL) == (CELLS, RANKS)
    assert Needs().dimensions == (OVERALL,)


def test_terms_are_frozen():
    terms = GateContext(confidence=0.95, dimensions=(), contract=None, tables=())
    with pytest.raises(dataclasses.FrozenInstanceError):
        terms.confidence = 0.5
