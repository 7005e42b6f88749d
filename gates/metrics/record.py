"""What a metric is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from gates.evidence import Slice
from gates.stats.quantity import Quantity

Level = Callable[[Sequence[Slice], int, str], Quantity]
Change = Callable[[Sequence[Slice], str], Quantity]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A named function of evidence.

    ``level(slices, who, seed)`` is one model's value, ``change(slices, seed)`` candidate less champion on
    the same rows. A plain metric gets one slice, a ``grouped`` one a slice a group. ``better`` is +1
    where larger is better, -1 where smaller is, 0 where neither is. ``statistic`` is what must be
    counted for it. ``points``: differences are told in points (hundredths).
    """

    name: str
    doc: str
    better: Literal[-1, 0, 1]
    statistic: Literal["cells", "ranks"] = "cells"
    grouped: bool = False
    points: bool = True
    level: Level
    change: Change | None
