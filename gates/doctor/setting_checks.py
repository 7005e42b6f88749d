"""Checks of GitHub's settings."""

from __future__ import annotations

from collections.abc import Iterator

from gates.doctor import Check
from gates.doctor.file_checks import CREDENTIAL
from gates.doctor.seen import EnvironmentSettings, Seen, Settings
from gates.doctor.workflows import jobs, triggers
from gates.documents.printed.diagnosis import CheckState, Diagnosed

ENTERPRISE = "enterprise"


def _settings(seen: Seen) -> Settings:
    assert seen.settings is not None  # noqa: S101 -- ``examine`` asks these checks only where there are some
    return seen.settings


def _unread(settings: Settings, what: str) -> Iterator[Diagnosed]:
    why = settings.unread.get(what, "GitHub did not say")
    yield Diagnosed(state=CheckState.UNKNOWN, where=what, what=why)


def _named(seen: Seen) -> dict[str, str]:
    """Return every environment that policies and workflows count on, and who names it."""
    environments = dict.fromkeys(seen.roles, "a policy asks for its approval")
    for source in seen.workflows:
        for job in jobs(source):
            for name in (job.environment, *job.handed_environments):
                if name and "${{" not in name:
                    environments.setdefault(name, f"{source.name} names it")
    return environments


def _there(seen: Seen) -> Iterator[EnvironmentSettings]:
    """Yield the settings of those of them that exist."""
    known = _settings(seen).environments or {}
    yield from (known[name] for name in _named(seen) if name in known)


def _environments(seen: Seen) -> Iterator[Diagnosed]:
    settings = _settings(seen)
    if settings.environments is None:
        yield from _unread(settings, "environments")
        return
    for name, why in _named(seen).items():
        if name not in settings.environments:
            what = f"it does not exist, and {why}: GitHub would create it, open to everyone"
            yield Diagnosed(state=CheckState.MISSING, where=name, what=what)


def _reviewed(seen: Seen) -> Iterator[Diagnosed]:
    for environment in _there(seen):
        if environment.name in seen.roles and not environment.reviewers:
            yield Diagnosed(state=CheckState.UNSAFE, where=environment.name, what="nobody must approve")
        elif environment.name in seen.roles and environment.self_review:
            what = "whoever starts the run may approve it; a promotion refuses that, but only afterwards"
            yield Diagnosed(state=CheckState.UNKNOWN, where=environment.name, what=what)


def _branches(seen: Seen) -> Iterator[Diagnosed]:
    settings = _settings(seen)
    for environment in _there(seen):
        if environment.branches is None:
            yield Diagnosed(state=CheckState.UNSAFE, where=environment.name, what="every branch may deploy to it")
        elif environment.branches == "protected":
            what = "every protected branch may deploy to it, and every branch if none is protected"
            yield Diagnosed(state=CheckState.UNSAFE, where=environment.name, what=what)
        elif set(environment.branches) != {settings.default_branch}:
            deployers = ", ".join(environment.branches) or "no branch"
            what = f"{deployers} may deploy to it; only {settings.default_branch} should"
            yield Diagnosed(state=CheckState.UNSAFE, where=environment.name, what=what)


def _bypass(seen: Seen) -> Iterator[Diagnosed]:
    for environment in _there(seen):
        if environment.name in seen.roles and environment.bypass:
            what = "administrators may bypass it; a promotion then finds no approval, and refuses"
            yield Diagnosed(state=CheckState.UNSAFE, where=environment.name, what=what)
        elif environment.name in seen.roles and environment.bypass is None:
            yield Diagnosed(
                state=CheckState.UNKNOWN,
                where=environment.name,
                what="GitHub does not say if administrators may bypass it",
            )


def _plan(seen: Seen) -> Iterator[Diagnosed]:
    settings = _settings(seen)
    if not settings.private or not seen.roles or settings.plan == ENTERPRISE:
        return
    if settings.plan is None and not settings.owned_by_user:
        why = settings.unread.get("plan", "GitHub did not say which plan this is")
        what = f"private, and below Enterprise GitHub ignores an environment's reviewers there ({why})"
        yield Diagnosed(state=CheckState.UNKNOWN, where=settings.owner, what=what)
        return
    plan = f"on the plan {settings.plan}" if settings.plan else "of a person"
    what = f"a private repository {plan} has no required reviewers: nobody is asked"
    yield Diagnosed(state=CheckState.UNSAFE, where=settings.owner, what=what)


def _default(seen: Seen) -> Iterator[Diagnosed]:
    settings = _settings(seen)
    branch = settings.default
    if branch is None:
        yield from _unread(settings, "branch rules")
        return
    reviews = branch.rules.get("pull_request", ())
    if not reviews:
        yield Diagnosed(state=CheckState.UNSAFE, where=branch.name, what="may be changed without a pull request")
    elif not any(one.get("require_code_owner_review") for one in reviews):
        yield Diagnosed(state=CheckState.UNSAFE, where=branch.name, what="does not ask the policy's owners")
    wanted = _judging(seen)
    if not any(check.startswith(wanted) for check in branch.required_checks):
        required = ", ".join(branch.required_checks) or "none"
        what = f"requires no verdict of gates (required checks: {required})"
        yield Diagnosed(state=CheckState.MISSING, where=branch.name, what=what)
    if "merge_queue" in branch.rules:
        for source in seen.workflows:
            if any(job.judges for job in jobs(source)) and "merge_group" not in triggers(source):
                what = "does not listen to merge_group: the merge queue would wait forever"
                yield Diagnosed(state=CheckState.MISSING, where=source.name, what=what)


