"""The fixtures of these tests."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "edge"))

from shop import shop, start

__all__ = ["shop", "start"]
