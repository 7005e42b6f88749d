"""The fake GitHub with what a promotion asks: a run, its environments and approvals, its commit and pull request."""

from __future__ import annotations

import base64
import copy
from dataclasses import dataclass, field
from typing import Any, ClassVar

from description import Operation
from fake_github import Answer, FakeGitHub, refusal

SHA, HEAD, RUN = "c" * 40, "d" * 40, 4242


Person = tuple[int, str, str]


@dataclass(frozen=True)
class Made:
    """A commit. ``email`` is its author's; ``pulls`` are the pull requests that brought it."""

    sha: str
    author: Person | None
    email: str = ""
    message: str = "work"
    pulls: tuple[int, ...] = ()
    committer: Person | None = (19864447, "web-flow", "User")


@dataclass(frozen=True)
class Pulled:
    """A pull request: who opened it, and its commits."""

    opener: Person
    commits: tuple[Made, ...]


@dataclass
class World:
    """What there is to be told. People are (id, login, type)."""

    run_id: int = RUN
    sha: str = SHA
    attempt: int = 1
    actor: tuple[int, str, str] = (2, "starter", "User")
    triggering: tuple[int, str, str] = (2, "starter", "User")
    author: tuple[int, str, str] | None = (1, "author", "User")
    environments: dict[str, bool] = field(default_factory=dict)  # name -> whether its rules require a reviewer
    approvals: list[tuple[list[str], tuple[int, str, str], str, str]] = field(default_factory=list)
    teams: dict[str, set[str]] = field(default_factory=dict)  # ORG/TEAM -> logins
    reviews: list[tuple[tuple[int, str, str], str, str, str]] = field(default_factory=list)  # who, state, body, commit
    merged: bool = True
    commits: int = 1
    deployed: bool = True
    head: str = HEAD
    writers: set[str] = field(default_factory=set)
    history: list[Made] = field(default_factory=list)  # the oldest first; else one commit, of pull request 7
    pulled: dict[int, Pulled] = field(default_factory=dict)  # beside pull request 7
    counted: int | None = None  # how many commits a comparison claims to have
    users: dict[str, int] = field(default_factory=dict)
    mailmap: str | None = None

    @property
    def made(self) -> list[Made]:
        return self.history or [Made(self.sha, self.author, pulls=(7,))]

    @property
    def pulls(self) -> dict[int, Pulled]:
        """Of pull request 7, made by the author, the last commit is the one of this run."""
        return {7: Pulled(self.author or (1, "author", "User"), (Made(self.sha, self.author),)), **self.pulled}


