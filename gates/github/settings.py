"""Read a repository's settings for `gates doctor`. What a token may not see is reported, never taken as fine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import quote

from gates.doctor.seen import Branch, EnvironmentSettings, Settings
from gates.documents.record import LEDGER, REGISTRY
from gates.github.rest_api import Client, NotPermittedError

T = TypeVar("T")


def read(client: Client, repository: str) -> Settings:
    """Return all that the checks ask. Raises ``GatesError`` with ``Exit.OUTSIDE`` where GitHub fails, or has no such
    repository for this token."""
    at, unread = f"/repos/{repository}", dict[str, str]()
    about = client.get(at, doing=f"read {repository}", needs="metadata: read")
    owner = about["owner"]

    def attempt(what: str, ask: Callable[[], T]) -> T | None:
        try:
            return ask()
        except NotPermittedError as error:
            unread[what] = f"this token may not see it ({error.what})"
            return None

    def environments() -> dict[str, EnvironmentSettings]:
        told: dict[str, Any] = {"doing": f"list the environments of {repository}", "needs": "actions: read"}
        found = client.pages(f"{at}/environments", key="environments", **told)
        return {one["name"]: _environment(client, at, one) for one in found}

    token = attempt(
        "workflow permissions",
        lambda: client.get(f"{at}/actions/permissions/workflow", doing="read what tokens may", needs=_ADMIN),
    )
    organisation = None
    if about["private"] and owner["type"] == "Organization":
        organisation = attempt(
            "plan",
            lambda: client.get(f"/orgs/{owner['login']}", doing="read the plan", needs="an owner of the organisation"),
        )
    return Settings(
        private=bool(about["private"]),
        owner=owner["login"],
        owned_by_user=owner["type"] == "User",
        default_branch=about["default_branch"],
        plan=((organisation or {}).get("plan") or {}).get("name"),
        environments=attempt("environments", environments),
        default=attempt("branch rules", lambda: _branch(client, at, about["default_branch"])),
        ledger=attempt("ledger branch", lambda: _branch(client, at, LEDGER)),
        registry=attempt("registry branch", lambda: _branch(client, at, REGISTRY)),
        secrets=attempt("secrets", lambda: _secrets(client, at)),
        token_writes=None if token is None else token["default_workflow_permissions"] == "write",
        actions_approve=None if token is None else bool(token["can_approve_pull_request_reviews"]),
        unread=unread,
    )


_ADMIN = "administration: read"


def _environment(client: Client, at: str, environment: Mapping[str, Any]) -> EnvironmentSettings:
    rules = [rule for rule in environment.get("protection_rules") or () if rule["type"] == "required_reviewers"]
    people = (who.get("reviewer") or {} for rule in rules for who in rule.get("reviewers") or ())
    return EnvironmentSettings(
        name=environment["name"],
        reviewers=tuple(str(who.get("login") or who.get("slug")) for who in people),
        self_review=not any(rule.get("prevent_self_review") for rule in rules),
        branches=_deployers(client, at, environment),
        bypass=environment.get("can_admins_bypass"),  # GitHub sends it, but does not describe it
    )


def _deployers(client: Client, at: str, one: Mapping[str, Any]) -> tuple[str, ...] | str | None:
    policy = one.get("deployment_branch_policy")
    if policy is None:
        return None
    if policy["protected_branches"]:
        return "protected"
    told: dict[str, Any] = {"doing": f"read who may deploy to {one['name']}", "needs": "actions: read"}
    path = f"{at}/environments/{quote(one['name'], safe='')}/deployment-branch-policies"
    return tuple(str(branch.get("name")) for branch in client.pages(path, key="branch_policies", **told))


def _branch(client: Client, at: str, name: str) -> Branch:
    """Return the rules of a branch: those of rulesets, and what its classic protection says to anyone."""
    request: dict[str, Any] = {"doing": f"read the rules of {name}", "needs": "metadata: read"}
    rules: dict[str, tuple[Mapping[str, Any], ...]] = {}
    for rule in client.pages(f"{at}/rules/branches/{quote(name, safe='')}", **request):
        rule_type = str(rule.get("type"))
        rules[rule_type] = (*rules.get(rule_type, ()), rule.get("parameters") or {})
    try:
        classic = client.get(
            f"{at}/branches/{quote(name, safe='')}/protection", doing=f"read the protection of {name}", needs=_ADMIN
        )
    except NotPermittedError:  # there is none, or this token may not see it
        classic = {}
    for rule_type, parameters in _classic(classic).items():
        rules[rule_type] = (*rules.get(rule_type, ()), parameters)
    return Branch(name=name, rules=rules)


def _classic(protection: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Translate classic protection into the words of rulesets."""
    rules: dict[str, Mapping[str, Any]] = {}
    if reviews := protection.get("required_pull_request_reviews"):
        rules["pull_request"] = {"require_code_owner_review": reviews.get("require_code_owner_reviews")}
    if checks := protection.get("required_status_checks"):
        rules["required_status_checks"] = {
            "required_status_checks": [{"context": context} for context in checks.get("contexts") or ()]
        }
    if protection:
        for rule_type, key in (("non_fast_forward", "allow_force_pushes"), ("deletion", "allow_deletions")):
            if not (protection.get(key) or {}).get("enabled"):
                rules[rule_type] = {}
    return rules


def _secrets(client: Client, at: str) -> tuple[str, ...]:
    """Return names of the secrets that every workflow of the repository may read."""
    told: dict[str, Any] = {"doing": "list the secrets' names", "needs": "secrets: read"}
    paths = (f"{at}/actions/secrets", f"{at}/actions/organization-secrets")
    return tuple(str(one["name"]) for path in paths for one in client.pages(path, key="secrets", **told))
