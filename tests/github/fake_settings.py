"""What a repository's settings are on the GitHub of the tests: environments, rules, secrets, tokens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Example = Callable[[str], Any]


@dataclass
class Deployable:
    """An environment. ``branches``: None for all, ``protected``, or patterns."""

    reviewers: list[str] = field(default_factory=list)
    prevent_self_review: bool = False
    branches: list[str] | str | None = None
    bypass: bool | None = None


@dataclass
class Settings:
    private: bool = False
    owner_type: str = "Organization"
    plan: str | None = "enterprise"  # None: the token may not see it
    environments: dict[str, Deployable] = field(default_factory=dict)
    rules: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # branch -> rules of rulesets
    protection: dict[str, dict[str, Any]] = field(default_factory=dict)  # branch -> classic protection
    secrets: list[str] = field(default_factory=list)
    organization_secrets: list[str] = field(default_factory=list)
    writes: bool = False
    approve: bool = False

    def answer(
        self, operation: str, names: dict[str, Any], query: dict[str, str], example: Callable[[str], Any]
    ) -> Any:
        """The value of an answer; None where there is no such thing."""
        serve = getattr(self, operation.split("/")[1].replace("-", "_"))
        return serve(names, query, example)

    def get(self, names: dict[str, Any], _: dict[str, str], example: Example) -> Any:
        if "org" in names:
            found = example("organization-full")
            found |= {"plan": {"name": self.plan, "space": 1, "private_repos": 1}, "archived_at": None}
            return found if self.plan else None
        found = example("full-repository-default-response")
        found.update(private=self.private, default_branch="main", language=None)
        for key in ("source", "parent", "template_repository"):  # of forks; the example's are not as described
            found.pop(key, None)
        found["owner"].update(login=names["owner"], type=self.owner_type)
        return found

    def get_all_environments(self, _: Any, query: dict[str, str], example: Example) -> Any:
        every = [self._environment(name, one, example) for name, one in self.environments.items()]
        return {"total_count": len(every), "environments": page(every, query)}

    def _environment(self, name: str, one: Deployable, example: Example) -> Any:
        found = example("environment")
        user = next(rule for rule in found["protection_rules"] if rule["type"] == "required_reviewers")["reviewers"][0]
        rules: list[dict[str, Any]] = [{"id": 1, "node_id": "x", "type": "wait_timer", "wait_timer": 30}]
        if one.reviewers:
            people = [{"type": "User", "reviewer": user["reviewer"] | {"login": login}} for login in one.reviewers]
            required = {"id": 2, "node_id": "x", "type": "required_reviewers", "reviewers": people}
            rules.append(required | {"prevent_self_review": one.prevent_self_review})
        protected = one.branches == "protected"
        policy = {"protected_branches": protected, "custom_branch_policies": not protected}
        found.update(name=name, protection_rules=rules, deployment_branch_policy=one.branches and policy)
        return found if one.bypass is None else found | {"can_admins_bypass": one.bypass}

    def list_deployment_branch_policies(self, names: dict[str, Any], query: dict[str, str], _: Any) -> Any:
        one = self.environments[names["environment_name"]].branches
        assert isinstance(one, list)
        every = [{"id": number, "node_id": "x", "name": name} for number, name in enumerate(one)]
        return {"total_count": len(every), "branch_policies": page(every, query)}

    def get_branch_rules(self, names: dict[str, Any], query: dict[str, str], _: Any) -> Any:
        source = {"ruleset_source_type": "Repository", "ruleset_source": "acme/churn", "ruleset_id": 42}
        return page([rule | source for rule in self.rules.get(names["branch"], [])], query)

    def get_branch_protection(self, names: dict[str, Any], *_: Any) -> Any:
        return self.protection.get(names["branch"])

    def list_repo_secrets(self, _: Any, query: dict[str, str], __: Any) -> Any:
        return secrets(self.secrets, query)

    def list_repo_organization_secrets(self, _: Any, query: dict[str, str], __: Any) -> Any:
        return secrets(self.organization_secrets, query)

    def get_github_actions_default_workflow_permissions_repository(self, *_: Any) -> Any:
        return {
            "default_workflow_permissions": "write" if self.writes else "read",
            "can_approve_pull_request_reviews": self.approve,
        }


def secrets(names: list[str], query: dict[str, str]) -> Any:
    day = "2026-01-10T14:59:22Z"
    return {
        "total_count": len(names),
        "secrets": page([{"name": name, "created_at": day, "updated_at": day} for name in names], query),
    }


def page(every: list[Any], query: dict[str, str]) -> list[Any]:
    size, number = int(query.get("per_page", 30)), int(query.get("page", 1))
    return every[(number - 1) * size : number * size]
