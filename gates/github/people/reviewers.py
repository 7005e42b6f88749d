"""Ask GitHub's API who approved a run, who made the change, and who started it. ``approvals`` says what that means.

Two ways to approve: reviewers of environments, or, where an environment requires none, reviews of the pull request that
brought the commit, by members of a team that is named like the role.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from gates.documents.record import Approval, Environment, User
from gates.errors import Exit
from gates.github.event import Event
from gates.github.people.approvals import Answer, ApprovalRequest, GivenApproval, UnapprovedError, Why, approved
from gates.github.people.makers import NEEDS as _NEEDS
from gates.github.people.makers import Makers
from gates.github.rest_api import Client
from gates.policy import Promotion, Stage

HALF = "GitHub's answer lacks what it documents"
OWN = "own"
WRITERS = ("admin", "write")  # permissions; GitHub reports maintain as write
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_STARTED = ("in_progress", "success", "failure", "error", "inactive")  # states of a deployment whose job has begun
_REVIEWS = {"APPROVED": "approved", "CHANGES_REQUESTED": "rejected", "DISMISSED": "dismissed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Approvers:
    """Who may say that a model is approved: one run of one repository, and what its policy asks for. ``since``: the
    commit of what the stage's alias names now, None where that is nothing, ``OWN`` where the run's own commit alone is
    the change. ``server``: GitHub's host."""

    client: Client
    repository: str
    run_id: int
    promotion: Promotion
    since: str | None = OWN
    server: str = "github.com"

    def __call__(self, stage: Stage, digest: str) -> tuple[Approval, ...]:
        """Return the approvals of a stage for a model. Raises ``GatesError``: no answer, or half of one, is no
        approval."""
        if not stage.approvals:
            return ()
        asked = ApprovalRequest(
            roles=stage.approvals,
            digest=digest,
            distinct=self.promotion.distinct_people,
            quote=self.promotion.quote_digest,
        )
        try:
            return approved(asked, self._told(asked))
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise UnapprovedError(Why.INCOMPLETE, HALF, exit_code=Exit.OUTSIDE) from error

    def _told(self, asked: ApprovalRequest) -> GivenApproval:
        run = self._get(f"/actions/runs/{self.run_id}", "read this run")
        if run["id"] != self.run_id:
            raise UnapprovedError(Why.INCOMPLETE, "GitHub answered for another run", exit_code=Exit.OUTSIDE)
        environments = {role: self._environment(role) for role in asked.roles}
        existing = {role: one for role, one in environments.items() if one is not None}
        guarded = {role: _requires_reviewer(one) for role, one in existing.items()}
        pulls = list(self._list(f"/commits/{run['head_sha']}/pulls", "find the pull request of this commit"))
        answers = list(self._answers(existing, run))
        if not any(guarded.values()):  # never some of one and some of the other
            answers = list(self._reviews(asked.roles, pulls, run))
            guarded = dict.fromkeys(asked.roles, True) if answers else guarded
        head, makers = run["head_sha"], self._makers
        authors = makers.of_commit(head) if self.since == OWN else makers.since(self.since, head)
        return GivenApproval(
            attempt=run["run_attempt"],
            starters=frozenset({_id(run["actor"]), _id(run["triggering_actor"])}),
            authors=authors.ids,
            unknown=authors.unknown,
            guarded=guarded,
            answers=answers,
            members=self._members(self.promotion.team, answers) if self.promotion.team else None,
        )

    # -- environments --

    def _environment(self, name: str) -> dict[str, Any] | None:
        found = self.client.find(
            self._path(f"/environments/{quote(name, safe='')}"), doing=f"read {name}", needs=_NEEDS
        )
        return None if found is None or found["name"].casefold() != name.casefold() else found

    def _answers(self, environments: dict[str, dict[str, Any]], run: dict[str, Any]) -> Iterator[Answer]:
        """Yield each role's answers. Environments are matched by their ids; one review may be for several at once."""
        said = self.client.items(
            self._path(f"/actions/runs/{self.run_id}/approvals"), doing="read this run's approvals", needs=_NEEDS
        )
        for role, environment in environments.items():
            of_it = [
                review for review in said if any(each["id"] == environment["id"] for each in review["environments"])
            ]
            first, last, source = self._interval(environment["name"], run) if of_it else (None, None, "")
            for review in of_it:
                yield Answer(
                    role=role,
                    user=_user(review["user"]),
                    state=review["state"],
                    comment=review["comment"],
                    environment=Environment(id=environment["id"], name=environment["name"]),
                    not_before=first,
                    not_after=last,
                    time_source=source,
                )

    def _interval(self, environment: str, run: dict[str, Any]) -> tuple[str | None, str | None, str]:
        """Return within which time an environment was approved: after its deployment was made, before its job began.

        The approval itself carries no time.
        """
        here = f"/actions/runs/{self.run_id}/"
        query = {"sha": run["head_sha"], "environment": environment}
        for deployment in self._list("/deployments", "read the deployments", query):
            statuses = list(self._list(f"/deployments/{deployment['id']}/statuses", "read a deployment's statuses"))
            if any(here in f"{one.get('log_url')}/ {one.get('target_url')}/" for one in statuses):
                began = [one["created_at"] for one in statuses if one["state"] in _STARTED]
                source = "deployment and the first status of its job" if began else "deployment"
                return _time(deployment["created_at"]), _time(min(began, default=None)), source
        return _time(run.get("run_started_at")), None, "start of the run"

    # -- reviews of the pull request --

    def _reviews(self, roles: tuple[str, ...], pulls: list[dict[str, Any]], run: dict[str, Any]) -> Iterator[Answer]:
        """Yield the last word of every reviewer, for every role whose team they are in."""
        merged = [pull for pull in pulls if pull["merge_commit_sha"] == run["head_sha"] and pull["merged_at"]]
        last = {who: review for pull in merged for who, review in self._last_words(pull).items()}
        owner = self.repository.partition("/")[0]
        for role in roles:
            for review in last.values():
                user = _user(review["user"])
                if self._is_member(f"{owner}/{slug(role)}", user.login):
                    yield Answer(
                        role=role,
                        user=user,
                        state=_REVIEWS[review["state"]],
                        comment=review["body"],
                        bound=review["commit_id"] == review["head"],
                        not_before=_time(review["submitted_at"]),
                        not_after=_time(review["submitted_at"]),
                        time_source="review of the pull request",
                    )

    def _last_words(self, pull: dict[str, Any]) -> dict[int | None, dict[str, Any]]:
        """Return what each reviewer said last, but for mere comments; ``head`` is the commit that the pull request ends
        in."""
        said = self._list(f"/pulls/{pull['number']}/reviews", "read the pull request's reviews")
        head = {"head": pull["head"]["sha"]}
        return {_id(review["user"]): review | head for review in said if review["state"] in _REVIEWS}

    def approver(self, pull_request: int, head: str) -> str | None:
        """Tell who may write, made none of the pull request, and approved this very commit of it."""
        pull = self._get(f"/pulls/{pull_request}", "read the pull request")
        authors = self._makers.of_pull(pull_request, head)
        if pull["head"]["sha"] != head or authors.unknown:
            return None
        for who, review in self._last_words(pull).items():
            user = _user(review["user"])
            approves = review["state"] == "APPROVED" and review["commit_id"] == head
            if approves and user.type == "User" and who not in authors.ids and self._may_write(user.login):
                return user.login
        return None

    def _may_write(self, login: str) -> bool:
        path = f"/collaborators/{quote(login, safe='')}/permission"
        return self._get(path, f"read what {login} may do")["permission"] in WRITERS

    # -- people --

    @property
    def _makers(self) -> Makers:
        return Makers(client=self.client, repository=self.repository, server=self.server)

    def _members(self, team: str, answers: list[Answer]) -> frozenset[int]:
        return frozenset(
            one.user.id for one in answers if one.user.id is not None and self._is_member(team, one.user.login)
        )

    def _is_member(self, team: str, login: str) -> bool:
        owner, _, name = team.partition("/")
        membership = self.client.find(
            f"/orgs/{quote(owner, safe='')}/teams/{quote(name, safe='')}/memberships/{quote(login, safe='')}",
            doing=f"read whether {login} is in {team}",
            needs="members: read (an organisation's, which no workflow's own token has)",
        )
        return membership is not None and membership["state"] == "active"

    # -- the API --

    def _path(self, path: str) -> str:
        return f"/repos/{self.repository}{path}"

    def _get(self, path: str, doing: str) -> dict[str, Any]:
        return self.client.get(self._path(path), doing=doing, needs=_NEEDS)

    def _list(self, path: str, doing: str, query: dict[str, str] | None = None) -> Iterator[dict[str, Any]]:
        return self.client.pages(self._path(path), doing=doing, needs=_NEEDS, query=query)


