"""Find the quantile of each arm of an experiment, and its bounds at a look and at the planned end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from gates.documents.live.experiment_evidence import ArmQuantile, ValueSpan
from gates.errors import GatesError
from gates.measure.live.experiment_tables import ExperimentTables
from gates.policy.experiment_section import Experiment, ExperimentGate
from gates.stats.experiments.arm_quantile import share_span
from gates.stats.experiments.arm_ratio import ArmSums
from gates.stats.experiments.confidence_sequence import early, planned
from gates.wording import counted

ARMS = 2
_VALUES, _RANKS = "gates_spread_", "gates_ranks_"  # how often each value occurs; how many are not above it


@dataclass(frozen=True, slots=True, kw_only=True)
class GateQuantile:
    """A gate's quantile: of each arm, and of each arm and week. ``rows``: how many values an arm has."""

    number: int
    values: tuple[float | None, float | None]
    rows: tuple[int, int]
    by_week: Mapping[tuple[int, int], float]


def find_quantile(tables: ExperimentTables, gate: ExperimentGate, number: int) -> GateQuantile:
    """Find a gate's quantile: the smallest value that a share ``q`` of an arm's outcomes does not exceed, or the mean
    with the next one where it is exactly that share.

    ``number``: the gate's place in the policy. Raises ``GatesError`` where a value is not finite.
    """
    values, ranks = f"{_VALUES}{number}", f"{_RANKS}{number}"
    tables.find_spread(gate.of, values)
    ((bad,),) = tables.engine.run(f"SELECT coalesce(sum(rows), 0) FROM {values} WHERE NOT isfinite(value)")
    if bad:
        what = f"{tables.outcomes.path}: {counted(int(bad), 'value')} of {gate.of} can't be put in order"
        raise GatesError(what, where="experiment.gates", hint="Look for NaN and infinite numbers.")
    arms = f"SELECT arm, value, sum(rows) AS rows FROM {values} GROUP BY 1, 2"
    tables.engine.run(f"CREATE OR REPLACE TEMP TABLE {ranks} AS {_ranked(arms, 'arm')}")
    share = Fraction(repr(gate.q))
    ends = (
        f"min(CASE WHEN rank * {share.denominator} {held} total * {share.numerator} THEN value END)"
        for held in (">=", ">")
    )
    quantile = " + ".join(f"{end} / 2" for end in ends)
    by_arm = {
        int(arm): (float(middle), int(total))
        for arm, middle, total in tables.engine.run(f"SELECT arm, {quantile}, any_value(total) FROM {ranks} GROUP BY 1")
    }
    by_week = tables.engine.run(f"SELECT arm, week, {quantile} FROM ({_ranked(values, 'arm, week')}) GROUP BY 1, 2")
    (one, mine), (other, its) = (by_arm.get(arm, (None, 0)) for arm in range(ARMS))
    weeks = {(int(arm), int(week)): float(middle) for arm, week, middle in by_week}
    return GateQuantile(number=number, values=(one, other), rows=(mine, its), by_week=weeks)


def _ranked(rows: str, by: str) -> str:
    """Write SQL that adds to each value how many of its group are not above it, and how many there are."""
    source = f"({rows})" if " " in rows else rows
    rank = f"CAST(sum(rows) OVER (PARTITION BY {by} ORDER BY value) AS HUGEINT) AS rank"
    return f"SELECT *, {rank}, CAST(sum(rows) OVER (PARTITION BY {by}) AS HUGEINT) AS total FROM {source}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How many standard errors away the bounds of a look lie, before the planned end and at it."""

    early: float
    planned: float

    @classmethod
    def of(cls, experiment: Experiment, closed: int, confidence: float) -> Bounds:
        """Return those of a look. ``closed``: units of both arms whose window is over."""
        return cls(early=early(max(1, closed), experiment.units, confidence), planned=planned(confidence))


def arm_quantile(
    tables: ExperimentTables,
    gate: ExperimentGate,
    quantile: GateQuantile,
    arm: int,
    sums: tuple[ArmSums, ArmSums],
    bounds: Bounds,
) -> ArmQuantile:
    """Return an arm's quantile with its bounds: those values that lie at the ends of the share's interval.

    ``sums``: of its units, values at or below the quantile and values below it, each with all values.
    """

    def span(errors: float) -> ValueSpan | None:
        ends = share_span(sums, gate.q or 0.0, errors)
        if ends is None:
            return None
        low, high = (_at(tables, quantile, arm, end) for end in ends)
        return ValueSpan(low=low, high=high)

    return ArmQuantile(
        gate=gate.name, value=quantile.values[arm], early=span(bounds.early), planned=span(bounds.planned)
    )


def _at(tables: ExperimentTables, quantile: GateQuantile, arm: int, share: float) -> float:
    """Return the smallest value that a share of an arm's outcomes does not exceed."""
    rank = -int(-Fraction(share) * quantile.rows[arm] // 1)
    asked = f"SELECT min(value) FROM {_RANKS}{quantile.number} WHERE arm = {arm} AND rank >= {rank}"
    ((value,),) = tables.engine.run(asked)
    return float(value)
