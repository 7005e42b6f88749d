"""Read from a workflow what the checks need: its jobs, what they use, and which secrets and environments they name."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gates.schema.fields import Plain
from gates.schema.yaml_text import Path, Source

# This project's own reusable workflows and actions, wherever its copy lives.
_ACTIONS = (
    "setup|gate|report|picture|train|check-data|fetch|take-artifact|promote|rollback|adopt|badge|"
    "measure-live|monitor|alert|retrain|snapshot|measure-units|look|(start|stop)-experiment"
)
_ONE_JOB = r"[\w.-]+/gates"
OURS = re.compile(rf"(^|/)(\.github/workflows/model-[a-z-]+\.ya?ml|actions/({_ACTIONS})|{_ONE_JOB})@")
JUDGES = re.compile(rf"(^|/)(\.github/workflows/model-ci(-oidc)?\.ya?ml|actions/gate|{_ONE_JOB})@")
_COMMANDS = "run|judge|measure|train|comment|picture|promote|rollback|adopt|monitor|alert|retrain|snapshot|experiment"
OUR_COMMANDS = re.compile(rf"(^|[\s;&|])gates ({_COMMANDS})\b")
WRITES = re.compile(
    r"(^|/)(\.github/workflows/model-|actions/(start-|stop-)?)"
    r"(promote|rollback|adopt|waive|monitor|retrain|look|experiment)(-oidc)?(\.ya?ml)?@"
)
ONE_JOB = re.compile(rf"^{_ONE_JOB}@")
IDENTIFIED = re.compile(r"(^|/)\.github/workflows/model-[a-z]+-oidc\.ya?ml@")  # wants id-token: write of its caller
REUSABLE = re.compile(r"(^|/)\.github/workflows/model-[a-z-]+\.ya?ml@")
_RUNS_MODELS = re.compile(r"(^|/)actions/(train|score|gate)@")
_TRAINS = re.compile(r"(^|[\s;&|])gates (run|train|score)\b")
OWN = "$/"  # how an action or workflow of the same repository is called
HOSTED = re.compile(
    r"(ubuntu|windows|macos)-[\w.-]+|\$\{\{.*\}\}", re.DOTALL
)  # a runner of GitHub's, or who knows whose
ENVIRONMENTS = ("environment", "look-environment", "plan-environment")  # inputs of this project's workflows
_SECRET = re.compile(r"\bsecrets\s*(?:\.\s*([A-Za-z_][A-Za-z0-9_]*)|\[\s*'([^']+)'\s*\])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job of a workflow."""

    source: Source
    name: str
    value: dict[str, Plain]

    @property
    def path(self) -> Path:
        """Where it stands."""
        return ("jobs", self.name)

    @property
    def uses(self) -> str:
        """The reusable workflow that it calls; empty for a job of steps."""
        return _text(self.value.get("uses"))

    @property
    def steps(self) -> list[dict[str, Plain]]:
        """Its steps."""
        found = self.value.get("steps")
        return [step for step in found if isinstance(step, dict)] if isinstance(found, list) else []

    @property
    def environment(self) -> str:
        """The environment that it names; empty for none."""
        found = self.value.get("environment")
        return _text(found.get("name") if isinstance(found, dict) else found)

    @property
    def handed_environments(self) -> list[str]:
        """The environments that it hands to one of this project's workflows."""
        given = _given(self.value) if OURS.search(self.uses) else {}
        return [_text(given.get(key)) for key in ENVIRONMENTS]

    @property
    def gates(self) -> bool:
        """Whether it runs this project itself, in steps of its own."""
        used = any(OURS.search(_text(step.get("uses"))) for step in self.steps)
        return used or any(OUR_COMMANDS.search(_text(step.get("run"))) for step in self.steps)

    @property
    def records(self) -> bool:
        """Whether it writes the ledger, by one of this project's workflows or actions."""
        return any(WRITES.search(one) for one in (self.uses, *self.called)) or self._promotes

    @property
    def _promotes(self) -> bool:
        """Whether its one job also promotes: on other events than pull requests, unless it is told not to."""
        told = [_given(step).get("promote") for step in self.steps if ONE_JOB.search(_text(step.get("uses")))]
        lands = triggers(self.source) - {"pull_request", "merge_group"}
        return bool(lands) and any(one not in (False, "false") for one in told)

    @property
    def called(self) -> list[str]:
        """The actions that its steps use."""
        return [_text(step.get("uses")) for step in self.steps]

    @property
    def own_runners(self) -> Iterator[tuple[Path, str]]:
        """Yield each runner that is not one of GitHub's, with its place: its own, or those that it hands on."""
        given = _given(self.value)
        for key in ("runs-on", "train-on"):
            if OURS.search(self.uses) and (word := _label(given.get(key))):
                yield (*self.path, "with", key), word
        uses_ours = any(OURS.search(one) or one.startswith(OWN) for one in self.called)
        if uses_ours and (word := _label(self.value.get("runs-on"))):
            yield (*self.path, "runs-on"), word

    @property
    def contents(self) -> str | None:
        """What it may do with the repository's contents; None where nobody says."""
        return self.may("contents")

    def may(self, name: str) -> str | None:
        """What its token may do with something; None where nobody says."""
        found = self.value.get("permissions", self.source.value.get("permissions"))
        if isinstance(found, dict):
            return _text(found.get(name)) or "none"
        return {"write-all": "write", "read-all": "read"}.get(_text(found))

    @property
    def runs_models(self) -> bool:
        """Whether code of a model may run in it: its training, or its loading."""
        commands = any(
            re.search(r"(^|[\s;&|])gates (run|train|score)\b", _text(step.get("run"))) for step in self.steps
        )
        return commands or any(_RUNS_MODELS.search(one) for one in self.called)

    @property
    def judges(self) -> bool:
        """Whether it judges a model."""
        runs = any(re.search(r"(^|\s)gates run\b", _text(step.get("run"))) for step in self.steps)
        return runs or any(JUDGES.search(one) for one in (self.uses, *self.called))


