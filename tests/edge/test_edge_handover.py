"""From machine to machine: what is handed over is what its digest says, in plain files, or nothing is judged."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from edge_project import Project, refused, seeded, table

from gates.checkout.workspace import Workspace
from gates.errors import GatesError
from gates.pipeline.machines import handover
from gates.system.files import folder_digest

pytestmark = pytest.mark.usefixtures("forked_children")


def digests(**folders: Path) -> str:
    return "\n".join(f"{name.replace('_', '-')} {folder_digest(folder)}" for name, folder in folders.items())


@pytest.fixture
def project_of_predictions(project: Project) -> Project:
    project.ready()
    return project


def handed(project: Project, folder: Path) -> str:
    """As the jobs `data` and `train` do it, in one place; gives the lines of digests for the judge."""
    told = project.gates("check-data")
    assert told.code == 0, told.err
    (folder / "all").mkdir(parents=True)
    shutil.copytree(project.root / ".gates/data", folder / "train/data")
    shutil.copytree(project.root / ".gates/served", folder / "all/served")
    (line,) = re.findall(r"^data .*", told.out, re.MULTILINE)
    trained = project.gates("train", "--handed", str(folder / "train"), "--digests", line)
    assert trained.code == 0, trained.err
    made = {name: folder / "all" / name for name in ("candidate", "seeds") if (project.root / ".gates" / name).exists()}
    for name, target in made.items():
        shutil.copytree(project.root / ".gates" / name, target)
    shutil.rmtree(project.root / ".gates")
    return digests(served=folder / "all/served", **made) + "\nscores \nchampion-scores "


def test_the_steps_on_four_machines_give_the_evidence_of_one(project_of_predictions: Project, tmp_path: Path) -> None:
    project = project_of_predictions
    assert project.gates("run").code == 0
    assert project.gates("promote").code == 0
    assert project.gates("run").code == 0
    alone = (project.root / ".gates/evidence.json").read_bytes()
    lines = handed(project, tmp_path / "handed")
    done = project.gates("run", "--handed", str(tmp_path / "handed/all"), "--digests", lines)
    assert done.code == 0, done.err
    assert (project.root / ".gates/evidence.json").read_bytes() == alone
    assert json.loads(alone)["champion"]["version"] == "1"


def test_several_trainings_and_an_anchor_are_handed_on_too(project: Project, tmp_path: Path) -> None:
    """Measured, and measured again at the promotion, on machines that have seen neither training nor registry."""
    rows = [row | {"x": row["score"]} for row in table(400)]
    (project.root / "train.py").write_text(seeded(0.1))
    gates = [{"metric": "roc_auc", "min": 0.6, "max_worsening": 0.1}]
    project.ready(rows, train={"run": "python train.py", "seeds": 3}, gates=gates)
    assert project.gates("run").code == 0
    assert project.gates("promote").code == 0
    project.policy(train={"run": "python train.py", "seeds": 3}, gates=gates, anchor=1)
    assert project.gates("run").code == 0
    alone = (project.root / ".gates/evidence.json").read_bytes()
    lines = handed(project, tmp_path / "handed")
    done = project.gates("run", "--handed", str(tmp_path / "handed/all"), "--digests", lines)
    assert done.code == 0, done.err
    assert (project.root / ".gates/evidence.json").read_bytes() == alone
    evidence = json.loads(alone)
    assert (len(evidence["runs"]), evidence["anchor"]["version"]) == (2, "1")
    assert project.gates("promote").code == 0


def test_a_committed_hand_over_is_not_taken_for_one(project_of_predictions: Project, tmp_path: Path) -> None:
    """A pull request may hold a .gates folder; a model without scores is not given those that lie there."""
    project = project_of_predictions
    lines = handed(project, tmp_path / "handed")
    candidate = tmp_path / "handed/all/candidate"
    (project.root / ".gates/scored").mkdir(parents=True)
    (candidate / "predictions.csv").rename(project.root / ".gates/scored/candidate.parquet")
    (candidate / "model").mkdir()
    (candidate / "model/MLmodel").write_text("")
    lines = lines.splitlines()[0] + "\n" + digests(candidate=candidate)
    done = project.gates("run", "--handed", str(tmp_path / "handed/all"), "--digests", lines)
    refused(done, "its scores were not handed over")
    assert project.decision["verdict"] == "error"


PLAIN = {"predictions.csv": "id,score\n1,0.5\n"}
ATTACKS: dict[str, Any] = {
    "another digest": (
        lambda folder: (folder / "predictions.csv").write_text("id,score\n1,0.9\n"),
        "its digest differs",
    ),
    "a file more": (lambda folder: (folder / "sitecustomize.py").write_text(""), "its digest differs"),
    "a file less": (lambda folder: (folder / "predictions.csv").unlink(), "its digest differs"),
    "a link": (lambda folder: (folder / "link").symlink_to("/etc/passwd"), "link"),
    "a link to a folder": (lambda folder: (folder / "link").symlink_to("/etc"), "link"),
    "a link to nothing": (lambda folder: (folder / "link").symlink_to("nowhere"), "link"),
    "a pipe": (lambda folder: os.mkfifo(folder / "pipe"), "special file"),
    "a name of two lines": (lambda folder: (folder / "a\nb").write_text(""), "not a valid file name"),
    "a name that steers a terminal": (lambda folder: (folder / "a\x1b[2J").write_text(""), "not a valid file name"),
    "gone": (shutil.rmtree, "no such folder"),
    "a link in its place": (lambda folder: (shutil.rmtree(folder), folder.symlink_to("/etc")), "no such folder"),
}


@pytest.fixture
def work(tmp_path: Path) -> Workspace:
    (tmp_path / "repository").mkdir()
    return Workspace(policy=tmp_path / "repository/gates.yaml")


def candidate_in(folder: Path) -> Path:
    made = folder / "candidate"
    made.mkdir(parents=True)
    for name, text in PLAIN.items():
        (made / name).write_text(text)
    return made


def test_what_is_as_its_digest_says_is_taken(work: Workspace, tmp_path: Path) -> None:
    made = candidate_in(tmp_path / "handed")
    (made / "model/deep").mkdir(parents=True)
    (made / "model/deep/weights").write_bytes(bytes(range(256)))
    handover.receive(work, tmp_path / "handed", digests(candidate=made) + "\nserved\n\n", ("candidate", "served"))
    assert folder_digest(work.candidate) == folder_digest(made)


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_is_not_as_its_digest_says_is_refused_whole(work: Workspace, tmp_path: Path, attack: str) -> None:
    made = candidate_in(tmp_path / "handed")
    lines = digests(candidate=made)
    change, told = ATTACKS[attack]
    change(made)
    with pytest.raises(GatesError, match=told):
        handover.receive(work, tmp_path / "handed", lines, ("candidate",))
    assert not work.candidate.exists()


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("candidate DIGEST\ncandidate DIGEST", "occurs twice"),
        ("candidate \ncandidate DIGEST", "occurs twice"),  # a line that a hostile digest smuggled in
        ("candidate sha256:abc", "is not a digest"),
        ("candidate DIGEST verdict=pass", "is not a digest"),
        ("candidate DIGEST\nlabels DIGEST", "can't be handed to this step"),
        ("candidate DIGEST\n../x DIGEST", "can't be handed to this step"),
        ("candidate", "without a digest"),
    ],
)
def test_lines_of_digests_are_exact(work: Workspace, tmp_path: Path, lines: str, told: str) -> None:
    made = candidate_in(tmp_path / "handed")
    with pytest.raises(GatesError, match=told):
        handover.receive(work, tmp_path / "handed", lines.replace("DIGEST", folder_digest(made)), ("candidate",))
    assert not work.candidate.exists()


def test_a_folder_without_a_line_is_refused(work: Workspace, tmp_path: Path) -> None:
    made = candidate_in(tmp_path / "handed")
    (tmp_path / "handed/scores").mkdir()
    with pytest.raises(GatesError, match="'scores' was handed over, but without a digest"):
        handover.receive(work, tmp_path / "handed", digests(candidate=made), ("candidate", "scores"))


def test_a_hand_over_of_scores_holds_the_scores_of_its_own_model_alone(work: Workspace, tmp_path: Path) -> None:
    """A hostile candidate may not hand over the champion's scores beside its own."""
    scores = tmp_path / "handed/scores"
    scores.mkdir(parents=True)
    for name in ("candidate", "champion"):
        (scores / f"{name}.parquet").write_bytes(b"")
    with pytest.raises(GatesError, match=r"champion\.parquet.*does not belong there"):
        handover.receive(work, tmp_path / "handed", digests(scores=scores), ("scores",))


