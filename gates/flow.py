"""The steps in their order, with the effects they are handed: a workspace, an environment, somebody to tell."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from gates import __version__, callers, files
from gates.decision import Decision, Verdict, could_not_judge
from gates.errors import GatesError
from gates.evidence import Evidence, Finding
from gates.github import event, outputs
from gates.judge import judge
from gates.policy import Bound
from gates.policy.places import places
from gates.progress import Steps
from gates.record import Waiver
from gates.report import Facts, Past
from gates.report.formats import FORMATS
from gates.report.markdown import SUMMARY_LIMIT, render
from gates.source import Place
from gates.waivers import Settled, settle
from gates.workspace import Workspace

if TYPE_CHECKING:
    from gates.branch import Trusted
    from gates.ledger import Ledger
    from gates.measure import Bench, Served
    from gates.registry.mlflow import Registry


@dataclass(frozen=True, kw_only=True)
class Flow:
    """One policy's steps. ``bound`` is read, and engine and registry are opened, when they are first needed.
    ``today`` is the day (YYYY-MM-DD, UTC) by which waivers and observing end. ``trusted``: the default branch's policy,
    where that is the one that counts."""

    workspace: Workspace
    steps: Steps
    environ: Mapping[str, str]
    today: str
    trusted: Trusted | None = None
    about: event.Event | None = None  # where the run's own event does not say what it is about
    elsewhere: Callable[[str], Path] | None = None  # gives the scores that a model gave on another machine

    @cached_property
    def bound(self) -> Bound:
        """The policy with its contract."""
        return self.trusted.bound if self.trusted else self.workspace.load()

    @cached_property
    def ledger(self) -> Ledger:
        """The history of decisions, promotions and waivers."""
        from gates.ledger import opened

        return opened(self.workspace.root, self.environ)

    @cached_property
    def bench(self) -> Bench:
        """The engine with the policy's tables."""
        from gates.measure import Bench

        self.workspace.prepare()
        return Bench(
            self.bound, self.workspace.root, self.workspace.work, environ=self.environ, elsewhere=self.elsewhere
        )

    @cached_property
    def registry(self) -> Registry:
        """MLflow's registry."""
        from gates.registry.mlflow import Registry

        return Registry(self._registry_uri, self.workspace.root)

    @property
    def _registry_uri(self) -> str:
        """Where nobody names a registry, an SQLite file beside the policy."""
        return self.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{self.workspace.root / 'mlflow.db'}"

    def served(self) -> Served | None:
        """The champion, or None. An SQLite registry that nobody made yet holds none, and is not made to see that."""
        with self.steps.step("champion", "models:/{}@{}".format(*self.bound.champion)):
            file = Path(self._registry_uri.removeprefix("sqlite:///"))
            if self._registry_uri.startswith("sqlite:///") and file.parent.is_dir() and not file.exists():
                return None
            return self.registry.champion(*self.bound.champion, self.workspace.work / "champion")

    def run(self) -> Decision:
        """Policy, data, training, measuring, judging. Raises ``GatesError`` at the first step that can't be done."""
        self.workspace.forget("train")
        with self.steps.step("policy", str(self.workspace.policy)):
            bound = self.bound
        evidence = self._measured()
        with self.steps.step("judge", f"{len(bound.gates)} gates"):
            return judge(bound, evidence)

    def _measured(self) -> Evidence:
        checked = self.check()
        if broken := self.broken(checked):
            return broken
        served = self.served()  # before anybody waits for a training
        self.train()
        return self.measure(checked, served)

    def run_handed(self, served: Served | None) -> Decision:
        """Measure and judge a candidate that was trained, and scored where need be, on another machine."""
        self.workspace.forget("measure")
        checked = self.check()
        evidence = self.broken(checked) or self.measure(checked, served)
        with self.steps.step("judge", f"{len(self.bound.gates)} gates"):
            return judge(self.bound, evidence)

    def broken(self, checked: tuple[Finding, ...]) -> Evidence | None:
        """The evidence about the data alone, where it breaks its contract: nothing is trained on it."""
        evidence = self.bench.evidence(checked)
        if judge(self.bound, evidence).verdict not in (Verdict.FAIL, Verdict.ERROR):
            return None
        self.workspace.save(self.workspace.evidence, evidence)
        return evidence

    def check(self) -> tuple[Finding, ...]:
        """Hold the tables to the contract. Columns that the policy needs and the holdout lacks, and labels that are
        none, are told here: before anybody waits for a training."""
        with self.steps.step("data", ", ".join(one.path for one in self.bench.opened.values())):
            _ = self.bench.rows
            return self.bench.check()

    def train(self) -> None:
        """Make a candidate from the tables of the policy."""
        self.workspace.forget("data")
        self.workspace.data.mkdir()
        train = self.bound.policy.data.train
        self.train_on(self.bench.unlabelled(self.workspace.data), self.workspace.root / train if train else None)

    def train_on(self, holdout: Path, tables: Path | None) -> None:
        """Make a candidate; what a failed training left is no candidate. ``holdout`` is without its label."""
        from gates.train.command import Tables, train

        work = self.workspace
        work.forget("train")
        with self.steps.step("train", self.bound.policy.train.run):
            work.candidate.mkdir()
            try:
                log = work.work / "train.log"
                given = Tables(holdout=holdout, train=tables)
                train(self.bound.policy, work.root, work.candidate, given, self.environ, log)
            except BaseException:
                work.forget("train")
                raise

    def measure(self, checked: tuple[Finding, ...], served: Served | None) -> Evidence:
        """Measure candidate and champion on the same rows, and keep the evidence."""
        from gates.measure import Files

        self.workspace.forget("measure")
        folder = self.workspace.trained()
        with self.steps.step("measure", "no champion yet" if served is None else f"against version {served.version}"):
            made = Files(digest=files.folder_digest(folder), folder=folder)
            evidence = self.bench.evidence(checked, made, served)
        self.workspace.save(self.workspace.evidence, evidence)
        return evidence

    def judge(self) -> Decision:
        """Judge the evidence as it lies there, and keep the decision."""
        self.workspace.forget("judge")
        decision = judge(self.bound, self.workspace.load_evidence())
        self.workspace.save(self.workspace.decision, decision)
        return decision

    def unjudged(self, why: str) -> Decision:
        """The decision where a step stopped before anything could be judged."""
        try:
            name = self.bound.policy.model
        except GatesError:
            name = self.workspace.policy.name  # the policy's own name for its model can't be read
        return could_not_judge(name, why)

    def judged_anew(self, folder: Path, reason: str = "") -> Decision:
        """The decision from the evidence in ``folder``, never from one that was handed over with it. ``reason`` says
        why there is no evidence, where there is none."""
        try:
            return judge(self.bound, self.workspace.load_evidence(folder))
        except GatesError as error:
            why = str(error)
        return self.unjudged(why if (folder / self.workspace.evidence.name).exists() else reason or why)

    def settled(self, decision: Decision) -> Settled:
        """What the waivers that hold today make of the decision."""
        try:
            waivable = self.bound.policy.promotion.waivable
        except GatesError:  # nothing can be judged by it either
            return Settled(verdict=decision.verdict)
        if decision.verdict is Verdict.PASS:
            return Settled(verdict=decision.verdict)
        return settle(decision, self.waivers, self.today, waivable)

    @cached_property
    def waivers(self) -> tuple[Waiver, ...]:
        """What was accepted of this model, by the ledger. On a laptop, as it was last seen; a remote that can't be
        reached turns no verdict around, and waives nothing."""
        try:
            head = self.ledger.head() if self.environ.get("GITHUB_ACTIONS") == "true" else self.ledger.seen()
            return self.ledger.waivers(head, self.bound.champion[0])
        except GatesError as error:
            self.steps.say(f"the ledger's waivers can't be read: {error}")
            return ()

    def facts(self, decision: Decision, history: tuple[Past, ...] = ()) -> Facts:
        """What a report says besides the decision. A policy that can't be read has nothing to say here."""
        happened = self._event
        facts = Facts(
            policy=str(self.workspace.policy),
            path=self.workspace.within(self.environ.get("GITHUB_WORKSPACE")),
            version=__version__,
            commit=happened.head_sha if happened else None,
            run_url=happened.run_url if happened else None,
            pull_request=happened.pr if happened else None,
            fork=happened is not None and happened.is_fork,
            reproduce=self._reproduce(happened),
            settled=self.settled(decision),
            history=history,
            waive=self._waive,
        )
        try:
            bound = self.bound
        except GatesError:
            return facts
        mode = bound.policy.mode
        observing = bound.observing(self.today)
        return replace(
            facts,
            strict=bound.policy.on_inconclusive == "fail",
            waivable=bound.policy.promotion.waivable,
            observing=mode.until if mode and observing else None,
            observed=mode.until if mode and not observing else None,
            places=self._places(decision),
        )

    def _places(self, decision: Decision) -> tuple[Place, ...]:
        return places(self.workspace.source(), self.bound, decision)

    def _reproduce(self, happened: event.Event | None) -> str:
        """The commands that judge this very commit on a laptop."""
        again = "gates run"
        policy = self.workspace.within(self.environ.get("GITHUB_WORKSPACE"))
        if policy != "gates.yaml":
            again += f" --policy {shlex.quote(policy)}"
        if happened is None or happened.pr is None:
            return again
        return f"git fetch origin pull/{happened.pr}/head && git checkout {happened.head_sha} && {again}"

    @property
    def _waive(self) -> str | None:
        """The file of the workflow that records a waiver, where the checkout has it."""
        checkout = self.environ.get("GITHUB_WORKSPACE")
        if not checkout:
            return None
        folder = self.workspace.within(checkout).rpartition("/")[0]
        home = callers.Home(model=self.unjudged("").model, folder=folder)
        place = Path(checkout) / callers.path(home, "gates-waive")
        return place.name if place.is_file() else None

    def write_report(self, decision: Decision, form: str = "markdown") -> Path:
        """The report in a format that has a file, in its file."""
        chosen = FORMATS[form]
        assert chosen.file is not None  # noqa: S101 -- callers print the other formats
        path = self.workspace.work / chosen.file
        files.write(path, chosen.render(decision, self.facts(decision)).encode("utf-8", "replace"))
        return path

    def publish(self, decision: Decision) -> None:
        """Decision and report as files, the report as the job's summary, their facts as the step's outputs."""
        self.workspace.prepare()
        self.workspace.save(self.workspace.decision, decision)
        self.write_report(decision)
        facts = self.facts(decision)
        outputs.write_summary(self.environ, render(decision, facts, SUMMARY_LIMIT))
        values = {
            "verdict": str(facts.verdict(decision)),
            "reason": decision.reason,
            "waived": str(len(facts.settled.waived) if facts.settled else 0),
            "observing": facts.observing or "",
            "model": decision.candidate.digest if decision.candidate else "",
        }
        places = {
            "decision": self.workspace.decision,
            "evidence": self.workspace.evidence,
            "report": self.workspace.report,
        }
        values |= {name: str(path) for name, path in places.items() if path.exists()}
        outputs.write_outputs(self.environ, values)

    @cached_property
    def _event(self) -> event.Event | None:
        """What started this GitHub Actions run, where there is one whose event can be read."""
        if self.about is not None:
            return self.about
        if self.environ.get("GITHUB_ACTIONS") != "true":
            return None
        try:
            return event.read(self.environ)
        except GatesError:
            return None
