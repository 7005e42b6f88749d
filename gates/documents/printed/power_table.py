"""How many rows, or units of an experiment, each rule needs: the document that ``gates power --json`` prints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gates.schema.fields import declare

SCHEMA: Literal["gates/power/v1"] = "gates/power/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class RulePower:
    """What one rule can show with the rows that it has, and how many it needs."""

    WRITTEN = "whole"
    rule: str = declare("The rule, as reports label it.")
    rows: int = declare("How many rows it rests on now.")
    detectable: float | None = declare(
        "The smallest distance from the limit that these rows reveal 8 times in 10; null: nothing bounds it."
    )
    distance: float = declare("The distance from the limit that is to be revealed.")
    needed: int | None = declare(
        "How many rows reveal it 8 times in 10; null: more than 100 times as many, or none do."
    )
    days: int | None = declare("So many days that takes; null where nobody knows how many rows a day has.")


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerTable:
    """The rules of a policy, by the evidence at hand."""

    WRITTEN = "whole"
    schema: Literal["gates/power/v1"] = declare("Format of this document.")
    model: str = declare("The policy's model name.")
    of: Literal["row", "unit"] = declare("What is counted: rows of a holdout, or closed units of an experiment.")
    decision: str = declare("Digest of the decision whose bounds this rests on.")
    confidence: float | None = declare("The confidence of each bound.")
    power: float = declare("How often the distance is revealed.")
    rows_a_day: float | None = declare("How many rows a day has; null: not known.")
    rules: tuple[RulePower, ...] = declare("In the decision's order; rules without bounds are left out.")
    unbounded: tuple[str, ...] = declare(
        "Rules about metrics that were judged without bounds, or not judged: nothing is known of them."
    )
