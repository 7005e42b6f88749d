"""Judge one look at an experiment by the policy's ``experiment`` section. Pure: no clock, no network, no data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gates.documents.decision import Code, GateVerdict, Verdict, worst
from gates.documents.live.experiment_decision import SCHEMA, ExperimentDecision, WeekEffect
from gates.documents.live.experiment_evidence import ExperimentEvidence, UnitSums
from gates.documents.live.experiment_step import ExperimentStep, salt_of
from gates.errors import GatesError
from gates.judge.answers import wrong_answers
from gates.kinds.promql.promql_verdict import held
from gates.monitoring.experiments.experiment_checks import log_checks
from gates.monitoring.experiments.experiment_rules import LookTerms, is_possible, judged_gate, week_value
from gates.policy import ResolvedPolicy
from gates.policy.experiment_section import Experiment, plan_of
from gates.schema.canonical import digest, settled
from gates.stats.experiments.confidence_sequence import early, planned
from gates.wording import plural

DIGITS = 40  # binary ones of a sum that are sure


@dataclass(frozen=True, slots=True, kw_only=True)
class LookTime:
    """When a look is, in days since the start: ``days`` that the outcomes cover, ``passed`` by the look's own time."""

    days: int
    passed: float


def section_of(resolved: ResolvedPolicy) -> Experiment:
    """Return the policy's section. Raises ``GatesError`` where there is none."""
    if resolved.policy.experiment is None:
        raise GatesError("the policy has no experiment section", hint="Write one: docs/experiments.md.")
    return resolved.policy.experiment


def plan_digest(resolved: ResolvedPolicy, champion: str, challenger: str) -> str:
    """Return the digest of an experiment's plan, for two models."""
    return digest(plan_of(section_of(resolved), resolved.policy.confidence, champion, challenger))


def judge_experiment(
    resolved: ResolvedPolicy,
    evidence: ExperimentEvidence,
    step: ExperimentStep,
    time: LookTime,
    previous: ExperimentDecision | None,
    *,
    rehearsed: bool = False,
) -> ExperimentDecision:
    """Return the verdict of a look. ``step``: how the experiment was started; ``previous``: the decision of the look
    before.

    ``rehearsed``: nothing is recorded, so the planned end is not spent, and the bounds of every look hold.
    Raises ``GatesError`` where the evidence is of another plan, does not follow the look before, or contradicts itself.
    """
    experiment = section_of(resolved)
    _refuse(resolved, evidence, step, previous)
    spent = previous is not None and previous.spent
    checks = tuple(log_checks(evidence, experiment, previous))
    sound = all(one.verdict is Verdict.PASS for one in checks)
    is_end = (
        sound and not spent and not rehearsed
        and evidence.closed >= experiment.units and time.days >= experiment.min_days
    )  # fmt: skip
    gates = tuple(_gates(resolved, experiment, evidence, step, is_end=is_end)) if sound else ()
    outcome = _outcome(experiment, checks, gates, time)
    return ExperimentDecision(
        schema=SCHEMA,
        model=evidence.model,
        verdict=outcome.verdict,
        code=outcome.code,
        reason=outcome.reason,
        confidence=resolved.policy.confidence,
        evidence=digest(evidence),
        policy=resolved.digest,
        plan=evidence.plan,
        start=evidence.start,
        previous=evidence.previous,
        look=previous.look + 1 if previous else 1,
        until=evidence.until,
        days=time.days,
        exposed=evidence.exposed,
        closed=evidence.closed,
        planned=is_end,
        spent=spent or is_end,
        final=outcome.final,
        champion=step.champion,
        challenger=step.challenger,
        gates=(*checks, *gates),
        weeks=tuple(_weeks(experiment, evidence)) if sound else (),
    )


def _refuse(
    resolved: ResolvedPolicy,
    evidence: ExperimentEvidence,
    step: ExperimentStep,
    previous: ExperimentDecision | None,
) -> None:
    plan = plan_digest(resolved, step.champion.digest, step.challenger.digest)
    if not plan == step.plan == evidence.plan:
        raise GatesError(
            "the policy's experiment section, or its confidence, is not what it was when the experiment was started",
            hint="Stop it, and start another one: gates experiment stop, then gates experiment start.",
        )
    if evidence.previous != (digest(previous) if previous else None):
        raise GatesError("the experiment evidence does not follow the look before it")
    if previous is not None and previous.final:
        raise GatesError("the experiment has ended with the look before")
    if evidence.salt != salt_of(evidence.start):
        raise GatesError("the salt is not that of the record that started the experiment")
    if evidence.until <= (previous.until if previous else evidence.started):
        raise GatesError("the look is not later than the one before, or than the start", where="--until")
    wrong = contradiction_in(section_of(resolved), evidence, step)
    if wrong:
        raise GatesError(f"the experiment evidence contradicts itself: {wrong}")


