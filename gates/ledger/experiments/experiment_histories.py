"""Read from the ledger what reports show of a model's experiments: the looks, the units of each arm, the weeks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from gates.documents.live.experiment_decision import ExperimentDecision
from gates.documents.live.experiment_evidence import ExperimentEvidence
from gates.documents.live.experiment_history import ArmUnits, ExperimentHistory, ExperimentPlan, JudgedGate
from gates.documents.record import EVIDENCE, POLICY
from gates.ledger.experiments.audit_experiments import Read
from gates.ledger.experiments.experiment_records import (
    Get,
    KnownExperiment,
    before_of,
    known_experiments,
    reader,
    texts,
)
from gates.ledger.ledger import Ledger
from gates.ledger.retrainings import seconds_of
from gates.monitoring.experiments.judge_experiment import section_of
from gates.monitoring.experiments.week_differences import week_differences
from gates.policy.experiment_section import DAY, Experiment, ExperimentGate
from gates.schema.validation import read_json

MOST_LOOKS = 120  # that a report shows


def experiment_histories(ledger: Ledger, head: str | None, name: str, read: Read) -> tuple[ExperimentHistory, ...]:
    """Read the experiments of a model, the oldest first; the newest one with its plan, its units and its weeks."""
    get, before = reader(ledger), before_of(ledger.entries(head), name)
    known = known_experiments(get, before)
    histories = [_bare(one) for one in known]
    if known:
        beside = {record.sequence: documents for _, record, documents in before}
        histories[-1] = _filled(histories[-1], known[-1], beside, get, read)
    return tuple(histories)


def plan_of_section(experiment: Experiment) -> ExperimentPlan:
    """Return when an experiment by that section ends."""
    return ExperimentPlan(
        units=experiment.units, min_days=experiment.min_days, max_days=experiment.max_days, window=experiment.span
    )


def planned_end(plan: ExperimentPlan, started: str, look: ExperimentDecision) -> str | None:
    """Estimate the day of the planned end, YYYY-MM-DD; None where it has been, or nothing can be told yet."""
    day = plan.end_day(look)
    if day is None or day > plan.max_days:
        return None
    return datetime.fromtimestamp(seconds_of(started) + day * DAY, UTC).strftime("%Y-%m-%d")


def _bare(known: KnownExperiment) -> ExperimentHistory:
    looks = known.looks[-MOST_LOOKS:]
    return ExperimentHistory(
        record=known.record.sequence,
        started=known.record.at,
        champion=known.step.champion,
        challenger=known.step.challenger,
        looks=tuple(decision for _, decision in looks),
        days=tuple((seconds_of(one.until) - seconds_of(known.record.at)) / DAY for _, one in looks),
        stopped=(known.stopped.at, known.stopped.reason) if known.stopped else None,
    )


def _filled(
    history: ExperimentHistory, known: KnownExperiment, beside: Mapping[int, Mapping[str, str]], get: Get, read: Read
) -> ExperimentHistory:
    """Add what the policy of the start and the evidence of the newest look say. ``beside``: each record's documents."""
    resolved = read(texts(beside[known.record.sequence], get, POLICY))
    experiment = section_of(resolved)
    history = replace(history, plan=plan_of_section(experiment), gates=tuple(_gate(one) for one in experiment.gates))
    if not known.looks:
        return history
    record, decision = known.looks[-1]
    evidence = read_json(ExperimentEvidence, texts(beside[record.sequence], get, EVIDENCE), EVIDENCE)
    arms = (
        ArmUnits(arm=arm.arm, model=arm.model, exposed=arm.exposed, closed=arm.closed, planned=share * experiment.units)
        for arm, share in zip(evidence.arms, experiment.shares, strict=False)
    )
    weeks = week_differences(experiment, decision.confidence, evidence) if decision.weeks else ()
    end = planned_end(history.plan, known.record.at, decision) if history.plan and known.runs else None
    return replace(history, end=end, arms=tuple(arms), weeks=tuple(weeks))


def _gate(gate: ExperimentGate) -> JudgedGate:
    """Return where its limit lies. What a relative one allows or asks for is in the difference already."""
    limit = 0.0 if gate.relative else gate.limit if gate.rule == "min_improvement" else -gate.limit
    return JudgedGate(name=gate.name, rule=gate.rule, limit=gate.sign * limit, relative=gate.relative)
