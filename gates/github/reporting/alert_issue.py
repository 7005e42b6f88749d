"""Keep one issue about a model that serves: found by its label, its author and its marker, then rewritten in place.

The marker is the body's last line, unseen. It names the issue's own number, so that a copy of it counts nowhere else,
and the newest record that the issue tells of.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import unquote

from gates.errors import Exit, GatesError
from gates.github.reporting.comment import AUTHOR, quoted
from gates.github.rest_api import Client, UnansweredError
from gates.monitoring.alert_state import AlertAction, AlertState, KnownIssue, next_action

LABEL = "gates-monitor"
REOPENED = timedelta(days=30)  # a younger one is opened again; later on, a new alarm is another story

_NEEDS = "issues: write"
_ATTEMPTS = 3
_TOKEN = 32  # digits of the word that stands in a marker until the issue has its number
_MARKER = re.compile(r"<!-- gates-monitor:v1 id=([0-9a-f]{1,32}) model=(\S{1,600}) record=([0-9]{1,12}) -->")
_LABEL = {"name": LABEL, "color": "b60205", "description": "A model that serves: kept by gates alert"}


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedIssue:
    """What the issue is to say. ``remark``: the comment for those who know the records up to a number; empty where
    nothing has begun or ceased to fail since."""

    model: str
    state: AlertState
    title: str
    body: str
    remark: Callable[[int], str]

    def text(self, mark: str) -> str:
        """Return the whole body. ``mark``: the issue's number, or a word until it has one."""
        number = self.state.record.sequence
        return f"{self.body}\n\n<!-- gates-monitor:v1 id={mark} model={quoted(self.model)} record={number} -->"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertOutcome:
    """What was done, or would be: to which issue, if there is one."""

    action: AlertAction
    number: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ours:
    """An issue of ours about the model. ``told``: the newest record that it tells of."""

    issue: dict[str, Any]
    told: int

    @property
    def number(self) -> int:
        return int(self.issue["number"])

    @property
    def is_open(self) -> bool:
        return bool(self.issue["state"] == "open")

    @property
    def closed_at(self) -> str:
        return str(self.issue.get("closed_at") or "")

    def is_recent(self, now: datetime) -> bool:
        return bool(self.closed_at) and now - datetime.fromisoformat(self.closed_at) < REOPENED


def sync(
    client: Client, repository: str, wanted: WantedIssue, now: datetime, *, author: str = AUTHOR, rehearse: bool = False
) -> AlertOutcome:
    """See to it that the repository has the one issue of a model that its state asks for.

    ``author``: the login that the token writes as; what others wrote is never touched. ``rehearse``: nothing is
    written. Raises ``GatesError`` with ``Exit.OUTSIDE`` when GitHub fails.
    """
    board = _Board(client=client, repository=repository, author=author)
    for attempt in range(_ATTEMPTS):
        try:
            return _settle(board, wanted, now, rehearse=rehearse)
        except UnansweredError:  # it may have been done: look again
            if attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


