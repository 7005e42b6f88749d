"""Write a repository's files for GitHub, as text: caller workflows, lines of CODEOWNERS, and a list of settings."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from gates.documents.record import LEDGER
from gates.github import caller_texts
from gates.schema.yaml_text import flow

PIN = re.compile(r"([A-Za-z0-9_-]{1,100}/[A-Za-z0-9._-]{1,100})@([0-9a-f]{40})")
UNPINNED = ("OWNER/gates", "FULL-COMMIT-SHA")
_TO_BE_PINNED = "# Put your copy of gates here, and the full commit you trust: a tag can move.\n    "
PRODUCTION, WAIVING, MONITORING, EXPERIMENTING = "production", "gates-waive", "gates-monitor", "gates-experiment"


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """Where a policy lives, and which copy of this project judges it. ``folder`` is the policy's, from the
    repository's root; empty for the root itself. ``python`` is the version that trains, where it is not the
    workflows' own choice. ``roles`` are the environments that must approve a promotion."""

    model: str
    folder: str = ""
    requirements: str | None = None
    python: str | None = None
    branch: str = "main"
    roles: tuple[str, ...] = ()
    project: str = UNPINNED[0]
    commit: str = UNPINNED[1]
    version: str = ""  # of that commit, such as v0.2.0: Dependabot and Renovate move both
    cron: str = ""  # when live rows are judged; empty where the policy has no section monitor
    asks_prometheus: bool = False
    experiments: bool = False
    retrains: bool = False
    retrain_roles: tuple[str, ...] = ()  # those of the stage that a retrained candidate becomes

    @property
    def policy(self) -> str:
        """The policy's path from the repository's root."""
        return f"{self.folder}/gates.yaml" if self.folder else "gates.yaml"

    def name(self, caller: str) -> str:
        """Return what a workflow is called: by the model, too, where a repository may have several."""
        return f"{caller}-{self.model}" if self.folder else caller


def path(home: Home, caller: str) -> str:
    """Tell where a workflow lies."""
    return f".github/workflows/{home.name(caller)}.yml"


def as_before(home: Home, text: str) -> Home:
    """Return the home with what a workflow written before names: the copy of this project, and the Python that
    trains."""
    pin = re.search(r"uses: ([^/\s]+/[^/\s]+)/\S+@([0-9a-f]{40})\b(?: # (v[\w.]+))?", text)
    python = re.search(r"^ +python-version: '([\d.]+)'$", text, re.MULTILINE)
    home = replace(home, python=python[1]) if python else home
    return replace(home, project=pin[1], commit=pin[2], version=pin[3] or "") if pin else home


def workflow(home: Home, caller: str) -> str:
    """Return the text of a workflow, by its name among the callers."""
    called, text = {**CALLERS, **WATCHING}[caller]
    filled = {
        "NAME": flow(home.name(caller)),
        "JUDGING": flow(home.name("gates")),
        "BRANCH": flow(home.branch),
        "RIGHTS": caller_texts.RIGHTS,
        "USES": _uses(home, called),
        "POLICY": flow(home.policy),
        "FOLDER": flow(home.folder or "."),
        "ROLES": flow(json.dumps(home.roles)),
        "PRODUCTION": PRODUCTION,
        "WAIVING": WAIVING,
        "CRON": flow(home.cron),
        "PROMETHEUS": caller_texts.ASKED if home.asks_prometheus else "",
        "TOKEN": caller_texts.ASKED_WITH if home.asks_prometheus else "",
        "DISPATCH": "repository_dispatch: {types: [new-data]}, " if home.retrains else "",
        "REQUIREMENTS": _requirements(home),
        "PYTHON": f"\n      python-version: {flow(home.python)}" if home.python else "",
        "WORKING": f"\n      working-directory: {flow(home.folder)}" if home.folder else "",
    }
    if caller == "gates-monitor" and home.retrains:
        text += caller_texts.RETRAIN
        filled |= {"ROLES": flow(json.dumps(home.retrain_roles)), "RETRAIN": _uses(home, "model-retrain.yml")}
    return re.sub(r"<([A-Z]+)>", lambda found: filled[found[1]], text)


