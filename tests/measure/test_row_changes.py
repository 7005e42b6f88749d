"""The rows that got worse and better against the champion, counted again in plain Python."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import yaml

from gates.errors import GatesError
from gates.measure.holdout.models import ModelOutput, RegisteredModel, Rivals
from gates.measure.measurement import Measurement
from gates.measure.row_changes import RowsAsked
from gates.policy.policy_file import read
from gates.schema.canonical import canonical, digest

ROWS = 300
GATES = {
    "binary": {"metric": "accuracy", "min": 0.1},
    "multiclass": {"metric": "accuracy", "min": 0.1},
    "regression": {"metric": "mae", "max": 99},
    "score": {"metric": "mean", "min": 0.01},
}


def made(task, seed=3):
    random = np.random.default_rng(seed)
    frame = pd.DataFrame({"id": [f"k{n:04}" for n in range(ROWS)], "city": random.choice(["a|b", "ü", None], ROWS)})
    frame["y"] = random.choice([0, 1], ROWS) if task != "regression" else np.round(random.normal(0, 9, ROWS), 1)
    if task == "multiclass":
        frame["y"] = random.choice(["x", "y", "z"], ROWS)
    models = []
    for _ in range(2):
        column = {"multiclass": "prediction", "regression": "prediction"}.get(task, "score")
        values = random.choice(["x", "y", "z"], ROWS) if task == "multiclass" else np.round(random.random(ROWS), 2)
        models.append(pd.DataFrame({"id": frame["id"], column: values}))
    return frame, *models


def measured(folder, task, frame, ours, theirs, asked, *, alone=False):
    folder.mkdir(exist_ok=True)
    frame.to_parquet(folder / "holdout.parquet", index=False)
    for name, table in (("candidate", ours), ("champion", theirs)):
        (folder / name).mkdir(exist_ok=True)
        table.to_parquet(folder / name / "predictions.parquet", index=False)
    data = {"holdout": "holdout.parquet", "label": "y", "key": "id"}
    written = {"version": 1, "model": "m", "task": task, "data": data, "train": "true", "gates": [GATES[task]]}
    resolved = read(yaml.safe_dump(written).encode(), "gates.yaml", lambda _: b"")
    champion = RegisteredModel(
        version="1",
        digest="sha256:1",
        predictions=lambda _: folder / "champion/predictions.parquet",
        folder=lambda: folder,
    )
    bench = Measurement(resolved, folder, folder)
    candidate = [ModelOutput(digest="sha256:2", folder=folder / "candidate")]
    evidence = bench.evidence((), candidate, Rivals(champion=None if alone else champion))
    return evidence, bench.changed_rows(asked, evidence)


def losses(task, frame, model):
    """How far off each row is, by the task's own measure."""
    if task == "regression":
        return (model["prediction"] - frame["y"]).abs()
    if task == "score":
        return -model["score"]
    called = model["prediction"] if task == "multiclass" else (model["score"] >= 0.5).astype(int)
    return (called != frame["y"]).astype(int)


@pytest.mark.parametrize("task", GATES)
def test_each_row_that_changed_is_counted_and_the_largest_changes_are_shown(tmp_path, task):
    frame, ours, theirs = made(task)
    evidence, found = measured(tmp_path, task, frame, ours, theirs, RowsAsked(most=7, key="id", columns=("city",)))
    change = losses(task, frame, ours) - losses(task, frame, theirs)
    assert (found.worse, found.better) == (sum(change > 1e-9), sum(change < -1e-9))
    assert found.evidence == digest(evidence)
    size = (ours["score"] - theirs["score"]).abs() if task == "binary" else change.abs() * (task != "multiclass")
    cities = [None if pd.isna(city) else city for city in frame["city"]]
    by_key = dict(zip(frame["id"], zip(change, size, cities, strict=True), strict=True))
    for shown, sign in ((found.worst, 1), (found.best, -1)):
        keys = [key for key, (far, _, _) in by_key.items() if far * sign > 1e-9]
        expected = sorted(keys, key=lambda key: (-by_key[key][1], key))[:7]
        assert [row.key for row in shown] == expected
        assert [row.columns for row in shown] == [(by_key[key][2],) for key in expected]


def test_order_of_rows_and_files_changes_nothing(tmp_path):
    frame, ours, theirs = made("binary")
    asked = RowsAsked(most=50, key="id", columns=("city",))
    _, first = measured(tmp_path / "a", "binary", frame, ours, theirs, asked)
    mixed = [table.sample(frac=1, random_state=n) for n, table in enumerate((frame, ours, theirs))]
    _, second = measured(tmp_path / "b", "binary", *mixed, asked)
    assert canonical(first) == canonical(second)


def test_without_a_champion_there_is_nothing_to_compare_with(tmp_path):
    _, found = measured(tmp_path, "binary", *made("binary"), RowsAsked(most=5, key="id"), alone=True)
    assert found is None


def test_a_column_that_is_not_there_is_named(tmp_path):
    with pytest.raises(GatesError, match=r"town"):
        measured(tmp_path, "binary", *made("binary"), RowsAsked(most=5, key="id", columns=("town",)))


def test_long_and_odd_values_stay_one_short_line(tmp_path):
    frame, ours, theirs = made("binary")
    frame["city"] = "two\nlines\t" + "x" * 500
    _, found = measured(tmp_path, "binary", frame, ours, theirs, RowsAsked(most=5, key="id", columns=("city",)))
    assert {row.columns for row in found.worst} == {(("two lines " + "x" * 500)[:79] + "…",)}
