"""What `gates init --template` lays down, pushed to GitHub as it is: its tests run, its model is judged."""

from __future__ import annotations

import html
from pathlib import Path

import pytest
from fake_github import BOT, FakeGitHub
from harness import COMMIT, World

from gates.project.starter_repository import lay


@pytest.mark.slow
def test_the_starter_repository_is_judged_and_tested(tmp_path: Path, github: FakeGitHub, forked: Path) -> None:
    world = World(tmp_path, github, forked / "gates")
    lay(world.repository, pin=f"owner/gates@{COMMIT}")
    run = world.push(workflow="")  # every one that a pull request starts
    github.stop()
    assert (run.failed, run.verdicts) == (set(), {"data": "pass", "judge": "pass", "report": "pass"}), run.log
    assert {job for job, end in run.jobs.items() if end == "succeeded"} >= {"tests", "train", "score", "verdict"}
    assert "3 passed" in run.log
    (body,) = github.bodies(BOT)
    assert "first run" in html.unescape(body)
