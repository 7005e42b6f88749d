"""Parts of a holdout give the whole's bytes, however many there are, and whatever is asked for."""

from __future__ import annotations

from dataclasses import replace
from unittest import mock

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gates.errors import GatesError
from gates.measure import shards
from gates.measure.holdout.models import ModelOutput, RegisteredModel, Rivals
from gates.measure.measurement import Measurement
from gates.measure.shards import Measured, Shard
from gates.measure.statistics.function_calls import GuestMetric
from gates.policy.policy_file import read
from gates.schema.canonical import canonical
from gates.schema.validation import read_json

pytestmark = pytest.mark.usefixtures("forked_children")

LIMITS = ("gates.measure.holdout.joined.EXACT_ROWS", "gates.measure.statistics.computed.EXACT_ROWS")
SUMS = [
    {"metric": "recall", "min": 0.1, "slices": {"min": 0.1}},
    {"metric": "log_loss", "max": 2, "max_worsening": 1, "slices": {"max": 3}},
    {"metric": "demographic_parity_difference", "by": "sex", "max": 0.9},
]
SCORES = [
    {"metric": "roc_auc", "min": 0.5, "max_worsening": 0.1, "slices": {"max_worsening": 0.3}},
    {"metric": "average_precision", "min": 0.1, "slices": {"min": 0.1}},
]
SLICES = ["region", {"age": [30, 50]}, "region * age"]
# What else does not add up: of the policy its data, and the rest.
TASKS = {
    "ranking": (
        {"query": "query"},
        {"task": "ranking", "gates": [{"metric": "ndcg", "k": 2, "min": 0.1, "slices": {"min": 0.1}}]},
    ),
    "score": (
        {},
        {
            "task": "score",
            "gates": [
                {"metric": "quantile", "q": 0.9, "of": "latency", "max": 9, "slices": {"max": 9}},
                {"metric": "mean", "of": "grade", "min": 0.1},
            ],
        },
    ),
    "regression": (
        {},
        {"task": "regression", "gates": [{"metric": "median_absolute_error", "max": 9, "slices": {"max": 9}}]},
    ),
    "regression that adds up": (
        {},
        {"task": "regression", "gates": [{"metric": "mae", "max": 9, "max_worsening": 1, "slices": {"max": 9}}]},
    ),
    "multiclass that adds up": (
        {"label": "kind"},
        {"task": "multiclass", "gates": [{"metric": "log_loss", "max": 9, "slices": {"max": 9}}]},
    ),
    "multiclass": (
        {"label": "kind"},
        {"task": "multiclass", "gates": [{"metric": "roc_auc_ovr", "min": 0.1, "slices": {"min": 0.1}}]},
    ),
    "search": ({}, {"slices": ["region", "auto"], "gates": [{"metric": "recall", "slices": {"min": 0.6}}]}),
    "search of rankings": (
        {"query": "query"},
        {"task": "ranking", "slices": ["auto"], "gates": [{"metric": "mrr", "slices": {"min": 0.6}}]},
    ),
    "somebody else's": ({}, {"gates": [{"metric": "fbeta_score", "arguments": {"beta": 2}, "min": 0.1}]}),
}


