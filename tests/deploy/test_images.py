"""The Dockerfiles: linted, on base images by digest, and with what the locks name. No test builds an image."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml
from charts import ROOT
from edge_project import call

DOCKERFILE = ROOT / "deploy/Dockerfile"
PINNED = re.compile(r"^FROM \S+@sha256:[0-9a-f]{64}( AS \w+)?$", re.MULTILINE)


@pytest.fixture
def starter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The Dockerfile of a repository that `gates init --template` has laid down."""
    monkeypatch.chdir(tmp_path)
    assert call("init", "--template", "--defaults").code == 0
    return tmp_path / "Dockerfile"


def linted(file: Path) -> str:
    done = subprocess.run(["hadolint", "--no-color", str(file)], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_hadolint_has_nothing_to_say(starter: Path, tmp_path: Path) -> None:
    assert linted(DOCKERFILE) == ""
    assert linted(starter) == ""
    wrong = tmp_path / "wrong"
    wrong.write_text("FROM python\nRUN cd /tmp\n")
    assert "DL3006" in linted(wrong), "the control"


def test_every_base_image_is_named_by_digest(starter: Path) -> None:
    for file in (DOCKERFILE, starter):
        text = file.read_text()
        assert len(PINNED.findall(text)) == text.count("FROM ") > 0


def test_both_have_the_same_base() -> None:
    bases = set(re.findall(r"^FROM (\S+)", DOCKERFILE.read_text(), re.MULTILINE))
    questions = yaml.safe_load((ROOT / "gates/template/questions.yml").read_text())
    assert len(bases) == 1
    assert bases.pop() in questions["image"]["default"]


def test_it_is_nobody_special_and_copies_what_there_is() -> None:
    text = DOCKERFILE.read_text()
    last = text.rpartition("\nFROM ")[2]
    assert re.search(r"^USER \d+$", last, re.MULTILINE), "a number, so that runAsNonRoot can be checked"
    for copied in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE):
        *sources, _ = copied.split()
        assert all((ROOT / source).exists() for source in sources), copied
