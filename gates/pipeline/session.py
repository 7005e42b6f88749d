"""What one command works with: workspace, policy, ledger, registry and engine, each opened when first needed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from gates.checkout.base_policy import Base, base_of
from gates.checkout.workspace import Workspace
from gates.errors import GatesError
from gates.github import event
from gates.policy import ResolvedPolicy
from gates.system.git import Git, repository
from gates.system.progress import Steps
from gates.wording import counted

if TYPE_CHECKING:
    from gates.checkout.trusted_policy import TrustedPolicy
    from gates.documents.live.prometheus_answer import PrometheusAnswer
    from gates.kinds.protocol import PromqlQuestion
    from gates.ledger.alias import Names
    from gates.ledger.ledger import Ledger
    from gates.measure.measurement import Measurement
    from gates.registry.address import MLflowAddress
    from gates.registry.base_branch import BaseBranch
    from gates.registry.interface import Registry
    from gates.registry.mlflow import MLflowRegistry


@dataclass(kw_only=True)
class Session:
    """Everything that the steps of one command share. It keeps what it has opened.

    ``today``: the day (YYYY-MM-DD, UTC) by which waivers and the observing mode end. ``trusted``: the policy of the
    default branch, where that one counts. ``about``: what the run is about, where its own event doesn't say it.
    ``scores_of`` gives the scores that a model gave on another machine. ``against``: a revision whose policy judges,
    too; in a pull request it is the base commit. ``approver``: who approved that the policy asks for less than that
    one; then this policy judges alone. ``here``: train on this machine, whatever ``train.job`` says. ``fresh``: what
    makes a job another one than that of the same inputs.
    """

    workspace: Workspace
    steps: Steps
    environ: Mapping[str, str]
    today: str
    trusted: TrustedPolicy | None = None
    about: event.Event | None = None
    scores_of: Callable[[str], Path] | None = None
    against: str | None = None
    approver: str | None = None
    here: bool = False
    fresh: str = ""

    @cached_property
    def resolved(self) -> ResolvedPolicy:
        """The policy with its contract. Raises ``PolicyError`` with every mistake in it."""
        return self.trusted.resolved if self.trusted else self.workspace.load()

    @property
    def model(self) -> str:
        """The policy's name for its model; the policy's file name where the policy can't be read."""
        try:
            return self.resolved.policy.model
        except GatesError:
            return self.workspace.policy.name

    @cached_property
    def ledger(self) -> Ledger:
        """The history of decisions, promotions and waivers."""
        from gates.ledger.ledger import opened

        return opened(self.workspace.root, self.environ)

    @cached_property
    def ledger_seen(self) -> str | None:
        """The ledger's newest commit, for reports; on a laptop as it was last fetched."""
        return self.ledger.head() if self.environ.get("GITHUB_ACTIONS") == "true" else self.ledger.seen()

    @cached_property
    def base(self) -> Base | None:
        """The commit whose policies judge, too; None where there is no such commit."""
        revision = self._base_revision
        return base_of(self.workspace, revision, self.resolved, self.environ) if revision else None

    @property
    def _base_revision(self) -> str | None:
        return self.against or event.base_commit(self.environ)

    @cached_property
    def base_commit(self) -> str | None:
        """The commit that a pull request starts from; None in any other run."""
        revision = self._base_revision
        return self.ledger.git.resolve(f"{revision}^{{commit}}") if revision else None

    @cached_property
    def checkout(self) -> tuple[Git, Path] | None:
        """The repository whose work tree holds the policy, and where that begins; None outside of one."""
        return repository(self.workspace.root, self.environ)

    @property
    def base_branch(self) -> BaseBranch:
        """Where the predictions of the default branch's models are kept."""
        from gates.registry.base_branch import BaseBranch

        return BaseBranch(git=self.ledger.git, remote=self.ledger.remote, say=self.steps.say)

    @property
    def base_policies(self) -> tuple[ResolvedPolicy, ...]:
        """The base commit's policies that move the same alias: at most one, as a rule."""
        return tuple(held.resolved for held in self.base.policies) if self.base else ()

    @cached_property
    def measurement(self) -> Measurement:
        """The engine with the policy's tables."""
        from gates.measure.measurement import Measurement

        self.workspace.prepare()
        return Measurement(
            self.resolved, self.workspace.root, self.workspace.work, environ=self.environ, elsewhere=self.scores_of
        )

    @cached_property
    def registry(self) -> Registry:
        """The registry: MLflow's, or a branch of the repository."""
        return self._opened(self.mlflow_address)

    def other_registry(self, address: str) -> Registry:
        """Open a registry beside the one of now: MLflow's at an address, or ``git``. Raises ``GatesError`` where it is
        the same one."""
        from gates.registry.address import GIT, both

        there = None if address == GIT else both(address, address, self.workspace.root)
        if there == self.mlflow_address:
            raise GatesError(
                "is the registry of now, to which the models shall be brought",
                where="--from",
                hint="--from is where they are, and MLFLOW_TRACKING_URI where they go; without it, they go into git.",
            )
        return self._opened(there)

    def _opened(self, address: MLflowAddress | None) -> Registry:
        if address is not None:
            return self._mlflow(address)
        from gates.registry.git_registry import GitRegistry, limit

        most, logs = limit(self.environ), self.workspace.root / "mlflow.db"
        return GitRegistry(self.ledger.git, self.ledger.remote, self.steps.say, most, logs)

    def _mlflow(self, address: MLflowAddress) -> MLflowRegistry:
        from gates.registry.mlflow import MLflowRegistry

        return MLflowRegistry(address.tracking, self.workspace.root, address.registry)

    @property
    def registry_reader(self) -> Names:
        """The registry for reading alone: a server and an SQLite file are read without MLflow, which takes seconds to
        import."""
        address = self.mlflow_address
        if address is None:
            return self.registry
        from gates.registry.address import is_server

        if is_server(address.registry):
            from gates.registry.server import ServerRegistry

            return ServerRegistry(address, lambda: self._mlflow(address))
        from gates.registry.sqlite import SQLiteRegistry

        return SQLiteRegistry(address, lambda: self._mlflow(address))

    @property
    def mlflow_address(self) -> MLflowAddress | None:
        """The address of MLflow; None where the registry is a branch of the repository, which it is unless the
        environment names an MLflow. A relative path starts at the policy."""
        from gates.registry.address import named

        return named(self.environ, self.workspace.root)

    @property
    def no_registry(self) -> bool:
        """Whether the registry is an SQLite file that nobody has made yet."""
        uri = self.mlflow_address.registry if self.mlflow_address else ""
        file = Path(uri.removeprefix("sqlite:///"))
        return uri.startswith("sqlite:///") and file.parent.is_dir() and not file.exists()

    @cached_property
    def unreachable(self) -> str | None:
        """Why a fork's run can't ask the registry; None where it can, or where this is no fork's run."""
        from gates.registry.address import refuses

        if not event.of_fork(self.environ):
            return None
        if self.no_registry:
            return "the run of a fork's pull request has no registry"
        address = self.mlflow_address
        uris = dict.fromkeys((address.tracking, address.registry)) if address else ()
        wants = any(refuses(uri, self.environ) for uri in uris)
        return "the run of a fork's pull request has no credential of the registry" if wants else None

    @property
    def unheard(self) -> str | None:
        """Why no Prometheus need let this run in: a fork's has no credential. None in any other run."""
        fork = event.of_fork(self.environ)
        return "the run of a fork's pull request has no address or no credential of it" if fork else None

    def expect_prometheus(self) -> None:
        """Raise ``GatesError`` where the policy asks a Prometheus, and nobody says where one is."""
        if self.resolved.needs.questions and self.unheard is None:
            from gates.measure.prometheus.prometheus_api import address

            address(self.environ)

    def ask(
        self, questions: Collection[PromqlQuestion], moments: Sequence[datetime], each: str = ""
    ) -> list[tuple[PrometheusAnswer, ...]]:
        """Ask a Prometheus about each moment, and return the answers to all questions, sorted. ``each``: of what there
        are several, for who waits. Raises ``GatesError`` where nobody says where one is, or none answers."""
        from gates.measure.prometheus.asking import answered
        from gates.measure.prometheus.prometheus_api import PrometheusApi

        with self.steps.step("ask", f"a Prometheus {counted(len(questions), 'question')}{each}"):
            return answered(PrometheusApi.of(self.environ), questions, moments, self.steps.say)

    @cached_property
    def happened(self) -> event.Event | None:
        """What started this GitHub Actions run, where it is one whose event can be read."""
        if self.about is not None:
            return self.about
        if self.environ.get("GITHUB_ACTIONS") != "true":
            return None
        try:
            return event.read(self.environ)
        except GatesError:
            return None

    @property
    def path(self) -> str:
        """The policy's path in the checkout, which tells the policies of one repository apart."""
        return self.workspace.within(self.environ.get("GITHUB_WORKSPACE"))
