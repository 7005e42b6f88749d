"""The jobs that train a model: the document that ``gates jobs --json`` prints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gates.schema.fields import declare

SCHEMA: Literal["gates/jobs/v1"] = "gates/jobs/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedJob:
    """One job."""

    WRITTEN = "whole"
    name: str = declare("Its name.")
    kind: str = declare("The kind of its document: batch/v1 Job.")
    where: str = declare("Its namespace.")
    model: str | None = declare("The model that it trains.")
    ref: str | None = declare("The branch or pull request that it is of; elsewhere who started it, and on what branch.")
    commit: str | None = declare("The commit that it trains; null outside a repository.")
    key: str = declare("What it is known by: the first digits of the digest of all that makes it what it is.")
    state: Literal["queued", "running", "done", "failed", "gone"] = declare("How it stands.")
    why: str | None = declare("Why, in the cluster's words; null where it says no more.")
    since: str | None = declare("When it was made.")

    @property
    def ended(self) -> bool:
        """Whether it stays as it is."""
        return self.state not in ("queued", "running")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobList:
    """The jobs of one model, the newest first."""

    WRITTEN = "whole"
    schema: Literal["gates/jobs/v1"] = declare("Format of this document.")
    jobs: tuple[ListedJob, ...] = declare("The jobs.")
