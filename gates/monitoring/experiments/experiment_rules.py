"""Judge one gate of an experiment: the sums of two arms, the bounds of this look, the verdict and its sentence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite, sqrt

from gates.documents.decision import Code, Estimate, GateVerdict, Verdict
from gates.documents.live.experiment_evidence import ArmQuantile, ExperimentArm, UnitSums
from gates.kinds.metric.comparison import outcome
from gates.kinds.metric.sentences import SentenceFacts, sentence
from gates.monitoring.experiments.experiment_checks import UNIT
from gates.policy.experiment_section import ExperimentGate
from gates.schema.canonical import settled
from gates.stats.experiments.arm_quantile import Bounded, around, bounded_difference
from gates.stats.experiments.arm_ratio import ArmSums, difference
from gates.stats.power import detectable, rows_to_settle
from gates.wording import Hopeless, number, percent, plural

EVENTS = 20.0  # units' worth of x and of y that the smaller arm must expect, for its error to be known
FEWEST = 100  # closed units of each arm


@dataclass(frozen=True, slots=True, kw_only=True)
class LookTerms:
    """What the gates of one look share. ``errors``: how many standard errors away the bounds lie; ``planned``: whether
    that is the planned end's."""

    confidence: float
    errors: float
    planned: bool
    shares: tuple[float, float]
    champion: str  # as sentences call it

    @property
    def method(self) -> str:
        """How the bounds were made."""
        return "planned_end" if self.planned else "confidence_sequence"


def arm_sums(arm: ExperimentArm, gate: str, weeks: Sequence[int] | None = None) -> ArmSums:
    """Add up the sums of an arm, of all weeks or of some."""
    wanted = [week for week in arm.weeks if weeks is None or week.week in weeks]
    sums = [one for week in wanted for one in week.sums if one.gate == gate]
    scale = 2**UnitSums.UNIT
    names = ("x", "y", "xx", "xy", "yy")
    totals = {name: sum(int(getattr(one, name)) for one in sums) / scale for name in names}  # divided once
    return ArmSums(n=sum(week.closed for week in wanted), **totals)


def week_value(arm: ExperimentArm, gate: ExperimentGate, week: int) -> float | None:
    """Return a gate's value of the units of one week; None where there is none."""
    if gate.metric != "quantile":
        return arm_sums(arm, gate.name, (week,)).ratio
    found = (one.value for each in arm.weeks if each.week == week for one in each.sums if one.gate == gate.name)
    return next(found, None)


