from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "github"))  # the fake GitHub lives there

from fake_github import FakeGitHub
from harness import World
from telco import settle


@pytest.fixture
def github(request: pytest.FixtureRequest) -> FakeGitHub:
    """GitHub's API; a test may name a class that knows more."""
    made: FakeGitHub = getattr(request, "param", FakeGitHub)("acme/churn")
    return made


@pytest.fixture
def world(tmp_path: Path, github: FakeGitHub, forked: Path) -> Iterator[World]:
    """A user's repository with a model at its root, and a workflow that calls model-ci.yml."""
    world = World(tmp_path, github, forked / "gates")
    world.call("workflows", "Model", requirements=None)
    settle(world.repository)
    yield world
    github.stop()
