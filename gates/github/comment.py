"""The one comment that a policy has on a pull request: found by its marker, edited, or posted anew."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any
from urllib.parse import quote, unquote

from gates.decision import Verdict
from gates.errors import Exit, GatesError
from gates.github.api import Client, UnansweredError
from gates.github.event import Event
from gates.report import Past

AUTHOR = "github-actions[bot]"  # who writes with the token of a workflow
LONGEST = 65_536  # characters of a comment, by GitHub

_NEEDS = "pull-requests: write"
_ATTEMPTS = 3
_REMEMBERED = 8  # verdicts of a pull request, the newest last
_MARKER = re.compile(r"<!-- gates:v1 key=(\S{1,600}) head=([0-9a-f]{40}) verdict=([a-z]+)(?: before=(\S{1,600}))? -->")
_PAST = re.compile(r"([a-z]+):([0-9a-f]{40})")


class Outcome(StrEnum):
    """What became of the comment."""

    CREATED = "created"
    EDITED = "edited"
    UNCHANGED = "unchanged"
    REPLACED = "replaced"  # posted anew, since an edit tells nobody that things got worse
    MOVED = "moved"  # the pull request has newer commits: theirs is the comment
    FORK = "fork"  # a fork's run may not write here
    NO_PULL_REQUEST = "no_pull_request"
    NOT_NEEDED = "not_needed"  # nothing was ever said here, and there is nothing to say

    @property
    def told(self) -> str:
        """The outcome as one sentence."""
        return _TOLD[self]


_TOLD = {
    Outcome.CREATED: "The comment was posted.",
    Outcome.EDITED: "The comment was edited.",
    Outcome.UNCHANGED: "The comment says so already.",
    Outcome.REPLACED: "The verdict got worse: the old comment was deleted and a new one posted.",
    Outcome.MOVED: "No comment: the pull request has newer commits.",
    Outcome.FORK: "No comment: a run for a fork's pull request may not write here; see the run's summary.",
    Outcome.NO_PULL_REQUEST: "No comment: this run is for no pull request.",
    Outcome.NOT_NEEDED: "No comment: there is nothing to judge, and none stands here.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """What the last line of our comment says, unseen: whose it is, of which commit, with which verdict, and which
    verdicts earlier commits got."""

    key: str
    head: str
    verdict: Verdict
    before: tuple[Past, ...] = ()

    @property
    def history(self) -> tuple[Past, ...]:
        """The verdicts of the pull request, a commit each, this one's last."""
        return (*self.before, Past(verdict=self.verdict, commit=self.head))

    def after(self, earlier: Marker | None) -> Marker:
        """The same marker, remembering what an earlier one of ours says of other commits."""
        told = [past for past in earlier.history if past.commit != self.head] if earlier else []
        return replace(self, before=tuple(told[1 - _REMEMBERED :]))


def compose(body: str, marker: Marker) -> str:
    """Write the comment's text: the body, then the marker as its last line."""
    key = quote(marker.key, safe="").replace("--", "-%2D")  # two dashes may end an HTML comment
    before = ",".join(f"{past.verdict}:{past.commit}" for past in marker.before)
    told = f" before={before}" if before else ""
    line = f"<!-- gates:v1 key={key} head={marker.head} verdict={marker.verdict}{told} -->"
    if parse(line) != marker:
        raise ValueError(f"this can't be written as a marker: {marker!r}")
    text = f"{body.rstrip()}\n\n{line}"
    if len(text) > LONGEST:
        raise GatesError(
            f"the comment has {len(text):,} characters; GitHub takes {LONGEST:,}",
            where="comment",
            mend="This is a mistake of the report; please report it. The run's summary holds it whole.",
            exit_code=Exit.OUTSIDE,
        )
    return text


def parse(text: str) -> Marker | None:
    """Read the marker of a comment, if its last line is one; one that is quoted further up doesn't count."""
    match = _MARKER.fullmatch(text.rstrip().rpartition("\n")[2])
    if not match:
        return None
    key, head, verdict, before = match.groups()
    try:
        past = tuple(_past(one) for one in before.split(",")) if before else ()
        return Marker(key=unquote(key, errors="strict"), head=head, verdict=Verdict(verdict), before=past)
    except ValueError:
        return None


def _past(text: str) -> Past:
    match = _PAST.fullmatch(text)
    if not match:
        raise ValueError(text)
    return Past(verdict=Verdict(match[1]), commit=match[2])


Write = Callable[[tuple[Past, ...]], str]


