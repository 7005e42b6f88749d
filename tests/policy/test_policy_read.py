"""Reading a policy: golden folders. ``good``: what it means. ``bad``: every message, in full."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest
import yaml

from gates.errors import Exit, GatesError
from gates.policy import Policy
from gates.policy.policy_file import read, schema
from gates.schema.fields import build, plain
from gates.schema.validation import PolicyError
from gates.schema.yaml_text import parse
from gates.system import files

HERE = Path(__file__).parent
GOOD = sorted(HERE.glob("good/*.yaml"))
BAD = sorted(HERE.glob("bad/*.yaml"))
CONTRACT = yaml.safe_load((HERE / "beside/contract.yaml").read_text())


def load(path):
    return read(path.read_bytes(), path.name, lambda name: files.read(path.parent / name, "Check data.contract."))


def refused(path):
    with pytest.raises(GatesError) as caught:
        load(path)
    assert caught.value.exit_code == Exit.INPUT
    return caught.value


def stem(path):
    return path.stem


@pytest.mark.parametrize("path", GOOD, ids=stem)
def test_a_good_policy_means(path, golden):
    explained = yaml.safe_dump(load(path).explained, sort_keys=False, allow_unicode=True)
    golden(path.with_suffix(".out"), explained)


@pytest.mark.parametrize("path", BAD, ids=stem)
def test_a_bad_policy_is_told(path, golden):
    golden(path.with_suffix(".out"), f"{refused(path)}\n")


@pytest.mark.parametrize("path", BAD, ids=stem)
def test_mistakes_are_sorted_by_place_and_told_once(path):
    error = refused(path)
    if isinstance(error, PolicyError):
        places = [(problem.file, problem.line, problem.column) for problem in error.problems]
        assert places == sorted(places)
        assert len(set(error.problems)) == len(error.problems)


@pytest.mark.parametrize("path", GOOD, ids=stem)
def test_an_explained_policy_is_the_same_policy(path):
    resolved = load(path)
    again = read(
        yaml.safe_dump(resolved.explained).encode(),
        "explained.yaml",
        lambda name: files.read(path.parent / name, "Check data.contract."),
    )
    assert again.explained == resolved.explained
    assert again.digest == resolved.digest
    assert again.measured == resolved.measured
    assert again.needs == resolved.needs


def without_null(value):
    if isinstance(value, dict):
        return {key: without_null(item) for key, item in value.items() if item is not None and item != []}
    return [without_null(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("path", GOOD, ids=stem)
def test_reading_is_the_inverse_of_writing(path):
    policy = load(path).policy
    assert build(Policy, without_null(plain(policy))) == policy


def test_the_published_schema_is_itself_valid():
    jsonschema.Draft202012Validator.check_schema(schema())


MEANING = """
bins_that_do_not_rise by_missing by_superfluous slices_without_slices slices_of_fairness no_bar two_kinds_at_once
compared_without_direction unknown_metric contract_missing_and_more columns_of_a_task
duplicate_gate duplicate_fairness_gate data_without_contract
data_of_a_table_that_is_not_there contract_missing contract_bad contract_bad_with_data_gate contract_no_yaml
slice_twice crossed_with_itself crossed_with_nothing promotion
bars_that_cannot_fail bars_that_cannot_pass slices_that_no_gate_uses signed_by_of_both
"""  # what no schema can say


@pytest.mark.parametrize("path", [*GOOD, *BAD], ids=stem)
def test_the_jsonschema_package_agrees_on_the_form(path):
    """An editor that completes from the schema says what we say."""
    try:
        value = parse(path.read_bytes(), path.name).value
    except GatesError:
        return  # no YAML of ours: nothing that a schema could see
    accepted = jsonschema.Draft202012Validator(schema()).is_valid(value)
    if path.stem not in MEANING.split():
        assert accepted == (path.parent.name == "good")


def test_observing_ends_by_itself(policy_of):
    resolved = policy_of({"gates": [{"metric": "recall", "min": 0.5}], "mode": "observe until 2027-03-01"})
    days = ("2026-11-24", "2027-02-28", "2027-03-01", "2027-03-02", "2030-01-01")
    assert [resolved.observing(day) for day in days] == [True, True, True, False, False]
    assert resolved.explained["mode"] == "observe until 2027-03-01"
    assert not policy_of({"gates": [{"metric": "recall", "min": 0.5}]}).observing("2026-11-24")


@pytest.mark.parametrize(
    "mode", ["observe", "observe until", "observe until 2027-3-1", "observe until 2027-13-01", "enforce", "", 5,
             "observe until 2027-03-01 ", "observe until 2027-03-00"],
)  # fmt: skip
def test_a_mode_is_observe_until_a_day(policy_of, mode):
    with pytest.raises(PolicyError, match="mode: "):
        policy_of({"gates": [{"metric": "recall", "min": 0.5}], "mode": mode})