def jobs(source: Source) -> Iterator[Job]:
    """Yield the jobs of a workflow."""
    found = source.value.get("jobs") if isinstance(source.value, dict) else None
    for name, value in found.items() if isinstance(found, dict) else ():
        if isinstance(value, dict):
            yield Job(source=source, name=name, value=value)


def used(source: Source) -> Iterator[tuple[Path, str]]:
    """Yield every `uses:` of a workflow or a composite action, with its place."""
    for path, value in leaves(source.value):
        if path and path[-1] == "uses" and isinstance(value, str):
            yield path, value


def leaves(value: Plain, path: Path = ()) -> Iterator[tuple[Path, Plain]]:
    """Yield every single value below another, with its path."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from leaves(item, (*path, index))
    else:
        yield path, value


def secrets(value: Plain, base: Path = ()) -> Iterator[tuple[Path, str]]:
    """Yield every secret that is named below a value, with its place; ``*`` where all of them are handed on."""
    for path, leaf in leaves(value, base):
        if path[-1:] == ("secrets",) and leaf == "inherit":
            yield path, "*"
        for one in _SECRET.finditer(_text(leaf)):
            yield path, one[1] or one[2]


def triggers(source: Source) -> set[str]:
    """Return the events that start a workflow."""
    found = source.value.get("on") if isinstance(source.value, dict) else None
    if isinstance(found, str):
        return {found}
    return {str(one) for one in found} if isinstance(found, dict | list) else set()


def trigger(source: Source, name: str) -> dict[str, Any]:
    """Return the filters of one event."""
    found = source.value.get("on") if isinstance(source.value, dict) else None
    inner = found.get(name) if isinstance(found, dict) else None
    return inner if isinstance(inner, dict) else {}


def _given(value: dict[str, Plain]) -> dict[str, Plain]:
    """Return what a job or a step hands to what it calls."""
    given = value.get("with")
    return given if isinstance(given, dict) else {}


def _label(value: Plain) -> str:
    """Return what names a runner that is not GitHub's; empty where it is, or where nothing is said."""
    if isinstance(value, str):
        return "" if not value or HOSTED.fullmatch(value) else value
    return json.dumps(value) if value else ""


def _text(value: Plain) -> str:
    return value if isinstance(value, str) else ""
