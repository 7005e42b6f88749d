"""How much is tried: a part that is named where it is used, or all of it with ``--all``."""

from __future__ import annotations

ALL = False
"""Whether all is tried; conftest.py sets it before a test is read."""


def examples(everything: int) -> int:
    """How many examples a property is tried on: a quarter, but for where there are few."""
    return part(everything, min(everything, max(5, everything // 4)))


def part(everything: int, default: int) -> int:
    """``everything`` with ``--all``, else ``default``."""
    return everything if ALL else default
