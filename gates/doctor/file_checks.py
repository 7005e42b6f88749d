"""Checks of the repository's files."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gates.doctor import Check
from gates.doctor.codeowners import owners_of
from gates.doctor.seen import Seen
from gates.doctor.workflows import IDENTIFIED, OURS, REUSABLE, jobs, leaves, secrets, trigger, triggers, used
from gates.documents.printed.diagnosis import CheckState, Diagnosed
from gates.documents.record import REGISTRY
from gates.errors import GatesError
from gates.schema.fields import Plain
from gates.schema.validation import nearest
from gates.schema.yaml_text import Path, Source
from gates.system import credential_names

# Names of secrets that open a model registry, or the store behind it.
CREDENTIAL = re.compile(r"(?i)MLFLOW|DATABRICKS|REGISTRY|SAGEMAKER|^AWS_|^AZURE_|^GOOGLE_|^GCP_|^HF_|HUGGING")
PICKLE = "MLFLOW_ALLOW_PICKLE_DESERIALIZATION"
FULL = 0.9  # of its limit
CLOUD = re.compile(r"(ssh\.)?github\.com|[\w-]+\.ghe\.com")  # all others are somebody's own server
RUNNER = "2.336.0"  # the first that knows `$/`
TAKEN = {  # secrets of the reusable workflows
    "data-credential", "fetch-credentials", "tracking-token", "tracking-username", "tracking-password",
    "registry-credentials", "REGISTRY_TOKEN", "REGISTRY_USERNAME", "REGISTRY_PASSWORD", "REGISTRY_CREDENTIALS",
    "prometheus-token", "PROMETHEUS_TOKEN",
}  # fmt: skip
_PLACEHOLDER = re.compile(r"^OWNER/|@(FULL-COMMIT-)?SHA$")
_PINNED = re.compile(r"^(\.{1,2}/|\$/)|@[0-9a-f]{40}$|^docker://.+@sha256:[0-9a-f]{64}$")


def _at(source: Source, path: Path) -> str:
    return f"{source.name}:{source.where(path)[0]}"


def _policy(seen: Seen) -> Iterator[Diagnosed]:
    if not seen.policies:
        yield Diagnosed(state=CheckState.MISSING, where="repository", what="there is no gates.yaml")
    for one in seen.policies:
        if one.resolved is None:
            yield Diagnosed(state=CheckState.MISSING, where=one.path, what=one.problem)


def _readable(seen: Seen) -> Iterator[Diagnosed]:
    for path, why in seen.unreadable.items():
        yield Diagnosed(state=CheckState.UNKNOWN, where=path, what=f"was not looked at: {why}")


def _judged(seen: Seen) -> Iterator[Diagnosed]:
    judging = [source for source in seen.workflows if any(job.judges for job in jobs(source))]
    if not any("pull_request" in triggers(source) for source in judging):
        yield Diagnosed(state=CheckState.MISSING, where=".github/workflows", what="no workflow judges pull requests")
    for source in judging:
        for event in ("pull_request", "merge_group"):
            for word in sorted({"paths", "paths-ignore"} & trigger(source, event).keys()):
                what = f"`{word}` skips it: a required check then waits forever"
                yield Diagnosed(state=CheckState.UNSAFE, where=_at(source, ("on", event, word)), what=what)


def _pinned(seen: Seen) -> Iterator[Diagnosed]:
    for source in (*seen.workflows, *seen.actions):
        for path, name in used(source):
            if _PLACEHOLDER.search(name):
                what = f"{name} is a placeholder: write your copy of gates there, and its commit"
                yield Diagnosed(state=CheckState.MISSING, where=_at(source, path), what=what)
            elif not _PINNED.search(name):
                yield Diagnosed(
                    state=CheckState.UNSAFE, where=_at(source, path), what=f"{name} can change under its name"
                )


def _triggered(seen: Seen) -> Iterator[Diagnosed]:
    for source in seen.workflows:
        if "pull_request_target" in triggers(source):
            what = "pull_request_target gives strangers' pull requests this repository's token and secrets"
            yield Diagnosed(state=CheckState.UNSAFE, where=_at(source, ("on", "pull_request_target")), what=what)


def _permitted(seen: Seen) -> Iterator[Diagnosed]:
    for source in seen.workflows:
        if isinstance(source.value, dict) and "permissions" not in source.value:
            for job in jobs(source):
                if (job.gates or OURS.search(job.uses)) and "permissions" not in job.value:
                    what = "runs gates with the repository's default token permissions"
                    yield Diagnosed(state=CheckState.UNSAFE, where=_at(source, job.path), what=what)


def _recorded(seen: Seen) -> Iterator[Diagnosed]:
    for source in seen.workflows:
        for job in jobs(source):
            if job.records and job.contents not in (None, "write"):
                what = f"can't write the ledger and the registry: its token's `contents` is {job.contents}"
                yield Diagnosed(state=CheckState.MISSING, where=_at(source, job.path), what=what)


def _identified(seen: Seen) -> Iterator[Diagnosed]:
    for source in seen.workflows:
        for job in jobs(source):
            allowed = job.may("id-token")
            if IDENTIFIED.search(job.uses) and allowed not in (None, "write"):
                what = f"can't start: it calls a workflow that asks for id-token: write, and grants {allowed}"
                yield Diagnosed(state=CheckState.MISSING, where=_at(source, job.path), what=what)
            elif job.runs_models and allowed == "write":
                what = "trains or loads a model, and may ask for an identity: so may the code that it runs"
                yield Diagnosed(state=CheckState.UNSAFE, where=_at(source, job.path), what=what)


def _named(seen: Seen) -> Iterator[Diagnosed]:
    """Yield the credentials that no workflow of ours takes, and the lines in them that set what they may not."""
    for source in seen.workflows:
        for job in jobs(source):
            handed = job.value.get("secrets")
            if not REUSABLE.search(job.uses) or not isinstance(handed, dict):
                continue
            for name, value in handed.items():
                where = _at(source, (*job.path, "secrets", name))
                if name not in TAKEN:
                    what = f"{name} is no secret of that workflow, which can't start{nearest(name, TAKEN)}"
                    yield Diagnosed(state=CheckState.MISSING, where=where, what=what)
                for wrong in _unknown(name, value):
                    yield Diagnosed(state=CheckState.MISSING, where=where, what=wrong)


def _unknown(name: str, value: Plain) -> Iterator[str]:
    """Yield what is wrong with lines that stand in the workflow itself, as roles do, which are no secrets."""
    if name.lower().endswith("-credentials") or name.endswith("_CREDENTIALS"):
        try:
            credential_names.read(str(value) if "${{" not in str(value) else "", name)
        except GatesError as error:
            yield error.what


def _runners(seen: Seen) -> Iterator[Diagnosed]:
    for source in seen.workflows:
        for job in jobs(source):
            for path, label in job.own_runners:
                what = f"{label} must be runner {RUNNER} or newer, which can't be seen from here"
                yield Diagnosed(state=CheckState.UNKNOWN, where=_at(source, path), what=what)
        for path, name in used(source) if seen.server and not CLOUD.fullmatch(seen.server) else ():
            if OURS.search(name):
                what = (
                    f"{seen.server} is a GitHub Enterprise Server: {name.partition('@')[0]} must be of the -server form"
                )
                yield Diagnosed(state=CheckState.UNKNOWN, where=_at(source, path), what=what)


def _registry(seen: Seen) -> Iterator[Diagnosed]:
    if seen.registry is None:
        return
    size, limit = seen.registry.held, seen.registry.limit
    if size is None:
        what = "this clone has the ledger, but has not seen this branch"
        yield Diagnosed(state=CheckState.UNKNOWN, where=REGISTRY, what=what)
    elif size > limit * FULL:
        what = f"holds {size / 10**6:.1f} of {limit / 10**6:.10g} MB: the next model may not fit, and old ones go"
        yield Diagnosed(state=CheckState.UNKNOWN, where=REGISTRY, what=what)


def _owned(seen: Seen) -> Iterator[Diagnosed]:
    path, text = seen.owners or (".github/CODEOWNERS", "")
    wanted = [path, *(source.name for source in seen.workflows if any(_ours(source)))]
    for one in seen.policies:
        wanted += [one.path, *([one.contract] if one.contract else [])]
    if seen.owners is None:
        yield Diagnosed(state=CheckState.MISSING, where=path, what="it is missing: anybody may change the policy")
        return
    for name in dict.fromkeys(wanted):
        if not owners_of(name, text):
            yield Diagnosed(
                state=CheckState.UNSAFE, where=name, what="it has no owner: any reviewer's approval is enough"
            )


def _ours(source: Source) -> Iterator[bool]:
    for job in jobs(source):
        yield job.gates or bool(OURS.search(job.uses))


def _credentials(seen: Seen) -> Iterator[Diagnosed]:
    for source in seen.workflows:
        value = source.value if isinstance(source.value, dict) else {}
        references = list(secrets(value.get("env"), ("env",)))
        for job in jobs(source):
            if not job.environment:
                references += secrets(job.value, job.path)
        for path, name in references:
            if name == "*" and not OURS.search(str(value["jobs"][path[1]].get("uses"))):
                what = "hands every secret to another workflow"
                yield Diagnosed(state=CheckState.UNSAFE, where=_at(source, path), what=what)
            elif CREDENTIAL.search(name):
                what = f"{name} is read outside an environment: a workflow of any branch may read it"
                yield Diagnosed(state=CheckState.UNSAFE, where=_at(source, path), what=what)


def _pickles(seen: Seen) -> Iterator[Diagnosed]:
    """Yield where MLflow may load pickles with a credential at hand. It loads them unless told not to."""
    for source in seen.workflows:
        for path, value in leaves(source.value):
            if path[-1:] == (PICKLE,) and str(value).lower() != "false":
                yield Diagnosed(state=CheckState.UNSAFE, where=_at(source, path), what=f"{PICKLE} is {value}")
        for job in jobs(source):
            held = [name for _, name in secrets(job.value) if name != "GITHUB_TOKEN"]
            told = any(path[-1:] == (PICKLE,) for path, _ in leaves({"env": source.value.get("env"), "job": job.value}))
            if job.gates and held and not told:
                what = f"holds a secret, and MLflow loads pickles there unless {PICKLE} is false"
                yield Diagnosed(state=CheckState.UNSAFE, where=_at(source, job.path), what=what)


def _observed(seen: Seen) -> Iterator[Diagnosed]:
    for one in seen.policies:
        if one.resolved and one.resolved.policy.mode:
            what = f"blocks nothing until {one.resolved.policy.mode.until}"
            yield Diagnosed(state=CheckState.UNKNOWN, where=one.path, what=what)


FILES = (
    Check(
        id="policy",
        asks="There is a policy, and it is valid.",
        hint="`gates init DATA` writes a first one; `gates check` reports every mistake.",
        look=_policy,
    ),
    Check(
        id="readable",
        asks="Every workflow can be read.",
        hint="Check it yourself; gates reads plain YAML without anchors, up to 256 KiB.",
        look=_readable,
    ),
    Check(
        id="judged",
        asks="A workflow judges every pull request.",
        hint="`gates init --github` writes one. Let gates find out what changed; don't filter by paths.",
        look=_judged,
    ),
    Check(
        id="mode",
        asks="The policy blocks what fails.",
        hint="Remove `mode` once you trust the gates; it also ends by itself.",
        look=_observed,
    ),
    Check(
        id="pins",
        asks="Every action and workflow is pinned to a full commit.",
        hint="Write `@` and 40 digits, with the version as a comment; a tag can be moved.",
        look=_pinned,
    ),
    Check(
        id="triggers",
        asks="No workflow runs strangers' code with this repository's permissions.",
        hint="Use pull_request; for comments on forks' pull requests see docs/forks.md.",
        look=_triggered,
    ),
    Check(
        id="permissions",
        asks="Workflows that run gates declare their token's permissions.",
        hint="Write `permissions: {}` at the top, and the least that each job needs.",
        look=_permitted,
    ),
    Check(
        id="contents",
        asks="Workflows that promote may write the ledger and the registry.",
        hint="Give the job that calls them `permissions: {contents: write, …}`, as docs/workflows.md shows.",
        look=_recorded,
    ),
    Check(
        id="identity",
        asks="Jobs that log in to a cloud may ask for their identity, and no job that runs a model may.",
        hint="Grant `id-token: write` to the job that calls a workflow ending in -oidc.yml, and to no job that trains.",
        look=_identified,
    ),
    Check(
        id="credential-names",
        asks="Credentials have names that the workflows know.",
        hint="docs/credentials.md lists the secrets and the variables that their lines can set.",
        look=_named,
    ),
    Check(
        id="runners",
        asks="Runners of your own know `$/`, by which gates' workflows and actions call each other.",
        hint="Update them. On GitHub Enterprise Server, or with older runners, use the -server form of a release.",
        look=_runners,
    ),
    Check(
        id="registry",
        asks="The registry's branch is known here, and has room.",
        hint="`gates status` fetches it. GATES_REGISTRY_MB sets another limit; MLFLOW_TRACKING_URI names an MLflow.",
        look=_registry,
    ),
    Check(
        id="owners",
        asks="Policy, contract and workflows have owners.",
        hint="`gates init --github` writes the lines of CODEOWNERS; name your owners there.",
        look=_owned,
    ),
    Check(
        id="credentials",
        asks="The registry's credential is in an environment.",
        hint="Move the secret into an environment that only the default branch may deploy to, and name it in the job.",
        look=_credentials,
    ),
    Check(
        id="pickles",
        asks="No job that holds a secret loads pickles.",
        hint=f'Set {PICKLE}: "false" in its env; load models in a job without secrets.',
        look=_pickles,
    ),
)
