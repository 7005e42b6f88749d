"""MLflow model folders: scored by gates on the holdout; kept predictions stand in for a champion's model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import mlflow.sklearn
import pandas
import pytest
from edge_project import Project, Rows, featured, refused
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from test_edge_registry import stored

from gates.measure.holdout import scoring
from gates.measure.holdout.labels import Labels
from gates.measure.holdout.scoring import ScoringRequest

pytestmark = pytest.mark.usefixtures("forked_children")
GATES = [{"metric": "roc_auc", "min": 0.5, "max_worsening": 0.3}]
HOLDOUT = {"holdout": "holdout.parquet"}
TEXT = ("stayed", "left")  # in scikit-learn's order the positive class is the first column


def given(project: Project, model: Path, rows: Rows | None = None, **policy: Any) -> Rows:
    """A project whose training copies that model."""
    rows = featured() if rows is None else rows
    project.policy(**({"data": HOLDOUT, "gates": GATES} | policy))
    project.holdout(rows, "holdout.parquet")
    take(project, model)
    return rows


def take(project: Project, model: Path) -> None:
    """Let the training give this model."""
    shutil.rmtree(project.root / "made")
    shutil.copytree(model, project.root / "made/model")


def auc(rows: Rows, positive: Any = "left") -> float:
    """Of x; any rising function of x has the same."""
    return float(roc_auc_score([row["churn"] == positive for row in rows], [row["x"] for row in rows]))


@pytest.mark.parametrize(
    ("labels", "key"), [(TEXT, "id"), ((0, 1), None), ((False, True), "id")], ids=["text", "numbers", "booleans"]
)
def test_a_scikit_learn_model_is_asked_for_the_positive_class(
    project: Project, models: Any, labels: tuple[Any, Any], key: str | None
) -> None:
    rows = [row | {"churn": labels[row["churn"] == "left"]} for row in featured()]
    positive = "left" if labels == TEXT else None
    given(project, models(labels, ("x",), 1.0), rows, data=HOLDOUT | {"key": key, "positive": positive})
    assert project.gates("run").complaint == ""
    assert project.gate("min")["candidate"]["value"] == pytest.approx(auc(rows, labels[1]), abs=1e-9)
    assert project.decision["candidate"]["digest"].startswith("sha256:")


@pytest.mark.usefixtures("own_children")
def test_another_model_is_scored_without_secrets_and_prints_nowhere(project: Project, pyfunc: Any) -> None:
    """Scoring runs the training's code: it sees no token of the job, and its words are no part of the JSON."""
    body = "import os\nprint('{}' if 'GITHUB_TOKEN' in os.environ else '[]')\nassert 'GITHUB_TOKEN' not in os.environ\n"
    rows = given(project, pyfunc(body + "return x"))
    done = project.gates("run", "--json", GITHUB_TOKEN="ghs_x")  # noqa: S106 -- made up
    assert done.complaint == ""
    (gate, _) = json.loads(done.out)["gates"]
    assert gate["candidate"]["value"] == pytest.approx(auc(rows), abs=1e-9)


@pytest.mark.usefixtures("own_children")
@pytest.mark.parametrize("end", ["import sys; sys.exit(0)", "import os; os._exit(0)"])
def test_a_model_that_ends_its_process_gives_no_verdict(project: Project, pyfunc: Any, end: str) -> None:
    given(project, pyfunc(end))
    refused(project.gates("run"), "exit code 0")


@pytest.mark.usefixtures("own_children")
@pytest.mark.parametrize(
    "left",
    [
        "import threading, time; threading.Thread(target=time.sleep, args=(600,)).start()",
        "import sys; sys.stdout.close(); sys.stderr = None",
    ],
)
def test_what_a_model_leaves_behind_delays_no_verdict(project: Project, pyfunc: Any, left: str) -> None:
    rows = given(project, pyfunc(f"{left}\nreturn x"))
    assert project.gates("run").complaint == ""
    assert project.gate("min")["candidate"]["value"] == pytest.approx(auc(rows), abs=1e-9)


def test_a_model_that_fails_is_told(project: Project, pyfunc: Any) -> None:
    given(project, pyfunc("raise KeyError('secret sauce')"))
    refused(project.gates("run"), "could not score the holdout", "KeyError", "secret sauce")


def scored(folder: Path, model: Path, rows: Rows) -> tuple[str | None, pandas.DataFrame | None]:
    """The command that scores a model, run in this process, where MLflow is loaded already: complaint and answer."""
    frame = pandas.DataFrame(rows)
    frame.to_parquet(folder / "features.parquet")
    asked = ScoringRequest(task="binary", labels=Labels(classes=("stayed", "left"), kind="text"), key=None, seconds=60)
    files = [str(folder / name) for name in ("features.parquet", "out.parquet", "answer.json")]
    scoring.main([str(model), *files, asked.dump()])
    out = folder / "out.parquet"
    return json.loads((folder / "answer.json").read_text()), pandas.read_parquet(out) if out.exists() else None


