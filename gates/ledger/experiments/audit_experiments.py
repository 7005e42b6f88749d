"""Check the records of experiments against those before them, and find the experiment that a promotion rests on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from gates import __version__
from gates.documents.decision import Verdict
from gates.documents.live.experiment_evidence import ExperimentEvidence
from gates.documents.live.experiment_step import ComparedModel, ExperimentState
from gates.documents.printed.audit import Flaw
from gates.documents.record import EVIDENCE, POLICY, Record, RecordKind
from gates.errors import GatesError
from gates.ledger.experiments.experiment_records import (
    Get,
    KnownExperiment,
    judged_look,
    known_experiments,
    named,
    texts,
)
from gates.ledger.retrainings import Before, seconds_of
from gates.monitoring.experiments.judge_experiment import plan_digest, section_of
from gates.policy import ResolvedPolicy
from gates.policy.experiment_section import DAY
from gates.schema.canonical import digest, digest_bytes
from gates.schema.validation import read_json
from gates.wording import plural

Read = Callable[[bytes], ResolvedPolicy]  # of the document beside a record


def check_experiment(
    get: Get, record: Record, documents: Mapping[str, str], before: Sequence[Before], resolved: ResolvedPolicy
) -> Iterator[tuple[Flaw, str]]:
    """Yield what is wrong with a step of an experiment, by its own policy and the records of the model before it."""
    step = record.experiment
    if step is None:
        return
    if (record.name, record.alias) != resolved.champion:
        yield Flaw.CONTRADICTION, "its model or alias is not that of its policy"
    if step.plan != plan_digest(resolved, step.champion.digest, step.challenger.digest):
        yield Flaw.EXPERIMENT, "its plan is not that of its policy and models"
        return
    running = next((one for one in known_experiments(get, before) if one.runs), None)
    if step.state is ExperimentState.STARTED:
        if step.begins is not None and step.begins < record.at:
            yield Flaw.EXPERIMENT, "units count from before it was started"
        yield from _start((step.champion, step.challenger), before, resolved, running)
        return
    if running is None or running.start != step.start:
        yield Flaw.EXPERIMENT, "the experiment that it is of does not run by the records before it"
        return
    if (running.step.champion, running.step.challenger, running.step.plan) != (
        step.champion, step.challenger, step.plan,
    ):  # fmt: skip
        yield Flaw.EXPERIMENT, "its models or plan are not those of the start"
        return
    if step.state is ExperimentState.LOOK:
        yield from _look(get, record, documents, resolved, running)


def _start(
    models: Sequence[ComparedModel],
    before: Sequence[Before],
    resolved: ResolvedPolicy,
    running: KnownExperiment | None,
) -> Iterator[tuple[Flaw, str]]:
    if running is not None:
        yield Flaw.EXPERIMENT, f"another experiment runs, since record {running.record.sequence}"
    stages = (resolved.champion[1], resolved.challenger_stage)
    for alias, model in zip(stages, models, strict=True):
        last = named(before, alias or "")
        if last is None or last.after is None or last.after.digest != model.digest:
            yield Flaw.EXPERIMENT, f"it does not compare what {alias} named by the records before it"


def _look(
    get: Get, record: Record, documents: Mapping[str, str], resolved: ResolvedPolicy, running: KnownExperiment
) -> Iterator[tuple[Flaw, str]]:
    evidence = read_json(ExperimentEvidence, texts(documents, get, EVIDENCE), EVIDENCE)
    decision = judged_look(resolved, evidence, running)
    if digest(decision) != record.decision:
        by = f"; it was made by gates {record.tool}" if record.tool != __version__ else ""
        yield Flaw.DECISION_DIFFERS, f"its evidence gives {decision.verdict}, {decision.reason}{by}"
    if record.verdict != decision.verdict:
        yield Flaw.CONTRADICTION, "its verdict is not that of its decision"


def check_promotion(
    get: Get, read: Read, record: Record, before: Sequence[Before], resolved: ResolvedPolicy
) -> Iterator[tuple[Flaw, str]]:
    """Yield what is wrong with a promotion whose stage asks for an experiment: none lets its model take the place."""
    stage = next((one for one in resolved.stages if one.alias == record.alias), None)
    moving = record.kind in (RecordKind.INTENT, RecordKind.PROMOTION) and not record.target
    if not moving or stage is None or stage.experiment is None or record.model is None:
        return
    why = why_not(get, read, before, resolved, record.model.digest, seconds_of(record.at))
    if why is not None:
        yield Flaw.EXPERIMENT, why


def why_not(
    get: Get, read: Read, before: Sequence[Before], resolved: ResolvedPolicy, model: str, now: int
) -> str | None:
    """Say why no experiment lets a model become the champion; None where one does, or there is no champion yet.

    ``model``: its digest; ``now``: seconds since 1970. Every record of the experiment is checked again.
    """
    serving = named(before, resolved.champion[1])
    if serving is None or serving.after is None:
        return None
    try:
        known = known_experiments(get, before)
        return _why_not(get, read, before, resolved, known, (serving.after.digest, model), now)
    except GatesError as error:
        return f"the records of the experiment can't be read: {error.what}"


def _why_not(
    get: Get,
    read: Read,
    before: Sequence[Before],
    resolved: ResolvedPolicy,
    known: Sequence[KnownExperiment],
    models: tuple[str, str],
    now: int,
) -> str | None:
    if not known:
        return "no experiment has compared this model with the champion"
    experiment = known[-1]
    step, started = experiment.step, f"the experiment of record {experiment.record.sequence}"
    if step.challenger.digest != models[1]:
        return f"{started} is about another challenger, v{step.challenger.version}"
    if step.champion.digest != models[0]:
        return f"{started} compared it with v{step.champion.version}, which is not the champion any more"
    if experiment.stopped is not None:
        return f"{started} was stopped by record {experiment.stopped.sequence}"
    if experiment.last is None or not experiment.last.final:
        return f"{started} has not ended"
    if experiment.last.verdict is not Verdict.PASS:
        return f"{started} ended with {experiment.last.verdict}: {experiment.last.reason}"
    if step.plan != plan_digest(resolved, *models):
        return f"{started} had another plan than the policy of the default branch"
    most = section_of(resolved).max_days
    if now - seconds_of(experiment.looks[-1][0].at) >= most * DAY:
        return f"{started} ended {plural(most, 'day', 'days')} ago or more"
    return _broken(get, read, before, experiment, started)


def _broken(get: Get, read: Read, before: Sequence[Before], experiment: KnownExperiment, started: str) -> str | None:
    """Check each record of an experiment by those before it."""
    for index, (digest_, record, documents) in enumerate(before):
        step = record.experiment
        if record.kind is not RecordKind.EXPERIMENT or step is None or experiment.start not in (digest_, step.start):
            continue
        if documents.keys() != record.documents.keys():
            return f"{started} lacks documents of record {record.sequence}"
        for name in documents:
            if digest_bytes(texts(documents, get, name)) != record.documents[name]:
                return f"{started} has a changed {name} in record {record.sequence}"
        resolved = read(texts(documents, get, POLICY))
        flaw = next(check_experiment(get, record, documents, before[:index], resolved), None)
        if flaw is not None:
            return f"{started} is not whole: record {record.sequence}, {flaw[1]}"
    return None
