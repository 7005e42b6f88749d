"""CONTRIBUTING.md does what it says: its blocks are applied to a copy of the package, and the copy is used."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pages import ROOT

PAGE = (ROOT / "CONTRIBUTING.md").read_text()
BLOCK = re.compile(r"(?:<!-- (file|change): (\S+) -->\n)?```(\w*)\n(.*?)```", re.DOTALL)
BLOCKS = BLOCK.findall(PAGE)
POLICY = """
version: 1
model: toy
train: cp candidate.csv "$GATES_OUT/predictions.csv"
data: {holdout: holdout.csv, label: y, key: id, contract: contract.yaml, engine: traced}
gates:
"""
CONTRACT = '{"record": {"properties": {"y": {"enum": [0, 1]}}}, "table": [{"rows": {"min": 1}}]}'
ROWS = 200


def changed(text: str, diff: str) -> str:
    """The text after a diff: the lines before it occur once, as a whole."""
    for hunk in re.split(r"^@@\n", diff, flags=re.MULTILINE):
        lines = hunk.splitlines(keepends=True)
        before = "".join(line[1:] for line in lines if line[0] in " -")
        after = "".join(line[1:] for line in lines if line[0] in " +")
        assert text.count(before) == 1, f"not once in the file:\n{before}"
        text = text.replace(before, after)
    return text


class Copy:
    """A copy of the package to which the page was applied, and a project that uses all that it adds."""

    def __init__(self, folder: Path) -> None:
        self.code, self.home = folder / "code", folder / "home"
        shutil.copytree(ROOT / "gates", self.code / "gates", ignore=shutil.ignore_patterns("__pycache__"))
        for action, name, _, text in BLOCKS:
            path = self.code / name
            if action == "file":
                path.write_text(text)
            elif action == "change":
                path.write_text(changed(path.read_text(), text))
        self.home.mkdir()
        gates = "".join(text for _, _, language, text in BLOCKS if language == "yaml")
        rows = [(n, n % 2, n % 2 if n % 5 else 1 - n % 2) for n in range(ROWS)]
        for name, columns, kept in (("holdout", "id,y", (0, 1)), ("candidate", "id,prediction", (0, 2))):
            lines = [",".join(str(row[at]) for at in kept) for row in rows]
            (self.home / f"{name}.csv").write_text("\n".join([columns, *lines]) + "\n")
        (self.home / "contract.yaml").write_text(CONTRACT)
        (self.home / "gates.yaml").write_text(POLICY + gates)

    def gates(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the copy in its project."""
        environment = os.environ | {"PYTHONPATH": str(self.code)}
        return subprocess.run(
            [sys.executable, "-m", "gates", *arguments],
            cwd=self.home,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    return Copy(tmp_path_factory.mktemp("contributing"))


@pytest.fixture(scope="module")
def ran(copy: Copy) -> subprocess.CompletedProcess[str]:
    """One run with the metric, the kind and the engine."""
    return copy.gates("run")


@pytest.fixture(scope="module")
def verdicts(copy: Copy, ran: subprocess.CompletedProcess[str]) -> dict[str, dict]:
    assert ran.returncode == 0, ran.stderr
    return {gate["id"]: gate for gate in json.loads((copy.home / ".gates/decision.json").read_text())["gates"]}


def test_the_metric_is_judged_with_an_interval(verdicts):
    candidate = verdicts["critical_success"]["candidate"]
    assert candidate["value"] == pytest.approx(80 / 120)  # of 100 positives 80 are hit, with 20 false alarms
    assert 0.5 < candidate["low"] < candidate["value"] < candidate["high"] < 1
    assert verdicts["critical_success"]["verdict"] == "pass"


def test_the_kind_gives_verdicts(copy, verdicts):
    assert verdicts["holdout_rows(100)"]["verdict"] == "pass"
    assert verdicts["holdout_rows(100)"]["n"] == ROWS
    large = copy.home / "large"
    shutil.copytree(copy.home, large, ignore=shutil.ignore_patterns(".gates"))
    (large / "gates.yaml").write_text((copy.home / "gates.yaml").read_text().replace("rows: 100", "rows: 201"))
    ran = copy.gates("run", "--policy", "large/gates.yaml")
    assert ran.returncode == 1, ran.stderr
    assert "the holdout has only 200 rows" in ran.stdout


def test_the_kind_has_a_schema_and_an_error_message(copy):
    broken = copy.home / "broken.yaml"
    broken.write_text(POLICY + "  - holdout_rows: 0\n")
    told = copy.gates("check", "--policy", "broken.yaml")
    assert told.returncode == 2
    assert re.search(r"broken\.yaml:7:\d+: .*holdout_rows", told.stderr)


@pytest.mark.usefixtures("verdicts")
def test_the_format_renders(copy):
    (command,) = [text for _, _, language, text in BLOCKS if language == "sh" and "gates report" in text]
    assert copy.gates(*command.split()[1:]).returncode == 0
    lines = (copy.home / ".gates/report.tsv").read_text().splitlines()
    assert lines[0].startswith("toy\tpass\t")
    assert len(lines) == 1 + len(json.loads((copy.home / ".gates/decision.json").read_text())["gates"])
    assert copy.gates("judge").returncode == 0
    assert (copy.home / ".gates/report.tsv").read_text().splitlines() == lines


def test_the_engine_finds_what_duckdb_finds(copy, ran):
    (command,) = [text for _, _, language, text in BLOCKS if language == "sh" and "--engine" in text]
    traced = copy.gates(*command.split()[1:], "--json")
    assert "SELECT" in traced.stderr
    duckdb = copy.gates(*command.replace("traced", "duckdb").split()[1:], "--json")
    assert (traced.returncode, duckdb.returncode) == (0, 0)
    assert traced.stdout == duckdb.stdout
    assert "SELECT" not in duckdb.stderr
    assert "SELECT" in ran.stderr


def test_a_block_that_no_longer_fits_would_be_found():
    with pytest.raises(AssertionError, match="not once"):
        changed("a = 1\n", "-b = 1\n+b = 2\n")


def test_every_block_is_applied_or_run():
    used = {("file", "python"), ("change", "diff"), ("", "yaml"), ("", "sh")}
    assert {(action, language) for action, _, language, _ in BLOCKS} == used
    assert next(text for _, _, language, text in BLOCKS if language == "sh").count("scripts/") == 4
