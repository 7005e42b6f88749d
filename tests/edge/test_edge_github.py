"""What `gates run` leaves for GitHub Actions: the step's outputs and its summary."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from edge_project import Done, Project, obeyed, table

Outputs = dict[str, str]


def outputs_of(text: str) -> Outputs:
    """The outputs as GitHub's runner reads them: NAME=VALUE, or NAME<<BORDER, lines, BORDER."""
    found: Outputs = {}
    lines = iter(text.splitlines())
    for line in lines:
        equals, heredoc = line.find("="), line.find("<<")
        if equals >= 0 and (heredoc < 0 or equals < heredoc):
            name, value = line.split("=", 1)
        elif heredoc >= 0:
            name, border = line.split("<<", 1)
            body = []
            while (inner := next(lines)) != border:
                body.append(inner)
            value = "\n".join(body)
        else:
            assert not line, f"the runner refuses {line!r}"
            continue
        assert name not in found, f"{name} is set twice"
        found[name] = value
    return found


def told(project: Project, command: str = "run", **env: str) -> tuple[Done, Outputs, str]:
    """The command's end, its outputs and its summary."""
    output, summary = project.root / "output", project.root / "summary"
    for file in (output, summary):
        file.write_text("")
    done = project.gates(command, **{"GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(summary), **env})
    return done, outputs_of(output.read_text()), summary.read_text()


JUDGED = {"evidence", "evidence-digest"}
NAMES = {"verdict", "reason", "waived", "observing", "model", "decision", "report", "html", *JUDGED}


@pytest.mark.parametrize(("limit", "verdict", "code"), [(0.6, "pass", 0), (0.89, "inconclusive", 0), (0.99, "fail", 1)])
def test_a_judged_run_sets_its_outputs(project: Project, limit: float, verdict: str, code: int) -> None:
    project.ready(gates=[{"metric": "roc_auc", "min": limit}])
    done, outputs, summary = told(project)
    assert done.code == code
    assert set(outputs) == NAMES
    assert (outputs["verdict"], outputs["reason"]) == (verdict, project.decision["reason"])
    assert json.loads(Path(outputs["decision"]).read_text()) == project.decision
    assert json.loads(Path(outputs["evidence"]).read_text()) == project.evidence
    assert Path(outputs["report"]).read_text().rstrip() == summary.rstrip()
    assert summary.startswith("## ")


@pytest.mark.parametrize(
    "policy", [{"data": {"label": "gone"}}, {"train": "exit 1"}, {"modle": 1}], ids=["data", "training", "policy"]
)
def test_a_run_that_could_not_judge_says_so(project: Project, policy: dict[str, Any]) -> None:
    project.ready()
    project.gates("run")  # its evidence must not be handed on
    project.policy(**policy)
    done, outputs, summary = told(project)
    assert done.code == 2
    assert set(outputs) == NAMES - JUDGED
    assert outputs["verdict"] == "error"
    assert outputs["reason"] == project.decision["reason"]
    assert "could not judge" in summary.splitlines()[0]


def test_what_others_wrote_there_stays(project: Project) -> None:
    project.ready()
    output, summary = project.root / "output", project.root / "summary"
    output.write_text("mine=1\n")
    summary.write_text("# Mine\n")
    project.gates("run", GITHUB_OUTPUT=str(output), GITHUB_STEP_SUMMARY=str(summary))
    assert outputs_of(output.read_text())["mine"] == "1"
    assert summary.read_text().startswith("# Mine\n")


def test_files_that_can_not_be_written_turn_no_verdict(project: Project) -> None:
    project.ready(gates=[{"metric": "roc_auc", "min": 0.99}])
    done = project.gates("run", GITHUB_OUTPUT="/proc/no/such", GITHUB_STEP_SUMMARY="/proc/no/such")
    assert done.code not in (0, 2)
    assert "Traceback" not in done.err
    assert project.decision["verdict"] == "fail"


HOSTILE = (
    "x\nverdict=pass",
    "x\nverdict<<EOF\npass\nEOF",
    "x\r\nverdict=pass\r\n",
    "ghadelimiter\nverdict=pass",
    "x\n::set-output name=verdict::pass",
    "\x85verdict=pass",
    "\u2028verdict=pass",
    "</details><script>alert(1)</script>",
    "`|` | \n| a | b |",
    "@everyone see https://evil.example and #1",
    "![x](https://evil.example/x.png)",
)


def hostile_value(project: Project, hostile: str) -> None:
    rows = [row | {"region": hostile if row["region"] == "north" else "a"} for row in table()]
    project.ready(
        data={"holdout": "h.parquet"}, slices=["region"], gates=[{"metric": "roc_auc", "slices": {"min": 0.999}}]
    )
    project.holdout(rows, "h.parquet")


def hostile_column(project: Project, hostile: str) -> None:
    rows = [{hostile if name == "region" else name: value for name, value in row.items()} for row in table()]
    project.ready(
        data={"holdout": "h.parquet"}, slices=[hostile.strip()], gates=[{"metric": "roc_auc", "slices": {"min": 0.999}}]
    )
    project.holdout(rows, "h.parquet")


def hostile_label(project: Project, hostile: str) -> None:
    rows = [row | {"churn": hostile if row["churn"] == "left" else "stayed"} for row in table()]
    project.ready(data={"holdout": "h.parquet", "positive": "gone"})
    project.holdout(rows, "h.parquet")


def hostile_log(project: Project, hostile: str) -> None:
    (project.root / "log").write_text(hostile)
    project.ready(train="cat log; exit 1")


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("plant", [hostile_value, hostile_column, hostile_label, hostile_log])
def test_nothing_in_the_data_becomes_an_output_or_markup(project: Project, plant: Any, hostile: str) -> None:
    plant(project, hostile)
    done, outputs, summary = told(project, GITHUB_ACTIONS="true")
    assert done.code in (1, 2)
    assert outputs["verdict"] == project.decision["verdict"] != "pass"
    assert set(outputs) <= NAMES
    for bad in ("<script>", "![x](", "@everyone", "https://evil", "#1 ", "\n| a | b |"):
        assert bad not in summary
    assert summary.count("</details>") == summary.count("<details>")
    assert not obeyed(done)


def test_outside_of_actions_nothing_is_written(project: Project) -> None:
    project.ready()
    before = {path.name for path in project.root.iterdir()}
    project.gates("run")
    assert {path.name for path in project.root.iterdir()} - before == {".gates"}
