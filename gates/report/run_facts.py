"""What a report says besides the decision: about the run, the pull request, waivers and what was promoted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from posixpath import dirname, join

from gates.documents.champion import Champion
from gates.documents.changed_rows import ChangedRows
from gates.documents.decision import Decision, Past, Verdict
from gates.documents.evidence import Evidence
from gates.documents.live.experiment_history import ExperimentHistory
from gates.documents.live.watch_history import WatchHistory
from gates.judge.waivers import Settled
from gates.schema.validation import Problem
from gates.schema.yaml_text import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Where the picture of the decision lies, for either scheme, and what it says in words."""

    light: str
    dark: str
    spoken: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything that a report says besides the decision. It is gathered once a command, for every writer."""

    # the policy
    policy: str = "gates.yaml"  # its path as the user gave it
    path: str = "gates.yaml"  # its path in the repository
    places: tuple[Place, ...] = ()  # line and column of each of the decision's rules in it
    problems: tuple[Problem, ...] = ()  # the mistakes because of which it can't be read
    strict: bool = False  # what is inconclusive doesn't ship
    threshold: float | None = None  # the score from which a call is positive, of two classes
    observing: str | None = None  # the last day on which the policy only reports
    observed: str | None = None  # the same where that day has passed
    # the run
    version: str = ""  # of gates
    commit: str | None = None
    committed: str | None = None  # on which day
    clean: bool = True  # whether the files were that commit's
    run_url: str | None = None
    reproduce: str = "gates run"  # the command that judges the same commit again
    # the pull request
    pull_request: int | None = None
    fork: bool = False
    weaker: tuple[str, ...] = ()  # how it weakens the policy, a sentence each
    changes: tuple[str, ...] = ()  # how else it changes the policy
    approver: str | None = None  # who approved that the policy gets weaker
    history: tuple[Past, ...] = ()
    picture: Picture | None = None
    # waivers
    settled: Settled | None = None  # what they make of the decision
    waivable: tuple[str, ...] = ()  # the gates whose failure may be accepted
    open_waivers: bool = False  # whether that takes nobody's approval
    waive: str | None = None  # the workflow that records one
    # for what only they can show
    evidence: Evidence | None = None  # what the decision was made from
    rows: ChangedRows | None = None  # which got worse and better
    watch: WatchHistory | None = None  # what live rows said
    experiments: tuple[ExperimentHistory, ...] = ()  # of the model, the oldest first
    champions: tuple[Champion, ...] = ()  # what the champion's alias has named, the oldest first

    def located(self) -> Iterator[tuple[str, Problem]]:
        """Yield each problem of a file that lies in the repository, with that file's path there."""
        for problem in self.problems:
            if problem.file == self.policy:
                yield self.path, problem
            elif not problem.file.startswith("/") and ".." not in problem.file.split("/"):
                yield join(dirname(self.path), problem.file), problem

    @property
    def about_commit(self) -> str:
        """What a reader has to know beside the commit's name: its day, and whether the files were that commit's."""
        day = f" of {self.committed}" if self.committed else ""
        return day if self.clean else f"{day}, with changes that are not committed"

    def verdict(self, decision: Decision) -> Verdict:
        """Return the verdict that counts: after waivers."""
        return self.settled.verdict if self.settled else decision.verdict
