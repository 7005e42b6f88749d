"""What the training is given, and what it never sees."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from edge_project import COPY, Project, obeyed, table, without, write_table

SAY = 'env -0 > environment; cp "$GATES_HOLDOUT" given; ' + COPY


def environment(project: Project) -> dict[str, str]:
    """The training's own."""
    entries = (project.root / "environment").read_text().split("\0")
    return dict(entry.split("=", 1) for entry in entries if entry)


def test_the_training_is_told_where_everything_is(project: Project) -> None:
    rows = project.ready(data={"train": "train.csv"}, train=SAY)
    others = [row | {"id": row["id"] + 5000, "age": row["age"] + 100} for row in rows]
    write_table(project.root / "train.csv", without(others, "score"))
    assert project.gates("run").code == 0
    told = {name: value for name, value in environment(project).items() if name.startswith("GATES_")}
    assert told == {
        "GATES_OUT": str(project.work / "candidate"),
        "GATES_TRAIN": str(project.root / "train.csv"),
        "GATES_HOLDOUT": str(project.work / "data" / "holdout.csv"),
        "GATES_SEED": "0",
    }


def test_without_a_training_table_none_is_named(project: Project) -> None:
    project.ready(train=SAY)
    assert project.gates("run", GATES_TRAIN="/another/projects.csv").code == 0
    assert environment(project).get("GATES_TRAIN", "") != str(project.root)


def test_the_training_runs_beside_the_policy(project: Project) -> None:
    project.ready(train="pwd > where; " + COPY)
    project.gates("run")
    assert (project.root / "where").read_text().strip() == str(project.root)


def test_the_training_starts_with_an_empty_output_and_no_input(project: Project) -> None:
    project.ready(train='ls -A "$GATES_OUT" > found; cat > typed; ' + COPY)
    for _ in range(2):
        assert project.gates("run").code == 0
        assert (project.root / "found").read_text() == (project.root / "typed").read_text() == ""


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("command", ["run", "train"])
def test_the_holdout_comes_without_its_label(project: Project, suffix: str, command: str) -> None:
    rows = table()[::-1]
    project.ready(rows, data={"holdout": f"h.{suffix}"}, train=SAY)
    project.holdout(rows, f"h.{suffix}")
    assert project.gates(command).code == 0
    given = project.root / "given"
    wanted = without(rows, "score", "churn")
    if suffix == "parquet":
        assert pyarrow.parquet.read_table(given).to_pylist() == wanted
        return
    header, *lines = given.read_text().splitlines()
    assert header.split(",") == list(wanted[0])
    assert [line.split(",") for line in lines] == [
        ["" if value is None else str(value) for value in row.values()] for row in wanted
    ]


def test_no_label_lies_about_in_the_working_folder(project: Project) -> None:
    """Not in the handed holdout, nor anywhere else that gates makes before the training."""
    rows = [row | {"churn": {"left": "wandered-off", "stayed": "still-here"}[row["churn"]]} for row in table()]
    project.ready(
        rows,
        data={"positive": "wandered-off"},
        train='if grep -rq -e wandered-off -e still-here "$GATES_OUT/.."; then exit 5; fi; ' + COPY,
    )
    assert project.gates("run").complaint == ""


def test_a_holdout_of_several_files_is_handed_as_one(project: Project) -> None:
    rows = table()
    project.ready(rows, data={"holdout": "parts/*.parquet"}, train=SAY)
    for number in range(3):
        write_table(project.root / f"parts/{number}.parquet", without(rows[number * 80 : number * 80 + 80], "score"))
    assert project.gates("run").complaint == ""
    assert pyarrow.parquet.read_table(project.root / "given").to_pylist() == without(rows, "score", "churn")


SECRETS = (
    "GITHUB_TOKEN", "GH_TOKEN", "AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN", "PGPASSWORD",
    "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "ACTIONS_RUNTIME_TOKEN",
    "GATES_REGISTRY_CREDENTIALS", "GOOGLE_APPLICATION_CREDENTIALS", "AZURE_CLIENT_SECRET", "HF_TOKEN", "OPENAI_API_KEY",
    "DEPLOY_PRIVATE_KEY", "my_token", "Secret_Thing",
)  # fmt: skip
RUNNER = ("GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_PATH", "GITHUB_STATE", "GITHUB_STEP_SUMMARY")
KEPT = {"LANG_OF_MINE": "ä ö\nü", "GITHUB_SHA": "f" * 40, "CUDA_VISIBLE_DEVICES": "0", "EMPTY": ""}


def test_the_training_sees_no_secrets_and_steers_no_runner(project: Project, tmp_path: Path) -> None:
    project.ready(train={"run": SAY, "environment": ["LANG_OF_MINE", "EMPTY"]})
    given: dict[str, Any] = dict.fromkeys(SECRETS, "hush-hush") | {name: str(tmp_path / name) for name in RUNNER}
    assert project.gates("run", **given, **KEPT).code == 0
    seen = environment(project)
    assert not seen.keys() & set(SECRETS + RUNNER)
    assert "hush-hush" not in json.dumps(seen)
    assert {name: seen.get(name) for name in KEPT} == KEPT
    assert seen["PATH"]


def test_what_the_training_prints_is_no_command_to_the_runner(project: Project) -> None:
    project.ready(train="echo '::add-mask::verdict'; echo '::error::hacked' >&2; exit 1")
    subprocess.run(["git", "init", "--quiet"], cwd=project.root, check=True)
    done = project.gates("run", GITHUB_ACTIONS="true")
    assert done.code == 2
    assert "::error::hacked" in done.err, "it is shown"
    assert not obeyed(done)


def test_a_tsv_is_handed_to_the_training_as_tsv(project: Project) -> None:
    project.ready(data={"holdout": "h.tsv"}, train='cp "$GATES_HOLDOUT" given; ' + COPY)
    project.holdout(table(), "h.tsv")
    project.gates("run")
    assert (project.root / "given").read_text().splitlines()[0] == "id\tregion\tage\tsex"
