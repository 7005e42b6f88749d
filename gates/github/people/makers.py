"""Find who made a change: everybody who contributed to the commits since the alias was last moved.

That is the commits' authors, committers and co-authors, whoever opened a pull request that brought one of them, and who
made the commits of those that were squashed. What GitHub does not list completely is an error, never a shorter list.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any
from urllib.parse import quote, urlencode

from gates.errors import Exit
from gates.github.people.approvals import UnapprovedError, Why
from gates.github.rest_api import Client
from gates.wording import counted

NEEDS = "actions: read, contents: read, deployments: read, pull-requests: read"
FIRST = 1_000  # commits that a first promotion looks back at
FIRST_PULLS = 100  # of these, whose pull requests are looked at: GitHub answers a thousand questions an hour
LISTED = 250  # commits of a pull request that GitHub lists at most
_TRAILER = re.compile(r"(?im)^[ \t]*co-authored-by[ \t]*:[ \t]*(.*?)[ \t]*$")
_ADDRESS = re.compile(r"([^<>]*)<\s*([^<>\s]+)\s*>")
_NOREPLY = re.compile(r"(?:(?P<id>[0-9]{1,18})\+)?(?P<login>[^@+]+)@users\.noreply\.(?P<host>.+)", re.IGNORECASE)

Commit = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hand:
    """Somebody who had a hand in a commit: GitHub's number where it knows it, the name and address that stand there."""

    id: int | None
    name: str
    address: str | None

    @property
    def told(self) -> str:
        """``Pat <pat@example.org>``, printable."""
        text = f"{self.name} <{self.address}>" if self.address else self.name or "nobody GitHub knows"
        return "".join(letter for letter in text[:120] if letter.isprintable())


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """Who made a change; ``unknown`` are those whom GitHub does not know, as their commits name them."""

    ids: frozenset[int]
    unknown: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Makers:
    """Ask GitHub about the commits of one repository. ``server``: GitHub's host, of the addresses that it gives out."""

    client: Client
    repository: str
    server: str = "github.com"

    def since(self, before: str | None, head: str) -> Made:
        """Tell who made what ``head`` has and ``before`` has not; without that commit, of the newest ``FIRST``
        commits."""
        own = self._get(f"/commits/{head}", "read this run's commit")
        newest = self._newest(head) if before is None else self._between(before, head)[::-1]
        commits = {one["sha"]: one for one in (own, *newest)}
        looked_up = list(commits)[: FIRST_PULLS if before is None else None]
        openers, squashed = self._brought(looked_up)
        return self._resolved([*openers, *_all_hands({**squashed, **commits})], head)

    def of_commit(self, head: str) -> Made:
        """Tell who made a commit, and the pull requests that brought it."""
        own = self._get(f"/commits/{head}", "read this run's commit")
        openers, squashed = self._brought([head])
        return self._resolved([*openers, *_all_hands({**squashed, own["sha"]: own})], head)

    def of_pull(self, number: int, head: str) -> Made:
        """Tell who made an open pull request that ends in ``head``."""
        own = self._get(f"/commits/{head}", "read the pull request's commit")
        opener, commits = self._of_pull(number)
        return self._resolved([opener, *_all_hands({own["sha"]: own, **commits})], head)

    # -- commits --

    def _between(self, before: str, head: str) -> list[Commit]:
        comparison = self._compared(before, head, "compare with the last promotion's commit")
        if comparison is None:
            raise UnapprovedError(
                Why.INCOMPLETE,
                f"GitHub does not know the last promotion's commit, {before[:12]}, so who made the change is unknown",
                hint=f"Push it again, for instance as a tag: git push origin {before}:refs/tags/promoted-{before[:12]}",
            )
        commits = {one["sha"]: one for one in comparison["commits"]}
        ends = commits or {comparison["merge_base_commit"]["sha"]: None}  # an older commit brings nothing new
        if len(commits) != comparison["total_commits"] or head not in ends:
            came = counted(comparison["total_commits"], "commit")
            what = f"{came} came since the last promotion, and GitHub lists {len(commits)}"
            raise UnapprovedError(Why.INCOMPLETE, f"{what}: not all authors are known", exit_code=Exit.OUTSIDE)
        return list(commits.values())

    def _compared(self, before: str, head: str, doing: str) -> dict[str, Any] | None:
        """Return what the one has and the other has not, the oldest commit first; None where one of them is not
        known."""
        path = self._path(f"/compare/{quote(before)}...{quote(head)}")
        return self.client.whole(path, doing=doing, needs=NEEDS, key="commits")

    def _newest(self, head: str) -> list[Commit]:
        listed = self._list("/commits", "list this run's commits", {"sha": head})
        commits = {one["sha"]: one for one in islice(listed, FIRST)}
        parents = {parent["sha"] for one in commits.values() for parent in one["parents"]}
        if head not in commits or (len(commits) < FIRST and not parents <= commits.keys()):
            what = f"GitHub lists {counted(len(commits), 'commit')}, but not what came before"
            raise UnapprovedError(Why.INCOMPLETE, f"{what}: not all authors are known", exit_code=Exit.OUTSIDE)
        return list(commits.values())

    # -- pull requests --

    def _brought(self, newest: Iterable[str]) -> tuple[list[Hand], dict[str, Commit]]:
        """Tell who opened the pull requests that brought these commits, and the commits that were squashed into
        them."""
        openers: list[Hand] = []
        squashed: dict[str, Commit] = {}
        seen: set[int] = set()
        for sha in newest:
            if sha in squashed:  # it is of a pull request that a later commit has named
                continue
            for pull in self._list(f"/commits/{sha}/pulls", "find the pull request of a commit"):
                if pull["number"] not in seen:
                    seen.add(pull["number"])
                    opener, of_it = self._of_pull(pull["number"])
                    openers.append(opener)
                    squashed |= of_it
        return openers, squashed

    def _of_pull(self, number: int) -> tuple[Hand, dict[str, Commit]]:
        whole, doing = self._get(f"/pulls/{number}", "read the pull request"), "read the pull request's commits"
        if whole["commits"] <= LISTED:
            commits = list(self._list(f"/pulls/{number}/commits", doing))
        else:
            found = self._compared(whole["base"]["sha"], whole["head"]["sha"], doing)
            commits = found["commits"] if found and len(found["commits"]) == found["total_commits"] else []
        if len(commits) < whole["commits"]:
            what = f"pull request {number} has {counted(whole['commits'], 'commit')}, and GitHub lists {len(commits)}"
            raise UnapprovedError(Why.INCOMPLETE, f"{what}: not all authors are known", hint="Make it smaller.")
        user = whole["user"] or {}
        return Hand(id=_id(user), name=f"who opened #{number}", address=None), {one["sha"]: one for one in commits}

    # -- people --

    def _resolved(self, hands: list[Hand], head: str) -> Made:
        known: dict[str | None, int | None] = {
            one.address: one.id for one in hands if one.address and one.id is not None
        }
        strangers = {one.address for one in hands if one.id is None} - known.keys()
        proper = self._mailmap(head) if strangers else {}
        for stranger in sorted(filter(None, strangers)):
            address = proper.get(stranger, stranger)
            known[stranger] = known.get(address) or self._owner(address, head)
        found = {one: known.get(one.address) if one.id is None and one.address else one.id for one in hands}
        return Made(
            ids=frozenset(one for one in found.values() if one is not None),
            unknown=tuple(dict.fromkeys(one.told for one, number in found.items() if number is None)),
        )

    def _owner(self, address: str, head: str) -> int | None:
        """Find whose address it is: one that GitHub gave out, or one of a commit here whose author GitHub knows."""
        given = _NOREPLY.fullmatch(address)
        if given and given["host"].casefold() == self.server.casefold():
            if given["id"]:
                return int(given["id"])
            login = quote(given["login"], safe="")
            return _id(self.client.find(f"/users/{login}", doing=f"read {given['login']}", needs=NEEDS))
        query = urlencode({"sha": head, "author": address, "per_page": 1})
        found = self.client.items(self._path(f"/commits?{query}"), doing=f"find commits of {address}", needs=NEEDS)
        same = (one for one in found if one["commit"]["author"]["email"].casefold() == address.casefold())
        return next((_id(one["author"]) for one in same), None)

    def _mailmap(self, head: str) -> dict[str, str]:
        """Return what git's own file about people says, at this commit: an address as the one that stands for it."""
        path = self._path(f"/contents/.mailmap?ref={quote(head)}")
        found = self.client.find(path, doing="read .mailmap", needs=NEEDS)
        if found is None or found["type"] != "file":
            return {}
        text = base64.b64decode(found["content"]).decode(errors="replace")
        lines = (re.findall(r"<\s*([^<>\s]+)\s*>", line.partition("#")[0]) for line in text.splitlines())
        return {old.casefold(): proper.casefold() for proper, old in (one for one in lines if len(one) == 2)}

    # -- the API --

    def _path(self, path: str) -> str:
        return f"/repos/{self.repository}{path}"

    def _get(self, path: str, doing: str) -> dict[str, Any]:
        return self.client.get(self._path(path), doing=doing, needs=NEEDS)

    def _list(self, path: str, doing: str, query: dict[str, str] | None = None) -> Iterator[dict[str, Any]]:
        return self.client.pages(self._path(path), doing=doing, needs=NEEDS, query=query)


def _all_hands(commits: Mapping[str, Commit]) -> Iterator[Hand]:
    for commit in commits.values():
        yield from _hands(commit)


def _hands(commit: Commit) -> Iterator[Hand]:
    """Yield everybody whom a commit names."""
    for role in ("author", "committer"):
        written = commit["commit"][role] or {}
        address = str(written.get("email") or "").strip().casefold()
        yield Hand(id=_id(commit[role]), name=str(written.get("name")), address=address or None)
    for trailer in map(str.strip, _TRAILER.findall(commit["commit"]["message"])):
        found = _ADDRESS.fullmatch(trailer)
        yield Hand(id=None, name=found[1].strip() if found else trailer, address=found[2].casefold() if found else None)


def _id(user: Mapping[str, Any] | None) -> int | None:
    """Return a user's number; None for somebody whom GitHub does not know."""
    found = (user or {}).get("id")
    return found if isinstance(found, int) and not isinstance(found, bool) else None
