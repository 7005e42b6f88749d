"""MLflow model folders: scored by gates on the holdout; kept predictions stand in for a champion's model."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from edge_project import Project, Rows, featured, refused
from sklearn.metrics import roc_auc_score

GATES = [{"metric": "roc_auc", "min": 0.5, "max_worsening": 0.3}]
HOLDOUT = {"holdout": "holdout.parquet"}


def given(project: Project, model: Path, rows: Rows | None = None, **policy: Any) -> Rows:
    """A project whose training copies that model."""
    rows = featured() if rows is None else rows
    project.policy(**({"data": HOLDOUT, "gates": GATES} | policy))
    project.holdout(rows, "holdout.parquet")
    shutil.rmtree(project.root / "made")
    shutil.copytree(model, project.root / "made/model")
    return rows


def auc(project: Project) -> float:
    value: float = project.gate("min")["candidate"]["value"]
    return value


def expected(rows: Rows) -> float:
    """Any rising function of x has the AUC of x."""
    return float(roc_auc_score([row["churn"] == "left" for row in rows], [row["x"] for row in rows]))


TEXT = ("stayed", "left")  # in scikit-learn's order the positive class is the first column


@pytest.mark.parametrize("key", ["id", None])
def test_a_scikit_learn_model_is_asked_for_the_positive_class(project: Project, models: Any, key: str | None) -> None:
    rows = given(project, models(TEXT, ("x",), 1.0), data=HOLDOUT | {"key": key})
    done = project.gates("run")
    assert done.complaint == ""
    assert auc(project) == pytest.approx(expected(rows), abs=1e-9)
    assert project.decision["candidate"]["digest"].startswith("sha256:")


def test_labels_of_0_and_1(project: Project, models: Any) -> None:
    rows = [row | {"churn": int(row["churn"] == "left")} for row in featured()]
    given(project, models((0, 1), ("x",), 1.0), rows, data=HOLDOUT | {"positive": None})
    assert project.gates("run").complaint == ""
    assert auc(project) == pytest.approx(
        expected([row | {"churn": ("stayed", "left")[row["churn"]]} for row in rows]), abs=1e-9
    )


RETURNS: dict[str, str] = {
    "probabilities": "return x / 2",
    "a column of them": "return x.reshape(-1, 1)",
    "two columns, negative first": "return numpy.stack([1 - x, x], axis=1)",
    "a frame with score": "return pandas.DataFrame({'other': 1, 'score': x}, index=range(5, 5 + len(x)))",
    "a list": "return list(x)",
}


@pytest.mark.parametrize("name", RETURNS)
def test_another_model_returns_scores(project: Project, pyfunc: Any, name: str) -> None:
    rows = given(project, pyfunc(RETURNS[name]))
    assert project.gates("run").complaint == ""
    assert auc(project) == pytest.approx(expected(rows), abs=1e-9)


@pytest.mark.parametrize(
    "body",
    ["return numpy.where(x > 0.5, 'left', 'stayed')", "return pandas.DataFrame({'prediction': ['left'] * len(x)})"],
)
def test_another_model_returns_classes(project: Project, pyfunc: Any, body: str) -> None:
    given(project, pyfunc(body), gates=[{"metric": "recall", "min": 0.1}])
    assert project.gates("run").complaint == ""


WRONG: dict[str, tuple[str, tuple[str, ...]]] = {
    "an exception": ("raise KeyError('secret sauce')", ("could not score the holdout", "KeyError", "secret sauce")),
    "nothing": ("return None", ("model",)),
    "too few": ("return x[:-3]", ("197 values for 200 rows",)),
    "NaN": ("return x * numpy.nan", ("200 scores are not a number",)),
    "out of range": ("return x + 5", ("200 scores lie outside 0 to 1",)),
    "unknown classes": ("return ['gone'] * len(x)", ("200 predictions are neither stayed nor left",)),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_model_that_scores_badly_is_told(project: Project, pyfunc: Any, name: str) -> None:
    body, named = WRONG[name]
    given(project, pyfunc(body))
    refused(project.gates("run"), *named)


def test_a_model_that_needs_other_columns_is_told(project: Project, models: Any) -> None:
    given(project, models(TEXT, ("x", "x2"), 1.0), [{k: v for k, v in row.items() if k != "x2"} for row in featured()])
    refused(project.gates("run"), "the model needs columns that the holdout lacks: x2")


@pytest.mark.parametrize(("name", "text"), [("MLmodel", "no: model"), ("MLmodel", ""), ("README", "x")])
def test_a_folder_that_is_no_model_is_told(project: Project, tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / name).write_text(text)
    given(project, tmp_path / "model")
    refused(project.gates("run"), "could not score the holdout")


def test_the_champions_model_is_loaded_again_only_on_other_rows(registered: Project, models: Any) -> None:
    rows = given(registered, models(TEXT, ("x",), 1.0))
    assert registered.gates("run").code == 0
    assert registered.gates("promote").code == 0
    shutil.rmtree(registered.root / "made/model")
    shutil.copytree(models(TEXT, ("x", "x2"), 0.5), registered.root / "made/model")
    registered.gates("run")
    assert registered.gate("max_worsening")["verdict"] == "pass"
    assert not (registered.work / "champion/v1/candidate").exists(), "its model was not even fetched"

    longer = rows + [row | {"id": row["id"] + 5000} for row in rows[:30]]
    registered.holdout(longer, "holdout.parquet")
    registered.gates("run")
    compared = registered.gate("max_worsening")
    assert compared["verdict"] == "pass"
    assert compared["n"] == 230
    assert compared["champion"]["value"] == pytest.approx(expected(longer), abs=1e-9)
    assert (registered.work / "champion/v1/candidate/model/MLmodel").is_file()


def test_an_overwritten_model_is_told_and_not_loaded(registered: Project, models: Any) -> None:
    rows = given(registered, models(TEXT, ("x",), 1.0))
    registered.gates("run")
    assert registered.gates("promote").code == 0
    for file in (registered.root / "mlartifacts").rglob("candidate/model/model.pkl"):
        file.write_bytes(b"import os; os.system('touch loaded')")
    registered.holdout(rows[:150], "holdout.parquet")
    registered.gates("run")
    compared = registered.gate("max_worsening")
    assert (compared["verdict"], compared["difference"]) == ("error", None)
    assert "the bytes of version 1 are not those that were promoted" in compared["reason"]


def test_what_was_promoted_is_a_model_that_mlflow_loads(registered: Project, models: Any) -> None:
    import mlflow.sklearn

    given(registered, models(TEXT, ("x",), 1.0))
    registered.gates("run")
    assert registered.gates("promote").code == 0
    client = mlflow.MlflowClient(f"sqlite:///{registered.root / 'mlflow.db'}")
    source = client.get_model_version_by_alias("churn", "champion").source
    assert hasattr(mlflow.sklearn.load_model(source), "predict_proba")
