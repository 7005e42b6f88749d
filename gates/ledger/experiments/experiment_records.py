"""The records of a model's experiments: the newest one, its looks, and how it ended."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from gates.documents.live.experiment_decision import ExperimentDecision
from gates.documents.live.experiment_evidence import ExperimentEvidence
from gates.documents.live.experiment_step import ExperimentState, ExperimentStep
from gates.documents.record import DECISION, Record, RecordKind
from gates.errors import GatesError
from gates.ledger.ledger import Entry, Ledger
from gates.ledger.retrainings import Before, seconds_of
from gates.monitoring.experiments.judge_experiment import LookTime, judge_experiment
from gates.policy import ResolvedPolicy
from gates.policy.experiment_section import DAY
from gates.schema.validation import read_json

Get = Callable[[str], bytes | None]  # a blob's bytes


@dataclass(kw_only=True)
class KnownExperiment:
    """An experiment as its records say. ``start``: the digest of the record that started it."""

    start: str
    record: Record
    step: ExperimentStep
    looks: list[tuple[Record, ExperimentDecision]] = field(default_factory=list)
    stopped: Record | None = None

    @property
    def began(self) -> str:
        """From when units count."""
        return self.step.begins or self.record.at

    @property
    def last(self) -> ExperimentDecision | None:
        """The decision of the newest look; None before the first one."""
        return self.looks[-1][1] if self.looks else None

    @property
    def runs(self) -> bool:
        """Whether it has not ended: neither stopped, nor decided."""
        return self.stopped is None and not (self.last is not None and self.last.final)


def before_of(entries: Iterable[Entry], name: str) -> list[Before]:
    """Return what an experiment of a model rests on, the oldest first. ``entries``: the newest first."""
    kept = [(entry.digest, entry.record, entry.documents) for entry in entries if entry.record.name == name]
    return resting(kept[::-1])


def resting(records: Sequence[Before]) -> list[Before]:
    """Keep the records of experiments, and the moves of aliases."""
    return [one for one in records if one[1].kind is RecordKind.EXPERIMENT or one[1].moved]


def reader(ledger: Ledger) -> Get:
    """Return what reads a blob of a ledger."""
    return lambda blob: ledger.git.ask("cat-file", "blob", blob).stdout


def known_experiments(get: Get, before: Sequence[Before]) -> list[KnownExperiment]:
    """Read the experiments of a model, the oldest first."""
    known: dict[str, KnownExperiment] = {}
    for digest, record, documents in before:
        step = record.experiment
        if record.kind is not RecordKind.EXPERIMENT or step is None:
            continue
        if step.state is ExperimentState.STARTED:
            known[digest] = KnownExperiment(start=digest, record=record, step=step)
            continue
        experiment = known.get(step.start or "")
        if experiment is None:
            raise GatesError(f"record {record.sequence} is of an experiment that no record before it started")
        if step.state is ExperimentState.STOPPED:
            experiment.stopped = record
        else:
            data = get(documents.get(DECISION, "")) or b""
            experiment.looks.append((record, read_json(ExperimentDecision, data, DECISION)))
    return list(known.values())


def named(before: Sequence[Before], alias: str) -> Record | None:
    """Return the record of what an alias names by the records before; None where it names nothing."""
    moves = (record for _, record, _ in reversed(before) if record.moved and record.alias == alias)
    last = next(moves, None)
    return last if last is not None and last.after is not None else None


def judged_look(
    resolved: ResolvedPolicy, evidence: ExperimentEvidence, experiment: KnownExperiment, *, rehearsed: bool = False
) -> ExperimentDecision:
    """Judge a look at an experiment. Raises ``GatesError`` where the evidence is of another one."""
    if (evidence.start, evidence.started) != (experiment.start, experiment.began):
        raise GatesError("the experiment evidence is not of the experiment that runs")
    started, until = seconds_of(evidence.started), seconds_of(evidence.until)
    reach = started if evidence.reach is None else seconds_of(evidence.reach)
    time = LookTime(days=max(0, min(reach, until) - started) // DAY, passed=(until - started) / DAY)
    return judge_experiment(resolved, evidence, experiment.step, time, experiment.last, rehearsed=rehearsed)


def texts(documents: Mapping[str, str], get: Get, name: str) -> bytes:
    """Return a document beside a record; nothing where it is not there."""
    return get(documents.get(name, "")) or b""
