"""Read which repository, commit, pull request and run this is, from what the runner provides.

A pull request's author chooses much of the event, so every field is checked before it is used.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gates.errors import Exit, GatesError

LARGEST = 25 * 2**20  # GitHub's own limit for an event
DEPENDABOT = "dependabot[bot]"
NO_COMMIT = "0" * 40  # how a push says that the branch is new
LOOPBACK = {"localhost", "127.0.0.1", "::1"}

_SHA = re.compile(r"[0-9a-f]{40}")
_REPOSITORY = re.compile(r"[A-Za-z0-9_-]{1,100}/[A-Za-z0-9._-]{1,100}")
_LOGIN = re.compile(r"[A-Za-z0-9_-]{1,100}(\[bot\])?")
_REF = re.compile(r"refs/[^\x00-\x20\x7f~^:?*\[\\]{1,400}")  # as git allows it
_NAME = re.compile(r"[a-z_]{1,64}")
_NUMBER = re.compile(r"[1-9][0-9]{0,17}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What started this run. ``head_sha`` is the commit people see, never the test merge commit. ``branch`` is the
    full ref that a pull request or a merge queue asks to change; in other runs the ref that the run is of.

    A ``workflow_run`` is about the commit of the run before it; which pull request that belongs to, if any, is for
    GitHub's API to say.
    """

    name: str
    repository: str
    head_sha: str
    base_sha: str | None
    branch: str | None
    pr: int | None
    is_fork: bool
    actor: str
    run_id: int
    run_attempt: int
    api_url: str
    server_url: str

    @property
    def may_write(self) -> bool:
        """Whether the token of this run may: that of a fork's pull request, or of Dependabot's, can only read."""
        return self.name == "workflow_run" or not (self.is_fork or (self.pr is not None and self.actor == DEPENDABOT))

    @property
    def run_url(self) -> str:
        """The page of this run."""
        return f"{self.server_url}/{self.repository}/actions/runs/{self.run_id}"


def read(environ: Mapping[str, str]) -> Event:
    """Read the event of this run from the runner's environment and the file that it names."""
    return parse(environ, _payload(environ))


def _payload(environ: Mapping[str, str]) -> Any:
    path = Path(_variable(environ, "GITHUB_EVENT_PATH"))
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise _bad(f"GITHUB_EVENT_PATH can't be read: {error.strerror}") from error
    if len(content) > LARGEST:
        raise _bad(f"it is larger than {LARGEST // 2**20} MiB")
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _bad("it is not valid JSON") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """The run that a ``workflow_run`` follows."""

    id: int
    event: str
    ended: str  # success, failure, cancelled, ...
    actor: str
    head: tuple[str | None, str | None] = (None, None)  # the repository and the branch that its commit is of


def read_before(environ: Mapping[str, str]) -> Before:
    """Return the run before this one. Raises ``GatesError`` where this is no ``workflow_run``."""
    if environ.get("GITHUB_EVENT_NAME") != "workflow_run":
        raise GatesError(
            "this command follows another workflow's run",
            where="environment",
            hint="Call model-report.yml from a workflow with `on: workflow_run`.",
        )
    payload = _payload(environ)
    return Before(
        id=_number(_at(payload, "workflow_run.id"), "workflow_run.id"),
        event=_match(_NAME, _at(payload, "workflow_run.event"), "workflow_run.event"),
        ended=_match(_NAME, _at(payload, "workflow_run.conclusion"), "workflow_run.conclusion"),
        actor=_match(_LOGIN, _at(payload, "workflow_run.actor.login"), "workflow_run.actor.login"),
        head=(
            _at(payload, "workflow_run.head_repository.full_name", missing=None),
            _at(payload, "workflow_run.head_branch", missing=None),
        ),
    )


def base_commit(environ: Mapping[str, str]) -> str | None:
    """Return the commit that a pull request, or a group of a merge queue, starts from; None in any other run, and
    outside GitHub. Raises ``GatesError`` where the event can't be read."""
    if environ.get("GITHUB_ACTIONS") != "true" or environ.get("GITHUB_EVENT_NAME") not in _PROPOSALS:
        return None
    return read(environ).base_sha


def of_fork(environ: Mapping[str, str]) -> bool:
    """Tell whether this is the run of a fork's pull request, or of Dependabot's, which has no secrets either. Raises
    ``GatesError`` where the event can't be read."""
    if environ.get("GITHUB_ACTIONS") != "true" or environ.get("GITHUB_EVENT_NAME") not in _PROPOSALS:
        return False
    return not read(environ).may_write


