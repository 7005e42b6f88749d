"""From an empty folder to the first promotion, nothing is said in a word that the documentation doesn't have."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from edge_project import call, git, table, write_table

ROOT = Path(__file__).parents[2]
WORD = re.compile(r"[a-z]{3,}")
TRAIN = """import csv, os
rows = csv.DictReader(open(os.environ["GATES_HOLDOUT"]))
with open(os.environ["GATES_OUT"] + "/predictions.csv", "w") as file:
    file.write("id,score\\n" + "".join(f"{row['id']},{SCORE}\\n" for row in rows))
"""


@pytest.mark.usefixtures("forked_children")
def test_every_word_is_in_the_documentation(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", None)
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    write_table(tmp_path / "rows.csv", [row | {"x": row["score"], "score": 0} for row in table(400)])
    said, codes = "", []

    def gates(*arguments: str) -> None:
        nonlocal said
        done = call(*arguments, env={"GATES_REGISTRY": "git"})
        codes.append(done.code)
        lines = (done.out + done.err).splitlines()  # of which those of the training are not ours
        said += "\n".join(line for line in lines if not line.startswith("  | ")) + "\n"

    gates("init", "rows.csv", "--label", "churn", "--key", "id")
    gates("run")  # nobody has written a training yet
    for score in ("row['x']", "0.5"):  # the second is worse
        (tmp_path / "train.py").write_text(TRAIN.replace("SCORE", score))
        git(tmp_path, "add", "--all")
        git(tmp_path, "commit", "--quiet", "--message=change")
        for command in ("check", "run", "promote", "status", "history", "verify", "doctor"):
            gates(command)
    assert codes[:5] == [0, 2, 0, 0, 0], said
    pages = [*(ROOT / "docs").glob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
    known = set(WORD.findall(" ".join(page.read_text() for page in pages).lower()))
    digests = re.compile(r"\b(?=[a-f]*\d)[0-9a-f]{7,}\b|sha256:\S+|" + re.escape(str(tmp_path)) + r"\S*")
    words = set(WORD.findall(digests.sub(" ", said).lower()))
    assert len(words) > 100
    assert words - known - set(WORD.findall(f"{tmp_path} t@example.invalid".lower())) == set()
