"""Keep a policy's one comment on a pull request: found by its marker, then edited or posted again."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any
from urllib.parse import quote, unquote

from gates.documents.decision import Past, Verdict
from gates.errors import Exit, GatesError
from gates.github.event import Event
from gates.github.rest_api import Client, UnansweredError

AUTHOR = "github-actions[bot]"  # who writes with the token of a workflow
LONGEST = 65_536  # characters of a comment, by GitHub

_NEEDS = "pull-requests: write"
_ATTEMPTS = 3
_REMEMBERED = 8  # verdicts of a pull request, the newest last
_MARKER = re.compile(
    r"<!-- gates:v2 id=([0-9a-f]{1,32}) key=(\S{1,600}) base=(\S{1,600}) head=([0-9a-f]{40}) verdict=([a-z]+)"
    r"(?: before=(\S{1,600}))? -->"
)
_PAST = re.compile(r"([a-z]+):([0-9a-f]{40})")


class Outcome(StrEnum):
    """What became of the comment."""

    CREATED = "created"
    EDITED = "edited"
    UNCHANGED = "unchanged"
    REPLACED = "replaced"  # posted again, because an edit notifies nobody that things got worse
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
    Outcome.UNCHANGED: "The comment is up to date.",
    Outcome.REPLACED: "The verdict got worse: the old comment was deleted and a new one posted.",
    Outcome.MOVED: "No comment: the pull request has newer commits.",
    Outcome.FORK: "No comment: a run for a fork's pull request may not write here. See the run's summary.",
    Outcome.NO_PULL_REQUEST: "No comment: this run is for no pull request.",
    Outcome.NOT_NEEDED: "No comment: there is nothing to judge, and no earlier comment.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """What the last line of our comment says, unseen: which comment it is the line of, about which policy and branch,
    of which commit, with which verdict, and which verdicts earlier commits got.

    ``id`` is the comment's own number, which GitHub gives: the same line in another comment is a copy of it. While a
    comment is being posted it is a word that only this process knows.
    """

    id: str
    key: str
    base: str
    head: str
    verdict: Verdict
    before: tuple[Past, ...] = ()

    @property
    def history(self) -> tuple[Past, ...]:
        """The verdicts of the pull request, a commit each, this one's last."""
        return (*self.before, Past(verdict=self.verdict, commit=self.head))

    def after(self, earlier: Marker | None) -> Marker:
        """Return the same marker, remembering what an earlier one of ours says of other commits."""
        told = [past for past in earlier.history if past.commit != self.head] if earlier else []
        return replace(self, before=tuple(told[1 - _REMEMBERED :]))


def compose(body: str, marker: Marker) -> str:
    """Write the comment's text: the body, then the marker as its last line."""
    key, base = quoted(marker.key), quoted(marker.base)
    before = ",".join(f"{past.verdict}:{past.commit}" for past in marker.before)
    told = f" before={before}" if before else ""
    about = f"id={marker.id} key={key} base={base}"
    line = f"<!-- gates:v2 {about} head={marker.head} verdict={marker.verdict}{told} -->"
    if parse(line) != marker:
        raise ValueError(f"this can't be written as a marker: {marker!r}")
    text = f"{body.rstrip()}\n\n{line}"
    if len(text) > LONGEST:
        raise GatesError(
            f"the comment has {len(text):,} characters; GitHub takes {LONGEST:,}",
            where="comment",
            hint="This is a bug; please report it. The run's summary has the whole report.",
            exit_code=Exit.OUTSIDE,
        )
    return text


def quoted(text: str) -> str:
    """Return text for a hidden marker: no space, and nothing that ends an HTML comment."""
    return quote(text, safe="").replace("--", "-%2D")  # two dashes may end an HTML comment