def contradiction_in(experiment: Experiment, evidence: ExperimentEvidence, step: ExperimentStep) -> str | None:
    """Say what can't be so; None where nothing contradicts itself."""
    if evidence.unreadable is not None:
        return "counts of what can't be read" if evidence.arms else None
    models = [(arm.arm, arm.model) for arm in evidence.arms]
    if models != [("champion", step.champion), ("challenger", step.challenger)]:
        return "its arms are not those of the start"
    names = [gate.name for gate in experiment.gates]
    quantiles = {gate.name: gate.q or 0.0 for gate in experiment.gates if gate.metric == "quantile"}
    for arm in evidence.arms:
        if [one.gate for one in arm.quantiles] != list(quantiles):
            return "its quantiles are not those of the gates"
        wrong_one = next((one.gate for one in arm.quantiles if not is_possible(arm, one, quantiles[one.gate])), None)
        if wrong_one is not None:
            return f"the quantile {wrong_one} of the {arm.arm}"
        weeks = [week.week for week in arm.weeks]
        if weeks != sorted(set(weeks)) or arm.closed > arm.exposed:
            return f"weeks or units of the {arm.arm}"
        for week in arm.weeks:
            if [one.gate for one in week.sums] != names:
                return "its sums are not those of the gates"
            impossible = next((sums.gate for sums in week.sums if not _can_be(sums, week.closed)), None)
            if impossible is not None:
                return f"the sums of {impossible}"
    wrong = next(wrong_answers(experiment.questions, evidence.answers), None)
    if wrong is None and any(one.at != evidence.until for one in evidence.answers):
        wrong = "its answers are about another time"
    if wrong is not None:
        return wrong
    counts = (evidence.both, evidence.other, evidence.backwards, evidence.forwards, evidence.duplicates)
    if min(counts) < 0 or evidence.duplicates > evidence.outcomes or evidence.earlier > evidence.exposed:
        return "its counts"
    return None


def _can_be(sums: UnitSums, closed: int) -> bool:
    """Tell whether so many units can have these sums: by Cauchy and Schwarz, last digits aside."""
    if not (0 <= sums.valued <= closed and sums.xx >= 0 and sums.yy >= 0):
        return False
    pairs = ((sums.x, sums.xx), (sums.y, sums.yy))
    return all(total**2 - (closed * squares << UnitSums.UNIT) <= total**2 >> DIGITS for total, squares in pairs)


def _gates(
    resolved: ResolvedPolicy,
    experiment: Experiment,
    evidence: ExperimentEvidence,
    step: ExperimentStep,
    *,
    is_end: bool,
) -> Iterator[GateVerdict]:
    confidence = resolved.policy.confidence
    errors = planned(confidence) if is_end else early(max(1, evidence.closed), experiment.units, confidence)
    terms = LookTerms(
        confidence=confidence,
        errors=errors,
        planned=is_end,
        shares=experiment.shares,
        champion=f"champion v{step.champion.version}",
    )
    for gate in experiment.gates:
        yield judged_gate(gate, evidence.arms, terms)
    for rule in experiment.guardrails:
        yield from held(rule, evidence.answers, confidence)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """What all rules together come to."""

    verdict: Verdict
    code: Code
    reason: str
    final: bool


def _outcome(
    experiment: Experiment, checks: tuple[GateVerdict, ...], gates: tuple[GateVerdict, ...], time: LookTime
) -> _Outcome:
    """Return the verdict: an error stays one, guardrails fail at once, goals are not decided before ``min_days``."""
    bad = worst((*checks, *gates))
    assert bad is not None  # noqa: S101 -- the checks are always judged
    if bad.verdict is Verdict.ERROR:
        return _Outcome(verdict=Verdict.ERROR, code=bad.code, reason=bad.reason, final=False)
    early_on = time.days < experiment.min_days
    goals = experiment.goals
    failed = next((one for one in gates if one.verdict is Verdict.FAIL and not (early_on and one.id in goals)), None)
    if failed is not None:
        return _Outcome(verdict=Verdict.FAIL, code=failed.code, reason=failed.reason, final=True)
    if early_on:
        days = f"{plural(time.days, 'day', 'days')} of at least {experiment.min_days}"
        reason = f"the outcomes cover {days}: it is too early to decide"
        return _Outcome(verdict=Verdict.INCONCLUSIVE, code=Code.TOO_EARLY, reason=reason, final=False)
    if bad.verdict is Verdict.PASS:
        reason = "the challenger holds every gate beside the champion"
        return _Outcome(verdict=Verdict.PASS, code=Code.WITHIN_BAR, reason=reason, final=True)
    if time.passed >= experiment.max_days:
        reason = f"undecided after {plural(experiment.max_days, 'day', 'days')}, so the champion stays: {bad.reason}"
        return _Outcome(verdict=Verdict.INCONCLUSIVE, code=Code.ENDED, reason=reason, final=True)
    return _Outcome(verdict=Verdict.INCONCLUSIVE, code=bad.code, reason=bad.reason, final=False)


def _weeks(experiment: Experiment, evidence: ExperimentEvidence) -> Iterator[WeekEffect]:
    weeks = sorted({week.week for arm in evidence.arms for week in arm.weeks})
    for week in weeks:
        for gate in experiment.gates:
            values = [week_value(arm, gate, week) for arm in evidence.arms]
            yield WeekEffect(
                week=week,
                gate=gate.name,
                units=sum(one.closed for arm in evidence.arms for one in arm.weeks if one.week == week),
                champion=None if values[0] is None else settled(values[0]),
                challenger=None if values[1] is None else settled(values[1]),
            )
