"""`--json`: standard output is one JSON document of the published schema and nothing else."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from edge_project import Project, call, table

HIGH = [{"metric": "roc_auc", "min": 0.99}]


def schema(document: str) -> Any:
    done = call("schema", document)
    assert (done.code, done.err) == (0, "")
    return json.loads(done.out)


@pytest.mark.parametrize("document", ["policy", "contract", "evidence", "decision"])
def test_a_published_schema_is_a_schema(document: str) -> None:
    jsonschema.Draft202012Validator.check_schema(schema(document))


def test_the_policys_schema_accepts_a_policy(project: Project) -> None:
    project.ready()
    validator = jsonschema.Draft202012Validator(schema("policy"))
    written = json.loads((project.root / "gates.yaml").read_text())
    validator.validate(written)
    assert not validator.is_valid(written | {"gate": []})


CASES: dict[str, tuple[dict[str, Any], str, int]] = {
    "pass": ({}, "pass", 0),
    "fail": ({"gates": HIGH}, "fail", 1),
    "slices": ({"slices": ["region", {"age": [30, 50]}], "gates": [HIGH[0] | {"slices": {"min": 0.1}}]}, "fail", 1),
    "fairness": ({"gates": [{"metric": "demographic_parity_ratio", "by": ["sex", "region"], "min": 0.1}]}, "pass", 0),
    "nothing judged": ({"gates": [{"metric": "recall", "max_worsening": 0.1}]}, "inconclusive", 0),
    "a mistake": ({"data": {"label": "gone"}}, "error", 2),
    "a failed training": ({"train": "echo '{}'; exit 1"}, "error", 2),
    "a wrong policy": ({"modle": 1}, "error", 2),
    "a registry that is no registry": ({}, "error", 3),
}


@pytest.mark.parametrize("case", CASES)
def test_run_writes_the_decision_alone(project: Project, case: str) -> None:
    policy, verdict, code = CASES[case]
    project.ready(**policy)
    env = {"MLFLOW_TRACKING_URI": "nonsense://here"} if code == 3 else {}
    done = project.gates("run", "--json", **env)
    told = json.loads(done.out)
    assert done.out.count("\n") == 1
    jsonschema.Draft202012Validator(schema("decision")).validate(told)
    assert (told["verdict"], done.code) == (verdict, code)
    assert told == project.decision
    assert done.out.encode() == project.bytes("decision.json")["decision.json"]
    assert "policy" in done.err
    assert done.err.count("✗") == (code > 1)
    assert "{" not in done.err.replace("echo '{}'", "").replace("| {}", "")


def test_evidence_is_of_its_published_schema(project: Project) -> None:
    rows = project.ready(slices=["region"], gates=[{"metric": "roc_auc", "min": 0.1, "slices": {"min": 0.001}}])
    project.gates("run")
    jsonschema.Draft202012Validator(schema("evidence")).validate(project.evidence)
    assert project.evidence["tables"][0]["rows"] == len(rows)


def test_judge_writes_the_same_document(project: Project) -> None:
    project.ready()
    first = project.gates("run", "--json")
    again = project.gates("judge", "--json")
    assert (again.out, again.err) == (first.out, "")


def test_check_writes_the_policy_alone(project: Project) -> None:
    project.ready()
    done = project.gates("check", "--json")
    assert json.loads(done.out)["confidence"] == 0.95
    assert done.err == ""


@pytest.mark.parametrize(
    "name",
    ["policy.yaml", 'quo"te.yaml', "back\\slash.yaml", "new\nline.yaml", "ünï 👋.yaml", "{}.yaml", "\x1b[31m.yaml"],
)
def test_the_document_holds_whatever_the_reason_names(project: Project, name: str) -> None:
    done = call("run", "--json", "--policy", str(project.root / name))
    assert done.code == 2
    jsonschema.Draft202012Validator(schema("decision")).validate(json.loads(done.out))
    assert name in json.loads(done.out)["reason"]


def test_where_nobody_reads_on_there_is_no_traceback(project: Project) -> None:
    project.ready(table(60), slices=["id"], gates=[{"metric": "accuracy", "min": 0.001, "slices": {"min": 0.001}}])
    done = project.python(
        """
import subprocess, sys
gates = subprocess.Popen([sys.executable, "-m", "gates", "run", "--json"], stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, text=True)
gates.stdout.close()
print(gates.stderr.read())
sys.exit(gates.wait())
"""
    )
    assert "Traceback" not in done.stdout
    assert "Exception" not in done.stdout
    assert done.returncode != 1, "a broken pipe is no verdict"
