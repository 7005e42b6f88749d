from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from worlds import World


@pytest.fixture(scope="session", autouse=True)
def programs(forked: Path) -> None:
    """All worlds run their commands there."""
    World.programs = forked


@pytest.fixture
def world(tmp_path: Path, empty_registry: Path) -> World:
    """An empty world."""
    return World(tmp_path / "world", empty_registry)