def sync(
    client: Client,
    event: Event,
    write: Write,
    *,
    key: str,
    verdict: Verdict,
    author: str = AUTHOR,
    create: bool = True,
) -> Outcome:
    """See to it that the pull request holds exactly one comment of this key, and that it says what ``write`` makes of
    the pull request's verdicts so far, this one last.

    ``key`` tells policies apart. ``author`` is the login that the token writes as: what others wrote is never
    touched. Without ``create`` a comment that isn't there is not missed. Raises ``GatesError`` with ``Exit.OUTSIDE``
    when GitHub fails.
    """
    if event.pr is None:
        return Outcome.NO_PULL_REQUEST
    if not event.may_write:
        return Outcome.FORK
    wanted = _Wanted(write, Marker(key=key, head=event.head_sha, verdict=verdict), author, create)
    thread = _Thread(client, event.repository, event.pr)
    lost = 0
    while True:
        if thread.head() != event.head_sha:
            return Outcome.MOVED
        try:
            outcome = _settle(thread, wanted)
        except UnansweredError:  # the comment may stand there by now: look again
            lost += 1
            if lost == _ATTEMPTS:
                raise
        else:
            return Outcome.CREATED if lost and outcome is Outcome.UNCHANGED else outcome


@dataclass(frozen=True, slots=True)
class _Wanted:
    write: Write
    marker: Marker
    author: str
    create: bool

    def after(self, earlier: Marker | None) -> str:
        """The comment's text, given what ours said before."""
        marker = self.marker.after(earlier)
        return compose(self.write(marker.history), marker)

    def is_ours(self, comment: dict[str, Any]) -> bool:
        login = (comment.get("user") or {}).get("login") or ""
        marker = parse(comment.get("body") or "")
        return login.casefold() == self.author.casefold() and marker is not None and marker.key == self.marker.key


def _settle(thread: _Thread, wanted: _Wanted) -> Outcome:
    """Look at the thread once, and do what it takes from there to the one comment that is wanted."""
    ours = sorted(filter(wanted.is_ours, thread.comments()), key=lambda comment: int(comment["id"]))
    for spare in ours[:-1]:  # two runs posted at once: the newest stays
        thread.delete(spare)
    if not ours:
        if not wanted.create:
            return Outcome.NOT_NEEDED
        thread.create(wanted, wanted.after(None))
        return Outcome.CREATED
    newest = ours[-1]
    before = parse(newest["body"])
    text = wanted.after(before)
    if newest["body"] == text:
        return Outcome.UNCHANGED
    if before and wanted.marker.verdict.badness > before.verdict.badness:
        thread.delete(newest)  # first, so that there are never two
        thread.create(wanted, text)
        return Outcome.REPLACED
    thread.edit(newest, text)
    return Outcome.EDITED


@dataclass(frozen=True, slots=True)
class _Thread:
    """The pull request's conversation: what is read and written there."""

    client: Client
    repository: str
    pr: int

    def head(self) -> str:
        path = f"/repos/{self.repository}/pulls/{self.pr}"
        pull = self.client.get(path, doing=f"read {self}", needs=_NEEDS)
        return str((pull.get("head") or {}).get("sha"))

    def comments(self) -> Iterator[dict[str, Any]]:
        return self.client.pages(self._all, doing=f"list the comments of {self}", needs=_NEEDS)

    def create(self, wanted: _Wanted, text: str) -> None:
        doing = f"post a comment on {self}"
        comment = self.client.post(self._all, {"body": text}, doing=doing, needs=_NEEDS)
        if wanted.is_ours(comment):
            return
        # It would not be found again, and each push would add one more.
        self.delete(comment)
        login = (comment.get("user") or {}).get("login")
        raise GatesError(
            f"this token writes as {login}, not as {wanted.author}: the comment was taken back",
            where="GitHub",
            mend=f"Name the author: `--author '{login}'`, or the input `author` of the action.",
        )

    def edit(self, comment: dict[str, Any], text: str) -> None:
        doing = f"edit the comment on {self}"
        self.client.patch(self._one(comment), {"body": text}, doing=doing, needs=_NEEDS)

    def delete(self, comment: dict[str, Any]) -> None:
        self.client.delete(self._one(comment), doing=f"delete a comment on {self}", needs=_NEEDS)

    def __str__(self) -> str:
        return f"{self.repository}#{self.pr}"

    @property
    def _all(self) -> str:
        return f"/repos/{self.repository}/issues/{self.pr}/comments"

    def _one(self, comment: dict[str, Any]) -> str:
        return f"/repos/{self.repository}/issues/comments/{int(comment['id'])}"
