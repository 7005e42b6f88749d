"""`gates snapshot`: the policy's command makes the tables, and what it wrote is held to what it says."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from edge_project import Done, Project, refused
from test_snapshot import MONITORED, RETRAIN
from worlds import git

SCRIPT = """\
import hashlib, json, os, pathlib, shutil

os.makedirs("data", exist_ok=True)
spans = {"train": ("2026-01-01", "2026-03-01"), "holdout": ("2026-03-01", "2026-04-01")}
written = {"schema": "gates/snapshot/v1"}
for name, (since, until) in spans.items():
    path = pathlib.Path(f"data/{name}.csv")
    shutil.copy(f"{name}.csv", path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    files = {str(path): f"sha256:{digest}"}
    written[name] = {"since": f"{since}T00:00:00Z", "until": f"{until}T00:00:00Z", "files": files}
pathlib.Path("data/snapshot.json").write_text(json.dumps(written))
print("written", sorted(name for name in os.environ if "TOKEN" in name))
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path)
    tables = {"train": "data/train.csv", "holdout": "data/holdout.csv"}
    rows = made.ready(monitor=MONITORED, retrain=RETRAIN | {"snapshot": "python3 make.py"}, data=tables)
    made.holdout(rows, name="holdout.csv")
    made.holdout([row | {"id": f"t{row['id']}", "age": row["age"] + 1} for row in rows], name="train.csv")
    (made.root / "make.py").write_text(SCRIPT)
    return made


def test_what_it_makes_can_be_trained_on(project: Project) -> None:
    refused(project.gates("run"), "data/train.csv")
    done = project.gates("snapshot", "--json")
    assert done.code == 0, done.err
    assert {name: (one["since"][:10], one["until"][:10]) for name, one in json.loads(done.out).items()} == {
        "train": ("2026-01-01", "2026-03-01"),
        "holdout": ("2026-03-01", "2026-04-01"),
    }
    assert project.gates("run").code == 0
    assert {table["since"][:10] for table in project.evidence["tables"]} == {"2026-01-01", "2026-03-01"}


def test_it_sees_no_credential(project: Project) -> None:
    assert project.gates("snapshot", MLFLOW_TRACKING_TOKEN="kept-secret").code == 0  # noqa: S106 -- a test
    assert (project.work / "snapshot.log").read_text() == "written []\n"


BROKEN: dict[str, tuple[str, tuple[str, ...]]] = {
    "it fails": ("exit 3", ("retrain.snapshot: exit 3", "ended with exit code 3")),
    "it says why": ("echo no rows of May >&2; exit 1", ("no rows of May",)),
    "it writes nothing": ("true", ("wrote no snapshot.json beside the holdout", "docs/retraining.md")),
    "it writes no snapshot": ("python3 make.py && rm data/snapshot.json", ("wrote no snapshot.json",)),
    "it writes a broken one": ("python3 make.py && echo { > data/snapshot.json", ("data/snapshot.json", "JSON")),
    "a table was changed after that": (
        "python3 make.py && echo >> data/train.csv",
        ("was changed after the snapshot",),
    ),
    "the training sees the holdout's time": (
        "python3 make.py && sed -i s/2026-03-01T/2026-03-02T/ data/snapshot.json && "
        'sed -i \'s/since": "2026-03-02/since": "2026-03-01/\' data/snapshot.json',
        ("train ends at 2026-03-02T00:00:00Z",),
    ),
    "no holdout": ("python3 make.py && rm data/holdout.csv", ("data/holdout.csv",)),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_command_that_leaves_no_snapshot(project: Project, name: str) -> None:
    assert project.gates("snapshot").code == 0, "what an earlier run wrote must not count"
    command, words = BROKEN[name]
    policy = json.loads((project.root / "gates.yaml").read_text())
    policy["retrain"]["snapshot"] = command
    (project.root / "gates.yaml").write_text(json.dumps(policy))
    done = project.gates("snapshot")
    refused(done, *words)


def test_without_the_section(tmp_path: Path) -> None:
    made = Project(tmp_path)
    made.ready()
    refused(made.gates("snapshot"), "has no retrain section", "docs/retraining.md")


def handed(project: Project, tmp_path: Path) -> Done:
    return project.gates("snapshot", "--hand-over", GITHUB_OUTPUT=str(tmp_path / "outputs"))


def test_another_machine_gets_the_tables_alone(project: Project, tmp_path: Path) -> None:
    git(project.root, "init", "--quiet")
    done = handed(project, tmp_path)
    assert done.code == 0, done.err
    laid = project.work / "snapshot"
    assert sorted(os.listdir(laid)) == ["holdout.csv", "snapshot.json", "train.csv"]
    assert (laid / "train.csv").read_bytes() == (project.root / "data/train.csv").read_bytes()
    told = (tmp_path / "outputs").read_text()
    assert "\ndata\n" in told, "the folder"
    (project.root / "data/older.csv").write_text("an older table\n")
    assert handed(project, tmp_path).code == 0
    assert "older.csv" not in os.listdir(laid)


@pytest.mark.parametrize("trouble", ["tracked", "at the top"])
def test_tables_in_no_folder_of_their_own_are_not_handed_over(project: Project, tmp_path: Path, trouble: str) -> None:
    git(project.root, "init", "--quiet")
    if trouble == "tracked":
        assert project.gates("snapshot").code == 0
        git(project.root, "add", "data/train.csv")
        words = "the commit has files in data"
    else:
        for file in ("gates.yaml", "make.py"):
            text = (project.root / file).read_text()
            (project.root / file).write_text(text.replace("data/holdout.csv", "holdout.csv"))
        script = (project.root / "make.py").read_text()
        script = script.replace('f"data/{name}.csv")', 'f"data/{name}.csv" if name == "train" else "holdout.csv")')
        script = script.replace('"data/snapshot.json"', '"snapshot.json"')
        script = script.replace('shutil.copy(f"{name}.csv", path)', 'path.exists() or shutil.copy(f"{name}.csv", path)')
        (project.root / "make.py").write_text(script)
        words = "in no folder of their own"
    refused(handed(project, tmp_path), words, "git does not track")
    assert not (project.work / "snapshot").exists()