X = [0.1, 0.6, 0.9, 0.4]
CALLS = ["stayed", "left", "left", "stayed"]
RETURNS: dict[str, tuple[str, dict[str, list[Any]]]] = {
    "probabilities": ("x", {"score": X}),
    "a column of them": ("x.reshape(-1, 1)", {"score": X}),
    "a list": ("list(x)", {"score": X}),
    "two columns with names": ("pandas.DataFrame({'left': x, 'stayed': 1 - x})", {"score": X}),
    "a frame with score": ("pandas.DataFrame({'a': 1, 'score': x}, index=range(5, 9))", {"score": X}),
    "classes": ("numpy.where(x > 0.5, 'left', 'stayed')", {"prediction": CALLS}),
    "a frame of classes": ("pandas.DataFrame({'prediction': ['left'] * 4})", {"prediction": ["left"] * 4}),
}


@pytest.mark.parametrize("name", RETURNS)
def test_what_another_model_may_return(tmp_path: Path, pyfunc: Any, name: str) -> None:
    body, expected = RETURNS[name]
    complaint, frame = scored(tmp_path, pyfunc(f"return {body}"), [{"x": x} for x in X])
    assert complaint is None
    assert frame is not None
    assert frame.to_dict("list") == expected


WRONG = {
    "an exception": ("raise ValueError('too few\\nlines')", "ValueError: too few"),
    "no message": ("assert False", "AssertionError: no message"),
    "nothing": ("return None", "1 value for 4 rows"),
    "too few": ("return x[:-3]", "1 value for 4 rows"),
    "too many": ("return numpy.concatenate([x, x])", "8 values for 4 rows"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_another_model_may_not_return(tmp_path: Path, pyfunc: Any, name: str) -> None:
    body, told = WRONG[name]
    complaint, frame = scored(tmp_path, pyfunc(body), [{"x": x} for x in X])
    assert told in (complaint or "")
    assert "\n" not in (complaint or "")
    assert frame is None


def test_a_model_that_needs_other_columns_is_told(tmp_path: Path, models: Any) -> None:
    complaint, _ = scored(tmp_path, models(TEXT, ("x", "x2"), 1.0), [{"x": x} for x in X])
    assert complaint == "it needs columns that are missing from the holdout: x2"


def test_a_model_takes_its_columns_from_among_others_in_any_order(tmp_path: Path, models: Any) -> None:
    rows = [{"zz": "text", "x2": x * x, "id": 1, "x": x} for x in X]
    complaint, frame = scored(tmp_path, models(TEXT, ("x", "x2"), 1.0), rows)
    assert complaint is None
    assert frame is not None
    assert list(frame["score"].rank()) == [1, 3, 4, 2]


@pytest.mark.parametrize(("name", "text"), [("MLmodel", "no: model"), ("MLmodel", ""), ("README", "x")])
def test_a_folder_that_is_no_model_is_told(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / name).write_text(text)
    complaint, frame = scored(tmp_path, tmp_path / "model", [{"x": 1.0}])
    assert complaint
    assert frame is None


def test_the_champions_model_is_loaded_again_only_on_other_rows(registered: Project, models: Any) -> None:
    rows = given(registered, models(TEXT, ("x",), 1.0))
    assert registered.gates("run").code == 0
    assert registered.gates("promote").code == 0
    take(registered, models(TEXT, ("x2",), 0.01))
    registered.gates("run")
    assert registered.gate("max_worsening")["verdict"] == "pass"
    assert not list((registered.work / "champion").rglob("MLmodel")), "its model was not even fetched"

    longer = rows + [row | {"id": row["id"] + 5000} for row in rows[:30]]
    registered.holdout(longer, "holdout.parquet")
    registered.gates("run")
    compared = registered.gate("max_worsening")
    assert compared["verdict"] == "pass"
    assert compared["n"] == 230
    assert compared["champion"]["value"] == pytest.approx(auc(longer), abs=1e-9)
    assert list((registered.work / "champion").rglob("MLmodel"))

    assert registered.gates("promote").code == 0
    _, kept = stored(registered, "artifacts", "predictions", "predictions.parquet")
    native = mlflow.sklearn.load_model(str(registered.root / "made/model"))
    own = native.predict_proba(pandas.DataFrame(longer)[["x2"]])[:, list(native.classes_).index("left")]
    found = pandas.read_parquet(kept).set_index("id")["score"]
    assert list(found.loc[[row["id"] for row in longer]]) == pytest.approx(list(own)), (
        "the candidate's, not the old one's"
    )


@pytest.mark.usefixtures("own_children")
def test_a_model_of_code_is_promoted_as_it_was_judged(project: Project, pyfunc: Any) -> None:
    """Python compiles the code that it loads, and would leave the result beside it, in the candidate's folder."""
    given(project, pyfunc("return x"))
    assert project.gates("run").complaint == ""
    assert sorted(project.work.glob("candidate/**/*.py*")) == list(project.work.glob("candidate/model/m*.py"))
    assert project.gates("promote").code == 0
    assert project.gates("verify", "--model", str(project.work / "candidate")).code == 0


def test_an_overwritten_model_is_told_and_not_loaded(registered: Project, models: Any) -> None:
    rows = given(registered, models(TEXT, ("x",), 1.0))
    registered.gates("run")
    assert registered.gates("promote").code == 0
    client = mlflow.MlflowClient(f"sqlite:///{registered.root / 'mlflow.db'}")
    source = client.get_model_version_by_alias("churn", "champion").source
    assert hasattr(mlflow.sklearn.load_model(source), "predict_proba"), "what was promoted is a model that MLflow loads"

    (file,) = (registered.root / "mlartifacts").rglob("models/*/artifacts/model.pkl")
    file.write_bytes(b"cos\nsystem\n(S'touch " + str(registered.root / "loaded").encode() + b"'\ntR.")
    registered.holdout(rows[:150], "holdout.parquet")
    assert registered.gates("run").code == 2
    assert (registered.decision["verdict"], registered.decision["code"]) == ("error", "stored_bytes")
    assert not (registered.root / "loaded").exists()


def test_scored_predictions_that_changed_after_judging_are_not_promoted(registered: Project, models: Any) -> None:
    given(registered, models(TEXT, ("x",), 1.0))
    registered.gates("run")
    file = registered.work / "scored/candidate.parquet"
    frame = pandas.read_parquet(file)
    frame["score"] = 0.5
    frame.to_parquet(file)
    refused(registered.gates("promote"), "predictions")


def of_csv(folder: Path, model: Any, columns: Rows, types: dict[str, str] | None = None) -> tuple[Any, Any]:
    """A scikit-learn model with a signature scores rows of a CSV file: complaint and answer."""
    frame = pandas.DataFrame(columns)
    given = frame.astype(types or {})
    signature = mlflow.models.infer_signature(given)
    mlflow.sklearn.save_model(
        model, folder / "m", signature=signature, pip_requirements=["scikit-learn"], serialization_format="cloudpickle"
    )
    frame.to_csv(folder / "features.csv", index=False)
    labels = Labels(classes=("0", "1"), kind="number")
    asked = ScoringRequest(task="binary", labels=labels, key=None, seconds=60)
    files = [str(folder / name) for name in ("features.csv", "out.parquet", "answer.json")]
    scoring.main([str(folder / "m"), *files, asked.dump()])
    out = folder / "out.parquet"
    return json.loads((folder / "answer.json").read_text()), pandas.read_parquet(out) if out.exists() else None


def test_a_model_is_given_the_types_of_its_signature(tmp_path: Path) -> None:
    """Days and codes of a CSV file as text, whole numbers as the doubles or 32-bit integers that the training had."""
    rows = [
        {"day": f"2024-02-{1 + at % 9:02}", "code": f"00{at % 3}", "age": 20 + at % 5, "n": at % 4} for at in range(90)
    ]
    types = {"age": "float64", "n": "int32"}
    y = [int(row["day"] < "2024-02-05") for row in rows]
    texts = OneHotEncoder(handle_unknown="ignore")
    model = make_pipeline(
        ColumnTransformer([("t", texts, ["day", "code"])], remainder="passthrough"), LogisticRegression()
    )
    model.fit(pandas.DataFrame(rows).astype(types), y)
    complaint, frame = of_csv(tmp_path, model, rows, types)
    assert complaint is None
    expected = model.predict_proba(pandas.DataFrame(rows).astype(types))[:, 1]
    assert list(frame["score"]) == pytest.approx(list(expected))


def test_mlflows_whole_reason_is_told(tmp_path: Path) -> None:
    rows = [{"n": at % 4} for at in range(20)]
    model = LogisticRegression().fit(pandas.DataFrame(rows), [at % 2 for at in range(20)])
    folder = tmp_path / "m"
    mlflow.sklearn.save_model(
        model,
        folder,
        signature=mlflow.models.infer_signature(pandas.DataFrame(rows)),
        pip_requirements=["scikit-learn"],
        serialization_format="cloudpickle",
    )
    complaint, _ = scored(tmp_path, folder, [*rows, {"n": None}])
    assert complaint
    assert "Can not safely convert float64 to int64" in complaint