def parse(text: str) -> Marker | None:
    """Read the marker of a comment, if its last line is one; one that is quoted further up doesn't count."""
    match = _MARKER.fullmatch(text.rstrip().rpartition("\n")[2])
    if not match:
        return None
    number, key, base, head, verdict, before = match.groups()
    try:
        past = tuple(_past(one) for one in before.split(",")) if before else ()
        about, into = (unquote(one, errors="strict") for one in (key, base))
        return Marker(id=number, key=about, base=into, head=head, verdict=Verdict(verdict), before=past)
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
    base: str,
    verdict: Verdict,
    author: str = AUTHOR,
    create: bool = True,
) -> Outcome:
    """See to it that the pull request holds exactly one comment of this key, and that it says what ``write`` makes of
    the pull request's verdicts so far, this one last.

    ``key`` and ``base`` are ``Subject.key`` and ``Subject.base``. ``author`` is the login that the token writes as:
    what others wrote is never touched, and neither is what another workflow wrote by the same login. Without ``create``
    a comment that isn't there is not missed. Raises ``GatesError`` with ``Exit.OUTSIDE`` when GitHub fails.
    """
    if event.pr is None:
        return Outcome.NO_PULL_REQUEST
    if not event.may_write:
        return Outcome.FORK
    marker = Marker(id=secrets.token_hex(16), key=key, base=base, head=event.head_sha, verdict=verdict)
    wanted = _Wanted(write, marker, author, create)
    thread = _Thread(client, event.repository, event.pr)
    lost = 0
    while True:
        if thread.asks() != (event.head_sha, event.branch):
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

    def after(self, earlier: Marker | None, number: str | None = None) -> str:
        """Return the comment's text, given what ours said before; ``number`` is the comment's, once it has one."""
        marker = replace(self.marker.after(earlier), id=number or self.marker.id)
        return compose(self.write(marker.history), marker)

    def marker_of(self, comment: dict[str, Any]) -> Marker | None:
        """Return the marker of a comment of this policy by our author; None in any other comment, and in a copy of
        ours."""
        login = (comment.get("user") or {}).get("login") or ""
        marker = parse(comment.get("body") or "")
        if login.casefold() != self.author.casefold() or marker is None or marker.key != self.marker.key:
            return None
        return marker if marker.id in (str(comment["id"]), self.marker.id) else None

    def is_begun(self, comment: dict[str, Any]) -> bool:
        """Tell whether this process has posted it and not yet written its number into it."""
        marker = self.marker_of(comment)
        return marker is not None and marker.id == self.marker.id


def _settle(thread: _Thread, wanted: _Wanted) -> Outcome:
    """Look at the thread once, and do what it takes from there to the one comment that is wanted."""
    known = [(one, marker) for one in thread.comments() if (marker := wanted.marker_of(one))]
    known.sort(key=lambda one: int(one[0]["id"]))
    ours = [one for one in known if one[1].base == wanted.marker.base]
    for spare, _ in (one for one in known if one not in ours[-1:]):
        thread.delete(spare)  # two runs posted at once, of which the newest stays; or another branch was asked before
    if not ours:
        if not wanted.create:
            return Outcome.NOT_NEEDED
        thread.create(wanted, None)
        return Outcome.CREATED
    newest, before = ours[-1]
    if before.id == wanted.marker.id:  # posted, and the answer was lost
        thread.bind(newest, wanted, before)
        return Outcome.CREATED
    text = wanted.after(before, str(newest["id"]))
    if newest["body"] == text:
        return Outcome.UNCHANGED
    if wanted.marker.verdict.badness > before.verdict.badness:
        thread.delete(newest)  # first, so that there are never two
        thread.create(wanted, before)
        return Outcome.REPLACED
    thread.edit(newest, text)
    return Outcome.EDITED


@dataclass(frozen=True, slots=True)
class _Thread:
    """The pull request's conversation: what is read and written there."""

    client: Client
    repository: str
    pr: int

    def asks(self) -> tuple[str, str]:
        """Return the pull request's newest commit, and the branch that it asks to change."""
        path = f"/repos/{self.repository}/pulls/{self.pr}"
        pull = self.client.get(path, doing=f"read {self}", needs=_NEEDS)
        return str((pull.get("head") or {}).get("sha")), f"refs/heads/{(pull.get('base') or {}).get('ref')}"

    def comments(self) -> Iterator[dict[str, Any]]:
        return self.client.pages(self._all, doing=f"list the comments of {self}", needs=_NEEDS)

    def create(self, wanted: _Wanted, earlier: Marker | None) -> None:
        doing = f"post a comment on {self}"
        comment = self.client.post(self._all, {"body": wanted.after(earlier)}, doing=doing, needs=_NEEDS)
        if wanted.is_begun(comment):
            self.bind(comment, wanted, earlier)
            return
        # It would not be found again, and each push would add one more.
        self.delete(comment)
        login = (comment.get("user") or {}).get("login")
        raise GatesError(
            f"this token writes as {login}, not as {wanted.author}: the comment was deleted",
            where="GitHub",
            hint=f"Name the author: `--author '{login}'`, or the input `author` of the action.",
        )

    def bind(self, comment: dict[str, Any], wanted: _Wanted, earlier: Marker | None) -> None:
        """Write a new comment's own number into it: from then on no copy of it counts."""
        self.edit(comment, wanted.after(earlier, str(comment["id"])))

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