def _uses(home: Home, called: str) -> str:
    version = f" # {home.version}" if home.version else ""
    named = f"uses: {home.project}/.github/workflows/{called}@{home.commit}{version}"
    return named if home.commit != UNPINNED[1] else f"{_TO_BE_PINNED}{named}"


def pinned(text: str, home: Home) -> str:
    """Return the text of a workflow with the home's copy of this project where it names none yet; all else as it
    stands."""
    if home.commit == UNPINNED[1]:
        return text
    project, commit = map(re.escape, UNPINNED)
    unpinned = rf"(?:{re.escape(_TO_BE_PINNED)})?uses: {project}/\.github/workflows/([\w.-]+)@{commit}(?!\S)"
    return re.sub(unpinned, lambda found: _uses(home, found[1]), text)


def _requirements(home: Home) -> str:
    told = "  # what the training needs"
    return (
        f"requirements: {home.requirements}{told}" if home.requirements else f"# requirements: requirements.txt{told}"
    )


# name of the caller -> the workflow of this project that it calls, and its text
CALLERS: Final[Mapping[str, tuple[str, str]]] = {
    "gates": ("model-ci.yml", caller_texts.JUDGE),
    "gates-promote": ("model-promote.yml", caller_texts.PROMOTE),
    "gates-report": ("model-report.yml", caller_texts.REPORT),
    "gates-rollback": ("model-rollback.yml", caller_texts.ROLLBACK),
    "gates-waive": ("model-waive.yml", caller_texts.WAIVE),
}
# the same of those that a policy with a section monitor or experiment needs, too
WATCHING: Final[Mapping[str, tuple[str, str]]] = {
    "gates-monitor": ("model-monitor.yml", caller_texts.MONITOR),
    "gates-experiment": ("model-experiment.yml", caller_texts.EXPERIMENT),
}


def callers(home: Home) -> tuple[str, ...]:
    """Return the names of the workflows that a policy needs."""
    needed = {"gates-monitor": bool(home.cron), "gates-experiment": home.experiments}
    return (*CALLERS, *(caller for caller in WATCHING if needed[caller]))


def owned(home: Home, contract: str | None) -> tuple[str, ...]:
    """Return what must have owners: policy, contract, workflows, and the file that says so."""
    beside = f"{home.folder}/{contract}" if home.folder and contract else contract
    return (
        home.policy,
        *([beside] if beside else []),
        *(path(home, one) for one in callers(home)),
        ".github/CODEOWNERS",
    )


def owners(text: str, paths: tuple[str, ...], who: str) -> str:
    """Return CODEOWNERS with a line for each path, after all that it has already, as the last match counts."""
    lines = [f"/{one.replace(' ', chr(92) + ' ')} {who}" for one in paths]
    before = f"{text.rstrip()}\n\n" if text.strip() else ""
    told = "# What decides whether a model may ship. Written by `gates init`."
    return before + "\n".join([told, *lines]) + "\n"


def settings(home: Home) -> Iterator[str]:
    """Yield what only the repository's settings can say, a step each."""
    people = 'required reviewers, "Prevent self-review", no bypass for administrators'
    for role in home.roles:
        yield f"Environment {role}: {people}; deployment branches: only {home.branch}."
    yield f"Environment {PRODUCTION}: deployment branches: only {home.branch}; it holds the registry's credential."
    yield f"Environment {WAIVING}: {people}; deployment branches: only {home.branch}."
    for name, needed in ((MONITORING, home.cron or home.experiments), (EXPERIMENTING, home.experiments)):
        if needed:
            yield f"Environment {name}: deployment branches: only {home.branch}."
    yield (
        f"Rules of {home.branch}: a pull request, a review from code owners, and the check "
        f"`{home.name('gates')} / verdict`."
    )
    yield f"Rules of {LEDGER}: no force pushes, no deletion."
    yield "Variable MLFLOW_TRACKING_URI: the MLflow registry. Without it, a branch of this repository is the registry."
    if home.asks_prometheus:
        yield "Variable PROMETHEUS_URL and secret PROMETHEUS_TOKEN: the Prometheus that the policy asks."
    if home.roles:
        yield "A private repository below Enterprise has no required reviewers: approve by a promotion pull request."
