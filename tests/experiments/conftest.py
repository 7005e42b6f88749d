from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

for folder in ("edge", "promotion", "monitoring", "experiments"):
    sys.path.insert(0, str(Path(__file__).parents[1] / folder))

from experiment_world import ExperimentWorld  # noqa: E402 -- found by the line before


@pytest.fixture(scope="session")
def begun_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A champion, a challenger, and an experiment that was started. Nobody changes it: copies are made."""
    world = ExperimentWorld(tmp_path_factory.mktemp("experiment") / "world", None)
    world.challenged()
    assert world.gates("experiment", "start").code == 0
    return world.base


@pytest.fixture
def begun(tmp_path: Path, begun_once: Path) -> ExperimentWorld:
    """A copy of that world."""
    shutil.copytree(begun_once, tmp_path / "world", symlinks=True)
    from worlds import git

    world = ExperimentWorld(tmp_path / "world", None)
    git(world.root, "remote", "set-url", "origin", str(world.origin))
    return world