def _settle(board: _Board, wanted: WantedIssue, now: datetime, *, rehearse: bool) -> AlertOutcome:
    """Look at the issues once, and do what it takes from there."""
    ours = board.ours(wanted.model)
    opened = [one for one in ours if one.is_open]
    issue = opened[0] if opened else max(ours, key=lambda one: one.closed_at, default=None)
    last = max((one.told for one in ours), default=0)
    known = KnownIssue(is_open=bool(opened), recent=issue.is_recent(now), told=last) if issue else None
    action = next_action(wanted.state, known)
    if last > wanted.state.record.sequence:  # a later run was quicker
        action = AlertAction.NOTHING
    if not rehearse:
        board.keep_first(opened)
        if action is AlertAction.OPEN:
            return AlertOutcome(action=action, number=board.create(wanted))
        if issue is not None and action is not AlertAction.NOTHING:
            board.rewrite(issue, wanted, action, wanted.remark(last))
    shown = issue if action is not AlertAction.OPEN else None
    return AlertOutcome(action=action, number=shown.number if shown else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Board:
    """The repository's issues: what is read and written there."""

    client: Client
    repository: str
    author: str

    def ours(self, model: str) -> list[_Ours]:
        """Return our issues about a model, by number."""
        query, doing = {"labels": LABEL, "state": "all"}, f"list the issues of {self.repository}"
        issues = self.client.pages(self._issues, query=query, doing=doing, needs=_NEEDS)
        ours = [one for issue in issues if (one := self._ours(issue, model)) is not None]
        return sorted(ours, key=lambda one: one.number)

    def _ours(self, issue: dict[str, Any], model: str) -> _Ours | None:
        """Return an issue if it is ours about this model: by author, label and marker. A pull request is none."""
        match = _MARKER.fullmatch((issue.get("body") or "").rstrip().rpartition("\n")[2])
        if match is None or "pull_request" in issue or not self._is_by_us(issue) or not _is_labelled(issue):
            return None
        mark, named, told = match.groups()
        if unquote(named) != model or (mark != str(issue["number"]) and len(mark) != _TOKEN):
            return None
        return _Ours(issue=issue, told=int(told))

    def _is_by_us(self, written: dict[str, Any]) -> bool:
        login = str((written.get("user") or {}).get("login") or "")
        return login.casefold() == self.author.casefold()

    def create(self, wanted: WantedIssue) -> int:
        """Open an issue, and leave one where another run opened one at the same time: that with the lowest number."""
        self._have_label()
        doing = f"open an issue in {self.repository}"
        text = wanted.text(secrets.token_hex(_TOKEN // 2))
        issue = self.client.post(
            self._issues, {"title": wanted.title, "body": text, "labels": [LABEL]}, doing=doing, needs=_NEEDS
        )
        number = int(issue["number"])
        if not self._is_by_us(issue) or not _is_labelled(issue):
            lost = self._lost(issue)
            self._patch(number, {"body": f"Closed: {lost.what}", "state": "closed", "state_reason": "not_planned"})
            raise lost
        self._patch(number, {"body": wanted.text(str(number))})
        opened = {one.number: one for one in self.ours(wanted.model) if one.is_open}
        opened.setdefault(number, _Ours(issue=issue, told=wanted.state.record.sequence))
        return self.keep_first([opened[one] for one in sorted(opened)])

    def _lost(self, issue: dict[str, Any]) -> GatesError:
        """Return the error of an issue that would not be found again: each run would open one more."""
        login = (issue.get("user") or {}).get("login")
        if self._is_by_us(issue):
            what, hint = f"this token can't set the label {LABEL}", "Take a token that may write to the repository."
        else:
            what = f"this token writes as {login}, not as {self.author}"
            hint = f"Name the author: `--author '{login}'`, or the input `author` of the action."
        what = f"{what}: issue {int(issue['number'])} was closed"
        return GatesError(what, where="GitHub", hint=hint, exit_code=Exit.OUTSIDE)

    def _have_label(self) -> None:
        path, doing = f"/repos/{self.repository}/labels", f"make the label {LABEL} in {self.repository}"
        if self.client.find(f"{path}/{LABEL}", doing=doing, needs=_NEEDS) is not None:
            return
        try:
            self.client.post(path, _LABEL, doing=doing, needs=_NEEDS)
        except GatesError:  # another run may have made it in the meantime
            if self.client.find(f"{path}/{LABEL}", doing=doing, needs=_NEEDS) is None:
                raise

    def keep_first(self, opened: Sequence[_Ours]) -> int:
        """Close all open issues but the first as its duplicates; gives the first one's number, or 0."""
        first = opened[0].number if opened else 0
        for spare in opened[1:]:
            closed = {"body": f"Duplicate of #{first}", "state": "closed", "state_reason": "duplicate"}
            self._patch(spare.number, closed)
        return first

    def rewrite(self, ours: _Ours, wanted: WantedIssue, action: AlertAction, remark: str) -> None:
        """Bring an issue up to date. The comment comes first: were only that lost, nobody would hear of it."""
        if remark:
            self._remark(ours.number, f"{remark}\n\n<!-- gates-monitor:v1 record={wanted.state.record.sequence} -->")
        changes: dict[str, Any] = {"title": wanted.title, "body": wanted.text(str(ours.number))}
        changes = {key: value for key, value in changes.items() if ours.issue.get(key) != value}
        if action is AlertAction.CLOSE:
            changes |= {"state": "closed", "state_reason": "completed"}
        elif action is AlertAction.REOPEN:
            changes |= {"state": "open"}
        if changes:
            self._patch(ours.number, changes)

    def _remark(self, number: int, text: str) -> None:
        """Post a comment, unless ours of the same record stands there."""
        path, last = f"{self._issues}/{number}/comments", text.rpartition("\n")[2]
        doing = f"comment on {self.repository}#{number}"
        for comment in self.client.pages(path, doing=doing, needs=_NEEDS):
            if self._is_by_us(comment) and (comment.get("body") or "").rstrip().rpartition("\n")[2] == last:
                return
        self.client.post(path, {"body": text}, doing=doing, needs=_NEEDS)

    def _patch(self, number: int, changes: dict[str, Any]) -> None:
        doing = f"change {self.repository}#{number}"
        self.client.patch(f"{self._issues}/{number}", changes, doing=doing, needs=_NEEDS)

    @property
    def _issues(self) -> str:
        return f"/repos/{self.repository}/issues"


def _is_labelled(issue: dict[str, Any]) -> bool:
    labels = issue.get("labels") or []
    names = [one.get("name") if isinstance(one, dict) else one for one in labels]
    return LABEL in (str(name).casefold() for name in names)
