"""Fetch what the run of a pull request handed over: found by its commit, read as data, and checked.

A fork's run has a token that can't write. A second workflow, of the default branch, speaks for it: it trusts GitHub's
word on which commit the first run was of, and nothing that the first run says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gates.documents.evidence import Evidence
from gates.errors import GatesError
from gates.github.changed_policies import ALWAYS, HERE
from gates.github.event import DEPENDABOT, Before, Event
from gates.github.rest_api import Client
from gates.schema.validation import read_json
from gates.system.files import read

BASE = "base"  # the folder of what was measured for the base commit's policy
PREFIX = "gates-evidence-"  # of the artifacts' names
LARGEST = 8 * 2**20  # bytes of one artifact, packed
MOST = 256  # artifacts, one a model
_DIGITS = 19
_SHA = re.compile(r"[0-9a-f]{40}")
_GLOB = re.compile(r"[*?\[]")
_CANCELLED = {"cancelled", "skipped", "stale"}  # a newer run is the one to report


class NothingToReportError(Exception):
    """A run before which is none to report, with the reason in one sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundRun:
    """The pull request of the run before, the branch that it asks to change and that branch's commit, and the
    artifacts with evidence."""

    pr: int
    base: str
    branch: str
    artifacts: tuple[int, ...]


def find(client: Client, event: Event, before: Before) -> FoundRun:
    """Find what there is to report. Raises ``NothingToReportError`` where there is nothing."""
    if before.event != "pull_request":
        raise NothingToReportError(f"The run before was for {before.event}, not for a pull request.")
    if not event.is_fork and before.actor != DEPENDABOT:
        raise NothingToReportError("The run before was for a branch of this repository, and reported its own result.")
    if before.ended in _CANCELLED:
        raise NothingToReportError(f"The run before was {before.ended}.")
    pull = min(pulls_of(client, event), key=lambda one: _head_of(one) != before.head, default=None)
    if pull is None:
        what = "No open pull request has this commit at its head: it has newer ones, or is closed."
        raise NothingToReportError(what)
    artifacts = tuple(_artifacts(client, event.repository, before.id))
    base = pull["base"]
    return FoundRun(pr=int(pull["number"]), base=str(base["sha"]), branch=str(base["ref"]), artifacts=artifacts)


def _head_of(pull: dict[str, Any]) -> tuple[str | None, str | None]:
    """Return the repository and branch that a pull request offers: others may be open with the same commit."""
    head = pull.get("head") or {}
    return (head.get("repo") or {}).get("full_name"), head.get("ref")


def pulls_of(client: Client, event: Event) -> Iterator[dict[str, Any]]:
    """Yield the open pull requests into this repository whose head is the event's commit, over all pages."""
    path = f"/repos/{event.repository}/pulls"
    for pull in client.pages(path, doing="list the open pull requests", needs="pull-requests: read"):
        base = pull.get("base") or {}
        ours = (base.get("repo") or {}).get("full_name") == event.repository
        same = (pull.get("head") or {}).get("sha") == event.head_sha
        if ours and same and _SHA.fullmatch(str(base.get("sha"))):
            yield pull


def base_of(client: Client, repository: str, pr: int) -> str:
    """Return the branch that a pull request asks to change."""
    pull = client.get(f"/repos/{repository}/pulls/{pr}", doing=f"read {repository}#{pr}", needs="pull-requests: read")
    return str(pull["base"]["ref"])


def _artifacts(client: Client, repository: str, run: int) -> Iterator[int]:
    """Yield the artifacts that may hold evidence. Larger ones are left where they are: evidence is kilobytes."""
    path = f"/repos/{repository}/actions/runs/{run}/artifacts"
    found = client.pages(path, doing="list the run's artifacts", needs="actions: read", key="artifacts")
    fitting = (
        int(one["id"])
        for one in found
        if str(one.get("name")).startswith(PREFIX) and not one.get("expired") and _size(one) <= LARGEST
    )
    yield from (one for one, _ in zip(fitting, range(MOST), strict=False))


