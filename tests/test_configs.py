"""The example policies: each is accepted, and its data and models are what its README says."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import mlflow.sklearn
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

CONFIGS = Path(__file__).parents[1] / "configs"
TELCO = CONFIGS / "telco-churn"


def run(folder, *command, **environment):
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def telco(tmp_path_factory):
    """A copy of the example with its data."""
    folder = shutil.copytree(TELCO, tmp_path_factory.mktemp("configs") / "telco-churn")
    run(folder, sys.executable, "prepare.py")
    return folder


@pytest.mark.parametrize("policy", sorted(CONFIGS.glob("*/gates.yaml")), ids=lambda path: path.parent.name)
def test_a_policy_is_accepted(policy):
    run(policy.parent, Path(sys.executable).with_name("gates"), "check")


def test_the_split_is_always_the_same(telco):
    first = {path.name: path.read_bytes() for path in (telco / "data").iterdir()}
    run(telco, sys.executable, "prepare.py")
    assert {path.name: path.read_bytes() for path in (telco / "data").iterdir()} == first


def test_the_split_loses_and_doubles_no_row(telco):
    train, holdout = (pd.read_parquet(telco / f"data/{name}.parquet") for name in ("train", "holdout"))
    assert sorted([*train["id"], *holdout["id"]]) == list(range(1, 7044))
    assert (len(train), len(holdout)) == (5280, 1763)


@pytest.mark.parametrize(
    ("params", "expected"),
    [("candidates/better.json", 0.853)],  # the other two stand in the README's comment, which the demo's test holds
)
def test_a_model_is_as_good_as_the_readme_says(telco, tmp_path, params, expected):
    for file in ("train.py", params):
        shutil.copy(telco / file, tmp_path / ("train.py" if file == "train.py" else "params.json"))
    train, holdout = telco / "data/train.parquet", pd.read_parquet(telco / "data/holdout.parquet")
    told = run(tmp_path, sys.executable, "train.py", GATES_TRAIN=str(train), GATES_OUT=str(tmp_path), GATES_SEED="0")
    assert json.loads((telco / params).read_text())["model"] in told

    model = mlflow.sklearn.load_model(str(tmp_path / "model"))
    scores = model.predict_proba(holdout.drop(columns="churn"))[:, list(model.classes_).index("Yes")]
    assert roc_auc_score(holdout["churn"] == "Yes", scores) == pytest.approx(expected, abs=0.002)
