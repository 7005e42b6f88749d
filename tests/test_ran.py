"""What --verbose says: each effect by its kind, once however often it was done; nothing where nobody listens."""

import io
import logging
import os
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from gates.cli import cli
from gates.errors import GatesError
from gates.github.rest_api import Client
from gates.measure.engines.duckdb import DuckDB
from gates.registry.address import MLflowAddress
from gates.registry.sqlite import SQLiteRegistry
from gates.system import files, sandbox
from gates.system.activity import LOG, ActivityLog, ran
from gates.system.git import Git
from gates.system.progress import Steps

POLICY = """\
version: 1
model: churn
data: {holdout: holdout.csv, label: left}
train: python train.py
gates: [{metric: recall, min: 0.5}]
"""


@pytest.fixture
def heard():
    made = ActivityLog()
    made.listen()
    yield made
    made.close()


def command(folder: Path) -> None:
    sandbox.run(["/bin/sh", "-c", "echo $TOKEN"], folder, {"TOKEN": "hush"}, folder / "log")


def api(_: Path) -> None:
    with pytest.raises(GatesError):
        Client("http://127.0.0.1:9/api", "hush", retries=0).get("/repos/o/r/pulls/7?token=hush", doing="x", needs="y")


def git(folder: Path) -> None:
    Git(folder=folder, environ=os.environ).run("rev-parse", "HEAD", fails=False)


def table(folder: Path) -> None:
    (folder / "hush.csv").write_text("a\n1\n")
    DuckDB(datetime.now(UTC)).open(folder, "*.csv", "table")


def query(_: Path) -> None:
    DuckDB(datetime.now(UTC)).run("SELECT 'hush'")


def document(folder: Path) -> None:
    (folder / "a.json").write_text("{}")
    files.read(folder / "a.json", "")


def registry(folder: Path) -> None:
    sqlite3.connect(folder / "mlflow.db").close()
    uri = f"sqlite:///{folder}/mlflow.db"
    SQLiteRegistry(MLflowAddress(tracking=uri, registry=uri), lambda: pytest.fail("asked"))._rows("SELECT 1")


@pytest.mark.parametrize(
    ("effect", "line"),
    [
        (command, "command   echo $TOKEN  ("),
        (api, "GitHub    GET /repos/o/r/pulls/7  ("),
        (git, "git       rev-parse  ("),
        (table, "file      *.csv: 1 file, 4 bytes  ("),
        (query, "engine    query of DuckDB"),
        (document, "a.json  ("),
        (registry, "registry  look into mlflow.db  ("),
    ],
    ids=lambda case: getattr(case, "__name__", ""),
)
def test_each_effect_is_told_and_no_secret(heard, tmp_path, effect, line):
    effect(tmp_path)
    told = "\n".join(heard.lines())
    assert line in told
    assert "hush" not in told


def test_the_same_thing_done_often_is_one_line_and_told_once(heard):
    for _ in range(3):
        with ran("git", "log"):
            pass
    with ran("command", "a\x1b[31m\n##[error]" + "b" * 200):
        pass
    first, second = heard.lines()
    assert first == "git       log ×3  (0.00 s)"
    assert second.startswith("command   a [31m ## [error]bbb")
    assert "…  (" in second
    assert heard.lines() == []


def test_it_stands_below_the_step_that_did_it_also_where_that_failed(heard):
    out = io.StringIO()
    steps = Steps(out, heard=heard)
    with steps.step("data"), ran("engine", "query"):
        pass
    with pytest.raises(OSError, match="x"), steps.step("train"), ran("command", "python"):
        raise OSError("x")
    told = [line.split("(")[0].split() for line in out.getvalue().splitlines()]
    assert told == [["✓", "data"], ["engine", "query"], ["✗", "train"], ["command", "python"]]


def test_the_command_line_listens_only_where_it_is_asked_to(tmp_path):
    (tmp_path / "gates.yaml").write_text(POLICY)
    arguments = ["check", "--policy", str(tmp_path / "gates.yaml"), "--json"]
    quiet, loud = (CliRunner().invoke(cli, [*arguments, *more]) for more in ([], ["--verbose"]))
    assert quiet.exit_code == loud.exit_code == 0
    assert quiet.stderr == ""
    assert loud.stderr.startswith("    file ")
    assert quiet.stdout == loud.stdout
    assert (LOG.handlers, LOG.level) == ([], logging.NOTSET)
