"""The steps one by one: the same bytes as `gates run`, and nothing stale or half-written is ever used."""

from __future__ import annotations

import copy
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from edge_project import COPY, Project, call, clean_environment, refused, soon, state, table

SLICED: dict[str, Any] = {
    "slices": ["region", {"age": [30, 50]}],
    "gates": [
        {"metric": "roc_auc", "min": 0.6, "max_worsening": 0.01, "slices": {"min": 0.5}},
        {"metric": "f1", "min": 0.1},
        {"metric": "demographic_parity_difference", "by": "sex", "max": 0.9},
    ],
}
MADE = ("evidence.json", "decision.json", "report.md")


def test_the_steps_give_the_bytes_of_the_run(project: Project) -> None:
    project.ready(**SLICED)
    whole = project.gates("run")
    expected = project.bytes(*MADE)
    codes = [project.gates(step).code for step in ("train", "measure", "judge", "report")]
    assert codes == [0, 0, whole.code, 0]
    assert project.bytes(*MADE) == expected


def test_judging_again_leaves_no_report_of_an_older_verdict(project: Project) -> None:
    """What lay there is written again, nothing else is; and where nothing can be judged, nothing old stays."""
    project.ready()
    assert project.gates("run").code == 0
    for form in ("junit", "sarif", "svg"):
        project.gates("report", "--format", form)
    (project.work / "gates.sarif").unlink()
    names = ("report.md", "report.html", "report.svg", "junit.xml")
    before = project.bytes(*names)
    assert project.gates("judge").code == 0
    assert project.bytes(*names) == before
    policy = (project.root / "gates.yaml").read_text()
    project.ready(gates=[{"metric": "roc_auc", "min": 0.9999}])
    assert project.gates("judge").code != 0
    for name, old in before.items():
        assert (project.work / name).read_bytes() != old, name
    assert not (project.work / "gates.sarif").exists()
    (project.root / "gates.yaml").write_text(policy + "zzz: 1\n")
    assert project.gates("judge").code == 2
    assert not [name for name in names if (project.work / name).exists()]


def test_a_run_again_gives_the_same_bytes(project: Project) -> None:
    project.ready(**SLICED)
    project.gates("run")
    expected = project.bytes(*MADE)
    project.gates("run")
    assert project.bytes(*MADE) == expected


def test_the_contract_is_held_in_both_ways(project: Project) -> None:
    (project.root / "contract.yaml").write_text("table:\n  - rows: {min: 1000}\n")
    project.ready(data={"contract": "contract.yaml"})
    assert project.gates("run").code == 1
    assert not (project.work / "candidate").exists(), "nothing is trained on data that breaks its contract"
    assert [project.gates(step).code for step in ("train", "measure", "judge")] == [0, 0, 1]


@pytest.mark.parametrize(
    ("command", "named"),
    [
        ("measure", ("candidate", "Run gates train first.")),
        ("judge", ("evidence.json", "Run gates measure first.")),
        ("report", ("decision.json", "Run gates judge first.")),
        ("promote", ("evidence.json", "Run gates measure first.")),
    ],
)
def test_a_step_before_its_time_says_what_comes_first(project: Project, command: str, named: tuple[str, ...]) -> None:
    project.ready()
    done = project.gates(command)
    refused(done, *named)
    assert done.out == ""


@pytest.mark.parametrize("command", ["run", "train", "judge", "check", "promote"])
def test_every_step_needs_a_policy(project: Project, command: str) -> None:
    refused(project.gates(command), "gates.yaml", "No such file")


Edit = Callable[[dict[str, Any]], Any]


def put(*path: Any, value: Any) -> Edit:
    def edit(evidence: dict[str, Any]) -> None:
        here: Any = evidence
        for step in path[:-1]:
            here = here[step]
        here[path[-1]] = value

    return edit


def cells(*found: list[Any]) -> Edit:
    return put("slices", 0, "cells", value=list(found))


def rank(name: str, value: Any) -> Edit:
    return put("slices", 0, "ranks", "positives", name, value=value)


