"""The fake GitHub with what a promotion asks: a run, its environments and approvals, its commit and pull request."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any, ClassVar

from description import Operation
from fake_github import Answer, FakeGitHub, refusal

SHA, HEAD, RUN = "c" * 40, "d" * 40, 4242


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
        assert query["sha"] == self.world.sha
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

    def pulls(self, *_: Any) -> Any:
        pull = self._description.example("pull-request-simple-items")[0]
        pull.update(number=7, user=self._user(self.world.author or (1, "author", "User")), requested_teams=[])
        pull.update(merge_commit_sha=self.world.sha, merged_at="2027-01-01T08:00:00Z" if self.world.merged else None)
        pull["head"]["sha"] = HEAD
        pull["base"]["ref"] = "main"
        return [pull]

    def pull(self, *_: Any) -> Any:
        pull = self._description.example("pull-request")
        pull.update(number=7, requested_teams=[], commits=self.world.commits)
        pull.update(user=self._user(self.world.author or (1, "author", "User")))
        pull["head"]["sha"] = self.world.head
        pull["base"]["ref"] = "main"
        return pull

    def commit(self, *_: Any) -> Any:
        commit = self._description.example("commit")
        commit["files"] = []  # the example's are not as described
        commit.update(author=self._user(self.world.author) or {}, committer=self._user((19864447, "web-flow", "User")))
        return commit

    def commits(self, *_: Any) -> Any:
        return [self.commit()]

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
        "pulls/list-commits": commits,
        "pulls/list-reviews": reviews,
        "repos/get-collaborator-permission-level": permission,
        "teams/get-membership-for-user-in-org": membership,
    }
