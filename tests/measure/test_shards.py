"""Parts of a holdout add up to the whole's bytes, however many there are, and say what they can't add up."""

from __future__ import annotations

from dataclasses import replace
from unittest import mock

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gates.canonical import canonical
from gates.errors import GatesError
from gates.measure import Bench, Files, Served, shards
from gates.measure.shards import Shard
from gates.policy.read import read

LIMITS = ("gates.measure.joined.EXACT_ROWS", "gates.measure.computed.EXACT_ROWS", "gates.measure.shards.EXACT_ROWS")
GATES = [
    {"metric": "roc_auc", "min": 0.5, "max_worsening": 0.1, "slices": {"max_worsening": 0.3}},
    {"metric": "recall", "min": 0.1, "slices": {"min": 0.1}},
    {"metric": "log_loss", "max": 2, "slices": {"max": 3}},
    {"metric": "average_precision", "min": 0.1, "slices": {"min": 0.1}},
    {"metric": "demographic_parity_difference", "by": "sex", "max": 0.9},
]
SLICES = ["region", {"age": [30, 50]}, "region * age"]


def project(folder, rows, seed, data, top):
    """A policy, its holdout, and what candidate, second seed and champion predict."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "id": np.arange(rows) * 7,
            "region": random.choice(["a", "b", None], rows),
            "age": random.choice([18.0, 30.0, 45.0, np.nan, 70.0], rows),
            "sex": random.choice(["f", "m"], rows),
            "customer": random.integers(0, max(2, rows // 3), rows),
            "w": random.choice([0.0, 0.5, 1.0, 3.25], rows) + 0.125,
            "y": np.arange(rows) % 2,
        }
    )
    frame.to_parquet(folder / "holdout.parquet", index=False)
    for name in ("candidate", "again", "champion"):
        (folder / name).mkdir(exist_ok=True)
        score = np.round((0.6 * frame["y"] + random.random(rows)) / 1.6, 2)
        pd.DataFrame({"id": frame["id"], "score": score}).to_parquet(folder / name / "predictions.parquet", index=False)
    policy = {
        "version": 1, "model": "m", "train": {"run": "true", "seeds": 2}, "slices": SLICES, "gates": GATES, "anchor": 1,
        "data": {"holdout": "holdout.parquet", "label": "y", "key": "id", "contract": "c.yaml", **data},
    } | top  # fmt: skip
    contract = b"record: {properties: {age: {minimum: 20}}}\ntable: [{unique: region, max: 1}, {rows: {min: 1}}]"
    return read(yaml.safe_dump(policy).encode(), "gates.yaml", lambda _: contract)


def served(folder):
    return Served(
        version="1",
        digest="sha256:" + "b" * 64,
        predictions=lambda _: folder / "predictions.parquet",
        folder=lambda: folder,
    )


def measured(bound, folder, shard=None):
    bench = Bench(bound, folder, folder, shard=shard)
    made = [Files(digest=f"sha256:{name:c<64.1}", folder=folder / name) for name in ("candidate", "again")]
    both = served(folder / "champion"), served(folder / "champion")
    return bench.part(made, *both) if shard else bench.evidence(bench.check(), made, *both)


def through_json(part):
    import json

    from gates.fields import plain

    value = {"evidence": plain(part.evidence)} | shards.document(part)
    return shards.read(json.dumps(value).encode(), "part")


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    of=st.integers(1, 3),
    rows=st.integers(2, 60),
    seed=st.integers(0, 99),
    data=st.sampled_from([{}, {"unit": "customer"}, {"weight": "w"}, {"unit": "customer", "weight": "w"}]),
    exact=st.sampled_from([200_000, 40, 5, 0]),
)
def test_any_split_adds_up_to_the_bytes_of_the_whole(tmp_path, of, rows, seed, data, exact):
    bound = project(tmp_path, rows, seed, data, {})
    with mock.patch(LIMITS[0], exact), mock.patch(LIMITS[1], exact), mock.patch(LIMITS[2], exact):
        whole = measured(bound, tmp_path)
        parts = [through_json(measured(bound, tmp_path, Shard(index=at, of=of))) for at in range(of, 0, -1)]
        assert canonical(shards.merge(bound, parts)) == canonical(whole)
    assert whole.anchored
    assert len(whole.runs) == 1


def test_a_part_carries_bins_alone_where_it_is_large(tmp_path):
    bound = project(tmp_path, 60, 1, {}, {})
    with mock.patch(LIMITS[2], 5):
        exact, bins = measured(bound, tmp_path, Shard(index=1, of=2)).sides[0]
    assert exact is None
    assert bins


def test_what_is_not_one_whole_is_refused(tmp_path):
    bound = project(tmp_path, 40, 1, {}, {})
    one, two = (measured(bound, tmp_path, Shard(index=at, of=2)) for at in (1, 2))
    with pytest.raises(GatesError, match="lacks 2"):
        shards.merge(bound, [one])
    with pytest.raises(GatesError, match="several splits"):
        shards.merge(bound, [one, two, replace(two, shard=Shard(index=2, of=3))])
    other = replace(two.evidence, candidate=replace(two.evidence.candidate, digest="sha256:" + "9" * 64))
    with pytest.raises(GatesError, match="other models"):
        shards.merge(bound, [one, replace(two, evidence=other)])
    with pytest.raises(GatesError, match="changed between"):
        shards.merge(bound, [one, replace(two, lanes=[lane + 1 for lane in two.lanes])])
    changed = project(tmp_path, 40, 1, {}, {"slices": ["region"]})
    with pytest.raises(GatesError, match="another policy"):
        shards.merge(changed, [one, two])
    with pytest.raises(GatesError, match="no part of a holdout"):
        shards.read(b"{}", "part")


@pytest.mark.parametrize(
    ("data", "top", "words"),
    [
        ({"key": None}, {}, "data.key"),
        ({}, {"slices": ["region", "auto"]}, "slices: auto"),
        ({}, {"gates": [{"metric": "fbeta_score", "min": 0.1}]}, "fbeta_score"),
        ({"engine": "spark"}, {}, "spark"),
    ],
)
def test_what_does_not_add_up_is_named(tmp_path, data, top, words):
    given_ = {name: value for name, value in data.items() if value is not None}
    bound = project(tmp_path, 10, 1, given_, top)
    if "key" in data:
        bound = replace(bound, policy=replace(bound.policy, data=replace(bound.policy.data, key=None)))
    with pytest.raises(GatesError, match=words):
        Bench(bound, tmp_path, tmp_path, shard=Shard(index=1, of=2))


@pytest.mark.parametrize("text", ["0/2", "3/2", "a/b", "1", "1/", "-1/2", "²/2", ""])
def test_a_part_that_is_none_is_told(text):
    with pytest.raises(GatesError, match="part"):
        Shard.read(text)