def project(folder, rows, seed, data, top):
    """A policy, its holdout, and what candidate, second seed and champion predict."""
    random = np.random.default_rng(seed)
    query = np.arange(rows) // 3
    ranked = top.get("task") == "ranking"
    frame = pd.DataFrame(
        {
            "id": np.arange(rows) * 7,
            "query": query,
            "region": np.array(["a", "b", None])[query % 3] if ranked else random.choice(["a", "b", None], rows),
            "age": 30.0 if ranked else random.choice([18.0, 30.0, 45.0, np.nan, 70.0], rows),
            "sex": random.choice(["f", "m"], rows),
            "kind": np.array(["x", "y", "z"])[np.arange(rows) % 3],
            "customer": random.integers(0, max(2, rows // 3), rows),
            "w": random.choice([0.0, 0.5, 1.0, 3.25], rows) + 0.125,
            "y": np.arange(rows) % 2,
        }
    )
    frame.to_parquet(folder / "holdout.parquet", index=False)
    for name in ("candidate", "again", "champion"):
        (folder / name).mkdir(exist_ok=True)
        score = np.round((0.6 * frame["y"] + random.random(rows)) / 1.6, 2)
        made = pd.DataFrame({"id": frame["id"]})
        match top.get("task", "binary"):
            case "multiclass":
                drawn = np.round(random.random((rows, 3)) + 0.1, 2)
                made[[f"score_{kind}" for kind in "xyz"]] = drawn / drawn.sum(axis=1, keepdims=True)
            case "regression":
                made["prediction"] = score
            case "score":
                made["latency"], made["grade"] = np.round(9 * score, 1), score
            case _:
                made["score"] = score
        made.to_parquet(folder / name / "predictions.parquet", index=False)
    policy = {
        "version": 1, "model": "m", "train": {"run": "true", "seeds": 2}, "slices": SLICES, "gates": SUMS, "anchor": 1,
        "data": {"holdout": "holdout.parquet", "label": "y", "key": "id", "contract": "c.yaml"} | data,
    } | top  # fmt: skip
    contract = b"record: {properties: {age: {minimum: 20}}}\ntable: [{unique: region, max: 1}, {rows: {min: 1}}]"
    return read(yaml.safe_dump(policy).encode(), "gates.yaml", lambda _: contract)


def served(folder):
    return RegisteredModel(
        version="1",
        digest="sha256:" + "b" * 64,
        predictions=lambda _: folder / "predictions.parquet",
        folder=lambda: folder,
    )


def measured(resolved, folder, shard=None):
    bench = Measurement(resolved, folder, folder, shard=shard)
    made = [ModelOutput(digest=f"sha256:{name:c<64.1}", folder=folder / name) for name in ("candidate", "again")]
    rivals = Rivals(**dict.fromkeys(("champion", "anchor", "base"), served(folder / "champion")))
    if shard is None:
        return bench.evidence(bench.check(), made, rivals)
    target = folder / f"{shard.index}-of-{shard.of}"
    target.mkdir(exist_ok=True)
    return bench.part(made, rivals, target)


def parts(resolved, folder, of):
    """All parts, in no order, each as it is read back."""
    found = {}
    for index in range(of, 0, -1):
        part = measured(resolved, folder, Shard(index=index, of=of))
        found[folder / f"{index}-of-{of}"] = read_json(Measured, canonical(part), "part")
    return found


def merged(resolved, folder, found):
    return shards.merge(resolved, found, GuestMetric(folder=folder / "metrics", root=folder, environ={}))


@settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    of=st.integers(1, 3),
    rows=st.integers(2, 60),
    seed=st.integers(0, 99),
    data=st.sampled_from([{}, {"unit": "customer"}, {"weight": "w"}, {"unit": "customer", "weight": "w"}]),
    exact=st.sampled_from([200_000, 40, 5, 0]),
    scores=st.booleans(),
)
def test_any_split_gives_the_bytes_of_the_whole(tmp_path, of, rows, seed, data, exact, scores):
    resolved = project(tmp_path, rows, seed, data, {"gates": SUMS + SCORES} if scores else {})
    with mock.patch(LIMITS[0], exact), mock.patch(LIMITS[1], exact):
        whole = measured(resolved, tmp_path)
        found = parts(resolved, tmp_path, of)
        assert canonical(merged(resolved, tmp_path, found)) == canonical(whole)
    assert whole.anchored
    assert len(whole.runs) == 1
    assert all(bool(part.sides) == scores for part in found.values())


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name == "somebody else's" else []) for name in TASKS]
)
def test_what_does_not_add_up_is_counted_of_kept_rows(tmp_path, name):
    resolved = project(tmp_path, 300 if "search" in name else 60, 1, *TASKS[name])
    whole = measured(resolved, tmp_path)
    found = parts(resolved, tmp_path, 3)
    assert len(found[tmp_path / "1-of-3"].sides) == (0 if name.endswith("adds up") else 4)
    assert canonical(merged(resolved, tmp_path, found)) == canonical(whole)
    assert all(one.rows for one in whole.slices)
    assert ("search" in name) == (whole.search is not None)


