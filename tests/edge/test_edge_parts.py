"""Seeds, anchors, other tasks, units, weights, reuse and shards: whole runs, as a user sees them."""

from __future__ import annotations

import random
import shutil
from typing import Any

import pytest
from edge_project import Project, refused, seeded, table, write_table

pytestmark = pytest.mark.usefixtures("forked_children")


def test_three_trainings_are_one_candidate(project: Project) -> None:
    rows = [row | {"x": row["score"]} for row in table(400)]
    (project.root / "train.py").write_text(seeded(0.3))
    gates = [{"metric": "roc_auc", "min": 0.6}, {"metric": "accuracy", "min": 0.5}]
    project.ready(rows, train={"run": "python train.py", "seeds": 3}, gates=gates)
    done = project.gates("run")
    assert (done.code, done.complaint) == (0, "")
    assert "seed 2, 3 of 3" in done.err
    assert len(project.evidence["runs"]) == 2
    assert len({project.evidence["candidate"]["digest"], *(run["digest"] for run in project.evidence["runs"])}) == 3
    for gate in project.decision["gates"]:
        assert 0 < gate["training"] < 1
        assert "of the uncertainty is training" in gate["reason"]


def worse(rows: list[dict[str, Any]], share: float, seed: int = 3) -> list[dict[str, Any]]:
    """The same model, but for a share of the rows, of which it says nothing."""
    draw = random.Random(seed)  # noqa: S311 -- not a secret
    return [row | {"score": 0.5} if draw.random() < share else row for row in rows]


def test_small_losses_do_not_add_up_behind_an_anchor(project: Project) -> None:
    rows = table(3000)
    gates = [{"metric": "roc_auc", "min": 0.6, "max_worsening": 0.08}]
    project.ready(rows, gates=gates)
    for share in (0, 0.25):
        project.predictions(worse(rows, share))
        assert project.gates("run").code == 0
        assert project.gates("promote").code == 0
    project.policy(anchor=1, gates=gates)
    project.predictions(worse(rows, 0.42))
    assert project.gates("run").code == 1
    against = {gate["against"]: gate for gate in project.decision["gates"] if gate["rule"] == "max_worsening"}
    assert (against[None]["verdict"], against["anchor"]["verdict"]) == ("pass", "fail")
    assert "anchor v1" in against["anchor"]["reason"]
    project.policy(anchor=9, gates=gates)
    refused(project.gates("run"), "anchor", "no version 9")


def test_multiclass_by_a_model_that_gates_scores(project: Project) -> None:
    import mlflow.sklearn
    import numpy
    import pandas
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import accuracy_score, f1_score, log_loss

    draw = numpy.random.default_rng(1)
    x = draw.normal(size=(600, 2)).round(3)
    y = numpy.array(["cat", "dog", "emu"])[(x @ [[1, -1, 0.2], [0, 1, -1]] + draw.gumbel(size=(600, 3))).argmax(axis=1)]
    frame = pandas.DataFrame(x, columns=["a", "b"])
    model = LogisticRegression().fit(frame, y)
    signature = mlflow.models.infer_signature(frame, model.predict_proba(frame))
    mlflow.sklearn.save_model(
        model, project.root / "made/model", signature=signature, pip_requirements=["scikit-learn"],
        serialization_format="cloudpickle",
    )  # fmt: skip
    write_table(project.root / "holdout.csv", frame.assign(id=range(600), animal=y).to_dict("records"))
    gates = [{"metric": name, "max": 0.999} for name in ("accuracy", "f1_macro", "log_loss")]
    project.policy(task="multiclass", data={"label": "animal", "positive": None}, gates=gates)
    done = project.gates("run")
    assert (done.code, done.complaint) == (0, "")
    called, scores = model.predict(frame), model.predict_proba(frame)
    expected = [accuracy_score(y, called), f1_score(y, called, average="macro"), log_loss(y, scores)]
    assert [gate["candidate"]["value"] for gate in project.decision["gates"]] == pytest.approx(expected, abs=1e-9)


