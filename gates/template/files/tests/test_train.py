"""The training does what gates asks of it: a model in GATES_OUT that scores every row, and the same one each time."""

import runpy
from pathlib import Path

import mlflow.pyfunc
import pandas as pd
import pytest

HOME = Path(__file__).parents[1]
HOLDOUT = pd.read_csv(HOME / "data/holdout.csv")
LABEL = "malignant"


def train(folder: Path) -> list[float]:
    """Train as gates does, and score the holdout, which a training sees without its label."""
    seen = folder / "holdout.csv"
    HOLDOUT.drop(columns=LABEL).to_csv(seen, index=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GATES_TRAIN", str(HOME / "data/train.csv"))
        patch.setenv("GATES_HOLDOUT", str(seen))
        patch.setenv("GATES_OUT", str(folder))
        patch.setenv("GATES_SEED", "1")
        patch.chdir(HOME)
        runpy.run_path("train.py", run_name="__main__")
    model = mlflow.pyfunc.load_model(str(folder / "model"))
    rows = pd.read_csv(seen)[model.metadata.get_input_schema().input_names()]
    return [float(row[1]) for row in model.predict(rows)]


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> list[float]:
    """What a first training gives."""
    return train(tmp_path_factory.mktemp("first"))


def test_every_row_gets_a_probability(scores: list[float]) -> None:
    assert len(scores) == len(HOLDOUT)
    assert all(0 <= score <= 1 for score in scores)


def test_the_scores_tell_the_sick_from_the_healthy(scores: list[float]) -> None:
    """Far below what gates.yaml asks for: this finds columns that were mixed up, not a worse model."""
    means = pd.Series(scores).groupby(HOLDOUT[LABEL]).mean()
    assert means[1] > means[0] + 0.2


def test_the_same_seed_gives_the_same_scores(scores: list[float], tmp_path: Path) -> None:
    assert train(tmp_path) == scores
