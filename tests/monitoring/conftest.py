from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from live_world import LiveWorld


@pytest.fixture(scope="session")
def promoted_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A world with a champion and the usual monitor section. Nobody changes it: copies are made."""
    world = LiveWorld(tmp_path_factory.mktemp("live") / "world", None)
    world.promoted()
    return world.base


@pytest.fixture
def world(tmp_path: Path, promoted_once: Path) -> LiveWorld:
    """A copy of that world."""
    shutil.copytree(promoted_once, tmp_path / "world", symlinks=True)
    found = LiveWorld(tmp_path / "world", None)
    origin: Any = str(found.origin)
    from worlds import git

    git(found.root, "remote", "set-url", "origin", origin)
    return found


@pytest.fixture
def empty(tmp_path: Path) -> LiveWorld:
    """A world with nothing in it."""
    return LiveWorld(tmp_path / "world", None)
