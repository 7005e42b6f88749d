"""Name what a report is about, so that no two different subjects share the name of a status, comment or picture."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass

from gates.errors import Exit, GatesError
from gates.github.event import Event

LONGEST = 180  # bytes of a name: GitHub takes 255 characters of a context, and a marker quotes each byte by three
UNVERIFIED = "not verified"  # what a fork's run, or Dependabot's, has measured
_PLAIN = re.compile(r"[a-z0-9._/@+-]+")  # GitHub tells no capitals apart in a context, and a space could be ours
_BMP = 0xFFFF  # GitHub refuses what lies beyond in a status


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSubject:
    """One policy, judged for one branch, by one kind of run.

    Runs of a merge queue share the name of the pull requests into the same branch: GitHub asks both for the same
    required status. Every other difference gives another name.
    """

    policy: str
    event: str
    branch: str  # a full ref: refs/heads/main
    fork: bool

    @property
    def context(self) -> str:
        """The name of the commit status."""
        proposal = self.event in ("pull_request", "merge_group")
        said = "{} into {}" if proposal else f"{{}} on {{}}, {self.event}"
        return f"gates/verdict ({_named(said + self._trust, self.policy, self._short)})"

    @property
    def key(self) -> str:
        """What distinguishes a pull request's comments; the base branch is separate."""
        return _named("{}" + self._trust, self.policy)

    @property
    def base(self) -> str:
        """The branch, as short as a marker needs it."""
        return _named("{}", self._short)

    @property
    def _short(self) -> str:
        """A branch by its own name; any other ref, and a branch that is named like one, in full."""
        return re.sub("^refs/heads/(?!refs/)", "", self.branch)

    @property
    def _trust(self) -> str:
        return f", {UNVERIFIED}" if self.fork else ""


def subject(policy: str, event: Event) -> ReportSubject:
    """Return the subject of a run's report about a policy, by its path from the repository's root."""
    if not event.branch:
        raise GatesError("the branch that this run is for is missing", where="GitHub's event", exit_code=Exit.OUTSIDE)
    reports = event.name == "workflow_run" and event.pr is not None  # it speaks for a pull request's run
    name = "pull_request" if reports else event.name
    return ReportSubject(policy=policy, event=name, branch=event.branch, fork=event.is_fork)


def _named(said: str, *foreign: str) -> str:
    """Return foreign names in a readable line; with their hash where it could be taken for the line of others."""
    line = said.format(*foreign)
    if all(map(_PLAIN.fullmatch, foreign)) and len(line) <= LONGEST:
        return line
    mark = hashlib.sha256(json.dumps([said, *foreign]).encode()).hexdigest()[:32]
    return f"{_cut(line, LONGEST - len(mark) - 2)} #{mark}"


def _cut(text: str, longest: int) -> str:
    """Return text on one line of at most this many bytes, without what GitHub refuses in a name."""
    told = "".join(char if char.isprintable() and ord(char) <= _BMP else " " for char in text)
    data = " ".join(told.split()).encode()
    return data.decode() if len(data) <= longest else data[: longest - 3].decode(errors="ignore") + "…"
