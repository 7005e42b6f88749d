"""The commit status of a verdict: on the commit that people see, under a name that no job has."""

from __future__ import annotations

from dataclasses import dataclass

from gates.decision import Code, Decision, Verdict
from gates.errors import Exit
from gates.github.api import Client, NotPermittedError, UnansweredError
from gates.github.event import Event
from gates.report import Facts, headline

LONGEST = 140  # characters of a description, by GitHub
LONGEST_CONTEXT = 200
_NEEDS = "statuses: write"
_ATTEMPTS = 3
_STATES = {Exit.SHIP: "success", Exit.STOP: "failure"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What stands beside a commit."""

    state: str
    context: str
    description: str


def of(decision: Decision, facts: Facts, code: Exit, key: str) -> Status:
    """The status of a decision that ends with ``code``; ``key`` tells the policies of a repository apart."""
    told = headline(decision, facts)
    if facts.observing and facts.verdict(decision) not in (Verdict.PASS, Verdict.ERROR):
        told = f"observing until {facts.observing}: {told}"
    if facts.fork:
        told = f"reported by a fork, not verified: {told}"
    if decision.code is Code.COULD_NOT_JUDGE:
        told = f"{told}: {decision.reason}"
    return Status(
        state=_STATES.get(code, "error"),
        context=_cut(f"gates/verdict ({key})", LONGEST_CONTEXT),
        description=_cut(told, LONGEST),
    )


def _cut(text: str, longest: int) -> str:
    flat = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return flat if len(flat) <= longest else flat[: longest - 1] + "…"


def put(client: Client, event: Event, status: Status) -> str:
    """Set the status of the event's commit, and tell what was done. What was set is set again without harm.

    A fork's run, and a token without the right, can't: that is told, and the job's own result says the same.
    Raises ``GatesError`` with ``Exit.OUTSIDE`` where GitHub fails.
    """
    if not event.may_write:
        return "No status: a run for a fork's pull request may not write here."
    body = {"state": status.state, "context": status.context, "description": status.description}
    path = f"/repos/{event.repository}/statuses/{event.head_sha}"
    for left in reversed(range(_ATTEMPTS)):
        try:
            client.post(path, body | {"target_url": event.run_url}, doing="set the commit's status", needs=_NEEDS)
            break
        except NotPermittedError as error:
            return f"No status: {error}"
        except UnansweredError:
            if not left:
                raise
    return f"The status {status.context} of {event.head_sha[:7]} is {status.state}."
