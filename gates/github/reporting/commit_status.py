"""Set the commit status of a verdict, under a name that no job has."""

from __future__ import annotations

from dataclasses import dataclass

from gates.github.event import Event
from gates.github.rest_api import Client, NotPermittedError, UnansweredError

_NEEDS = "statuses: write"
_ATTEMPTS = 3
_REFUSALS = ("failure", "error")


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What a commit shows."""

    state: str
    context: str
    description: str


def put(client: Client, event: Event, status: Status) -> str:
    """Set the status of the event's commit, and say what was done. Setting it again does no harm.

    A fork's run, and a token without the right, can't: that is reported, and the job's own result says the same.
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


def standing(client: Client, repository: str, commit: str) -> dict[str, str]:
    """Return the newest state of each context of a commit, by the context in small letters, as GitHub compares them.

    Raises ``GatesError`` where GitHub does not say.
    """
    path = f"/repos/{repository}/commits/{commit}/status"
    told = client.pages(path, doing="read the commit's statuses", needs="statuses: read", key="statuses")
    return {str(one.get("context")).casefold(): str(one.get("state")) for one in told}


def kept(client: Client, event: Event, context: str) -> Status | None:
    """Return a verdict that still stands where nothing has changed since: that of this very commit or, for a push, of
    the commit before. None where that was no refusal, so that there is none to keep."""
    before = event.base_sha if event.name == "push" else None
    for commit in filter(None, (event.head_sha, before)):
        state = standing(client, event.repository, commit).get(context.casefold())
        if state is not None and state != "success":
            told = f"nothing has changed since {commit[:7]}, whose verdict still holds: {state}"
            return Status(state=state if state in _REFUSALS else "error", context=context, description=told)
        if state is not None:
            return None
    return None