def test_regression_from_a_policy_to_a_verdict(project: Project) -> None:
    from sklearn.metrics import mean_absolute_error, r2_score

    rows = [row | {"price": row["score"] * 100 + row["age"], "prediction": 100 * row["score"] + 45} for row in table()]
    project.policy(
        task="regression", data={"label": "price", "positive": None},
        gates=[{"metric": "mae", "max": 30}, {"metric": "r2", "min": -1}],
    )  # fmt: skip
    project.holdout(rows)
    project.predictions(rows, "id", "prediction")
    done = project.gates("run")
    assert (done.code, done.complaint) == (0, "")
    price, made = [row["price"] for row in rows], [row["prediction"] for row in rows]
    expected = [mean_absolute_error(price, made), r2_score(price, made)]
    assert [gate["candidate"]["value"] for gate in project.decision["gates"]] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("data", "values", "words"),
    [
        ({"weight": "w"}, {"w": None}, ["data.weight", "that is not a number of 0 or more"]),
        ({"weight": "w"}, {"w": -1}, ["data.weight", "not a number of 0 or more"]),
        ({"weight": "w"}, {"w": 0}, ["data.weight", "every weight is 0"]),
        ({"weight": "w"}, {"w": "many"}, ["data.weight", "w holds text, not numbers"]),
        ({"weight": "gone"}, {}, ["data.weight", "no column gone"]),
        ({"unit": "gone"}, {}, ["data.unit", "no column gone"]),
        ({"unit": "w"}, {"w": None}, ["data.unit", "have no w"]),
    ],
)
def test_a_unit_or_weight_that_is_none_is_told(
    project: Project, data: dict[str, str], values: dict[str, Any], words: list[str]
) -> None:
    rows = [row | ({"w": 1} if place % 2 else {"w": 1, **values}) for place, row in enumerate(table(60))]
    if values.get("w") == 0:
        rows = [row | values for row in rows]
    project.ready(rows, data=data)
    refused(project.gates("run"), *words)


def test_the_ledger_tells_how_often_a_holdout_has_decided(project: Project) -> None:
    rows = project.ready(data={"reuse": 2})
    for used in range(2):
        project.predictions([row | {"score": max(0, row["score"] - used / 100)} for row in rows])
        done = project.gates("run")
        assert done.code == 0, done.err
        assert project.evidence["used"] == used
        assert f"this holdout has decided {used} of 2 times" in done.out
        assert project.gates("promote").code == 0
    project.predictions([row | {"score": max(0, row["score"] - 0.02)} for row in rows])
    project.gates("run")
    assert (project.decision["verdict"], project.decision["code"]) == ("inconclusive", "holdout_spent")
    assert "it is used up" in (project.work / "report.md").read_text()
    assert project.gates("promote").code != 0


def test_parts_of_a_holdout_are_measured_and_merged(project: Project) -> None:
    project.ready(slices=["region"], gates=[{"metric": "roc_auc", "min": 0.6, "slices": {"min": 0.5}}])
    project.gates("run")
    whole = project.bytes()
    (project.work / "evidence.json").unlink()
    for part in ("1/2", "2/2"):
        done = project.gates("measure", "--shard", part)
        assert done.code == 0, done.err
        assert done.out.strip().endswith(f"{part[0]}-of-2")
    assert project.gates("merge").code == 0
    project.gates("judge")
    assert project.bytes() == whole
    shutil.rmtree(project.work / "shards/2-of-2")
    refused(project.gates("merge"), "lacks 2", "measure --shard")
    shutil.rmtree(project.work / "shards/1-of-2")
    refused(project.gates("merge"), "no part of the holdout was measured yet")
    refused(project.gates("measure", "--shard", "3/2"), "no part 3 of 2")
