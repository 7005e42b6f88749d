from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "github"))
sys.path.insert(0, str(Path(__file__).parent))

from edge_project import Project, featured
from fake_github import FakeGitHub

from gates.github.rest_api import Client


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """An empty project."""
    return Project(tmp_path / "project")


@pytest.fixture
def github(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGitHub]:
    """GitHub with the repository acme/churn, which is not waited for."""
    fake = FakeGitHub("acme/churn")
    monkeypatch.setattr(Client.__init__, "__kwdefaults__", {"timeout": 60, "retries": 1, "backoff": 0})
    yield fake
    fake.stop()


@pytest.fixture
def registered(project: Project, empty_registry: Path) -> Project:
    """A project with an MLflow registry of its own."""
    shutil.copyfile(empty_registry, project.root / "mlflow.db")
    project.environ["MLFLOW_TRACKING_URI"] = "sqlite:///mlflow.db"
    return project


def save(kind: Any, folder: Path) -> Path:
    """A logistic regression; `labels` are its classes, stayed before left."""
    import mlflow.sklearn
    import pandas
    from sklearn.linear_model import LogisticRegression

    labels, columns, penalty = kind
    rows = featured(seed=7)
    frame = pandas.DataFrame(rows)
    y = [labels[row["churn"] == "left"] for row in rows]
    model = LogisticRegression(C=penalty).fit(frame[list(columns)], y)
    mlflow.sklearn.save_model(
        model,
        folder,
        signature=mlflow.models.infer_signature(frame[list(columns)], model.predict_proba(frame[list(columns)])),
        pip_requirements=["scikit-learn"],
        serialization_format="cloudpickle",
    )
    return folder


PYFUNC = """
import numpy
import pandas
import mlflow


class Model(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        x = model_input["x"].to_numpy()
        {body}


mlflow.models.set_model(Model())
"""


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Makes each model once."""
    made: dict[str, Path] = {}
    root = tmp_path_factory.mktemp("models")

    def get(*kind: Any) -> Path:
        if repr(kind) not in made:
            made[repr(kind)] = save(kind, root / f"m{len(made)}")
        return made[repr(kind)]

    return get


@pytest.fixture(scope="session")
def pyfunc(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A model folder of any code: the body of `predict`, where x holds a column of the holdout."""
    import mlflow.pyfunc

    root = tmp_path_factory.mktemp("pyfunc")

    def get(body: str) -> Path:
        folder = root / f"m{len(list(root.iterdir()))}"
        code = root / f"{folder.name}.py"
        code.write_text(PYFUNC.format(body=body.replace("\n", "\n        ")))
        mlflow.pyfunc.save_model(folder, python_model=str(code), pip_requirements=["mlflow"])
        return folder

    return get