def _judging(seen: Seen) -> tuple[str, ...]:
    """Return how the checks begin that gates reports: its status, and the jobs that judge."""
    names = {str(job.value.get("name") or job.name) for one in seen.workflows for job in jobs(one) if job.judges}
    return ("gates/verdict", *sorted(names))


def _ledger(seen: Seen) -> Iterator[Diagnosed]:
    settings = _settings(seen)
    if settings.ledger is None:
        yield from _unread(settings, "ledger branch")
        return
    for rule, what in (("non_fast_forward", "its history can be rewritten"), ("deletion", "it can be deleted")):
        if rule not in settings.ledger.rules:
            yield Diagnosed(state=CheckState.UNSAFE, where=settings.ledger.name, what=what)


BLOCKING = {  # rules that keep a promotion from replacing the branch, as it does each time
    "non_fast_forward": "force pushes are blocked",
    "update": "updates are restricted",
    "creation": "nobody may create it",
    "pull_request": "changes need a pull request",
    "required_status_checks": "changes need checks",
    "required_signatures": "commits must be signed",
    "merge_queue": "changes need a merge queue",
}


def _registry(seen: Seen) -> Iterator[Diagnosed]:
    settings = _settings(seen)
    if settings.registry is None:
        yield from _unread(settings, "registry branch")
        return
    for rule, what in BLOCKING.items():
        if rule in settings.registry.rules:
            told = f"{what}: promotions can't write it"
            yield Diagnosed(state=CheckState.MISSING, where=settings.registry.name, what=told)


def _secrets(seen: Seen) -> Iterator[Diagnosed]:
    settings = _settings(seen)
    if settings.secrets is None:
        yield from _unread(settings, "secrets")
        return
    for name in settings.secrets:
        if CREDENTIAL.search(name):
            what = "a secret of the whole repository: whoever may push a branch may read it"
            yield Diagnosed(state=CheckState.UNSAFE, where=name, what=what)


def _token(seen: Seen) -> Iterator[Diagnosed]:
    settings = _settings(seen)
    if settings.token_writes is None:
        yield from _unread(settings, "workflow permissions")
        return
    if settings.token_writes:
        yield Diagnosed(state=CheckState.UNSAFE, where="workflow permissions", what="tokens may write by default")
    if settings.actions_approve:
        yield Diagnosed(
            state=CheckState.UNSAFE, where="workflow permissions", what="workflows may approve pull requests"
        )


SETTINGS = (
    Check(
        id="environments",
        asks="Every environment that the policy and the workflows name exists.",
        hint="Settings → Environments → New environment, under exactly this name.",
        look=_environments,
        settings=True,
    ),
    Check(
        id="reviewers",
        asks="Every role that must approve has reviewers.",
        hint='Settings → Environments → Required reviewers; tick "Prevent self-review".',
        look=_reviewed,
        settings=True,
    ),
    Check(
        id="branches",
        asks="Only the default branch may deploy to those environments.",
        hint="Settings → Environments → Deployment branches → Selected branches: only the default branch.",
        look=_branches,
        settings=True,
    ),
    Check(
        id="bypass",
        asks="Administrators can't bypass the reviewers.",
        hint='Settings → Environments → untick "Allow administrators to bypass".',
        look=_bypass,
        settings=True,
    ),
    Check(
        id="plan",
        asks="GitHub asks reviewers on this plan.",
        hint="Make it public, use GitHub Enterprise, or approve by reviewing a promotion pull request.",
        look=_plan,
        settings=True,
    ),
    Check(
        id="default-branch",
        asks="The default branch accepts only reviewed pull requests that gates judged.",
        hint="Settings → Rules: require a pull request, review from code owners, and the status of gates.",
        look=_default,
        settings=True,
    ),
    Check(
        id="ledger-branch",
        asks="The ledger's branch can only grow.",
        hint="Settings → Rules: for gates-ledger block force pushes and restrict deletions.",
        look=_ledger,
        settings=True,
    ),
    Check(
        id="registry-branch",
        asks="Promotions can replace the registry's branch.",
        hint="Settings → Rules: leave gates-registry out, unless the registry is MLflow. The ledger has its digests.",
        look=_registry,
        settings=True,
    ),
    Check(
        id="secrets",
        asks="No registry credential is a secret of the whole repository.",
        hint="Move it into the environment that promotes, then delete it here.",
        look=_secrets,
        settings=True,
    ),
    Check(
        id="token",
        asks="A workflow's token is read-only by default.",
        hint="Settings → Actions → General → Workflow permissions: read-only, and no approving of pull requests.",
        look=_token,
        settings=True,
    ),
)
