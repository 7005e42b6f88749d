"""Models measured inside Spark: the same evidence, byte for byte, as through DuckDB."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parent.parent / "measure"))

import test_ranking
import test_reference
from test_shards import served

from gates.errors import GatesError
from gates.measure.holdout.models import ModelOutput, Rivals
from gates.measure.measurement import Measurement
from gates.policy.policy_file import read
from gates.schema.canonical import canonical

ROWS = 300
SLICES = ["region", {"age": [30, 50]}]
TOGETHER = {"unit": "customer", "weight": "w"}
CURVES = [{"metric": name, "max": 0.999} for name in ("roc_auc", "average_precision", "log_loss", "recall")]
SKLEARN = {"metric": "fbeta_score", "arguments": {"beta": 2}, "max": 0.999}
VALUES = [{"metric": "mean", "of": "cost", "max": 9}, {"metric": "quantile", "q": 0.9, "max": 9}]
TOP = {"metric": "precision_at", "k": 40, "max": 0.999}
GAP = {"metric": "demographic_parity_difference", "by": "region", "max": 0.999}


def some(task: str, *names: str) -> list:
    """A gate of some metrics, one of each form of evidence: their SQL is that of their form."""
    return [one for one in test_reference.rules(task) if one["metric"] in names]


CASES = {
    "binary": ("binary", {}, [*CURVES, TOP], []),
    "binary in units": ("binary", TOGETHER, [*CURVES[:2], GAP], SLICES),
    "sklearn's": ("binary", {}, [SKLEARN], []),
    "searched": ("binary", {}, CURVES[3:], ["auto"]),
    "multiclass": ("multiclass", {}, some("multiclass", "accuracy", "log_loss", "top_k_accuracy"), []),
    "regression": ("regression", {"weight": "w"}, some("regression", "mae", "r2", "share_within"), []),
    "ranking": ("ranking", {"query": "query"}, [one for one in test_ranking.GATES if "k" in one], []),
    "score": ("score", {"label": None}, VALUES, [{"age": [30, 50]}]),
}

FIRST = ("binary in units",)  # the others are tried with --all


def files(folder: Path, task: str) -> None:
    """A holdout and two models' predictions, whose rows stand in an order of their own."""
    random = np.random.default_rng(5)
    frame = pd.DataFrame({
        "id": np.arange(ROWS) * 7, "region": random.choice(["a", "b", None], ROWS), "cost": random.random(ROWS),
        "age": random.choice([18.0, 30.0, 45.0, np.nan, 70.0], ROWS), "customer": random.integers(0, 90, ROWS),
        "query": np.arange(ROWS) // 6, "w": random.choice([0.5, 1.0, 3.25], ROWS), "x": random.normal(size=ROWS),
    })  # fmt: skip
    frame["y"] = {
        "multiclass": random.choice(["k", "l", "m"], ROWS), "regression": frame.x * 3,
        "ranking": random.choice(3, ROWS),
    }.get(task, (frame.x + random.normal(size=ROWS) > 0).astype(int))  # fmt: skip
    frame.to_parquet(folder / "holdout.parquet", index=False)
    for name in ("candidate", "champion"):
        (folder / name).mkdir()
        told = frame.x + random.normal(size=ROWS) / 2
        score = np.round(1 / (1 + np.exp(-told)), 2)
        made = {"id": frame.id, "cost": frame.cost + told / 9}
        if task == "multiclass":
            made |= {"score_k": score / 2, "score_l": 0.5 - score / 2, "score_m": np.full(ROWS, 0.5)}
        else:
            made |= {"prediction": told * 3} if task == "regression" else {"score": score}
        pd.DataFrame(made).sample(frac=1, random_state=random.integers(99)).to_parquet(
            folder / name / "predictions.parquet", index=False
        )


def evidence(folder: Path, engine: str, task: str, data: dict, gates: list, slices: list, holdout="holdout.parquet"):
    first, *others = gates
    gates = [first | ({"slices": {"max": first["max"]}} if slices else {}), *others]
    policy = {
        "version": 1, "model": "m", "task": task, "train": "true", "gates": gates, "slices": slices,
        "data": {"holdout": holdout, "label": "y", "key": "id", "engine": engine} | data,
    }  # fmt: skip
    policy["data"] = {name: value for name, value in policy["data"].items() if value is not None}
    resolved = read(yaml.safe_dump(policy).encode(), "gates.yaml", lambda _: b"")
    bench = Measurement(resolved, folder, folder / "work")
    return canonical(
        bench.evidence(
            (),
            [ModelOutput(digest="sha256:2", folder=folder / "candidate")],
            Rivals(champion=served(folder / "champion")),
        )
    )


@pytest.mark.slow
@pytest.mark.usefixtures("spark")
def test_the_same_evidence_of_binned_scores(tmp_path, monkeypatch):
    monkeypatch.setattr("gates.measure.holdout.joined.EXACT_ROWS", 9)
    files(tmp_path, "binary")
    wanted = evidence(tmp_path, "duckdb", "binary", {}, CURVES[:1], SLICES[:1])
    assert evidence(tmp_path, "spark", "binary", {}, CURVES[:1], SLICES[:1]) == wanted


@pytest.mark.usefixtures("spark")
@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=[] if case in FIRST else [pytest.mark.slow]) for case in CASES]
)
def test_the_same_evidence(tmp_path, case):
    task, data, gates, slices = CASES[case]
    files(tmp_path, task)
    wanted = evidence(tmp_path, "duckdb", task, data, gates, slices)
    assert evidence(tmp_path, "spark", task, data, gates, slices) == wanted


def test_of_a_table_of_sparks_nothing_is_brought_over(spark, tmp_path, monkeypatch):
    """But its digests are those of the file: only the path differs between the policies."""
    files(tmp_path, "binary")
    spark.session.read.parquet(f"file://{tmp_path}/holdout.parquet").createOrReplaceTempView("lake_holdout")
    wanted = evidence(tmp_path, "duckdb", "binary", {}, CURVES[2:], [])
    monkeypatch.setattr("gates.measure.engines.spark.Spark.embedded", None)
    found = evidence(tmp_path, "spark", "binary", {}, CURVES[2:], [], holdout="lake_holdout")
    both = [json.loads(one) for one in (found, wanted)]
    assert both[0].pop("measured") != both[1].pop("measured")
    assert both[0] == both[1]


def test_a_table_without_a_key_has_no_order(spark, tmp_path):
    files(tmp_path, "binary")
    spark.session.read.parquet(f"file://{tmp_path}/holdout.parquet").createOrReplaceTempView("lake_holdout")
    with pytest.raises(GatesError, match="rows have no order in Spark"):
        evidence(tmp_path, "spark", "binary", {"key": None}, CURVES[2:], [], holdout="lake_holdout")
