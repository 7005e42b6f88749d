"""Report how the newest experiment of a model stands, and whether a promotion may rest on it."""

from __future__ import annotations

from datetime import UTC, datetime

from gates.documents.decision import Verdict
from gates.documents.live.experiment_decision import ExperimentDecision
from gates.documents.printed.standing import ExperimentStanding, LastExperiment
from gates.errors import GatesError
from gates.ledger.audit_documents import resolved_of
from gates.ledger.experiments.audit_experiments import why_not
from gates.ledger.experiments.experiment_records import (
    Get,
    KnownExperiment,
    before_of,
    known_experiments,
    named,
    reader,
)
from gates.ledger.ledger import Ledger
from gates.ledger.retrainings import Before, seconds_of
from gates.monitoring.experiments.judge_experiment import plan_digest
from gates.policy import ResolvedPolicy
from gates.policy.experiment_section import DAY, Experiment
from gates.wording import plural

LATE = 7  # days without a look, after which one is missing: guardrails are judged by looks alone


def last_experiment(ledger: Ledger, head: str | None, resolved: ResolvedPolicy, now: datetime) -> LastExperiment | None:
    """Tell how the newest experiment stands; None where the policy has none, or none was started and none is asked."""
    experiment = resolved.policy.experiment
    if experiment is None:
        return None
    get, before = reader(ledger), before_of(ledger.entries(head), resolved.champion[0])
    try:
        known = known_experiments(get, before)
    except GatesError as error:
        return _without(ExperimentStanding.UNREAD, f"the records of the experiment can't be read: {error.what}")
    if not known:
        return _missing(resolved, before)
    seconds = int(now.astimezone(UTC).timestamp())
    return _told(get, before, resolved, experiment, known[-1], seconds)


def _missing(resolved: ResolvedPolicy, before: list[Before]) -> LastExperiment | None:
    """Say that a promotion asks for an experiment; the first champion needs none."""
    champion = resolved.champion[1]
    asked = any(stage.alias == champion and stage.experiment is not None for stage in resolved.stages)
    if not asked or named(before, champion) is None:
        return None
    return _without(ExperimentStanding.NONE, f"a promotion to {champion} asks for an experiment, and none was started")


def _without(state: ExperimentStanding, told: str) -> LastExperiment:
    return LastExperiment(
        state=state, told=told, record=None, since=None, challenger=None, look=None, verdict=None, code=None,
        closed=None, units=None, permits=None, overdue=False,
    )  # fmt: skip


def _told(
    get: Get, before: list[Before], resolved: ResolvedPolicy, experiment: Experiment, known: KnownExperiment, now: int
) -> LastExperiment:
    last, began = known.last, known.record
    state, permits, late = ExperimentStanding.RUNNING, None, False
    if known.stopped is not None:
        state, sentence = ExperimentStanding.STOPPED, f"stopped on {known.stopped.at[:10]}: {known.stopped.reason}"
    elif last is not None and last.final:
        state, sentence = (
            ExperimentStanding.ENDED,
            f"ended on {last.until[:10]}: {last.verdict} ({last.code}), {last.reason}",
        )
        if last.verdict is Verdict.PASS:
            permits, why = _permits(get, before, resolved, known, now)
            sentence += f"; {why}"
    else:
        late, sentence = _running(experiment, began.at, last, now)
        if known.step.plan != plan_digest(resolved, known.step.champion.digest, known.step.challenger.digest):
            sentence += "; the policy has another plan than at the start, so it can't be looked at"
    models = f"v{known.step.challenger.version} beside v{known.step.champion.version}"
    return LastExperiment(
        state=state,
        told=f"experiment of {models} {sentence}",
        record=began.sequence,
        since=began.at,
        challenger=known.step.challenger.version,
        look=last.until if last else None,
        verdict=str(last.verdict) if last else None,
        code=str(last.code) if last else None,
        closed=last.closed if last else None,
        units=experiment.units,
        permits=permits,
        overdue=late,
    )


def _running(experiment: Experiment, started: str, last: ExperimentDecision | None, now: int) -> tuple[bool, str]:
    """Return whether a look is missing, and how it stands."""
    began = seconds_of(started)
    day = max(0, now - began) // DAY
    over = day >= experiment.max_days
    quiet = max(0, now - (seconds_of(last.until) if last else began)) // DAY
    day_of = f"day {day} of {experiment.min_days} to {experiment.max_days}"
    sentence = f"runs since {started[:10]}, {day_of}"
    if last is None:
        sentence += ", not looked at yet"
    else:
        units = f"{last.closed:,} of {experiment.units:,} units closed"
        sentence += f", {units}; last look {_ago(quiet)}: {last.verdict} ({last.code}), {last.reason}"
    if over:
        return True, f"{sentence}; its days are over, and no look has ended it"
    late = quiet >= LATE
    return late, f"{sentence}; no look for {plural(quiet, 'day', 'days')}" if late else sentence


def _ago(days: int) -> str:
    return f"{plural(days, 'day', 'days')} ago" if days else "today"


def _permits(
    get: Get, before: list[Before], resolved: ResolvedPolicy, known: KnownExperiment, now: int
) -> tuple[bool, str]:
    """Return whether the challenger may be promoted on it now, and a clause that says so."""
    challenger, serving = known.step.challenger, named(before, resolved.champion[1])
    if serving is not None and serving.after is not None and serving.after.digest == challenger.digest:
        return False, f"v{challenger.version} is {resolved.champion[1]} now"
    why = why_not(get, resolved_of, before, resolved, challenger.digest, now)
    return why is None, f"it permits no promotion: {why}" if why else "a promotion may rest on it"
