"""The example policies with a candidate that must be stopped: verdicts and numbers are what their READMEs say."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

CONFIGS = Path(__file__).parents[1] / "configs"


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """example(name): a copy of the example with its data, made once."""
    made = {}

    def make(name):
        if name not in made:
            made[name] = shutil.copytree(CONFIGS / name, tmp_path_factory.mktemp("examples") / name)
            subprocess.run([sys.executable, "prepare.py"], cwd=made[name], check=True, capture_output=True)
        return made[name]

    return make


def judged(folder, params=None):
    """What `gates run` decides of these parameters: its exit code, the decision, and what it said."""
    if params:
        shutil.copy(folder / params, folder / "params.json")
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    environment.pop("MLFLOW_TRACKING_URI", None)
    done = subprocess.run(
        ["gates", "run"], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    return done.returncode, json.loads((folder / ".gates/decision.json").read_text()), done.stdout + done.stderr


def values(decision):
    """The candidate's value under each gate's id, overall."""
    return {
        f"{gate['metric']}" + (f" by {gate['by']}" if gate.get("by") else ""): gate["candidate"]
        for gate in decision["gates"]
        if gate.get("candidate") and not gate.get("slice")
    }


def stopped_by(decision):
    return {gate["id"] for gate in decision["gates"] if gate["verdict"] not in ("pass", None)}


CASES = [
    ("credit-risk", "params.json", 0, set()),
    ("credit-risk", "candidates/unfair.json", 1, {"demographic_parity_difference by marital"}),
]


@pytest.mark.parametrize(("name", "params", "code", "because"), CASES, ids=lambda value: str(value))
def test_a_candidate_passes_or_is_stopped_for_the_reason_given(example, name, params, code, because):
    folder = example(name)
    shutil.rmtree(folder / ".gates", ignore_errors=True)
    returned, decision, told = judged(folder, None if params == "params.json" else params)
    print([(g["id"], g.get("by"), g["verdict"], g["candidate"]) for g in decision["gates"]])
    assert returned == code, told
