"""The example policies: each is accepted, and its data and models are what its README says."""

import json
import os
import re
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import mlflow.sklearn
import pandas as pd
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

CONFIGS = Path(__file__).parents[1] / "configs"
sys.path.append(str(CONFIGS.parent / "scripts"))
comment_picture = import_module("comment_picture")
DIGEST = re.compile(r"sha256:[0-9a-f]+|\b[0-9a-f]{7}(?:[0-9a-f]{5})?\b|\b20\d\d-\d\d-\d\d\b")  # and commits, and days
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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("params", "expected"),
    [("candidates/better.json", 0.853)],  # the other two stand in the README's comment
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


def test_the_comment_that_the_readme_shows_is_that_on_a_worse_model(telco, forked, empty_registry, tmp_path):
    """As in the demo, but for its better model, which was not promoted."""
    home = shutil.copytree(telco, tmp_path / "demo")
    shutil.copyfile(empty_registry, home / "mlflow.db")
    registry = {"MLFLOW_TRACKING_URI": "sqlite:///mlflow.db"}
    path = registry | {"PATH": f"{forked}:{Path(sys.executable).parent}:{os.environ['PATH']}"}
    git = ("git", "-c", "user.name=demo", "-c", "user.email=demo@example.invalid")

    def commit(message):
        run(home, *git, "add", "--all")
        run(home, *git, "commit", "--quiet", "--message", message)

    run(home, "git", "init", "--quiet", "--initial-branch", "main")
    commit("A first model")
    for command in ("run", "promote"):
        run(home, "gates", command, **path)
    shutil.copy(home / "candidates/worse.json", home / "params.json")
    commit("More trees")
    ended = subprocess.run(["gates", "run"], cwd=home, env={**os.environ, **path}, capture_output=True, check=False)
    assert ended.returncode == 1, ended.stderr
    told = (home / ".gates/report.md").read_text().splitlines()
    shown = re.findall(r"^> ?(.*)$", (CONFIGS / "telco-churn/README.md").read_text(), re.MULTILINE)
    assert [DIGEST.sub("", line) for line in shown] == [DIGEST.sub("", line) for line in told]

    (home / "gates.yaml").write_text(comment_picture.policy((home / "gates.yaml").read_text()))
    for command in ("measure", "judge", "report"):  # with three of its rules, as on the README's picture
        subprocess.run(["gates", command], cwd=home, env={**os.environ, **path}, capture_output=True, check=False)
    told = (home / ".gates/report.md").read_text()
    assert DIGEST.sub("", told) == DIGEST.sub("", comment_picture.SAID.read_text())


@pytest.mark.parametrize("scheme", comment_picture.SCHEMES)
def test_the_readmes_picture_is_drawn_from_that_comment(scheme):
    picture = comment_picture.file_of(scheme)
    with Image.open(picture) as opened:
        assert opened.text[comment_picture.DIGEST] == comment_picture.drawn_from(), "run scripts/comment_picture.py"
        assert opened.width == comment_picture.WIDE * comment_picture.SHARP
    assert picture.stat().st_size < 120_000
    assert picture.relative_to(CONFIGS.parent).as_posix() in (CONFIGS.parent / "README.md").read_text()


def test_the_picture_shows_one_rule_that_fails_one_that_cannot_be_told_and_one_that_passes():
    rows = re.findall(r"^\| ([❌❔✅] \w+) \|", comment_picture.SAID.read_text(), re.MULTILINE)
    assert rows == ["❌ fail", "❔ inconclusive", "✅ pass"]
