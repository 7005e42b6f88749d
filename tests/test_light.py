"""check, judge and report start fast: they load no data library, not even by accident."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from gates.judge.judge import judge
from gates.schema.canonical import canonical

HEAVY = ["numpy", "pandas", "duckdb", "mlflow", "requests", "urllib3", "scipy", "sklearn", "fairlearn", "pyarrow",
         "copier", "stamina", "tenacity", "filelock", "pathspec",
         "opentelemetry", "prometheus_client", "grafana_foundation_sdk"]  # fmt: skip
POLICY = {
    "slices": ["region", {"age": [40]}],
    "gates": [
        {"metric": "roc_auc", "min": 0.5, "max_worsening": 0.1, "slices": {"max_worsening": 0.3}},
        {"metric": "f1", "min": 0.5, "max_worsening": 0.2},
        {"metric": "demographic_parity_ratio", "by": "region", "min": 0.5},
        {"require": "holdout.rows >= 100 && data.contract.passed"},
    ],
}
CONTRACT = {"record": {"properties": {"age": {"type": "integer"}}}, "table": [{"rows": {"min": 10}}]}
ROWS = [
    {"region": region, "age": age, "scores": [[1, 0.9, 0.8, 90], [1, 0.2, 0.3, 10], [0, 0.1, 0.1, 100]]}
    for region in ("north", "south")
    for age in (30, 50)
]
PROBE = """
import json, sys
sys.argv = ["gates", *sys.argv[1:]]
from gates.cli import main
try:
    main()
except SystemExit as end:
    code = end.code
heavy = sorted({name.partition(".")[0] for name in sys.modules} & set(%r))
print(json.dumps({"code": int(code or 0), "heavy": heavy}), file=sys.stderr)
"""


@pytest.fixture
def project(tmp_path, policy_of, evidence_of):
    """A folder with a policy, and what measure and judge leave in .gates."""
    resolved = policy_of(POLICY, CONTRACT)
    evidence = evidence_of(resolved, ROWS, findings=[["holdout", "age.type", 800, 0], ["holdout", "rows", 800, 800]])
    files = {
        "gates.yaml": json.dumps(resolved.explained),
        "contract.yaml": json.dumps(CONTRACT),
        ".gates/evidence.json": canonical(evidence).decode(),
        ".gates/decision.json": canonical(judge(resolved, evidence)).decode(),
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["check"], 0, "no mistakes"),
        (["check", "--explain"], 0, "threshold: 0.5"),
        (["check", "--json"], 0, '"threshold": 0.5'),
        (["judge"], 0, "ready to merge"),
        (["judge", "--json"], 0, '"verdict":"pass"'),
        (["report"], 0, "report.md"),
        (["report", "--format", "terminal"], 0, "ready to merge"),
        (["schema"], 0, "json-schema.org"),
        (["schema", "evidence"], 0, "Sufficient statistics"),
        (["--help"], 0, "Exit codes"),
        (["--version"], 0, "gates"),
        (["check", "--policy", "nowhere.yaml"], 2, ""),
        (["zzz"], 2, ""),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)  # fmt: skip
def test_nothing_heavy_is_loaded(project, arguments, code, told):
    command = [sys.executable, "-c", PROBE % HEAVY, *arguments]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert json.loads(done.stderr.strip().splitlines()[-1]) == {"code": code, "heavy": []}, done.stderr
    assert told in done.stdout


def test_the_probe_sees_what_is_loaded():
    done = subprocess.run(
        [sys.executable, "-c", "import duckdb\n" + PROBE % HEAVY, "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "duckdb" in json.loads(done.stderr.strip().splitlines()[-1])["heavy"]