@pytest.mark.parametrize("name", ["MOST_FILES", "LARGEST"])
def test_no_more_is_taken_than_the_limits(
    work: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    made = candidate_in(tmp_path / "handed")
    lines = digests(candidate=made)
    monkeypatch.setattr(handover, name, 0)
    with pytest.raises(GatesError, match="is larger than"):
        handover.receive(work, tmp_path / "handed", lines, ("candidate",))


def test_half_of_the_two_options_is_a_mistake(project_of_predictions: Project, tmp_path: Path) -> None:
    refused(project_of_predictions.gates("run", "--handed", str(tmp_path)), "--handed, --digests: give both or neither")
    refused(project_of_predictions.gates("run", "--digests", "candidate"), "--handed, --digests: give both or neither")


def test_empty_options_mean_none_as_an_action_gives_them(project_of_predictions: Project) -> None:
    assert project_of_predictions.gates("run", "--handed=", "--digests=").code == 0


@pytest.mark.parametrize(
    ("pattern", "base", "rest"),
    [
        ("data/train.csv", "/r/data", "train.csv"),
        ("data/*.csv", "/r/data", "*.csv"),
        ("data/*/part-*.csv", "/r/data", "*/part-*.csv"),
        ("../shared/train.csv", "/r/../shared", "train.csv"),
        ("/abs/train-[0-9].csv", "/abs", "train-[0-9].csv"),
        ("train.csv", "/r", "train.csv"),
    ],
)
def test_where_a_pattern_starts(pattern: str, base: str, rest: str) -> None:
    assert handover.split(Path("/r"), pattern) == (Path(base), rest)
