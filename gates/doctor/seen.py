"""What gates knows about a repository: its files, and GitHub's settings if it has a token."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gates.policy import ResolvedPolicy
from gates.schema.yaml_text import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFile:
    """A policy of the repository; ``resolved`` is None where it can't be read, ``problem`` says why."""

    path: str
    resolved: ResolvedPolicy | None
    problem: str = ""

    @property
    def contract(self) -> str | None:
        """The contract's path in the repository."""
        name = self.resolved.policy.data.contract if self.resolved else None
        folder = self.path.rpartition("/")[0]
        return f"{folder}/{name}" if name and folder else name


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentSettings:
    """A GitHub environment. ``branches``: patterns of what may deploy; None for everything, ``protected`` for whatever
    is protected. ``bypass``: whether administrators may pass it by, None where GitHub does not say."""

    name: str
    reviewers: tuple[str, ...] = ()
    self_review: bool = True
    branches: tuple[str, ...] | str | None = None
    bypass: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """What holds for a branch: rules by their type with their parameters, of rulesets and of classic protection."""

    name: str
    rules: Mapping[str, tuple[Mapping[str, Any], ...]] = field(default_factory=dict)

    @property
    def required_checks(self) -> tuple[str, ...]:
        """Contexts that must be green."""
        listed = (rule.get("required_status_checks", ()) for rule in self.rules.get("required_status_checks", ()))
        return tuple(str(one.get("context")) for part in listed for one in part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """GitHub's settings of a repository, as one token sees them. What it may not see is None; ``unread`` says why."""

    private: bool
    owner: str
    owned_by_user: bool
    default_branch: str
    plan: str | None = None
    environments: Mapping[str, EnvironmentSettings] | None = None
    default: Branch | None = None
    ledger: Branch | None = None
    registry: Branch | None = None
    secrets: tuple[str, ...] | None = None
    token_writes: bool | None = None
    actions_approve: bool | None = None
    unread: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryBranch:
    """The branch that is the registry, as this clone knows it. ``held``: how many bytes; None where it does not know
    it, though it knows the ledger. ``limit``: how many it may hold."""

    held: int | None
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """All that the checks look at. Names of files are paths from the repository's root."""

    repository: str | None = None
    policies: tuple[PolicyFile, ...] = ()
    workflows: tuple[Source, ...] = ()
    actions: tuple[Source, ...] = ()
    unreadable: Mapping[str, str] = field(default_factory=dict)
    owners: tuple[str, str] | None = None  # path and text of CODEOWNERS
    settings: Settings | None = None
    registry: RegistryBranch | None = None  # None where it is MLflow, or nothing was promoted here
    server: str | None = None  # the host of the GitHub that has the repository; None where nobody says

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles whose approval some policy asks for, each the name of an environment."""
        stages = (stage for one in self.policies if one.resolved for stage in one.resolved.stages)
        return tuple(dict.fromkeys(role for stage in stages for role in stage.approvals))