def test_what_adds_up_keeps_no_rows(tmp_path):
    resolved = project(tmp_path, 60, 1, {}, {})
    assert parts(resolved, tmp_path, 2)
    assert list(tmp_path.glob("*-of-2/*")) == []


def test_rows_that_were_changed_or_are_gone_are_refused(tmp_path):
    resolved = project(tmp_path, 60, 1, {}, {"gates": SCORES})
    found = parts(resolved, tmp_path, 2)
    rows = tmp_path / "2-of-2" / "rows-0.parquet"
    rows.write_bytes((tmp_path / "1-of-2" / "rows-0.parquet").read_bytes())
    with pytest.raises(GatesError, match=r"rows-0\.parquet.*is not the file of rows"):
        merged(resolved, tmp_path, found)
    rows.unlink()
    with pytest.raises(GatesError, match="is not the file of rows"):
        merged(resolved, tmp_path, found)


@pytest.mark.parametrize("gates", [SUMS, SCORES])
def test_few_values_in_each_part_may_be_too_many_together(tmp_path, gates, monkeypatch):
    resolved = project(tmp_path, 60, 1, {}, {"gates": gates, "slices": ["id"]})
    with monkeypatch.context() as patched:
        patched.setattr("gates.measure.holdout.rows.MAX_SLICES", 50)
        found = parts(resolved, tmp_path, 2)
    monkeypatch.setattr("gates.measure.shards.MAX_SLICES", 50)
    with pytest.raises(GatesError, match="id has 60 values"):
        merged(resolved, tmp_path, found)


def test_a_query_that_is_mixed_over_parts_is_told(tmp_path):
    resolved = project(tmp_path, 60, 1, *TASKS["ranking"])
    frame = pd.read_parquet(tmp_path / "holdout.parquet")
    frame["region"] = np.where(frame["id"] == 0, "z", frame["region"])  # one row of the first query alone
    frame.to_parquet(tmp_path / "holdout.parquet", index=False)
    found = parts(resolved, tmp_path, 5)  # so many that this row lies in another than the other two
    with pytest.raises(GatesError, match="region differs within 1 query"):
        merged(resolved, tmp_path, found)


def test_what_is_not_one_whole_is_refused(tmp_path):
    resolved = project(tmp_path, 40, 1, {}, {})
    both = parts(resolved, tmp_path, 2)
    first, second = tmp_path / "1-of-2", tmp_path / "2-of-2"
    two = both[second]
    with pytest.raises(GatesError, match="lacks 2"):
        merged(resolved, tmp_path, {first: both[first]})
    with pytest.raises(GatesError, match="several splits"):
        merged(resolved, tmp_path, both | {tmp_path: replace(two, shard=Shard(index=2, of=3))})
    other = replace(two.evidence, candidate=replace(two.evidence.candidate, digest="sha256:" + "9" * 64))
    with pytest.raises(GatesError, match="other models"):
        merged(resolved, tmp_path, both | {second: replace(two, evidence=other)})
    with pytest.raises(GatesError, match="changed between"):
        merged(resolved, tmp_path, both | {second: replace(two, lanes=tuple(lane + 1 for lane in two.lanes))})
    changed = project(tmp_path, 40, 1, {}, {"slices": ["region"]})
    with pytest.raises(GatesError, match="another policy"):
        merged(changed, tmp_path, both)
    with pytest.raises(GatesError, match="part"):
        read_json(Measured, b"{}", "part")


@pytest.mark.parametrize(("data", "words"), [({"key": None}, "its key"), ({"engine": "spark"}, "spark")])
def test_what_can_not_be_split_is_named(tmp_path, data, words):
    resolved = project(tmp_path, 10, 1, {}, {})
    resolved = replace(resolved, policy=replace(resolved.policy, data=replace(resolved.policy.data, **data)))
    with pytest.raises(GatesError, match=words):
        Measurement(resolved, tmp_path, tmp_path, shard=Shard(index=1, of=2))


@pytest.mark.parametrize("text", ["0/2", "3/2", "a/b", "1", "1/", "-1/2", "²/2", ""])
def test_a_part_that_is_none_is_told(text):
    with pytest.raises(GatesError, match="part"):
        Shard.read(text)
