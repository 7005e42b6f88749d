"""Judge one gate of an experiment: the sums of two arms, the bounds of this look, the verdict and its sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, sqrt

from gates.documents.decision import Code, Estimate, GateVerdict, Verdict
from gates.documents.live.experiment_evidence import ExperimentArm, UnitSums
from gates.kinds.metric.comparison import outcome
from gates.kinds.metric.sentences import SentenceFacts, sentence
from gates.monitoring.experiments.experiment_checks import UNIT
from gates.policy.experiment_section import ExperimentGate
from gates.schema.canonical import settled
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


def judged_gate(gate: ExperimentGate, arms: tuple[ExperimentArm, ...], terms: LookTerms) -> GateVerdict:
    """Return the verdict of a gate at a look: by its bounds alone, whatever the day."""
    sums = tuple(arm_sums(arm, gate.name) for arm in arms)
    champion, challenger = sums
    closed = champion.n + challenger.n
    unmeasured = _unmeasured(gate, arms)
    if unmeasured is not None:
        return _unjudged(gate, Verdict.ERROR, Code.NOT_MEASURED, unmeasured, closed)
    few = _too_few(gate, sums, terms)
    compared = difference(champion, challenger, _margin(gate))
    if few is not None or compared is None or not compared[1] > 0:
        why = few or f"all units are alike in {gate.name}, which tells nothing about how far off that may be"
        return _unjudged(gate, Verdict.INCONCLUSIVE, Code.TOO_FEW_ROWS, why, closed)
    if gate.relative and (champion.ratio or 0.0) <= 0:
        why = f"{gate.name} of {terms.champion} is not above 0, so no share of it can be told"
        return _unjudged(gate, Verdict.ERROR, Code.UNDEFINED, why, closed)
    return _compared(gate, sums, compared, terms)


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
    x = sum(_effective(one.x, one.xx) for one in sums)
    y = sum(_effective(one.y, one.yy) for one in sums)
    seen = min(y, x if gate.metric != "mean" else y)
    if seen * min(terms.shares) < EVENTS:
        few = f"as few as {plural(round(seen), *UNIT)} have anything for {gate.name}"
        return f"{few}, which tells too little about how far off it may be"
    return None


def _effective(total: float, squares: float) -> float:
    """Return of how many alike units a sum is worth."""
    return total**2 / squares if squares > 0 else 0.0


def _compared(
    gate: ExperimentGate, sums: tuple[ArmSums, ...], compared: tuple[float, float], terms: LookTerms
) -> GateVerdict:
    """Hold the difference to its limit; a relative limit is in the difference already."""
    raw, error = compared
    limit = 0.0 if gate.relative else gate.limit if gate.rule == "min_improvement" else -gate.limit
    value, half = settled(gate.sign * raw), error * terms.errors
    low, high = settled(value - half), settled(value + half)
    verdict = outcome(value, low, high, limit)
    code = {
        Verdict.PASS: Code.WITHIN_BAR,
        Verdict.INCONCLUSIVE: Code.ACROSS_BAR,
        Verdict.FAIL: Code.BELOW_BAR,
        Verdict.ERROR: Code.NOT_FINITE,
    }[verdict]
    oriented = Estimate(value=value, low=low, high=high)
    judged = oriented if gate.sign > 0 else Estimate(value=-value, low=-high, high=-low)
    n = sum(one.n for one in sums)
    reason, notes = _told(gate, oriented, code, n, terms, abs(value - limit))
    levels = [_level(one, terms) for one in sums]
    return GateVerdict(
        id=gate.name, kind="metric", metric=gate.metric, rule=gate.rule, bar=gate.limit, slice=None, by=None,
        groups=None, n=n, verdict=verdict, code=code, reason="; ".join([reason, *notes]), candidate=levels[1],
        champion=levels[0], difference=judged, detectable=settled(detectable(half, terms.confidence)),
        method=terms.method, better=gate.sign, notes=notes,
    )  # fmt: skip


def _level(sums: ArmSums, terms: LookTerms) -> Estimate | None:
    if sums.ratio is None or sums.variance is None:
        return None
    half = sqrt(sums.variance) * terms.errors
    ends = [settled(end) for end in (sums.ratio, sums.ratio - half, sums.ratio + half)]
    return Estimate(value=ends[0], low=ends[1], high=ends[2]) if all(map(isfinite, ends)) else None


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
