"""Drift profile: how columns were distributed when a model was promoted, as bins with their counts of rows.

It is attached to the record of a promotion, so live rows can be compared with the training table long after that is
gone. A column that is `x-sensitive` has none.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from gates.schema.fields import declare

SCHEMA: Literal["gates/profile/v1"] = "gates/profile/v1"
FILE = "profile.json"  # attached to the record


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnBins:
    """The bins of one column, and how many rows of the reference lie in each.

    A number falls into the first that holds of: missing, NaN, one of ``points``, below ``edges[0]``, from an edge up to
    below the next one (to the last edge, with it), above the last edge. Text: missing, one of ``values``, any other.
    ``counts`` are in that order.
    """

    WRITTEN = "whole"
    column: str = declare("The column.")
    measure: Literal["psi", "ks"] = declare("The distance that the bins are made for.")
    text: bool = declare("Whether its values are text; else they are numbers.")
    edges: tuple[float, ...] = declare("Where bins of numbers begin, and the last one ends.")
    points: tuple[float, ...] = declare("Numbers that a tenth of the rows hold, each of them a bin.")
    values: tuple[str, ...] = declare("Text that is a bin of its own.")
    counts: tuple[int, ...] = declare("Rows of each bin.")

    @property
    def names(self) -> tuple[str, ...]:
        """What each bin is called, in the order of the counts."""
        if self.text:
            return ("(missing)", *self.values, "any other")
        edges = [f"{edge:.4g}" for edge in self.edges]
        inner = [f"{low} to {high}" for low, high in pairwise(edges)]
        ends = [f"below {edges[0]}", *inner, f"above {edges[-1]}"] if edges else ["any"]
        if len(edges) == 1:
            ends = [f"below {edges[0]}", edges[0], f"above {edges[0]}"]
        return ("(missing)", "NaN", *(f"{point:.4g}" for point in self.points), *ends)


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftProfile:
    """The profiles of all columns that the policy watches for drift."""

    WRITTEN = "whole"
    schema: Literal["gates/profile/v1"] = declare("Format of this document.")
    columns: tuple[ColumnBins, ...] = declare("By name and measure.")

    def of(self, column: str, measure: str) -> ColumnBins | None:
        """Return the profile of one column; None where it has none."""
        found = (one for one in self.columns if (one.column, one.measure) == (column, measure))
        return next(found, None)
