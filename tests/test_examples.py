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
    ("recommender", "candidates/popular.json", FILMS, [FIRST_FILM, MRR]),
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


@pytest.fixture(scope="module")
def served(ran, forked):
    """The recommender's folder once it has served for four weeks, how each step ended, and how to take another."""
    _, folder = ran("recommender", "params.json")
    folder = shutil.copytree(folder, folder.with_name("served"))
    path = f"{forked}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"} | {"PATH": path}

    def told(*command):
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    assert [told("gates", "promote", "--stage", stage)[0] for stage in ("challenger", "champion")] == [0, 0]
    shutil.copytree(folder / ".gates/candidate/model", folder / "models/champion")
    replay = (sys.executable, "replay.py", "--start", "2050-01-03", "--days")
    steps = {"before": told(*replay, "1", "21"), "calm": told("gates", "monitor", "--until", "2050-01-24", "--json")}
    steps |= {"early": told("gates", "retrain", "--plan", "--json"), "after": told(*replay, "22", "28")}
    steps |= {"alarm": told("gates", "monitor", "--until", "2050-01-31", "--json")}
    steps |= {
        "plan": told("gates", "retrain", "--plan", "--json"),
        "again": told("gates", "retrain", "--plan", "--json"),
    }
    return folder, steps, told


def test_new_films_make_the_recommender_worse_and_that_is_an_alarm(served):
    """As its README tells it."""
    _, steps, told = served
    ends = {"before": 0, "calm": 0, "early": 1, "after": 0, "alarm": 1, "plan": 0, "again": 1}
    assert {name: step[0] for name, step in steps.items()} == ends, steps
    before, after = (
        {int(day): float(rate) for day, rate in re.findall(r"^day (\d+), \S+: champion (\S+) of", told, re.MULTILINE)}
        for told in (steps["before"][1], steps["after"][1])
    )
    assert (list(before), list(after)) == ([*range(1, 22)], [*range(22, 29)])
    assert min(before.values()) > max(after.values()) + 0.03

    windows = json.loads(steps["alarm"][1])["windows"]
    assert next(window["start"][:10] for window in windows if window["verdict"] == "fail") == "2050-01-25"
    codes = [json.loads(steps[name][1])["retraining"] for name in ("early", "plan", "again")]
    assert [(one["state"], one["code"]) for one in codes] == [
        ("refused", "no_alarm"),
        ("started", None),
        ("refused", "in_flight"),
    ]
    assert told("gates", "verify", "--all")[0] == 0


def test_the_recommenders_log_has_each_rating_once_and_its_order_is_the_models(served):
    folder, _, _ = served
    rows = pd.concat(pd.read_parquet(path) for path in sorted((folder / "served").iterdir()))
    assert not rows.duplicated("request_id").any()
    assert not rows.duplicated(["user", "film"]).any()
    visits = rows.assign(visit=rows["request_id"].str.rpartition("-")[0]).sort_values(["visit", "position"])
    assert set(visits.groupby("visit").size()) == {4}
    assert (visits.groupby("visit")["score"].diff().dropna() <= 0).all()
    assert set(rows.loc[rows["position"] == 1, "impressions"]) == {1}
    assert rows.loc[rows["position"] > 1, ["impressions", "clicks"]].to_numpy().max() == 0
    assert rows.loc[rows["clicks"] == 1, "rating"].min() == 4
    films = set(pd.read_parquet(folder / "data/first.parquet")["film"])
    new = ~rows["film"].isin(films)
    assert new[rows["served_at"] < "2050-01-24"].mean() < 0.1, "of few older films the first rating comes late"
    assert new[rows["served_at"] >= "2050-01-24"].mean() > 0.8


def test_the_recommenders_replay_serves_nothing_but_what_was_promoted(served):
    folder, _, told = served
    shutil.copytree(folder / "models/champion", folder / "models/challenger")
    replay = (sys.executable, "replay.py", "--start", "2050-01-03", "--days", "29", "29", "--salt", "4f0c1d2e3a4b")
    try:
        with (folder / "models/challenger/ranker.py").open("a") as file:
            file.write("# changed\n")
        code, _, err = told(*replay)
        assert (code, "is not what was promoted to challenger" in err) == (1, True), err
    finally:
        shutil.rmtree(folder / "models/challenger")
    assert not (folder / "served/2050-01-31.parquet").exists()


def test_the_recommenders_snapshot_is_what_was_served_and_what_was_before(served, tmp_path):
    folder, _, told = served
    copied = shutil.copytree(folder / "data", tmp_path / "data")
    assert told(sys.executable, "snapshot.py")[0] == 0
    first, train, holdout = (pd.read_parquet(folder / f"data/{name}.parquet") for name in ("first", "train", "holdout"))
    said = json.loads((folder / "data/snapshot.json").read_text())
    assert (said["train"]["until"], said["holdout"]["since"]) == ("2050-01-28T00:00:00Z",) * 2
    assert said["holdout"]["until"] == "2050-01-31T00:00:00Z"
    for name, rows in (("train", train), ("holdout", holdout)):
        times = pd.to_datetime(rows["timestamp"], unit="s", utc=True)
        assert pd.Timestamp(said[name]["since"]) <= times.min()
        assert times.max() < pd.Timestamp(said[name]["until"])
    rows = pd.concat(pd.read_parquet(path) for path in sorted((folder / "served").iterdir()))
    assert sorted([*train["id"], *holdout["id"]]) == sorted([*first["id"], *rows["id"]])
    assert told("gates", "check-data")[0] == 0, "gates takes the snapshot for one of these tables"

    shutil.copy(copied / "holdout.parquet", folder / "data/holdout.parquet")
    code, _, err = told("gates", "check-data")
    assert (code, "changed after the snapshot" in err) == (2, True), err
    shutil.rmtree(folder / "data")
    shutil.copytree(copied, folder / "data")


def test_a_snapshot_of_nothing_that_was_served_is_refused(example, tmp_path):
    folder = shutil.copytree(example("recommender"), tmp_path / "recommender")
    done = subprocess.run([sys.executable, "snapshot.py"], cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, "nothing was served yet" in done.stderr) == (1, True)
    assert not (folder / "data/snapshot.json").exists()


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