class FakePromotion(FakeGitHub):
    """One run of one repository."""

    def __init__(self, repository: str = "acme/churn") -> None:
        self.world = World()
        super().__init__(repository)

    def _serve(self, operation: Operation, query: dict[str, str], body: Any, headers: dict[str, str]) -> Answer:
        if headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
            return refusal(401, "Bad credentials")
        if operation.id == "repos/create-commit-status":
            return Answer(201, self._description.example("status"))
        serve = self.SERVED.get(operation.id)
        if serve is None:
            return super()._serve(operation, query, body, headers)
        value = serve(self, operation.names, query)
        if operation.id == "repos/compare-commits-with-basehead" and value is not None:
            page = self._paged(query, value["commits"])
            return Answer(200, value | {"commits": page.value}, page.headers)
        if value is None:
            return Answer(404) if operation.id.startswith("teams/") else refusal(404, "Not Found")
        if not isinstance(value, list) or "page" not in self.described(operation):
            return Answer(200, value)
        return self._paged(query, value)

    def described(self, operation: Operation) -> set[str]:
        return {self._description.resolve(item)["name"] for item in operation.says.get("parameters", [])}

    def _paged(self, query: dict[str, str], value: list[Any]) -> Answer:
        size = min(int(query.get("per_page", 30)), 100, self.page_size or 100)
        page, path = int(query.get("page", 1)), self.asked[-1].path
        rest = "&".join(f"{key}={item}" for key, item in query.items() if key != "page")
        more = {"Link": f'<{self.url}{path}?{rest}&page={page + 1}>; rel="next"'} if page * size < len(value) else {}
        return Answer(200, value[(page - 1) * size : page * size], more)

    def _user(self, who: tuple[int, str, str] | None) -> dict[str, Any] | None:
        if who is None:
            return None
        user = copy.deepcopy(self._approval["user"])
        user.update(id=who[0], login=who[1], type=who[2])
        return user

    @property
    def _approval(self) -> dict[str, Any]:
        return self._description.example("environment-approvals-items")[0]

    # -- the operations --

    def run(self, *_: Any) -> Any:
        run = self._description.example("workflow-run")
        run.update(id=self.world.run_id, head_sha=self.world.sha, run_attempt=self.world.attempt)
        run.update(run_started_at="2027-01-01T09:00:00Z")
        run.update(actor=self._user(self.world.actor), triggering_actor=self._user(self.world.triggering))
        return run

    def environment(self, names: Any, _: Any) -> Any:
        name = names["environment_name"]
        if name not in self.world.environments:
            return None
        found = self._description.example("environment")
        found.update(id=self.id_of(name), name=name)
        if not self.world.environments[name]:
            found["protection_rules"] = [rule for rule in found["protection_rules"] if rule["type"] == "branch_policy"]
        return found

    def id_of(self, environment: str) -> int:
        known = list(self.world.environments)
        return 100 + known.index(environment) if environment in known else 999

    def approvals(self, *_: Any) -> Any:
        said = []
        for environments, who, state, comment in self.world.approvals:
            one = self._approval
            (example,) = one["environments"]
            one["environments"] = [example | {"id": self.id_of(name), "name": name} for name in environments]
            said.append(one | {"user": self._user(who), "state": state, "comment": comment})
        return said

    def deployments(self, _: Any, query: dict[str, str]) -> Any:
        assert query["sha"] in (self.world.sha, self.world.head)
        made = self._description.example("deployment-items")[0]
        others = made | {"id": 1, "created_at": "2026-12-01T00:00:00Z"}
        ours = made | {"id": 2, "created_at": "2027-01-01T09:10:00Z"}
        return [others, ours] if self.world.deployed else [others]

    def statuses(self, names: Any, _: Any) -> Any:
        status = self._description.example("deployment-status-items")[0]
        run = self.world.run_id if names["deployment_id"] == "2" else 17
        here = {"log_url": f"https://github.com/acme/churn/actions/runs/{run}/job/5", "target_url": ""}
        return [
            status | here | {"state": "success", "created_at": "2027-01-01T09:50:00Z"},
            status | here | {"state": "in_progress", "created_at": "2027-01-01T09:40:00Z"},
            status | here | {"state": "queued", "created_at": "2027-01-01T09:11:00Z"},
        ]

    def pulls(self, names: Any, _: Any) -> Any:
        found = []
        for number in next((one.pulls for one in self.world.made if one.sha == names["commit_sha"]), ()):
            pull = self._description.example("pull-request-simple-items")[0]
            pull.update(number=number, user=self._user(self.world.pulls[number].opener), requested_teams=[])
            pull.update(merge_commit_sha=names["commit_sha"])
            pull.update(merged_at="2027-01-01T08:00:00Z" if self.world.merged else None)
            pull["head"]["sha"] = HEAD
            pull["base"]["ref"] = "main"
            found.append(pull)
        return found

    def pull(self, names: Any, _: Any) -> Any:
        number = int(names["pull_number"])
        pull = self._description.example("pull-request")
        pull.update(number=number, requested_teams=[], user=self._user(self.world.pulls[number].opener))
        pull.update(commits=len(self.world.pulls[number].commits) if number != 7 else self.world.commits)
        pull["head"]["sha"] = self.world.head if number == 7 else f"{number:040x}"
        pull["base"].update(sha="b" * 40, ref="main")
        return pull

    def _commit(self, made: Made) -> Any:
        commit = self._description.example("commit")
        commit["files"] = []  # the example's are not as described
        commit.update(sha=made.sha, author=self._user(made.author) or {}, committer=self._user(made.committer) or {})
        commit["commit"].update(message=made.message)
        commit["commit"]["author"]["email"] = made.email or f"{made.author[1] if made.author else 'old'}@acme.example"
        commit["commit"]["committer"]["email"] = "noreply@github.com"
        shas = [one.sha for one in self.world.made]
        before = shas[max(shas.index(made.sha) - 1, 0) : shas.index(made.sha)] if made.sha in shas else []
        commit["parents"] = [commit["parents"][0] | {"sha": sha} for sha in before]
        return commit

    def commit(self, names: Any, _: Any) -> Any:
        known = next((one for one in self.world.made if one.sha == names["ref"]), None)
        return self._commit(known or Made(names["ref"], self.world.author))

    def commits(self, _: Any, query: dict[str, str]) -> Any:
        """All of the repository, the newest first; or those of an author's address."""
        assert query["sha"] in (self.world.sha, self.world.head)
        listed = [self._commit(one) for one in reversed(self.world.made)]
        author = query.get("author")
        return [one for one in listed if author is None or one["commit"]["author"]["email"] == author]

    def compared(self, names: Any, _: Any) -> Any:
        before, _, after = names["basehead"].partition("...")
        shas = [one.sha for one in self.world.made]
        big = next((one for number, one in self.world.pulls.items() if after == f"{number:040x}"), None)
        if big is None and (before not in shas or after not in shas):
            return None
        made = big.commits if big else self.world.made[shas.index(before) + 1 : shas.index(after) + 1]
        found = self._description.example("commit-comparison")
        found.update(commits=[self._commit(one) for one in made], files=[], status="ahead")
        found["merge_base_commit"]["sha"] = (
            after if {before, after} <= {*shas} and shas.index(before) >= shas.index(after) else before
        )
        found["total_commits"] = len(made) if self.world.counted is None else self.world.counted
        return found

    def pull_commits(self, names: Any, _: Any) -> Any:
        return [self._commit(one) for one in self.world.pulls[int(names["pull_number"])].commits][:250]

    def person(self, names: Any, _: Any) -> Any:
        login = names["username"]
        if login not in self.world.users:
            return None
        return self._description.example("public-user-default-response") | {
            "id": self.world.users[login], "login": login, "user_view_type": "public",
        }  # fmt: skip

    def content(self, names: Any, query: dict[str, str]) -> Any:
        if self.world.mailmap is None or (names["path"], query["ref"]) != (".mailmap", self.world.sha):
            return None
        found = self._description.example("content-file-response-if-content-is-a-file")
        return found | {"content": base64.encodebytes(self.world.mailmap.encode()).decode()}

    def reviews(self, *_: Any) -> Any:
        made = []
        for who, state, body, commit in self.world.reviews:
            review = self._description.example("pull-request-review-items")[0]
            made.append(review | {"user": self._user(who), "state": state, "body": body, "commit_id": commit})
            made[-1]["submitted_at"] = "2027-01-01T07:00:00Z"
        return made

    def membership(self, names: Any, _: Any) -> Any:
        team = f"{names['org']}/{names['team_slug']}"
        if names["username"] not in self.world.teams.get(team, ()):
            return None
        return self._description.example("team-membership-response-if-user-is-a-team-maintainer")

    def permission(self, names: Any, _: Any) -> Any:
        name = "repository-collaborator-permission-response-if-user-has-admin-permissions"
        found = self._description.example(name)
        found["user"]["role_name"] = found["role_name"]  # the example's lacks it
        found["permission"] = "write" if names["username"] in self.world.writers else "read"
        return found

    SERVED: ClassVar = {
        "actions/get-workflow-run": run,
        "repos/get-environment": environment,
        "actions/get-reviews-for-run": approvals,
        "repos/list-deployments": deployments,
        "repos/list-deployment-statuses": statuses,
        "repos/list-pull-requests-associated-with-commit": pulls,
        "pulls/get": pull,
        "repos/get-commit": commit,
        "repos/list-commits": commits,
        "repos/compare-commits-with-basehead": compared,
        "repos/get-content": content,
        "users/get-by-username": person,
        "pulls/list-commits": pull_commits,
        "pulls/list-reviews": reviews,
        "repos/get-collaborator-permission-level": permission,
        "teams/get-membership-for-user-in-org": membership,
    }
