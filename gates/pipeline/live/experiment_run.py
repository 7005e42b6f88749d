"""Start an experiment, look at it and stop it: by the ledger, which says what serves, and by the log of its units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property

from gates.checkout.trusted_policy import TrustedPolicy
from gates.documents.live.experiment_decision import ExperimentDecision
from gates.documents.live.experiment_evidence import SCHEMA, ExperimentEvidence
from gates.documents.live.experiment_step import ComparedModel, ExperimentState, ExperimentStep, salt_of
from gates.documents.record import POLICY, Record
from gates.errors import GatesError
from gates.ledger.experiments.experiment_records import (
    KnownExperiment,
    before_of,
    judged_look,
    known_experiments,
    named,
    reader,
)
from gates.ledger.ledger import Entry, LostRaceError
from gates.measure.live.experiment_sums import Look, counted_look
from gates.measure.live.experiment_tables import ExperimentTables
from gates.measure.live.window_times import text_of
from gates.monitoring.experiments.judge_experiment import plan_digest
from gates.pipeline.live.live_records import write_judged
from gates.pipeline.machines import handed_units
from gates.pipeline.session import Session
from gates.policy.experiment_section import Experiment
from gates.schema.canonical import digest
from gates.wording import counted

SALTS = 10  # earlier experiments whose salts are tried
SOON = timedelta(minutes=1)  # a start that is to begin later is recorded before that


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentLook:
    """What a look came to. ``entry`` is None where it was not recorded."""

    decision: ExperimentDecision
    entry: Entry | None


@dataclass(kw_only=True)
class ExperimentRun:
    """The experiments of a model. ``now``: the time of the look."""

    session: Session
    trusted: TrustedPolicy
    now: datetime

    @cached_property
    def experiment(self) -> Experiment:
        """The policy's section. Raises ``GatesError`` where there is none."""
        section = self.trusted.resolved.policy.experiment
        if section is None:
            hint = "docs/experiments.md has one."
            raise GatesError("has no experiment section", where=str(self.session.workspace.policy), hint=hint)
        return section

    def start(
        self, draft: Record, begins: datetime | None = None, *, record: bool = True
    ) -> tuple[ExperimentStep, Entry | None]:
        """Start one between the champion and the model of the stage before. ``begins``: from when units count.

        Raises ``GatesError`` where one runs already, where the two aliases don't name two models, or where ``begins``
        is past: the salt was not known then.
        """
        if begins is not None and begins < self.now + SOON:
            hint = "Leave --from out to count from now on."
            raise GatesError(f"{text_of(begins)} must be in the future", where="--from", hint=hint)
        while True:
            head = self.session.ledger.head()
            running = _running(self._known(head))
            if running is not None:
                raise GatesError(
                    f"an experiment runs already, since record {running.record.sequence}",
                    where=self.trusted.resolved.champion[0],
                    hint="Look at it until it has ended, or stop it: gates experiment stop --reason TEXT.",
                )
            step = replace(self._planned(head), begins=text_of(begins) if begins else None)
            if not record:
                return step, None
            try:
                return step, self._write(draft, step, head)
            except LostRaceError:
                continue

    def stop(self, draft: Record) -> tuple[ExperimentStep, Entry]:
        """End the one that runs. Raises ``GatesError`` where none does."""
        while True:
            head = self.session.ledger.head()
            step = self._step(self._require(self._known(head)), ExperimentState.STOPPED)
            try:
                return step, self._write(draft, step, head)
            except LostRaceError:
                continue

    def look(self, draft: Record, *, record: bool = True) -> ExperimentLook:
        """Count and judge the one that runs. Without ``record`` nothing is written, and the planned end is not spent.

        Where somebody else has looked in the meantime, it is counted again: each look knows the one before.
        """
        while True:
            head = self.session.ledger.head()
            known = self._known(head)
            running = self._require(known)
            evidence = self._counted(running, known)
            decision = self._judged(running, evidence, rehearsed=not record)
            if not record:
                return ExperimentLook(decision=decision, entry=None)
            entry = self._recorded(draft, running, evidence, decision, head)
            if entry is not None:
                return ExperimentLook(decision=decision, entry=entry)

    def count(self) -> ExperimentEvidence | None:
        """Count the one that runs, for another machine to judge; None where none runs, or no units count yet."""
        known = self._known(self.session.ledger.head())
        running = _running(known)
        return self._counted(running, known) if running and running.began < text_of(self.now) else None

    def judge_handed(self, evidence: ExperimentEvidence, draft: Record) -> ExperimentLook | None:
        """Judge what another machine has counted, and record it, without the log; None where somebody else has looked
        in the meantime, or ended it.

        Whether this look is the planned end is decided here, by the ledger. Raises ``GatesError`` where the evidence is
        not of the next look at the experiment that runs.
        """
        while True:
            head = self.session.ledger.head()
            known = self._known(head)
            if handed_units.came_late(evidence, known):
                return None
            running = self._require(known)
            handed_units.check(evidence, self.now, self.trusted.resolved.policy.model)
            decision = self._judged(running, evidence)
            entry = self._recorded(draft, running, evidence, decision, head)
            if entry is not None:
                return ExperimentLook(decision=decision, entry=entry)

    def _judged(
        self, running: KnownExperiment, evidence: ExperimentEvidence, *, rehearsed: bool = False
    ) -> ExperimentDecision:
        with self.session.steps.step("judge", f"{counted(evidence.closed, 'closed unit')} of {evidence.model}"):
            return judged_look(self.trusted.resolved, evidence, running, rehearsed=rehearsed)

    def _known(self, head: str | None) -> list[KnownExperiment]:
        ledger = self.session.ledger
        with self.session.steps.step("ledger", ledger.told):
            return known_experiments(reader(ledger), before_of(ledger.entries(head), self.trusted.resolved.champion[0]))

    def _require(self, known: Sequence[KnownExperiment]) -> KnownExperiment:
        running = _running(known)
        if running is None:
            last = known[-1] if known else None
            how = f"; that of record {last.record.sequence} has ended" if last else ""
            raise GatesError(
                f"no experiment runs{how}",
                where=self.trusted.resolved.champion[0],
                hint="Start one: gates experiment start.",
            )
        return running

    def _planned(self, head: str | None) -> ExperimentStep:
        """Return the step that starts one."""
        resolved = self.trusted.resolved
        _ = self.experiment
        name, alias = resolved.champion
        before = before_of(self.session.ledger.entries(head), name)
        models = []
        for stage in (alias, resolved.challenger_stage):
            last = named(before, stage or "")
            if last is None or last.after is None:
                hint = f"Promote a model first: gates run && gates promote --stage {stage}."
                raise GatesError(
                    f"nothing is {stage or 'a challenger'}, so there is nothing to compare", where=name, hint=hint
                )
            models.append(ComparedModel(digest=last.after.digest, version=last.after.version))
        champion, challenger = models
        if champion.digest == challenger.digest:
            what = f"{resolved.challenger_stage} and {alias} are the same model, v{champion.version}"
            raise GatesError(what, where=name, hint="Promote a challenger first.")
        plan = plan_digest(resolved, champion.digest, challenger.digest)
        return ExperimentStep(
            state=ExperimentState.STARTED, plan=plan, champion=champion, challenger=challenger, start=None
        )

    @staticmethod
    def _step(running: KnownExperiment, state: ExperimentState) -> ExperimentStep:
        return replace(running.step, state=state, start=running.start, begins=None)

    def _write(self, draft: Record, step: ExperimentStep, head: str | None) -> Entry:
        record = replace(draft, policy=self.trusted.ref, experiment=step)
        return self.session.ledger.append(record, {POLICY: self.trusted.resolved.document}, after=head)

    def _counted(self, running: KnownExperiment, known: Sequence[KnownExperiment]) -> ExperimentEvidence:
        last = running.last
        bare = ExperimentEvidence(
            schema=SCHEMA, model=self.trusted.resolved.policy.model, plan=self._plan(running), start=running.start,
            salt=salt_of(running.start), started=running.began, until=text_of(self.now), reach=None,
            previous=digest(last) if last else None, unreadable=None, lacking=False, arms=(), invented=(), both=0,
            other=0, salts=(), backwards=0, forwards=0, outcomes=0, duplicates=0, earlier=0,
        )  # fmt: skip
        earlier = [one.start for one in known if one.start != running.start][-SALTS:]
        look = Look(
            bare=bare,
            champion=running.step.champion,
            challenger=running.step.challenger,
            before=last.until if last else None,
            salts=earlier,
            confidence=self.trusted.resolved.policy.confidence,
        )
        if bare.until <= bare.started:
            raise GatesError(f"the experiment begins later, at {bare.started}", where="--until")
        tables = ExperimentTables(experiment=self.experiment, root=self.session.workspace.root, until=self.now)
        with self.session.steps.step("units", f"until {bare.until}"):
            evidence = counted_look(tables, look)
        return self._asked(evidence)

    def _asked(self, evidence: ExperimentEvidence) -> ExperimentEvidence:
        """Add what a Prometheus says about the time of the look, where the policy asks one."""
        questions = self.experiment.questions
        if not questions:
            return evidence
        (answers,) = self.session.ask(questions, [self.now])
        return replace(evidence, answers=answers)

    def _plan(self, running: KnownExperiment) -> str:
        """Return today's plan. Raises ``GatesError`` where it is not what the experiment was started with."""
        _ = self.experiment
        plan = plan_digest(self.trusted.resolved, running.step.champion.digest, running.step.challenger.digest)
        if plan != running.step.plan:
            raise GatesError(
                "the experiment section, or the confidence, is not what it was when the experiment was started",
                where=str(self.session.workspace.policy),
                hint="Put it back, or stop this experiment and start another one.",
            )
        return plan

    def _recorded(
        self,
        draft: Record,
        running: KnownExperiment,
        evidence: ExperimentEvidence,
        decision: ExperimentDecision,
        head: str | None,
    ) -> Entry | None:
        """Write the look; None where somebody else has written a step of this experiment in the meantime."""

        def still_follows(now: str | None) -> bool:
            known = _running(self._known(now))
            return known is not None and (known.start, len(known.looks)) == (running.start, len(running.looks))

        step = replace(draft, experiment=self._step(running, ExperimentState.LOOK))
        return write_judged(
            self.session.ledger, step, self.trusted, evidence, decision, head=head, still_follows=still_follows
        )


def _running(known: Sequence[KnownExperiment]) -> KnownExperiment | None:
    return next((one for one in known if one.runs), None)
