"""Run the steps in their order, with the effects they are given: a workspace, an environment, a progress display."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from gates.checkout import pointers
from gates.documents.decision import Code, Decision, Verdict, could_not_judge
from gates.documents.evidence import Evidence, Finding
from gates.errors import GatesError
from gates.judge.judge import judge
from gates.ledger.alias import DisagreementError
from gates.pipeline import baselines, keep, shown_rows
from gates.pipeline.base_verdict import asked, charged, decide, measure_for_base
from gates.pipeline.session import Session
from gates.wording import plural

if TYPE_CHECKING:
    from gates.measure.holdout.models import Rivals
    from gates.pipeline.training import Tables


@dataclass(frozen=True)
class Pipeline:
    """The steps of one policy, with a session to work in. Each leaves what it made in ``.gates/``, for the next."""

    session: Session

    def run(self) -> Decision:
        """Run every step. Raises ``GatesError`` at the first one that can't be done."""
        session = self.session
        session.workspace.forget("train")
        with session.steps.step("policy", str(session.workspace.policy)):
            _ = session.resolved, session.base
            session.expect_prometheus()  # before anybody waits
        findings = self.check()
        evidence = self.broken(findings)
        if evidence is None:
            rivals = baselines.rivals(session)  # before anybody waits
            self.train()
            evidence = self.measure(findings, rivals)
        return self._judged(evidence)

    def run_handed(self, rivals: Rivals) -> Decision:
        """Measure and judge a candidate that was trained, and scored where need be, on another machine."""
        self.session.workspace.forget("measure")
        findings = self.check()
        return self._judged(self.broken(findings) or self.measure(findings, rivals))

    def check(self) -> tuple[Finding, ...]:
        """Hold the tables to the contract. A column that the policy needs and the holdout lacks, or labels that are
        none, stop the run here: before anybody waits for a training."""
        measurement = self.session.measurement
        with self.session.steps.step("data", ", ".join(table.path for table in measurement.opened.values())):
            _ = measurement.rows
            self._check_pointers()
            return measurement.check()

    def broken(self, findings: tuple[Finding, ...]) -> Evidence | None:
        """Return the evidence about the data alone, where it breaks its contract: nothing is trained on it."""
        session = self.session
        evidence = session.measurement.evidence(findings)
        if judge(session.resolved, evidence).verdict not in (Verdict.FAIL, Verdict.ERROR):
            return None
        session.workspace.save(session.workspace.evidence, evidence)
        measure_for_base(session, ())
        return evidence

    def train(self) -> None:
        """Make a candidate from the tables of the policy."""
        from gates.measure.engines.duckdb import is_file

        work, table = self.session.workspace, self.session.resolved.policy.data.train
        work.forget("data")
        work.data.mkdir()
        tables = work.root / table if table and is_file(table) else table
        self.train_on(self.session.measurement.unlabelled(work.data), tables)

    def train_on(self, holdout: Path, tables: Path | str | None) -> None:
        """Make a candidate; what a failed training left is none. ``holdout`` is without its label."""
        from gates.pipeline.training import Tables

        session, work = self.session, self.session.workspace
        work.forget("train")
        given, policy = Tables(holdout=holdout, train=tables), session.resolved.policy
        began = time.time_ns() // 10**6
        git, _ = session.checkout or (None, None)
        commit, clean = (git.resolve("HEAD"), git.clean()) if git else (None, False)
        if policy.train.job and not session.here:
            self._train_as_jobs(given)
        else:
            self._train_here(given)
        work.save_training((began, time.time_ns() // 10**6), commit, clean=clean)

    def _train_as_jobs(self, given: Tables) -> None:
        from gates.pipeline.machines.job_training import Handed, JobTraining

        work, seeds = self.session.workspace, self.session.resolved.policy.train.seeds
        if isinstance(given.train, str):
            raise GatesError("a job gets files, and this is a table of the engine", where="data.train")
        try:
            handed = Handed(holdout=given.holdout, train=given.train)
            JobTraining(session=self.session).run(handed, work.trainings(seeds), work.work / "train.log")
        except BaseException:
            work.forget("train")
            raise

    def _train_here(self, given: Tables) -> None:
        from gates.pipeline.training import train

        session, work, policy = self.session, self.session.workspace, self.session.resolved.policy
        seeds = policy.train.seeds
        for seed, folder in enumerate(work.trainings(seeds)):
            which = f" (seed {seed}, {seed + 1} of {seeds})" if seeds > 1 else ""
            with session.steps.step("train", policy.train.run + which):
                folder.mkdir(parents=True)
                log = work.work / "train.log"
                log.unlink(missing_ok=True)  # of the training before
                try:
                    with session.steps.follow(log):
                        train(policy, work.root, folder, given, session.environ, log, seed)
                except BaseException:
                    work.forget("train")
                    raise

    def measure(self, findings: tuple[Finding, ...], rivals: Rivals, *, again: bool = False) -> Evidence:
        """Measure the candidate and all that it is compared with on the same rows, and keep the evidence. ``again``: as
        it was once measured, so that what a Prometheus says now is not asked."""
        from gates.measure.holdout.models import ModelOutput

        session, work = self.session, self.session.workspace
        work.forget("measure")
        folders = work.trained(session.resolved.policy.train.seeds)
        against = f"against version {rivals.champion.version}" if rivals.champion else "no champion yet"
        with session.steps.step("measure", against):
            outputs = [ModelOutput.of(folder) for folder in folders]
            evidence = session.measurement.evidence(findings, outputs, rivals)
            evidence = charged(session, evidence, session.resolved)
            uncompared = None if rivals.champion else session.unreachable
            evidence = replace(evidence, uncompared=uncompared, unbased=rivals.unbased)
        evidence = evidence if again else asked(session, evidence, session.resolved)
        work.save(work.evidence, evidence)
        shown_rows.keep(session, evidence)
        keep.describe(session, evidence)
        measure_for_base(session, outputs, rivals)
        return evidence

    def measure_trained(self) -> Evidence:
        """Check the data, and measure the candidate that was trained before."""
        session = self.session
        session.workspace.trained(session.resolved.policy.train.seeds)
        return self.measure(self.check(), baselines.rivals(session))

    def judge(self) -> Decision:
        """Judge the evidence as it lies there, and keep the decision."""
        work = self.session.workspace
        work.forget("judge")
        _ = self.session.resolved  # its mistakes come first
        decision = decide(self.session, work.load_evidence())
        work.save(work.decision, decision)
        return decision

    def judge_anew(self, folder: Path, reason: str = "") -> Decision:
        """Judge the evidence in ``folder``, never a decision that was handed over with it. ``reason`` says why there
        is no evidence, where there is none."""
        work = self.session.workspace
        try:
            _ = self.session.resolved  # its mistakes come first
            return decide(self.session, work.load_evidence(folder), folder)
        except GatesError as error:
            why = str(error)
        return self.unjudged(GatesError(why if (folder / work.evidence.name).exists() else reason or why))

    def unjudged(self, error: GatesError) -> Decision:
        """Return the decision where a step stopped before anything could be judged."""
        code = Code(error.code) if isinstance(error, DisagreementError) else Code.COULD_NOT_JUDGE
        return could_not_judge(self.session.model, str(error), code)

    def _judged(self, evidence: Evidence) -> Decision:
        gates = self.session.resolved.gates
        with self.session.steps.step("judge", plural(len(gates), "gate", "gates")):
            return decide(self.session, evidence)

    def _check_pointers(self) -> None:
        """Hold the tables to DVC's pointers. A promotion holds them to those of Git LFS, which are of a commit."""
        root, data = self.session.workspace.root, self.session.resolved.policy.data
        for name in data.tables:
            pointers.of(root, getattr(data, name), self.session.checkout, lfs=False)