TAMPERED: dict[str, Edit] = {
    "half": lambda e: json.dumps(e)[: len(json.dumps(e)) // 2],
    "empty": lambda _: "",
    "not valid JSON": lambda _: "evidence",
    "null": lambda _: "null",
    "a list": lambda _: "[]",
    "NaN": lambda e: json.dumps(e).replace('"rows": 240', '"rows": NaN'),
    "nested deep": lambda _: "[" * 100_000,
    "another schema": put("schema", value="gates/evidence/v2"),
    "an unknown key": put("more", value=1),
    "a missing key": lambda e: e.pop("classes") and None,
    "another policy": put("measured", value="sha256:0"),
    "no slices": put("slices", value=[]),
    "an empty cell": cells([]),
    "a number of 5000 digits": rank("aa", "9" * 5000),
    "no classes": put("classes", value=[]),
    "no tables": put("tables", value=[]),
    "a holdout of fewer rows": put("tables", 0, "rows", value=7),
    "another model's": put("model", value="other"),
    "half a row": cells([0, 0, -1, 120.5], [1, 1, -1, 119.5]),
    "a negative number of rows": cells([0, 0, -1, -5], [1, 1, -1, 245]),
    "an unknown class": cells([7, 0, -1, 5], [1, 1, -1, 235]),
    "a cell too short": cells([0, 0, 240]),
    "true for a count": cells([True, False, -1, 240]),
    "ranks of other rows": rank("rows", 3),
    "ranks of text": rank("a", "many"),
    "ranks below nothing": rank("a", "-5"),
    "ranks past all bounds": rank("aa", "9" * 400),
}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that was run. Nobody changes it: copies are made."""
    project = Project(tmp_path_factory.mktemp("ran"))
    project.ready(**SLICED)
    assert project.gates("run").code == 0
    return project.root


def test_the_evidence_that_is_tampered_with_was_good(project: Project, ran: Path) -> None:
    shutil.copytree(ran, project.root, dirs_exist_ok=True)
    assert project.gates("judge").code == 0


@pytest.mark.parametrize("name", TAMPERED)
def test_evidence_that_nobody_measured_is_refused(project: Project, ran: Path, name: str) -> None:
    shutil.copytree(ran, project.root, dirs_exist_ok=True)
    evidence = copy.deepcopy(project.evidence)
    text = TAMPERED[name](evidence)
    (project.work / "evidence.json").write_text(text if isinstance(text, str) else json.dumps(evidence))
    told = refused(project.gates("judge"), "evidence", "again")
    assert len(told) < 600


@pytest.mark.parametrize("text", ["", "{", "null", "{}", '{"schema": "gates/decision/v1", "verdict": "pass"}'])
def test_a_decision_that_is_none_is_refused(project: Project, text: str) -> None:
    project.ready()
    project.gates("run")
    (project.work / "decision.json").write_text(text)
    refused(project.gates("report"), "decision.json", "again")


@pytest.mark.parametrize("name", ["evidence.json", "decision.json"])
def test_a_link_in_place_of_a_document_is_not_followed(project: Project, name: str) -> None:
    project.ready()
    project.gates("run")
    path = project.work / name
    path.rename(project.root / "elsewhere.json")
    path.symlink_to(project.root / "elsewhere.json")
    refused(project.gates("judge" if name == "evidence.json" else "report"), name, "link")


def test_a_policy_that_asks_for_other_counts_needs_a_new_measurement(project: Project) -> None:
    project.ready()
    project.gates("run")
    project.policy(gates=[{"metric": "roc_auc", "min": 0.99}])
    assert project.gates("judge").code == 1, "another limit on the same counts is judged at once"
    project.policy(predict={"threshold": 0.3})
    refused(project.gates("judge"), "another policy", "Run gates measure again.")


def test_a_failed_run_leaves_nothing_of_the_one_before(project: Project) -> None:
    project.ready()
    assert project.gates("run").code == 0
    project.policy(train="exit 1")
    assert project.gates("run").code == 2
    assert project.decision["verdict"] == "error"
    assert not (project.work / "evidence.json").exists()
    refused(project.gates("judge"), "Run gates measure first.")
    refused(project.gates("promote"), "Run gates measure first.")


def test_a_training_starts_with_an_empty_folder(project: Project) -> None:
    project.ready()
    project.predictions(table(), name="predictions.parquet")
    (project.root / "made/predictions.csv").unlink()
    assert project.gates("run").code == 0
    (project.root / "made/predictions.parquet").unlink()
    project.predictions(table())
    assert project.gates("run").code == 0, "yesterday's parquet must not stand beside today's csv"


def test_a_training_alone_takes_away_what_was_judged_before(project: Project) -> None:
    project.ready()
    assert project.gates("run").code == 0
    assert project.gates("train").code == 0
    assert not any((project.work / name).exists() for name in MADE)


def started(project: Project) -> subprocess.Popen[str]:
    """`gates run`, whose training has begun and waits."""
    process = subprocess.Popen(
        ["env", "--default-signal=INT", sys.executable, "-m", "gates", "run"],  # what a shell's `&` ignores
        cwd=project.root,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    pid = project.root / "pid"
    if not soon(lambda: pid.exists() and pid.read_text() and state(process.pid) == "S"):  # gates, too, waits by then
        raise AssertionError(process.communicate())
    return process


def gone(project: Project) -> bool:
    return soon(lambda: state(int((project.root / "pid").read_text())) == "Z")


def test_a_killed_run_leaves_nothing_half_written(project: Project) -> None:
    project.ready()
    assert project.gates("run").code == 0
    project.policy(train=COPY + "; echo $$ > pid; sleep 60")
    process = started(project)
    process.kill()
    process.communicate()
    os.kill(int((project.root / "pid").read_text()), signal.SIGKILL)
    left = {path.name for path in project.work.iterdir()}
    assert not left & set(MADE)
    assert not [name for name in left if name.startswith(".") and name != ".gitignore"]
    refused(project.gates("judge"), "Run gates measure first.")


def test_an_interrupted_run_stops_its_training(project: Project) -> None:
    project.ready(train="echo $$ > pid; sleep 60")
    process = started(project)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=300)
    assert process.returncode == 130
    assert told.endswith("gates: stopped\n")
    assert "Traceback" not in told
    assert gone(project)


def test_documents_are_renamed_into_place(project: Project) -> None:
    """Whoever holds the old document open still reads the whole of it: it was never written over."""
    project.ready()
    project.gates("run")
    with (project.work / "decision.json").open() as held:
        project.policy(gates=[{"metric": "roc_auc", "min": 0.99}])
        project.gates("judge")
        assert json.load(held)["verdict"] == "pass"
    assert project.decision["verdict"] == "fail"


def test_the_working_folder_stays_out_of_git(project: Project) -> None:
    project.ready()
    project.gates("run")
    subprocess.run(["git", "init", "-q"], cwd=project.root, check=True)
    status = subprocess.run(
        ["git", "status", "--porcelain", "-uall"], cwd=project.root, check=True, capture_output=True, text=True
    )
    assert ".gates" not in status.stdout
    assert "gates.yaml" in status.stdout


def test_a_link_in_place_of_the_working_folder_is_refused(project: Project, tmp_path: Path) -> None:
    project.ready()
    (tmp_path / "elsewhere").mkdir()
    project.work.symlink_to(tmp_path / "elsewhere")
    for command in ("run", "train"):
        refused(project.gates(command), ".gates", "link")
    assert not list((tmp_path / "elsewhere").iterdir())


def failed_after(project: Project, step: str) -> None:
    """A whole run that passed, and then one step again that fails."""
    project.ready()
    assert project.gates("run").code == 0
    if step == "train":
        project.policy(train=COPY + "; exit 3")
    if step == "measure":
        project.holdout(table()[:50])
    if step == "judge":
        (project.work / "evidence.json").write_text("{")
    if step == "run":
        (project.root / "holdout.csv").rename(project.root / "away.csv")
    assert project.gates(step).code == 2
    if step == "run":
        (project.root / "away.csv").rename(project.root / "holdout.csv")


@pytest.mark.parametrize(
    ("failed", "then"),
    [("train", "measure"), ("run", "measure"), ("measure", "judge"), ("measure", "report"), ("judge", "report")],
)
def test_after_a_failed_step_nothing_older_is_used(project: Project, failed: str, then: str) -> None:
    failed_after(project, failed)
    refused(project.gates(then), "first")


def test_a_new_measurement_takes_the_old_decision_away(project: Project) -> None:
    project.ready()
    project.gates("run")
    project.gates("measure")
    refused(project.gates("report"), "Run gates judge first.")


def test_a_training_may_take_its_folder_away(project: Project) -> None:
    project.ready(train='rm -rf "$GATES_OUT"')
    refused(project.gates("run"), "$GATES_OUT")


def test_a_training_may_put_a_file_in_its_folders_place(project: Project) -> None:
    project.ready(train='rm -rf "$GATES_OUT"; echo x > "$GATES_OUT"')
    refused(project.gates("run"), "$GATES_OUT")


def test_a_training_may_not_put_a_link_in_its_folders_place(project: Project) -> None:
    project.ready(train='rm -rf "$GATES_OUT"; ln -s "$PWD/made" "$GATES_OUT"')
    refused(project.gates("run"), "link")
    project.policy()
    assert project.gates("run").code == 0, "and the run after it works again"


def test_a_file_in_place_of_the_working_folder(project: Project) -> None:
    project.ready()
    project.work.write_text("x")
    refused(project.gates("run"), ".gates")


def test_sigterm_stops_the_training(project: Project) -> None:
    project.ready(train="echo $$ > pid; sleep 60")
    process = started(project)
    process.terminate()
    process.communicate(timeout=300)
    assert gone(project)


def test_a_policy_in_no_folder_makes_none(project: Project) -> None:
    done = call("run", "--policy", str(project.root / "typing/mistake/gates.yaml"))
    refused(done, "typing/mistake/gates.yaml")
    assert not (project.root / "typing").exists()
