"""The search for the worst slices: what is looked at, what is found, and that chance alone is not blamed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import yaml

from gates.documents.decision import Code, Verdict
from gates.documents.slices import AUTO
from gates.errors import GatesError
from gates.judge.judge import judge
from gates.measure.holdout.models import ModelOutput, RegisteredModel, Rivals
from gates.measure.measurement import Measurement
from gates.policy.policy_file import read

GATES = [{"metric": "accuracy", "min": 0.2, "max_worsening": 0.2, "slices": {"min": 0.6, "max_worsening": 0.1}}]


def searched(folder, frame, candidate, champion=None, **top):
    """The policy and the evidence; the models are given by their calls."""
    folder.mkdir(exist_ok=True)
    frame.to_parquet(folder / "holdout.parquet", index=False)
    for name, calls in (("candidate", candidate), ("champion", champion)):
        (folder / name).mkdir(exist_ok=True)
        if calls is not None:
            predicted = pd.DataFrame({"id": frame["id"], "prediction": calls})
            predicted.to_parquet(folder / name / "predictions.parquet", index=False)
    policy = {
        "version": 1, "model": "m", "train": "true", "slices": "auto", "gates": GATES,
        "data": {"holdout": "holdout.parquet", "label": "y", "key": "id"},
    } | top  # fmt: skip
    resolved = read(yaml.safe_dump(policy).encode(), "gates.yaml", lambda _: b"")
    bench = Measurement(resolved, folder, folder)
    served = RegisteredModel(
        version="1",
        digest="sha256:1",
        predictions=lambda _: folder / "champion" / "predictions.parquet",
        folder=lambda: folder,
    )
    made = [ModelOutput(digest="sha256:2", folder=folder / "candidate")]
    return resolved, bench.evidence((), made, Rivals(champion=served if champion is not None else None))


def table(random, rows):
    return pd.DataFrame(
        {
            "id": np.arange(rows),
            "y": random.integers(0, 2, rows),
            "region": random.choice(list("abcd"), rows),
            "member": random.choice([True, False], rows),
            "age": random.integers(18, 80, rows),
            "stars": random.integers(1, 4, rows),
            "note": [f"text {row}" for row in range(rows)],
            "same": 1,
        }
    )


def right(random, frame, share):
    """Calls of which this share is right, by chance alone."""
    return np.where(random.random(len(frame)) < share, frame["y"], 1 - frame["y"])


def found(resolved, evidence):
    return [gate for gate in judge(resolved, evidence).gates if gate.searched]


def test_a_bad_crossing_is_found_and_blamed(tmp_path):
    random = np.random.default_rng(1)
    frame = table(random, 3000)
    calls = right(random, frame, 0.85)
    bad = (frame["region"] == "b") & frame["member"]
    calls = np.where(bad, right(random, frame, 0.35), calls)
    resolved, evidence = searched(tmp_path, frame, calls, right(random, frame, 0.85))
    blamed = {(gate.rule, tuple(sorted(gate.slice.items()))) for gate in found(resolved, evidence)}
    assert {gate.verdict for gate in found(resolved, evidence)} == {Verdict.FAIL}
    for rule in ("min", "max_worsening"):
        assert (rule, (("member", "true"), ("region", "b"))) in blamed
    assert evidence.search.columns == ("region", "member", "age[30,43,55,67]", "stars")
    assert evidence.search.crossed
    assert "slices searched" in found(resolved, evidence)[0].reason


def test_what_is_found_is_counted_whole_and_every_slice_is_counted_in(tmp_path):
    random = np.random.default_rng(2)
    frame = table(random, 1200)[["id", "y", "region", "member"]]
    calls = right(random, frame, 0.8)
    resolved, evidence = searched(tmp_path, frame, calls, right(random, frame, 0.8))
    assert evidence.search.slices == 4 + 2 + 8
    for part in evidence.along(AUTO):
        held = np.ones(len(frame), dtype=bool)
        for column, value in part.key:
            held &= frame[column].astype(str).str.lower() == value
        assert part.rows == held.sum()
        hits = sum(n for label, call, _, n in part.cells if label == call)
        assert hits == (calls == frame["y"])[held].sum()
    assert judge(resolved, evidence).verdict is not Verdict.ERROR


def test_rows_that_hold_nothing_to_blame_pass_and_are_told(tmp_path):
    random = np.random.default_rng(3)
    frame = table(random, 1000)
    resolved, evidence = searched(tmp_path, frame, right(random, frame, 0.9), right(random, frame, 0.9))
    rows = found(resolved, evidence)
    assert [(gate.rule, gate.verdict, gate.code) for gate in rows] == [
        ("min", Verdict.PASS, Code.NOTHING_FOUND),
        ("max_worsening", Verdict.PASS, Code.NOTHING_FOUND),
    ]
    assert rows[0].reason.startswith(
        f"accuracy is certainly below your limit of 0.6 in none of {evidence.search.slices}"
    )


def test_chance_alone_is_seldom_blamed(tmp_path):
    """Two equal models, a limit of no loss at all, and every slice a true null: at most 5 % of searches blame one."""
    wrong, repeats = 0, 30
    for seed in range(repeats):
        random = np.random.default_rng(seed)
        frame = table(random, 600)[["id", "y", "region", "member", "stars"]]
        gates = [{"metric": "accuracy", "min": 0.1, "slices": {"min": 0.8}}]
        resolved, evidence = searched(tmp_path, frame, right(random, frame, 0.8), gates=gates)
        wrong += any(gate.verdict is Verdict.FAIL for gate in found(resolved, evidence))
    assert wrong <= 4  # of 30 at 5 %: more than 4 in 1.6 % of runs


def test_without_a_champion_levels_are_searched_all_the_same(tmp_path):
    random = np.random.default_rng(4)
    frame = table(random, 400)
    resolved, evidence = searched(tmp_path, frame, right(random, frame, 0.9))
    told = [(gate.rule, gate.code) for gate in judge(resolved, evidence).gates]
    assert told[2:] == [("min", Code.NOTHING_FOUND), ("max_worsening", Code.NO_CHAMPION)]


def test_a_holdout_too_small_to_search_is_undecided(tmp_path):
    random = np.random.default_rng(5)
    frame = table(random, 40)[["id", "y", "region"]]
    resolved, evidence = searched(tmp_path, frame, right(random, frame, 1.0))
    assert evidence.search.slices == 0
    row = judge(resolved, evidence).gates[2]
    assert (row.verdict, row.code) == (Verdict.INCONCLUSIVE, Code.TOO_FEW_ROWS)


def test_min_rows_is_the_least_size_that_is_searched(tmp_path):
    random = np.random.default_rng(6)
    frame = table(random, 600)[["id", "y", "region"]]
    _, evidence = searched(tmp_path, frame, right(random, frame, 0.9), min_rows=151)
    assert evidence.search.slices == (frame["region"].value_counts() > 150).sum()


def test_auto_stands_beside_declared_slices_and_alone(tmp_path):
    random = np.random.default_rng(7)
    frame = table(random, 400)
    for place, slices in enumerate((["auto", "region"], ["auto"], "auto")):
        resolved, evidence = searched(tmp_path / str(place), frame, right(random, frame, 0.9), slices=slices)
        assert resolved.policy.dimensions[0] == AUTO
        assert evidence.search
        assert bool([one for one in evidence.slices if one.dimension == "region"]) == ("region" in slices)


def test_a_metric_that_is_not_searched_says_so():
    gates = [{"metric": "average_precision", "min": 0.1, "slices": {"min": 0.1}}]
    policy = {"version": 1, "model": "m", "train": "t", "slices": "auto", "gates": gates}
    policy["data"] = {"holdout": "h.csv", "label": "y"}
    with pytest.raises(GatesError, match="takes too long to be searched"):
        read(yaml.safe_dump(policy).encode(), "gates.yaml", lambda _: b"")


CROSSED = ["sex * age", {"age": [30, 50]}]


def test_a_crossing_and_groups_take_the_bins_that_are_declared(tmp_path):
    random = np.random.default_rng(8)
    frame = table(random, 300).assign(sex=random.choice(["f", "m"], 300))
    gates = [
        {"metric": "accuracy", "slices": {"min": 0.1}},
        {"metric": "accuracy_difference", "by": "age", "max": 0.999},
        {"metric": "selection_rate_difference", "by": ["age", "sex"], "max": 0.999},
    ]
    frame = frame[~((frame["sex"] == "f") & (frame["age"] >= 50))]  # a combination that does not occur is no slice
    resolved, evidence = searched(tmp_path, frame, right(random, frame, 0.9), slices=CROSSED, gates=gates)
    keys = [part.key for part in evidence.slices if part.dimension == "sex * age[30,50]"]
    assert keys == [
        (("sex", "f"), ("age", "< 30")),
        (("sex", "f"), ("age", "[30, 50)")),
        (("sex", "m"), ("age", "< 30")),
        (("sex", "m"), ("age", "[30, 50)")),
        (("sex", "m"), ("age", ">= 50")),
    ]
    decision = judge(resolved, evidence)
    assert decision.verdict is Verdict.PASS
    assert list(decision.gates[-2].groups) == ["age < 30", "age=[30, 50)", "age >= 50"]


def test_bins_of_two_kinds_leave_a_crossing_open():
    policy = {"version": 1, "model": "m", "train": "t", "data": {"holdout": "h.csv", "label": "y"}}
    gates = [{"metric": "accuracy_difference", "by": "age", "max": 0.999}]
    policy |= {"slices": [*CROSSED, {"age": [40]}], "gates": gates}
    with pytest.raises(GatesError) as raised:
        read(yaml.safe_dump(policy).encode(), "gates.yaml", lambda _: b"")
    assert "slices[0]: age is cut into bins in two ways" in str(raised.value) or "in two ways" in str(raised.value)
    assert "which of them are its groups?" in str(raised.value)
