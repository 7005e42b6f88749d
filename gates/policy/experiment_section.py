"""What ``gates.yaml`` says about an experiment: how users are shared, what is counted of them, and when it ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from gates.documents.statistic import Parameter, parameters_text
from gates.kinds.promql import rule_mistakes
from gates.kinds.promql.promql_rule import PromqlRule
from gates.kinds.protocol import PromqlQuestion
from gates.policy.monitor_section import seconds
from gates.policy.promotion_section import Stage
from gates.schema.fields import Plain, declare, plain
from gates.schema.yaml_text import Path

DAY = 86_400  # seconds
WEEK = 7  # days
SMALLEST = 1e-9  # by which shares may miss 1
MOST_UNITS = 1_000_000_000
METRICS: Mapping[str, tuple[str, ...]] = {  # what an experiment judges -> the further key that it needs
    "ratio": ("per",),
    "mean": (),
    "share_above": ("above",),
    "quantile": ("q",),
}
_KEYS = ("of", "per", "above", "q")
LIMITS = ("min_improvement", "max_worsening")
Direction = Literal["larger", "smaller"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Which share of the units each model serves."""

    champion: float = declare("The champion's share.", stricter="free", minimum=0.01, maximum=0.99)
    challenger: float = declare("The challenger's share.", stricter="free", minimum=0.01, maximum=0.99)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentGate:
    """A sum over the outcomes of each unit, compared between the two arms."""

    metric: str = declare(
        "ratio (sum of `of` per sum of `per`), mean (of `of`, over outcomes), share_above (of outcomes whose `of` is "
        "above `above`), or quantile (the value of `of` that a share `q` of outcomes does not exceed).",
        stricter="free",
        minLength=1,
    )
    of: str = declare("A column of numbers in the outcomes.", stricter="free", minLength=1)
    per: str | None = declare(
        "For ratio: the column that `of` is divided by; the unit's own column counts units, those without an outcome "
        "among them.",
        default=None,
        stricter="free",
        minLength=1,
    )
    above: float | None = declare("The value, for share_above.", default=None, stricter="free")
    q: float | None = declare(
        "Which quantile.", default=None, late=True, stricter="free", exclusiveMinimum=0, exclusiveMaximum=1
    )
    better: Direction = declare("Which way is better.")
    min_improvement: float | None = declare(
        "A goal: the challenger must be better than the champion by at least this.",
        default=None,
        stricter="larger",
        minimum=0,
    )
    max_worsening: float | None = declare(
        "A guardrail: the challenger may be worse than the champion by at most this.",
        default=None,
        stricter="smaller",
        minimum=0,
    )
    relative: bool = declare("Whether the limit is a share of the champion's value: 0.02 is 2 % of it.", default=False)

    @property
    def name(self) -> str:
        """What distinguishes it from the other gates."""
        given: dict[str, Parameter] = {key: getattr(self, key) for key in _KEYS if getattr(self, key) is not None}
        return self.metric + parameters_text(tuple(given.items()))

    @property
    def id(self) -> str:
        """By which ``gates policy diff`` knows it."""
        return self.name

    @property
    def rule(self) -> str:
        """The name of its limit."""
        return "min_improvement" if self.min_improvement is not None else "max_worsening"

    @property
    def limit(self) -> float:
        """Its limit."""
        return (self.max_worsening or 0.0) if self.min_improvement is None else self.min_improvement

    @property
    def sign(self) -> int:
        """1 where larger is better, else -1."""
        return 1 if self.better == "larger" else -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """How a challenger is compared with the champion on users."""

    split: Split = declare("Which share of the units each model serves; together 1.", stricter="free")
    unit: str = declare(
        "The column that tells units apart, in exposures and outcomes: what is assigned to an arm, such as a user.",
        stricter="free",
        minLength=1,
    )
    exposures: str = declare(
        "Who was shown which arm: a file or a glob with the unit, the time, and the arm (the digest of its model).",
        stricter="free",
        minLength=1,
    )
    outcomes: str = declare(
        "What came of it: a file or a glob with the unit, the time, and the columns that the gates name.",
        stricter="free",
        minLength=1,
    )
    time: str = declare(
        "The column with the time, in exposures and outcomes; without a zone it is UTC.",
        default="time",
        stricter="free",
        minLength=1,
    )
    arm: str = declare(
        "The column of exposures with the digest of the model.", default="arm", stricter="free", minLength=1
    )
    window: str = declare(
        "How long a unit's outcomes count, from its first exposure: 1d, 7d.",
        stricter="free",
        pattern="^[1-9][0-9]{0,4}[mhd]$",
    )
    units: int = declare(
        "The planned end: so many units of both arms whose window is over.",
        stricter="larger",
        minimum=1000,
        maximum=MOST_UNITS,
    )
    min_days: int = declare(
        "Nothing passes before so many days; whole weeks, so that each weekday counts alike.",
        stricter="larger",
        minimum=WEEK,
        maximum=364,
    )
    max_days: int = declare(
        "What is undecided after so many days ends, and the champion stays. A pass is good for as many days.",
        stricter="smaller",
        minimum=WEEK,
        maximum=1000,
    )
    gates: tuple[ExperimentGate, ...] = declare(
        "What must hold of the challenger beside the champion.", stricter="each", minItems=1
    )
    guardrails: tuple[PromqlRule, ...] = declare(
        "What a Prometheus must say at each look, such as the challenger's error rate. A fail ends the experiment.",
        default=(),
        stricter="each",
    )

    @property
    def span(self) -> int:
        """The window of a unit, in seconds."""
        return seconds(self.window)

    @property
    def shares(self) -> tuple[float, float]:
        """The champion's share and the challenger's."""
        return self.split.champion, self.split.challenger

    @property
    def goals(self) -> frozenset[str]:
        """The names of the gates that are judged at the end alone: those that ask for an improvement, or the first one
        where none does. All others are guardrails, which may fail at any look."""
        asked = frozenset(gate.name for gate in self.gates if gate.min_improvement is not None)
        return asked or frozenset(gate.name for gate in self.gates[:1])

    @property
    def questions(self) -> frozenset[PromqlQuestion]:
        """What a Prometheus is to be asked at each look."""
        return frozenset(question for rule in self.guardrails for question in rule.questions)

    def gate(self, name: str) -> ExperimentGate | None:
        """Return a gate by its name; None where there is none."""
        return next((gate for gate in self.gates if gate.name == name), None)


