"""What the section may say: each mistake is told where it stands, with what to do."""

from __future__ import annotations

from typing import Any

import pytest
from edge_project import Project, call, refused
from live_world import MONITOR

MISTAKES: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "no gates": ({"gates": []}, ("gates: [] has less than 1 item",)),
    "no kind": ({"gates": [{"metrik": "recall", "min": 0.5}]}, ("did you mean metric?",)),
    "a candidate's kind": (
        {"gates": [{"require": "holdout.rows > 3"}]},
        ("no kind of gate (metric, drift, promql, data)",),
    ),
    "an unknown metric": ({"gates": [{"metric": "rocauc", "min": 0.5}]}, ("unknown metric", "roc_auc")),
    "no rule": ({"gates": [{"metric": "recall"}]}, ("recall has no rule",)),
    "a paired rule": ({"gates": [{"metric": "recall", "min_improvement": 0}]}, ("ask for max_worsening",)),
    "a paired rule of slices": (
        {"gates": [{"metric": "recall", "min": 0.1, "slices": {"min_improvement": 0}}]}, ("ask for max_worsening",)
    ),
    "two models' metric": ({"gates": [{"metric": "flip_rate", "max": 0.5}]}, ("compares two models on the same rows",)),
    "a metric of one's own": ({"gates": [{"metric": "mine:f", "min": 0.5, "better": "larger"}]}, ("can't be watched",)),
    "the same gate twice": (
        {"gates": [{"metric": "recall", "min": 0.5}, {"metric": "recall", "max_worsening": 0.1}]}, ("occurs twice",)
    ),
    "data without a contract": ({"gates": [{"data": "live"}]}, ("the policy has no contract",)),
    "data of another table": ({"gates": [{"data": "holdout"}]}, ("live",)),
    "ks of more than 1": ({"gates": [{"drift": "ks", "columns": "age", "max": 1}]}, ("ks is at most 1",)),
    "js": ({"gates": [{"drift": "js", "columns": "age", "max": 0.1}]}, ("psi", "ks")),
    "a window of nothing": ({"window": "0d"}, ("window:", "wrong format")),
    "a window in words": ({"window": "1 day"}, ("window:", "wrong format")),
    "labels before rows": ({"delay": "2d", "label_delay": "1d"}, ("must be at least as long as delay",)),
    "first windows without a rule": (
        {"gates": [{"metric": "recall", "min": 0.5, "against": {"windows": 8}}]},
        ("is what max_worsening compares with",),
    ),
    "too few first windows": (
        {"gates": [{"metric": "recall", "max_worsening": 0, "against": {"windows": 7, "season": 7}}]},
        ("needs more than 8",),
    ),
    "an unknown key": ({"lables": "x.csv"}, ("lables: unknown key",)),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told(tmp_path: Any, name: str) -> None:
    project = Project(tmp_path)
    section, words = MISTAKES[name]
    project.ready(monitor={key: value for key, value in (MONITOR | section).items() if value is not None})
    refused(project.gates("check"), *words)


def test_a_column_that_is_watched_and_that_no_table_has_stops_the_run(tmp_path: Any) -> None:
    project = Project(tmp_path)
    project.ready(monitor=MONITOR | {"gates": [{"drift": "psi", "columns": ["aeg"], "max": 0.1}]})
    refused(project.gates("run"), "monitor.gates, drift", "no column aeg", "age")


def test_a_column_that_drifts_by_itself_is_refused(tmp_path: Any) -> None:
    project = Project(tmp_path)
    rows = project.ready(monitor=MONITOR | {"gates": [{"drift": "psi", "columns": ["day"], "max": 0.1}]})
    project.holdout([row | {"day": f"2026-01-{place % 28 + 1:02}"} for place, row in enumerate(rows)])
    assert project.gates("run").code == 0
    refused(project.gates("promote", "--dry-run"), "which drifts by itself")


def test_what_is_watched_is_counted_at_the_promotion(tmp_path: Any) -> None:
    project = Project(tmp_path)
    project.ready(monitor=MONITOR | {"gates": [{"metric": "log_loss", "max_worsening": 0.1}]})
    assert project.gates("run").code == 0
    (whole,) = (one for one in project.evidence["slices"] if not one["dimension"])
    assert "log_loss" in {one["id"] for one in whole["moments"]}
    assert "log_loss" not in {one["metric"] for one in project.decision["gates"]}, "but nothing is judged by it"


def test_the_policy_diff_knows_what_is_watched_less(tmp_path: Any) -> None:
    for name, worsening in (("a", 0.1), ("b", 0.2)):
        project = Project(tmp_path / name)
        project.ready(monitor=MONITOR | {"gates": [{"metric": "recall", "max_worsening": worsening}]})
    done = call("policy", "diff", str(tmp_path / "a/gates.yaml"), str(tmp_path / "b/gates.yaml"))
    assert ["weaker", "monitor.recall.max_worsening", "0.1", "0.2"] in [line.split() for line in done.out.splitlines()]


SENSITIVE: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "drift": ({"gates": [{"drift": "psi", "columns": ["sex"], "max": 0.1}]}, ("no profile is kept of it",)),
    "slices": (
        {"gates": [{"metric": "recall", "min": 0.1, "slices": {"min": 0.1}}]},
        ("its slices have other names in each window",),
    ),
}


@pytest.mark.parametrize("name", SENSITIVE)
def test_what_is_sensitive_is_not_watched_by_value(tmp_path: Any, name: str) -> None:
    project = Project(tmp_path)
    section, words = SENSITIVE[name]
    (tmp_path / "contract.yaml").write_text('{"record": {"properties": {"sex": {"x-sensitive": true}}}}')
    gates = [{"metric": "roc_auc", "min": 0.6, "slices": {"min": 0.1}}]
    project.ready(data={"contract": "contract.yaml"}, slices=["sex"], gates=gates, monitor=MONITOR | section)
    refused(project.gates("check"), *words)


@pytest.mark.parametrize(
    ("rule", "needed"),
    [
        ({"min": 0.1}, False),
        ({"max_worsening": 0.1, "against": {"windows": 8}}, False),
        ({"max_worsening": 0.1}, True),
    ],
)
def test_what_only_live_rows_have_is_not_asked_of_a_candidate(
    tmp_path: Any, rule: dict[str, Any], needed: bool
) -> None:
    gate = {"metric": "ratio", "of": "clicks", "per": "impressions", "better": "larger"} | rule
    project = Project(tmp_path)
    project.ready(monitor=MONITOR | {"gates": [gate]})
    done = project.gates("run")
    if needed:
        refused(done, "the predictions lack clicks")
    else:
        assert done.code == 0, done.err