def of_run(
    happened: Event, environ: Mapping[str, str], run_id: int, promotion: Promotion, since: str | None = OWN
) -> Approvers:
    """Ask about a run of the repository that this run is of, with this job's token."""
    return Approvers(
        client=Client(happened.api_url, environ.get("GITHUB_TOKEN", "")),
        repository=happened.repository,
        run_id=run_id,
        promotion=promotion,
        since=since,
        server=happened.server_url.partition("//")[2].partition("/")[0],
    )


def weaker_policy_approved(client: Client, repository: str, pull_request: int, head: str) -> str | None:
    """Return the login of somebody who may write, made none of the pull request, and approved this very commit of it;
    None where there is nobody. Raises ``GatesError`` if GitHub does not say."""
    asked = Approvers(client=client, repository=repository, run_id=0, promotion=Promotion())
    try:
        return asked.approver(pull_request, head)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UnapprovedError(Why.INCOMPLETE, HALF, exit_code=Exit.OUTSIDE) from error


def slug(role: str) -> str:
    """Return the name by which GitHub addresses a team that is called so."""
    return re.sub(r"[^a-z0-9_-]+", "-", role.lower()).strip("-")


def _requires_reviewer(environment: dict[str, Any]) -> bool:
    rules = environment.get("protection_rules") or []
    return any(rule["type"] == "required_reviewers" and rule.get("reviewers") for rule in rules)


def _id(user: dict[str, Any] | None) -> int | None:
    """Return a user's number; None for somebody whom GitHub does not know."""
    found = (user or {}).get("id")
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def _user(user: dict[str, Any] | None) -> User:
    return User(id=_id(user), login=str((user or {}).get("login")), type=(user or {}).get("type"))


def _time(text: str | None) -> str | None:
    return text if text and _TIME.fullmatch(text) else None