def is_possible(arm: ExperimentArm, quantile: ArmQuantile, q: float) -> bool:
    """Tell whether an arm's quantile can be one: it lies within its bounds, those of the planned end within the wider
    ones of every look, and at least a share ``q`` of the outcomes at or below it."""
    if quantile.value is None:
        return quantile.early is None and quantile.planned is None
    sums = arm_sums(arm, quantile.gate)
    ends: list[float] = [quantile.value]
    for span in (quantile.planned, quantile.early):
        ends = [span.low, *ends, span.high] if span else ends
    in_order = ends == sorted(ends) and all(map(isfinite, ends))
    return (
        in_order and (quantile.early is None or quantile.planned is not None) and sums.x >= q * sums.y * (1 - 1e-12) > 0
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Compared:
    """Both arms' values with their bounds, and by how much the challenger's exceeds what the champion's asks for."""

    champion: Bounded
    challenger: Bounded
    difference: Bounded


def judged_gate(gate: ExperimentGate, arms: tuple[ExperimentArm, ...], terms: LookTerms) -> GateVerdict:
    """Return the verdict of a gate at a look: by its bounds alone, whatever the day."""
    sums = tuple(arm_sums(arm, gate.name) for arm in arms)
    closed = sum(one.n for one in sums)
    unmeasured = _unmeasured(gate, arms)
    if unmeasured is not None:
        return _unjudged(gate, Verdict.ERROR, Code.NOT_MEASURED, unmeasured, closed)
    few = _too_few(gate, sums, terms)
    compared = _COMPARED.get(gate.metric, _ratios)(gate, arms, terms)
    if few is not None or compared is None:
        why = few or f"the units tell nothing about how far off {gate.name} may be"
        return _unjudged(gate, Verdict.INCONCLUSIVE, Code.TOO_FEW_ROWS, why, closed)
    if gate.relative and compared.champion.value <= 0:
        why = f"{gate.name} of {terms.champion} is not above 0, so no share of it can be told"
        return _unjudged(gate, Verdict.ERROR, Code.UNDEFINED, why, closed)
    return _held(gate, closed, compared, terms)


def _ratios(gate: ExperimentGate, arms: tuple[ExperimentArm, ...], terms: LookTerms) -> _Compared | None:
    """Compare two ratios of sums; None where all units are alike, or an arm has no ratio."""
    sums = [arm_sums(arm, gate.name) for arm in arms]
    compared = difference(sums[0], sums[1], _margin(gate))
    if compared is None or not compared[1] > 0:
        return None
    levels = [around(one.ratio or 0.0, sqrt(one.variance or 0.0) * terms.errors) for one in sums]
    return _Compared(
        champion=levels[0], challenger=levels[1], difference=around(compared[0], compared[1] * terms.errors)
    )


def _quantiles(gate: ExperimentGate, arms: tuple[ExperimentArm, ...], terms: LookTerms) -> _Compared | None:
    """Compare two quantiles; None where an arm has too few outcomes for bounds."""
    levels = []
    for arm in arms:
        quantile = next(one for one in arm.quantiles if one.gate == gate.name)
        span = quantile.planned if terms.planned else quantile.early
        if quantile.value is None or span is None:
            return None
        levels.append(Bounded(value=quantile.value, low=span.low, high=span.high))
    champion, challenger = levels
    less = champion.times(1 - _margin(gate))
    return _Compared(champion=champion, challenger=challenger, difference=bounded_difference(less, challenger))


_COMPARED = {"quantile": _quantiles}


def _unjudged(gate: ExperimentGate, verdict: Verdict, code: Code, reason: str, n: int) -> GateVerdict:
    return GateVerdict.without_metric(
        id=gate.name, kind="metric", rule=gate.rule, verdict=verdict, code=code, reason=reason, bar=gate.limit, n=n
    )


def _margin(gate: ExperimentGate) -> float:
    """Return the share of the champion's value that is taken off it before the two are compared."""
    if not gate.relative:
        return 0.0
    return gate.sign * (gate.limit if gate.rule == "max_worsening" else -gate.limit)


def _unmeasured(gate: ExperimentGate, arms: tuple[ExperimentArm, ...]) -> str | None:
    """Say which arm has no value at all, though the other one has: that is no value of nothing."""
    valued = [sum(one.valued for week in arm.weeks for one in week.sums if one.gate == gate.name) for arm in arms]
    for arm, units in zip(arms, valued, strict=True):
        if not units and (any(valued) or arm.closed >= FEWEST):
            return f"no closed unit of the {arm.arm} has a value of {gate.name}"
    return None


def _too_few(gate: ExperimentGate, sums: tuple[ArmSums, ...], terms: LookTerms) -> str | None:
    """Say why the units tell nothing yet; None where they do.

    Of clicks, say, that are rare or all of a few units, the error of a sum is not known.
    """
    if min(one.n for one in sums) < FEWEST:
        return f"fewer than {FEWEST} units of an arm are closed"
    seen = min(sum(_effective(total, squares) for total, squares in pairs) for pairs in _counted(gate, sums))
    if seen * min(terms.shares) < EVENTS:
        few = f"as few as {plural(round(seen), *UNIT)} have anything for {gate.name}"
        return f"{few}, which tells too little about how far off it may be"
    return None


def _counted(gate: ExperimentGate, sums: tuple[ArmSums, ...]) -> Iterator[list[tuple[float, float]]]:
    """Yield sums over units, with those of squares, that must be worth some units in both arms together."""
    yield [(one.y, one.yy) for one in sums]
    if gate.metric != "mean":
        yield [(one.x, one.xx) for one in sums]
    if gate.metric == "quantile":  # those above it
        yield [(one.y - one.x, one.yy - 2 * one.xy + one.xx) for one in sums]


def _effective(total: float, squares: float) -> float:
    """Return of how many alike units a sum is worth."""
    return total**2 / squares if squares > 0 else 0.0


def _held(gate: ExperimentGate, n: int, compared: _Compared, terms: LookTerms) -> GateVerdict:
    """Hold the difference to its limit; a relative limit is in the difference already."""
    limit = 0.0 if gate.relative else gate.limit if gate.rule == "min_improvement" else -gate.limit
    judged = _estimate(compared.difference)
    oriented = judged if gate.sign > 0 else Estimate(value=-judged.value, low=-judged.high, high=-judged.low)
    verdict = outcome(oriented.value, oriented.low, oriented.high, limit)
    code = {
        Verdict.PASS: Code.WITHIN_BAR,
        Verdict.INCONCLUSIVE: Code.ACROSS_BAR,
        Verdict.FAIL: Code.BELOW_BAR,
        Verdict.ERROR: Code.NOT_FINITE,
    }[verdict]
    reason, notes = _told(gate, oriented, code, n, terms, abs(oriented.value - limit))
    return GateVerdict(
        id=gate.name, kind="metric", metric=gate.metric, rule=gate.rule, bar=gate.limit, slice=None, by=None,
        groups=None, n=n, verdict=verdict, code=code, reason="; ".join([reason, *notes]),
        candidate=_level(compared.challenger), champion=_level(compared.champion), difference=judged,
        detectable=settled(detectable(oriented.value - oriented.low, terms.confidence)), method=terms.method,
        better=gate.sign, notes=notes,
    )  # fmt: skip


def _estimate(bounded: Bounded) -> Estimate:
    return Estimate(value=settled(bounded.value), low=settled(bounded.low), high=settled(bounded.high))


def _level(bounded: Bounded) -> Estimate | None:
    shown = _estimate(bounded)
    return shown if all(map(isfinite, (shown.value, shown.low, shown.high))) else None


def _told(
    gate: ExperimentGate, oriented: Estimate, code: Code, n: int, terms: LookTerms, distance: float
) -> tuple[str, tuple[str, ...]]:
    half = oriented.value - oriented.low
    if gate.relative:
        return _relative(gate, oriented, code, n, terms), ()
    settle = rows_to_settle(n, half, distance) if code is Code.ACROSS_BAR else None
    return sentence(
        SentenceFacts(
            metric=gate.name, key=None, by=None, rule=gate.rule, limit=gate.limit, judged=oriented, oriented=oriented,
            code=code, n=n, noun=UNIT, confidence=terms.confidence, corrected=False, searched=None, charged=None,
            champion=terms.champion, points=gate.metric == "share_above",
            detectable=detectable(half, terms.confidence), settle=settle or Hopeless.AT_BAR,
        )
    )  # fmt: skip


def _relative(gate: ExperimentGate, oriented: Estimate, code: Code, n: int, terms: LookTerms) -> str:
    """Write the sentence of a limit that is a share of the champion's value."""
    worsening = gate.rule == "max_worsening"
    asked = f"{percent(gate.limit)} {'worse' if worsening else 'better'} than {terms.champion}'s"
    basis = f"({percent(terms.confidence)} sure, {plural(n, *UNIT)})"
    side = {
        Code.WITHIN_BAR: "is certainly not more than" if worsening else "is certainly at least",
        Code.BELOW_BAR: "is certainly more than" if worsening else "is certainly not as much as",
    }.get(code)
    if side is not None:
        return f"{gate.name} {side} {asked} {basis}"
    span = f"{number(oriented.low)} and {number(oriented.high)}"
    what = "allow" if worsening else "ask for"
    return f"{gate.name} lies between {span} from what you {what}, {asked} {basis}"