def _size(artifact: dict[str, Any]) -> int:
    size = artifact.get("size_in_bytes")
    return size if isinstance(size, int) else LARGEST + 1


def judged(client: Client, repository: str, pr: int, commit: str) -> tuple[int, tuple[int, ...]]:
    """Return the newest run that judged a pull request's newest commit, and the artifacts with its evidence.

    Raises ``GatesError`` where the commit is not the newest one, or no run of it has handed over evidence.
    """
    if not _SHA.fullmatch(commit):
        raise GatesError(
            f"{commit[:60]!r} is not a commit", where="--commit", hint="Give all 40 digits: a short one can be forged."
        )
    doing = f"read {repository}#{pr}"
    head = (
        client.get(f"/repos/{repository}/pulls/{pr}", doing=doing, needs="pull-requests: read").get("head") or {}
    ).get("sha")
    if head != commit:
        hint = "Review that commit, and accept it."
        raise GatesError(f"the newest commit of pull request {pr} is {head}, not {commit}", where="--commit", hint=hint)
    path, query = f"/repos/{repository}/actions/runs", {"head_sha": commit}
    doing = "list the runs of the commit"
    for run in client.pages(path, doing=doing, needs="actions: read", query=query, key="workflow_runs"):
        artifacts = tuple(_artifacts(client, repository, int(run["id"])))
        if artifacts:
            return int(run["id"]), artifacts
    raise GatesError(f"no run of {commit} has handed over evidence", where="GitHub", hint="Have it judged first.")


def changed(client: Client, event: Event, pr: int) -> tuple[str, ...]:
    """Return the paths that a pull request changes, as GitHub lists them (3,000 at most)."""
    path = f"/repos/{event.repository}/pulls/{pr}/files"
    told = client.pages(path, doing="list the changed files", needs="pull-requests: read")
    return tuple(str(name) for one in told for name in (one.get("filename"), one.get("previous_filename")) if name)


def may_touch(policy: str, paths: Sequence[str], names: Sequence[str]) -> bool:
    """Tell whether changed files may belong to a policy: by the fixed beginning of each pattern, so rather once too
    often.

    The fork's own run decided what it judged; this is not left to it.
    """
    folder = Path(policy).parent.as_posix()
    own = "" if folder == "." else f"{folder}/"
    patterns = [*(paths or [f"{HERE}/**"]), ALWAYS]
    fixed = [_GLOB.split(pattern.replace(f"{HERE}/", own))[0] for pattern in patterns]
    return any(name == policy or name.startswith(start) for name in names for start in fixed)


def evidence_of(folder: Path, model: str, measured: str) -> Path:
    """Return the folder of the newest evidence about a model among those that were handed over: a job that was run
    again has handed over twice, and artifacts are numbered. One that was measured as ``measured`` says
    (``Bound.measured``) goes first: a run measures for the base commit's policy, too, where that looks at other things.

    What can't be read as evidence, and links, are passed over. Raises ``GatesError`` where there is none.
    """
    places = ("evidence.json", "*/evidence.json", "base/evidence.json", "*/base/evidence.json")
    found = ((file.parent, _evidence(file)) for place in places for file in folder.glob(place))
    fitting = [(one.measured == measured, path) for path, one in found if one and one.model == model]
    if not fitting:
        raise GatesError("the pull request's run handed over no evidence about this model", where=model)
    return max(fitting, key=lambda one: (one[0], _number(one[1])))[1]


def _number(folder: Path) -> int:
    last = (folder.parent if folder.name == BASE else folder).name.removeprefix(PREFIX)
    return int(last) if last.isascii() and last.isdecimal() and len(last) < _DIGITS else 0


def _evidence(file: Path) -> Evidence | None:
    if any(one.is_symlink() for one in (file.parent, file.parent.parent)):
        return None
    try:
        return read_json(Evidence, read(file, ""), file.name)
    except GatesError:
        return None
