"""What the ledger says of a model's experiments, for reports, sites and terminals."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from gates.documents.decision import Estimate
from gates.documents.live.experiment_decision import ExperimentDecision
from gates.documents.live.experiment_step import ComparedModel

DAY = 86_400  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentPlan:
    """When an experiment ends: with so many ``units`` whose window is over, after ``min_days`` and before ``max_days``.
    ``window``: how long a unit's outcomes count, in seconds."""

    units: int
    min_days: int
    max_days: int
    window: int

    def end_day(self, look: ExperimentDecision) -> int | None:
        """Estimate how many days after the start the planned end is, if units go on closing as they did so far.

        None where it has been, or nothing can be told yet.
        """
        if look.spent or look.final:
            return None
        days = look.days + 0.5  # whole ones, of a span that is half a day longer in the mean
        closing = days - self.window / DAY  # in which windows could end
        if look.closed >= self.units:
            return max(self.min_days, look.days)
        if closing <= 0 or not look.closed:
            return None
        return max(self.min_days, ceil(days + (self.units - look.closed) * closing / look.closed))


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedGate:
    """A gate of an experiment. ``limit``: where it lies on the scale of the difference between the two models."""

    name: str
    rule: str
    limit: float
    relative: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmUnits:
    """The units of one arm at the newest look. ``planned``: how many of the planned end's are its share."""

    arm: str
    model: ComparedModel
    exposed: int
    closed: int
    planned: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WeekDifference:
    """By how much the models differ among the units of one week of exposure; None where too few tell."""

    week: int
    gate: str
    units: int
    difference: Estimate | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentHistory:
    """One experiment: its newest looks, the oldest of them first.

    ``days``: how long after the start each of them was; ``end``: the estimated day of the planned end, YYYY-MM-DD;
    ``stopped``: when and why somebody ended it.
    """

    record: int
    started: str
    champion: ComparedModel
    challenger: ComparedModel
    looks: tuple[ExperimentDecision, ...]
    days: tuple[float, ...]
    stopped: tuple[str, str] | None
    end: str | None = None
    plan: ExperimentPlan | None = None  # of the newest experiment, as all below
    gates: tuple[JudgedGate, ...] = ()
    arms: tuple[ArmUnits, ...] = ()
    weeks: tuple[WeekDifference, ...] = ()

    @property
    def last(self) -> ExperimentDecision | None:
        """The newest look; None before the first one."""
        return self.looks[-1] if self.looks else None

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return self.stopped is None and not (self.last is not None and self.last.final)

    @property
    def brief(self) -> str:
        """Its state, without reasons."""
        since, last = f"since {self.started[:10]}", self.last
        if self.stopped is not None:
            return f"stopped on {self.stopped[0][:10]}"
        if last is None:
            return f"running {since}, not looked at yet"
        if last.final:
            return f"ended on {last.until[:10]} with {last.verdict} ({last.code})"
        return f"running {since}, last look {last.until[:10]}: {last.verdict} ({last.code})"

    @property
    def told(self) -> str:
        """How it stands, in one sentence."""
        why = self.stopped[1] if self.stopped is not None else self.last.reason if self.last else None
        return self.brief if why is None else f"{self.brief}: {why}" if not self.runs else f"{self.brief}, {why}"