def plan_of(experiment: Experiment, confidence: float, champion: str, challenger: str) -> Plain:
    """Return all that decides an experiment, for its digest: who changes any of it starts another one.

    ``champion`` and ``challenger`` are the digests of their models.
    """
    return {
        "experiment": plain(experiment),
        "confidence": confidence,
        "champion": champion,
        "challenger": challenger,
    }


def experiment_mistakes(experiment: Experiment) -> Iterator[tuple[Path, str]]:
    """Yield what no schema sees of the section, each with its place in it."""
    if abs(sum(experiment.shares) - 1) > SMALLEST:
        yield ("split",), f"the shares add up to {sum(experiment.shares):.12g}, not 1"
    if experiment.min_days % WEEK:
        yield ("min_days",), f"must be whole weeks, such as {-(-experiment.min_days // WEEK) * WEEK}: weekdays differ"
    if experiment.max_days <= experiment.min_days:
        yield ("max_days",), f"must be more than min_days, {experiment.min_days}"
    if experiment.span >= experiment.max_days * DAY:
        yield ("window",), "must be shorter than max_days, or no unit's window is over before the end"
    if len({experiment.unit, experiment.time, experiment.arm}) < 3:  # as many columns
        yield ("unit",), "unit, time and arm are three columns"
    seen: set[str] = set()
    for index, gate in enumerate(experiment.gates):
        if gate.name in seen:
            yield ("gates", index, "metric"), f"the gate {gate.name} occurs twice; write one of them"
        seen.add(gate.name)
        for place, what in _gate_mistakes(gate):
            yield ("gates", index, place), what
    asked: set[str] = set()
    for index, rule in enumerate(experiment.guardrails):
        if rule.name in asked:
            yield ("guardrails", index), "occurs twice; write one of them"
        asked.add(rule.name)
        yield from ((("guardrails", index, *mistake.path), mistake.what) for mistake in rule_mistakes(rule))


def _gate_mistakes(gate: ExperimentGate) -> Iterator[tuple[str, str]]:
    if gate.metric not in METRICS:
        yield "metric", f"an experiment judges {', '.join(METRICS)} of outcomes, not {gate.metric}"
        return
    for key in _KEYS[1:]:
        needed, given = key in METRICS[gate.metric], getattr(gate, key) is not None
        if needed and not given:
            yield "metric", f"{gate.metric} needs {key}"
        if given and not needed:
            yield key, f"{gate.metric} has none"
    limits = [key for key in LIMITS if getattr(gate, key) is not None]
    if len(limits) != 1:
        what = "both; write two experiments, or the one that decides" if limits else "none"
        yield "metric", f"needs either min_improvement or max_worsening, and has {what}"
    if gate.relative and gate.better == "smaller" and gate.min_improvement is not None and gate.min_improvement >= 1:
        yield "min_improvement", "nothing is smaller than the champion's value by all of it"
    if gate.relative and gate.better == "larger" and gate.max_worsening is not None and gate.max_worsening >= 1:
        yield "max_worsening", "a loss of the champion's whole value is nothing to allow"


def stage_mistakes(stages: tuple[Stage, ...], experiment: Experiment | None) -> Iterator[tuple[Path, str]]:
    """Yield what is wrong with the stages that an experiment needs. ``stages``: those that are declared."""
    for index, stage in enumerate(stages):
        path: Path = ("promotion", "stages", index, "experiment")
        if stage.experiment is None:
            continue
        if experiment is None:
            yield path, "the policy has no experiment; add the section experiment"
        elif index + 1 < len(stages):
            yield path, f"only the last stage, {stages[-1].alias}, has a champion to compare with"
    if experiment is not None and len(stages) < 2:
        yield ("experiment",), "needs a stage before the champion's, for the challenger: promotion.stages"
