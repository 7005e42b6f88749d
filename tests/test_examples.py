"""The examples with a candidate that must be stopped: verdicts and figures are what their READMEs say."""

import json
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import mlflow.pyfunc
import numpy as np
import pandas as pd
import pytest

CONFIGS = Path(__file__).parents[1] / "configs"

AUC, FIRST_FILM, NDCG, MRR = "roc_auc", "hit_rate_at[k=1, relevant=4]", "ndcg[k=5]", "mrr[relevant=4]"
GAP = "demographic_parity_difference by sex"
GAPS = [GAP, "demographic_parity_difference by age", "false_positive_rate_difference by sex"]
LOANS = [("false_omission_rate", "value"), (AUC, "value"), (GAP, "value")]
FILMS = [(FIRST_FILM, "value"), (NDCG, "value"), (MRR, "value")]

CASES = [  # example, parameters, what the figures in the README's row are, the gates that fail
    ("credit-risk", "params.json", [*LOANS, (GAP, "high")], []),
    ("credit-risk", "candidates/person.json", [*LOANS, (GAP, "low")], [AUC, *GAPS]),
    ("recommender", "params.json", FILMS, []),
    ("recommender", "candidates/popular.json", FILMS, [FIRST_FILM, NDCG]),
    ("diagnosis", "params.json", [(AUC, "value"), (AUC, "low"), ("recall", "value")], []),
    ("diagnosis", "candidates/enzymes.json", [(AUC, "value"), (AUC, "high"), ("recall", "value")], [AUC]),
]


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """example(name): a copy of the example with its data, prepared once."""

    @cache
    def make(name):
        kept = shutil.ignore_patterns("data", ".gates", "__pycache__")
        folder = shutil.copytree(CONFIGS / name, tmp_path_factory.mktemp("examples") / name, ignore=kept)
        subprocess.run([sys.executable, "prepare.py"], cwd=folder, check=True, capture_output=True)
        return folder

    return make


@pytest.fixture(scope="module")
def ran(example, forked):
    """ran(name, params): what `gates run` said of these parameters, and where; run once."""

    @cache
    def run(name, params):
        folder = shutil.copytree(example(name), example(name).with_name(Path(params).stem))
        (folder / "params.json").write_bytes((folder / params).read_bytes())
        return gates_run(folder, forked), folder

    return run


def gates_run(folder, forked):
    environment = {**os.environ, "PATH": f"{forked}:{Path(sys.executable).parent}:{os.environ['PATH']}"}
    environment.pop("MLFLOW_TRACKING_URI", None)
    return subprocess.run(["gates", "run"], cwd=folder, env=environment, capture_output=True, text=True, check=False)


def outputs(folder):
    """Everything that a run wrote for people and machines to read; data/ is what training was given."""
    files = [path for path in (folder / ".gates").rglob("*") if path.is_file()]
    return "\n".join(path.read_text() for path in files if path.suffix != ".parquet")


@pytest.mark.parametrize(
    ("name", "params", "figures", "failed"),
    [
        pytest.param(*case, id=f"{case[0]}-{case[1]}", marks=[pytest.mark.slow] if "person" in case[1] else [])
        for case in CASES
    ],
)
def test_a_candidate_is_judged_as_the_readme_says(ran, name, params, figures, failed):
    done, folder = ran(name, params)
    assert done.returncode == (1 if failed else 0), done.stdout + done.stderr
    decision = json.loads((folder / ".gates/decision.json").read_text())
    assert [gate["id"] for gate in decision["gates"] if gate["verdict"] == "fail"] == failed
    assert {gate["verdict"] for gate in decision["gates"] if gate["id"].startswith("data.")} == {"pass"}

    measured = {gate["id"]: gate["candidate"] for gate in decision["gates"] if gate["candidate"]}
    rows = [line for line in (folder / "README.md").read_text().splitlines() if line.startswith(f"| `{params}`")]
    told = [float(figure) for figure in re.findall(r"\b\d\.\d{3}\b", rows[-1])]
    assert told == pytest.approx([measured[gate][part] for gate, part in figures], abs=0.002)


def test_the_recommender_serves_badly_from_a_day_on_and_that_is_an_alarm(ran, forked, tmp_path):
    """As its README tells it."""
    _, made = ran("recommender", "params.json")
    folder = shutil.copytree(made, tmp_path / "recommender")
    path = f"{forked}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"} | {"PATH": path}

    def told(*command):
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout

    assert told("gates", "promote")[0] == 0
    code, days = told(sys.executable, "replay.py", "--start", "2030-01-07", "--days", "24", "--broken-from", "22")
    assert code == 0
    rates = [float(line.split()[-1]) for line in days.splitlines()]
    assert min(rates[:21]) > 0.64
    assert max(rates[21:]) < 0.62
    assert told("gates", "monitor", "--until", "2030-01-28")[0] == 0
    code, out = told("gates", "monitor", "--until", "2030-01-31", "--json")
    codes = [rule["gate"]["code"] for window in json.loads(out)["windows"] for rule in window["rules"][-1:]]
    assert code == 1
    assert codes[1:] == ["alarm", "alarm"], "the first broken day alone is not enough"
    assert told("gates", "verify", "--all")[0] == 0


@pytest.mark.parametrize("params", ["params.json", "candidates/popular.json"])
def test_the_recommender_scores_what_its_training_has_not_seen(ran, params):
    model = mlflow.pyfunc.load_model(str(ran("recommender", params)[1] / ".gates/candidate/model"))
    known = model.predict(pd.DataFrame({"user": [1, 1], "film": [31, 1029]}))["score"]
    new = model.predict(pd.DataFrame({"user": [1, 10**9, 10**9], "film": [10**9, 31, 10**9]}))["score"]
    assert all(known != 0)
    assert np.isfinite(new).all()
    assert list(new[[0, 2]]) == [0, 0], "a film that nobody has rated"


@pytest.mark.parametrize("name", ["credit-risk", "recommender", "diagnosis"])
def test_the_tables_have_as_many_rows_as_the_readme_says(example, name):
    readme = (example(name) / "README.md").read_text()
    for table in ("train", "holdout"):
        assert f"{len(pd.read_parquet(example(name) / f'data/{table}.parquet')):,}" in readme


def test_a_sensitive_value_is_shown_nowhere(forked, example, tmp_path):
    folder = shutil.copytree(example("diagnosis"), tmp_path / "diagnosis")
    path = folder / "data/holdout.parquet"
    visits = pd.read_parquet(path)
    visits.loc[visits.index[0], ["age", "sex", "bili"]] = [777.123, "secret-sex", 888.456]
    visits.to_parquet(path, index=False)

    done = gates_run(folder, forked)
    assert done.returncode != 0
    told = done.stdout + done.stderr + outputs(folder)
    assert "888.456" in told  # of a column that is not sensitive
    assert {"age", "sex"} <= set(re.findall(r"\w+", told))
    assert "777.123" not in told
    assert "secret-sex" not in told


def test_patients_are_not_told_of_when_all_is_well(ran):
    _, folder = ran("diagnosis", "params.json")
    ages = pd.read_parquet(folder / "data/holdout.parquet", columns=["age"])["age"]
    told = outputs(folder)
    assert [age for age in ages.unique() if f"{age:.4f}" in told] == []
    assert set(pd.read_parquet(folder / ".gates/candidate/predictions.parquet").columns) == {"visit", "score"}
