"""The rows of the holdout that got worse and better against the champion: for people, nothing is judged by them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gates.schema.fields import declare

SCHEMA: Literal["gates/rows/v1"] = "gates/rows/v1"
LONGEST = 80  # characters of one value


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedRow:
    """One row, by its key."""

    WRITTEN = "whole"
    key: str = declare("The row's key.")
    label: str = declare("The truth.")
    champion: str = declare("What the champion predicted.")
    candidate: str = declare("What the candidate predicts.")
    columns: tuple[str | None, ...] = declare("Values of the columns that the policy names, in its order.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedRows:
    """Which rows changed, of both directions the largest changes first."""

    WRITTEN = "whole"
    schema: Literal["gates/rows/v1"] = declare("Format of this document.")
    evidence: str = declare("Digest of the evidence that was measured with them.")
    key: str = declare("The key column.")
    columns: tuple[str, ...] = declare("The columns that the policy names.")
    worse: int = declare("How many rows got worse.", minimum=0)
    better: int = declare("How many rows got better.", minimum=0)
    worst: tuple[ChangedRow, ...] = declare("Those that got worse, the largest change first.", maxItems=50)
    best: tuple[ChangedRow, ...] = declare("Those that got better, the largest change first.", maxItems=50)
