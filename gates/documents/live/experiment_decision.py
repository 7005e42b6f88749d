"""Experiment decision: the verdict of one look at an experiment, and what the next look must know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gates.documents.decision import Code, GateVerdict, Verdict
from gates.documents.live.experiment_step import ComparedModel
from gates.schema.fields import TIME_PATTERN, declare

SCHEMA: Literal["gates/experiment-decision/v1"] = "gates/experiment-decision/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class WeekEffect:
    """A gate's values over the units of one week of exposure: shown, not judged."""

    WRITTEN = "whole"
    week: int = declare("Which week since the start, from 0.")
    gate: str = declare("The gate's name.")
    units: int = declare("Closed units of both arms.")
    champion: float | None = declare("The champion's value; null where there is none.")
    challenger: float | None = declare("The challenger's value.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentDecision:
    """The verdict of one look."""

    WRITTEN = "whole"
    schema: Literal["gates/experiment-decision/v1"] = declare("Format of this document.")
    model: str = declare("The policy's model name.")
    verdict: Verdict = declare("Pass: the challenger may become the champion.")
    code: Code = declare("The reason as a stable word.")
    reason: str = declare("Why, in one plain sentence.")
    confidence: float = declare("The confidence of each bound, over all looks together.")
    evidence: str = declare("Digest of the experiment evidence.")
    policy: str = declare("Digest of the policy with its contract.")
    plan: str = declare("Digest of the section, the confidence and the two models.")
    start: str = declare("Digest of the record that started it.")
    previous: str | None = declare("Digest of the decision of the look before; null for the first one.")
    look: int = declare("Its number, from 1.")
    until: str = declare("The time of the look, UTC.", pattern=TIME_PATTERN)
    days: int = declare("Whole days since the start that the outcomes cover.")
    exposed: int = declare("Units that were exposed, in both arms.")
    closed: int = declare("Units whose window is over, in both arms.")
    planned: bool = declare("Whether this look is the planned end, of which there is one.")
    spent: bool = declare("Whether this look or one before it was the planned end.")
    final: bool = declare("Whether the experiment has ended with this look.")
    champion: ComparedModel = declare("The model that served when it was started.")
    challenger: ComparedModel = declare("The model that is compared with it.")
    gates: tuple[GateVerdict, ...] = declare("Checks of the log, then the gates in the policy's order.")
    weeks: tuple[WeekEffect, ...] = declare("By week of exposure, where the log is sound.")
