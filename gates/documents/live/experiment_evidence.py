"""Experiment evidence: all that a judge sees of two arms of units. Whole-number sums by week of exposure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from gates.documents.live.experiment_step import ComparedModel
from gates.documents.live.prometheus_answer import PrometheusAnswer
from gates.schema.fields import TIME_PATTERN, declare

SCHEMA: Literal["gates/experiment/v1"] = "gates/experiment/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitSums:
    """Sums over closed units of one gate's numerator x and denominator y, and of their products, in units of
    2**-``UNIT``."""

    WRITTEN = "whole"
    UNIT: ClassVar[int] = 140
    gate: str = declare("The gate's name.")
    valued: int = declare("Closed units with a value in every column that the gate names.")
    x: int = declare("Sum of x.", big=True)
    y: int = declare("Sum of y.", big=True)
    xx: int = declare("Sum of its squares.", big=True)
    xy: int = declare("Sum of the products.", big=True)
    yy: int = declare("Sum of the squares of y.", big=True)
    value: float | None = declare("For a quantile: that of this week's units.", default=None, late=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposureWeek:
    """The closed units that were first exposed in one week since the start."""

    WRITTEN = "whole"
    week: int = declare("Which week, from 0.")
    closed: int = declare("Units whose window is over.")
    sums: tuple[UnitSums, ...] = declare("A gate each, in the policy's order.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueSpan:
    """Between which values a quantile lies."""

    WRITTEN = "whole"
    low: float = declare("Lower bound.")
    high: float = declare("Upper bound.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmQuantile:
    """A quantile of the outcomes of an arm's closed units. x of its sums are a unit's outcomes at or below it."""

    WRITTEN = "whole"
    gate: str = declare("The gate's name.")
    value: float | None = declare("The quantile; null of no outcomes.")
    early: ValueSpan | None = declare("Its bounds before the planned end; null where there are too few units.")
    planned: ValueSpan | None = declare("Its bounds at the planned end.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentArm:
    """The units of one model. Units that are left out are in neither arm."""

    WRITTEN = "whole"
    arm: Literal["champion", "challenger"] = declare("Which one.")
    model: ComparedModel = declare("The model.")
    exposed: int = declare("Units that were exposed to it, closed or not.")
    weeks: tuple[ExposureWeek, ...] = declare("By week of exposure.")
    quantiles: tuple[ArmQuantile, ...] = declare(
        "Of each gate that is about a quantile, in the policy's order.", default=(), late=True
    )

    @property
    def closed(self) -> int:
        """Units whose window is over."""
        return sum(week.closed for week in self.weeks)


@dataclass(frozen=True, slots=True, kw_only=True)
class InventedArm:
    """An arm that the log names and the experiment does not have."""

    WRITTEN = "whole"
    digest: str = declare("What the log says; empty where it says nothing.")
    units: int = declare("Units.")


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierSalt:
    """How many units are in another arm than the salt of an earlier experiment says."""

    WRITTEN = "whole"
    record: str = declare("Digest of the record that started that experiment.")
    other: int = declare("Units in another arm.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentEvidence:
    """What was counted for one look at an experiment."""

    WRITTEN = "whole"
    schema: Literal["gates/experiment/v1"] = declare("Format of this document.")
    model: str = declare("The policy's model name.")
    plan: str = declare("Digest of the section, the confidence and the two models.")
    start: str = declare("Digest of the record that started it.")
    salt: str = declare("The first digits of that digest, which the hash of each unit begins with.")
    started: str = declare("When that record was written, UTC.", pattern=TIME_PATTERN)
    until: str = declare("The time of the look, UTC: later rows are not looked at.", pattern=TIME_PATTERN)
    reach: str | None = declare(
        "Until when the outcomes reach, UTC: no window counts as over that ends later. Null: there are none.",
        pattern=TIME_PATTERN,
    )
    previous: str | None = declare("Digest of the decision of the look before; null for the first one.")
    unreadable: str | None = declare("Why nothing could be counted; null if it was.")
    lacking: bool = declare("Whether that is because a column is not there.")
    arms: tuple[ExperimentArm, ...] = declare("The champion's, then the challenger's; none if nothing was counted.")
    invented: tuple[InventedArm, ...] = declare("The largest arms that the log names besides, by units.")
    both: int = declare("Units that were exposed to both models; they are left out.")
    other: int = declare("Of the rest, units in another arm than their hash says; they are left out.")
    salts: tuple[EarlierSalt, ...] = declare("Where these are many: the same by the salts of earlier experiments.")
    backwards: int = declare("Closed units with an outcome in the day before their first exposure.")
    forwards: int = declare("Closed units with one in the day after it.")
    outcomes: int = declare("Rows of outcomes within a unit's window.")
    duplicates: int = declare("Of these, rows that repeat another one in every column.")
    earlier: int = declare("Units that were exposed up to the look before, of all that were not left out.")

    answers: tuple[PrometheusAnswer, ...] = declare(
        "What a Prometheus answered about the time of the look, if the policy asks one.", default=(), late=True
    )

    @property
    def exposed(self) -> int:
        """Units in both arms."""
        return sum(one.exposed for one in self.arms)

    @property
    def closed(self) -> int:
        """Closed units in both arms."""
        return sum(one.closed for one in self.arms)
