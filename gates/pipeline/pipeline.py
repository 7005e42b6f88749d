"""The steps in their order, with the effects they are handed: a workspace, an environment, somebody to tell."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from gates.checkout import pointers
from gates.checkout.base_policy import Base, BaseVerdict, base_of
from gates.checkout.workspace import Workspace
from gates.documents.decision import Code, Decision, Verdict, could_not_judge, worse
from gates.documents.evidence import Evidence, Finding
from gates.documents.record import Record, Waiver
from gates.errors import Exit, GatesError
from gates.github import event
from gates.judge.judge import judge
from gates.judge.waivers import Settled, settle
from gates.ledger.alias import DisagreementError, agreed, known_of
from gates.policy import ResolvedPolicy
from gates.system import files
from gates.system.git import repository
from gates.system.progress import Steps
from gates.wording import plural

if TYPE_CHECKING:
    from gates.checkout.trusted_policy import TrustedPolicy
    from gates.ledger.ledger import Ledger
    from gates.measure.holdout.models import ModelOutput, RegisteredModel
    from gates.measure.measurement import Measurement
    from gates.registry.mlflow import Registry
    from gates.registry.sqlite import SQLiteRegistry


@dataclass(frozen=True, kw_only=True)
class Flow:
    """One policy's steps. ``resolved`` is read, and engine and registry are opened, when they are first needed.
    ``today`` is the day (YYYY-MM-DD, UTC) by which waivers and observing end. ``trusted``: the default branch's policy,
    where that is the one that counts. ``against`` is a revision whose policy judges, too; of a pull request it is the
    base commit. ``approver`` is who approved that the policy asks for less than that one: then it judges alone."""

    workspace: Workspace
    steps: Steps
    environ: Mapping[str, str]
    today: str
    trusted: TrustedPolicy | None = None
    about: event.Event | None = None  # where the run's own event does not say what it is about
    elsewhere: Callable[[str], Path] | None = None  # gives the scores that a model gave on another machine
    against: str | None = None
    approver: str | None = None

    @cached_property
    def resolved(self) -> ResolvedPolicy:
        """The policy with its contract."""
        return self.trusted.resolved if self.trusted else self.workspace.load()

    @cached_property
    def ledger(self) -> Ledger:
        """The history of decisions, promotions and waivers."""
        from gates.ledger.ledger import opened

        return opened(self.workspace.root, self.environ)

    @cached_property
    def base(self) -> Base | None:
        """The commit that this policy is held against, with its policies; None where there is no such commit."""
        revision = self.against or event.base_commit(self.environ)
        return base_of(self.workspace, revision, self.resolved, self.environ) if revision else None

    @property
    def before(self) -> tuple[ResolvedPolicy, ...]:
        """The base commit's policies that move the same alias: one, if any, as a rule."""
        return tuple(one.resolved for one in self._held)

    @property
    def _held(self) -> tuple[BaseVerdict, ...]:
        return self.base.policies if self.base else ()

    @cached_property
    def bench(self) -> Measurement:
        """The engine with the policy's tables."""
        from gates.measure.measurement import Measurement

        self.workspace.prepare()
        return Measurement(
            self.resolved, self.workspace.root, self.workspace.work, environ=self.environ, elsewhere=self.elsewhere
        )

    @cached_property
    def registry(self) -> Registry:
        """MLflow's registry."""
        from gates.registry.mlflow import Registry

        return Registry(self._registry_uri, self.workspace.root)

    @property
    def glance(self) -> SQLiteRegistry:
        """The same for who only looks, in no time where it is an SQLite file."""
        from gates.registry.sqlite import SQLiteRegistry

        return SQLiteRegistry(self._registry_uri, lambda: self.registry)

    @property
    def _registry_uri(self) -> str:
        """Where nobody names a registry, an SQLite file beside the policy; a relative path starts there, too."""
        from gates.registry.address import rooted

        return rooted(self.environ.get("MLFLOW_TRACKING_URI") or "sqlite:///mlflow.db", self.workspace.root)

    def served(self) -> RegisteredModel | None:
        """The champion, or None. An SQLite registry that nobody made yet holds none, and is not made to see that."""
        with self.steps.step("champion", "models:/{}@{}".format(*self.resolved.champion)):
            return self._served(self.resolved, self.workspace.work)

    def _served(self, resolved: ResolvedPolicy, folder: Path) -> RegisteredModel | None:
        """What the ledger says that the alias names, and the registry confirms."""
        name, alias = resolved.champion
        if self.apart:
            return None
        entry = agreed(self.ledger, self.ledger.head(), None if self.no_registry else self.registry, name, alias)
        after = entry.record.after if entry else None
        if entry is None or after is None:
            return None
        return self.registry.served(name, after.version, entry.record.model, folder / "champion")

    @cached_property
    def apart(self) -> str | None:
        """Why the registry can't be asked here at all: in the run of a fork's pull request nobody named one, or it
        wants a credential, which such a run has not."""
        from gates.registry.address import refuses

        if not event.of_fork(self.environ):
            return None
        if self.no_registry:
            return "the run of a fork's pull request has no registry"
        wants = refuses(self._registry_uri, self.environ)
        return "the run of a fork's pull request has no credential of the registry" if wants else None

    def anchor(self) -> RegisteredModel | None:
        """The anchor, where the policy names one. Raises ``GatesError`` where the registry lacks that version."""
        return self._anchor(self.resolved, self.workspace.work)

    def _anchor(self, resolved: ResolvedPolicy, folder: Path) -> RegisteredModel | None:
        version, (name, _) = resolved.policy.anchor, resolved.champion
        if version is None:
            return None
        with self.steps.step("anchor", f"models:/{name}/{version}"):
            found = None if self.no_registry else self._version(name, str(version), folder)
        if found is None:
            raise GatesError(
                f"the registry has no version {version} of {name}", where="anchor", hint="Check `anchor:`."
            )
        return found

    def _version(self, name: str, version: str, folder: Path) -> RegisteredModel | None:
        """A version by its number, held to what the ledger knows of it."""
        known = known_of(self.ledger, self.ledger.head(), name, version)
        return self.registry.served(name, version, known, folder / "anchor")

    @property
    def no_registry(self) -> bool:
        """Whether nobody named a registry, and none lies beside the policy yet."""
        file = Path(self._registry_uri.removeprefix("sqlite:///"))
        return self._registry_uri.startswith("sqlite:///") and file.parent.is_dir() and not file.exists()

    def run(self) -> Decision:
        """Policy, data, training, measuring, judging. Raises ``GatesError`` at the first step that can't be done."""
        self.workspace.forget("train")
        with self.steps.step("policy", str(self.workspace.policy)):
            resolved, _ = self.resolved, self.base
        evidence = self._measured()
        with self.steps.step("judge", plural(len(resolved.gates), "gate", "gates")):
            return self._decided(evidence)

    def _decided(self, evidence: Evidence, folder: Path | None = None) -> Decision:
        """The worst of the verdicts by the policy at hand and by those of the base commit."""
        decision = judge(self.resolved, evidence)
        for place, held in enumerate(() if self.approver else self._held):
            decision = worse(decision, self._by_base(place, held, evidence, folder or self.workspace.work))
        return decision

    def _alike(self, held: BaseVerdict) -> bool:
        """Whether what is measured for the policy at hand is what that one asks for, too."""
        return held.resolved.measured == self.resolved.measured and held.root == self.workspace.root

    def _by_base(self, place: int, held: BaseVerdict, evidence: Evidence, folder: Path) -> Decision:
        """The same candidate's evidence judged by a base commit's policy; what that could not measure is an error."""
        beside = self.workspace.of_base(place, folder)
        try:
            if self._alike(held):
                return judge(held.resolved, evidence)
            other = self.workspace.load_evidence(beside)
            if other.candidate != evidence.candidate:
                raise GatesError("its evidence is about another candidate")
            return judge(held.resolved, other)
        except GatesError as error:
            why = self._reason(beside) or str(error)
        return could_not_judge(held.resolved.policy.model, f"by the base commit's policy: {why}")

    def _reason(self, folder: Path) -> str | None:
        """Why nothing could be measured for the base commit's policy, where the measuring said so."""
        path = folder / self.workspace.decision.name
        try:
            told = self.workspace.load_decision(path)
        except GatesError:
            return None
        return told.reason if told.verdict is Verdict.ERROR else None

    def _measured(self) -> Evidence:
        checked = self.check()
        if broken := self.broken(checked):
            return broken
        served, anchor = self.served(), self.anchor()  # before anybody waits for a training
        self.train()
        return self.measure(checked, served, anchor)

    def run_handed(self, served: RegisteredModel | None, anchor: RegisteredModel | None) -> Decision:
        """Measure and judge a candidate that was trained, and scored where need be, on another machine."""
        self.workspace.forget("measure")
        checked = self.check()
        evidence = self.broken(checked) or self.measure(checked, served, anchor)
        with self.steps.step("judge", plural(len(self.resolved.gates), "gate", "gates")):
            return self._decided(evidence)

    def broken(self, checked: tuple[Finding, ...]) -> Evidence | None:
        """The evidence about the data alone, where it breaks its contract: nothing is trained on it."""
        evidence = self.bench.evidence(checked)
        if judge(self.resolved, evidence).verdict not in (Verdict.FAIL, Verdict.ERROR):
            return None
        self.workspace.save(self.workspace.evidence, evidence)
        self._measure_for_base((), None, None)
        return evidence

    def check(self) -> tuple[Finding, ...]:
        """Hold the tables to the contract. Columns that the policy needs and the holdout lacks, and labels that are
        none, are told here: before anybody waits for a training."""
        with self.steps.step("data", ", ".join(one.path for one in self.bench.opened.values())):
            _ = self.bench.rows
            self._as_pointed_at()
            return self.bench.check()

    def _as_pointed_at(self) -> None:
        """Hold the tables to DVC's pointers. Those of Git LFS are held to at a promotion: they are of a commit."""
        checkout = repository(self.workspace.root, self.environ)
        for name in self.resolved.policy.data.tables:
            pointers.of(self.workspace.root, getattr(self.resolved.policy.data, name), checkout, lfs=False)

    def train(self) -> None:
        """Make a candidate from the tables of the policy."""
        from gates.measure.engines.duckdb import is_file

        self.workspace.forget("data")
        self.workspace.data.mkdir()
        table = self.resolved.policy.data.train
        tables = self.workspace.root / table if table and is_file(table) else table
        self.train_on(self.bench.unlabelled(self.workspace.data), tables)

    def train_on(self, holdout: Path, tables: Path | str | None) -> None:
        """Make a candidate; what a failed training left is no candidate. ``holdout`` is without its label."""
        from gates.pipeline.training import Tables, train

        work = self.workspace
        work.forget("train")
        given = Tables(holdout=holdout, train=tables)
        seeds, began = self.resolved.policy.train.seeds, time.time_ns() // 10**6
        for seed, folder in enumerate(work.trainings(seeds)):
            told = f" (seed {seed}, {seed + 1} of {seeds})" if seeds > 1 else ""
            with self.steps.step("train", self.resolved.policy.train.run + told):
                folder.mkdir(parents=True)
                try:
                    train(self.resolved.policy, work.root, folder, given, self.environ, work.work / "train.log", seed)
                except BaseException:
                    work.forget("train")
                    raise
        files.write(work.when, json.dumps([began, time.time_ns() // 10**6]).encode())

    def measure(
        self, checked: tuple[Finding, ...], served: RegisteredModel | None, anchor: RegisteredModel | None = None
    ) -> Evidence:
        """Measure candidate, champion and anchor on the same rows, and keep the evidence."""
        from gates.measure.holdout.models import ModelOutput

        self.workspace.forget("measure")
        folders = self.workspace.trained(self.resolved.policy.train.seeds)
        with self.steps.step("measure", "no champion yet" if served is None else f"against version {served.version}"):
            made = [ModelOutput.of(folder) for folder in folders]
            evidence = self.charged(self.bench.evidence(checked, made, served, anchor))
            evidence = replace(evidence, uncompared=None if served else self.apart)
        self.workspace.save(self.workspace.evidence, evidence)
        self._measure_for_base(made, served, anchor)
        return evidence

    def _measure_for_base(
        self, made: Sequence[ModelOutput], served: RegisteredModel | None, anchor: RegisteredModel | None
    ) -> None:
        """Where a base commit's policy looks at other things, they are measured, too: the same candidate, or the
        data alone. Why that could not be done takes the place of the evidence."""
        for place, held in enumerate(self._held):
            if not self._alike(held):
                self._measure_held(held, self.workspace.of_base(place), made, served, anchor)

    def _measure_held(
        self,
        held: BaseVerdict,
        folder: Path,
        made: Sequence[ModelOutput],
        served: RegisteredModel | None,
        anchor: RegisteredModel | None,
    ) -> None:
        from gates.measure.measurement import Measurement

        base, work = held.resolved, folder / "work"
        work.mkdir(parents=True)
        try:
            with self.steps.step("measure", "for the base commit's policy"):
                bench = Measurement(base, held.root, work, environ=self.environ, elsewhere=self.elsewhere)
                before = self._served_before(base, served, work) if made else None
                fixed = self._anchor_before(base, anchor, work) if made else None
                evidence = bench.evidence(bench.check(), made[: base.policy.train.seeds], before, fixed)
                evidence = self.charged(evidence, base)
            self.workspace.save(folder / self.workspace.evidence.name, evidence)
        except GatesError as error:
            if error.exit_code is Exit.OUTSIDE:
                raise
            told = could_not_judge(base.policy.model, str(error))
            self.workspace.save(folder / self.workspace.decision.name, told)

    def charged(self, evidence: Evidence, resolved: ResolvedPolicy | None = None) -> Evidence:
        """With how often its holdout has decided, by the ledger, where the policy charges for that. A ledger that can't
        be asked is an error: nobody may take it for one without decisions."""
        if (resolved or self.resolved).policy.data.reuse is None:
            return evidence
        holdout = next(one.digest for one in evidence.tables if one.name == "holdout")
        return replace(evidence, used=self.ledger.uses(self.ledger.head(), holdout))

    def _served_before(
        self, base: ResolvedPolicy, served: RegisteredModel | None, work: Path
    ) -> RegisteredModel | None:
        """The champion of the base commit's policy; on a machine without a registry, the one that was handed over."""
        if self.elsewhere is None:
            return self._served(base, work)
        if base.champion != self.resolved.champion:
            raise GatesError("its champion is a different one, which was not handed over")
        return served

    def _anchor_before(
        self, base: ResolvedPolicy, anchor: RegisteredModel | None, work: Path
    ) -> RegisteredModel | None:
        """The anchor of the base commit's policy: a pull request may have named one that asks for less."""
        asked, ours = ((one.champion[0], one.policy.anchor) for one in (base, self.resolved))
        if asked == ours:
            return anchor
        if base.policy.anchor is not None and self.elsewhere is not None:
            raise GatesError("its anchor is a different one, which was not handed over")
        return self._anchor(base, work)

    def judge(self) -> Decision:
        """Judge the evidence as it lies there, and keep the decision."""
        self.workspace.forget("judge")
        _ = self.resolved  # its mistakes come first
        decision = self._decided(self.workspace.load_evidence())
        self.workspace.save(self.workspace.decision, decision)
        return decision

    def unjudged(self, why: str | GatesError) -> Decision:
        """The decision where a step stopped before anything could be judged."""
        code = Code(why.code) if isinstance(why, DisagreementError) else Code.COULD_NOT_JUDGE
        try:
            name = self.resolved.policy.model
        except GatesError:
            name = self.workspace.policy.name  # the policy's own name for its model can't be read
        return could_not_judge(name, str(why), code)

    def judged_anew(self, folder: Path, reason: str = "") -> Decision:
        """The decision from the evidence in ``folder``, never from one that was handed over with it. ``reason`` says
        why there is no evidence, where there is none."""
        try:
            _ = self.resolved  # its mistakes come first
            return self._decided(self.workspace.load_evidence(folder), folder)
        except GatesError as error:
            why = str(error)
        return self.unjudged(why if (folder / self.workspace.evidence.name).exists() else reason or why)

    def settled(self, decision: Decision) -> Settled:
        """What the waivers that hold today make of the decision."""
        try:
            waivable = self.waivable
        except GatesError:  # nothing can be judged by it either
            return Settled(verdict=decision.verdict)
        if decision.verdict is Verdict.PASS or not decision.gates:
            return Settled(verdict=decision.verdict)
        return settle(decision, self.waivers, self.today, waivable)

    @property
    def waivable(self) -> tuple[str, ...]:
        """What may be waived by the base commit's policies, too."""
        named = [one.policy.promotion.waivable for one in (self.resolved, *self.before)]
        return tuple(one for one in named[0] if all(one in others for others in named))

    @cached_property
    def waivers(self) -> tuple[Waiver, ...]:
        """What was accepted of this model, by the ledger, and holds. On a laptop, the ledger as it was last seen; where
        ledger or GitHub can't be asked, no verdict is turned around."""
        from gates.ledger.acceptances import holding

        try:
            held, told = holding(self.ledger, self.told, self.resolved.champion[0], self.proven, self.today)
        except GatesError as error:
            self.steps.say(f"no waiver counts, because the ledger can't be read: {error}")
            return ()
        for why in told:
            self.steps.say(why)
        return held

    def proven(self, record: Record) -> str | None:
        """Why a waiver's record proves nothing; None where it holds by this policy and by the base commit's."""
        from gates.github.people.waived import proof

        policies = [one.policy.promotion for one in (self.resolved, *self.before)]
        return next((why for one in policies if (why := proof(one, self.environ)(record))), None)

    @cached_property
    def told(self) -> str | None:
        """The newest commit of the ledger, for who only tells of it: on a laptop, as it was last seen."""
        return self.ledger.head() if self.environ.get("GITHUB_ACTIONS") == "true" else self.ledger.seen()