def parse(environ: Mapping[str, str], payload: Any) -> Event:
    """Make the event of the runner's environment and the event's own JSON value."""
    name = _match(_NAME, _variable(environ, "GITHUB_EVENT_NAME"), "GITHUB_EVENT_NAME")
    repository = _match(_REPOSITORY, _variable(environ, "GITHUB_REPOSITORY"), "GITHUB_REPOSITORY")
    head, base, branch, pr, is_fork = _SUBJECTS.get(name, _commit)(environ, payload, repository)
    return Event(
        name=name,
        repository=repository,
        head_sha=head,
        base_sha=base,
        branch=branch,
        pr=pr,
        is_fork=is_fork,
        actor=_match(_LOGIN, _variable(environ, "GITHUB_ACTOR"), "GITHUB_ACTOR"),
        run_id=_number(_variable(environ, "GITHUB_RUN_ID"), "GITHUB_RUN_ID"),
        run_attempt=_number(environ.get("GITHUB_RUN_ATTEMPT") or "1", "GITHUB_RUN_ATTEMPT"),
        api_url=api_url(environ),
        server_url=_url(environ, "GITHUB_SERVER_URL", "https://github.com"),
    )


_Subject = tuple[str, str | None, str | None, int | None, bool]


def _pull_request(environ: Mapping[str, str], payload: Any, repository: str) -> _Subject:
    head = _sha(payload, "pull_request.head.sha")
    base = _sha(payload, "pull_request.base.sha")
    number = _number(_at(payload, "pull_request.number"), "pull_request.number")
    # A deleted fork leaves no repository behind; it is still a fork.
    is_fork = _at(payload, "pull_request.head.repo.full_name", missing=None) != repository
    name = _at(payload, "pull_request.base.ref", missing=environ.get("GITHUB_BASE_REF"))
    return head, base, _ref(f"refs/heads/{name}") if name else None, number, is_fork


def _push(environ: Mapping[str, str], payload: Any, _: str) -> _Subject:
    before = _sha(payload, "before")
    return _own_commit(environ), None if before == NO_COMMIT else before, _own_ref(environ), None, False


def _merge_group(_: Mapping[str, str], payload: Any, __: str) -> _Subject:
    head, base = _sha(payload, "merge_group.head_sha"), _sha(payload, "merge_group.base_sha")
    asked = _at(payload, "merge_group.base_ref", missing=None)
    return head, base, _ref(asked) if asked else None, None, False


def _commit(environ: Mapping[str, str], _: Any, __: str) -> _Subject:
    return _own_commit(environ), None, _own_ref(environ), None, False


def _workflow_run(_: Mapping[str, str], payload: Any, repository: str) -> _Subject:
    head = _sha(payload, "workflow_run.head_sha")
    is_fork = _at(payload, "workflow_run.head_repository.full_name", missing=None) != repository
    return head, None, None, None, is_fork  # which branch its pull request asks is for GitHub's API to say


_SUBJECTS = {
    "pull_request": _pull_request,
    "pull_request_target": _pull_request,
    "push": _push,
    "merge_group": _merge_group,
    "workflow_run": _workflow_run,
}
_PROPOSALS = _SUBJECTS.keys() - {"push"}


def _own_ref(environ: Mapping[str, str]) -> str | None:
    return _ref(environ["GITHUB_REF"]) if environ.get("GITHUB_REF") else None


def _ref(name: Any) -> str:
    return _match(_REF, name, "the branch")


def _own_commit(environ: Mapping[str, str]) -> str:
    return _match(_SHA, _variable(environ, "GITHUB_SHA"), "GITHUB_SHA")


def _variable(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(name, "")
    if not value:
        raise GatesError(
            f"{name} is not set", where="environment", hint="This command runs inside GitHub Actions only."
        )
    return value


def named(repository: str) -> str:
    """Return the name of a repository as GitHub allows it. Raises ``GatesError`` for anything else."""
    if not _REPOSITORY.fullmatch(repository):
        raise GatesError(f"{repository} is not OWNER/NAME", where="--repository")
    return repository


def api_url(environ: Mapping[str, str]) -> str:
    """Tell where GitHub's API is, by the environment; github.com's where it says nothing."""
    return _url(environ, "GITHUB_API_URL", "https://api.github.com")


def _url(environ: Mapping[str, str], name: str, default: str) -> str:
    value = (environ.get(name) or default).rstrip("/")
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise _bad(f"{name} is not a URL") from None
    # The token goes there: only encrypted, or to this very machine.
    safe = parts.scheme == "https" or (parts.scheme == "http" and host in LOOPBACK)
    if not (safe and host) or "@" in parts.netloc or parts.query or parts.fragment:
        raise _bad(f"{name} is not a plain https address")
    return value


_MISSING: Any = object()


def _at(payload: Any, path: str, missing: Any = _MISSING) -> Any:
    value = payload
    for key in path.split("."):
        if not isinstance(value, dict) or key not in value:
            if missing is _MISSING:
                raise _bad(f"{path} is missing")
            return missing
        value = value[key]
    return value


def _sha(payload: Any, path: str) -> str:
    return _match(_SHA, _at(payload, path), path)


def _number(value: Any, name: str) -> int:
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    return int(_match(_NUMBER, text, name))


def _match(pattern: re.Pattern[str], value: Any, name: str) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise _bad(f"{name} is not what GitHub sends there")
    return value


def _bad(what: str) -> GatesError:
    return GatesError(what, where="GitHub's event", exit_code=Exit.OUTSIDE)
