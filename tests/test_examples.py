"""The examples with a candidate that must be stopped: verdicts and figures are what their READMEs say."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

CONFIGS = Path(__file__).parents[1] / "configs"

CREDIT = [
    ("false_omission_rate", "value"),
    ("roc_auc", "value"),
    ("demographic_parity_difference by marital", "value"),
]
RANKING = [("hit_rate_at[k=1, relevant=4]", "value"), ("ndcg[k=5]", "value"), ("mrr[relevant=4]", "value")]
CIRRHOSIS = [("roc_auc", "value")]

CASES = [
    ("credit-risk", "params.json", [*CREDIT, (CREDIT[2][0], "high")], set()),
    ("credit-risk", "candidates/unfair.json", [*CREDIT, (CREDIT[2][0], "low")], {CREDIT[2][0]}),
    ("recommender", "params.json", RANKING, set()),
    ("recommender", "candidates/popular.json", RANKING, {RANKING[0][0], RANKING[1][0]}),
    ("diagnosis", "params.json", [("roc_auc", "value"), ("roc_auc", "low"), ("recall", "value")], set()),
    (
        "diagnosis",
        "candidates/enzymes.json",
        [("roc_auc", "value"), ("roc_auc", "high"), ("recall", "value")],
        {"roc_auc"},
    ),
]


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """example(name): a copy of the example with its data, prepared once."""
    made = {}

    def make(name):
        if name not in made:
            made[name] = shutil.copytree(
                CONFIGS / name, tmp_path_factory.mktemp("examples") / name, ignore=shutil.ignore_patterns("data", ".*")
            )
            subprocess.run([sys.executable, "prepare.py"], cwd=made[name], check=True, capture_output=True)
        return made[name]

    return make


def gates_run(folder):
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    environment.pop("MLFLOW_TRACKING_URI", None)
    return subprocess.run(["gates", "run"], cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("name", "params", "figures", "failed"), CASES, ids=lambda value: str(value).split(".json")[0])
def test_a_candidate_is_judged_as_the_readme_says(example, tmp_path, name, params, figures, failed):
    folder = shutil.copytree(example(name), tmp_path / name)
    chosen = (folder / params).read_bytes()
    (folder / "params.json").write_bytes(chosen)
    done = gates_run(folder)
    assert done.returncode == (1 if failed else 0), done.stdout + done.stderr

    decision = json.loads((folder / ".gates/decision.json").read_text())
    assert {gate["id"] for gate in decision["gates"] if gate["verdict"] == "fail"} == failed
    contract = [gate["verdict"] for gate in decision["gates"] if gate["id"].startswith("data.")]
    assert contract
    assert set(contract) == {"pass"}

    row = next(
        line
        for line in (folder / "README.md").read_text().splitlines()
        if line.startswith(f"| `{params}`:") or line.startswith(f"| `{params}` | 0")
    )
    measured = {gate["id"]: gate["candidate"] for gate in decision["gates"] if gate["candidate"]}
    told = [float(figure) for figure in re.findall(r"\b\d\.\d{3}\b", row)]
    assert told == pytest.approx([measured[gate][part] for gate, part in figures], abs=0.002)


def test_a_sensitive_value_is_shown_nowhere(example, tmp_path):
    folder = shutil.copytree(example("diagnosis"), tmp_path / "diagnosis")
    path = folder / "data/holdout.parquet"
    visits = pd.read_parquet(path)
    visits.loc[visits.index[0], ["age", "sex", "bili"]] = [777.123, "secret-sex", 888.456]
    visits.to_parquet(path, index=False)

    done = gates_run(folder)
    assert done.returncode != 0
    told = done.stdout + done.stderr + outputs(folder)
    assert "888.456" in told  # as for columns that are not sensitive
    assert "777.123" not in told
    assert "secret-sex" not in told


def test_patients_are_not_told_of_when_all_is_well(example, tmp_path):
    folder = shutil.copytree(example("diagnosis"), tmp_path / "diagnosis")
    ages = pd.read_parquet(folder / "data/holdout.parquet", columns=["age"])["age"]
    assert gates_run(folder).returncode == 0
    told = outputs(folder)
    assert [age for age in ages.unique() if f"{age:.4f}" in told] == []
    columns = pd.read_parquet(folder / ".gates/candidate/predictions.parquet").columns
    assert set(columns) == {"visit", "score"}


def outputs(folder):
    """Everything that a run wrote for people and machines to read; data/ is what training was given."""
    files = [path for path in (folder / ".gates").rglob("*") if path.is_file()]
    return "\n".join(path.read_text() for path in files if path.suffix != ".parquet")
