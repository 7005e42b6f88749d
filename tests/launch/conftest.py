"""Fixtures for all tests of this folder."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "edge"))
sys.path.insert(0, str(Path(__file__).parent))

from launch_project import cluster, project

__all__ = ["cluster", "project"]
