"""How much is tried: a part that is named where it is used, or all of it with ``--all``."""

from __future__ import annotations

ALL = False
"""Whether all is tried; conftest.py sets it before a test is read."""


def part(everything: int, default: int) -> int:
    """``everything`` with ``--all``, else ``default``."""
    return everything if ALL else default
