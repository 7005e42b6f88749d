"""The workflows that the pages show, made ready to be run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml
from pages import PAGES, blocks

EVENTS = ["pull_request", "push", "merge_group", "repository_dispatch", "workflow_dispatch", "schedule"]


def shown() -> Iterator[tuple[str, str, str]]:
    """(page, name, text) of every workflow of the pages; one that has no name goes by its last job."""
    for page in PAGES:
        for _, _, language, text in blocks(page):
            content = yaml.safe_load(text) if language == "yaml" else None
            if isinstance(content, dict) and "jobs" in content:
                yield page.stem, content.get("name") or list(content["jobs"])[-1], text


WORKFLOWS = {(page, name): text for page, name, text in shown()}


def documented(page: str, name: str, elsewhere: dict[str, str] | None = None, /, **inputs: str | None) -> str:
    """A workflow as a page shows it. ``elsewhere``: where its addresses are here. ``inputs``: what is given to ours
    otherwise, an underscore for a dash; None takes one away. A part of a workflow is made a whole one."""
    text = WORKFLOWS[page, name]
    for address, here in (elsewhere or {}).items():
        assert address in text
        text = text.replace(address, here)
    content = yaml.safe_load(text)
    content = {"name": name, "on": content.pop(True, EVENTS), "permissions": {}} | content  # to YAML, `on` is True
    changed = {key.replace("_", "-"): value for key, value in inputs.items()}
    for one in _calls(content):
        given = one.get("with", {}) | changed
        one["with"] = {key: value for key, value in given.items() if value is not None}
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)


def _calls(content: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The jobs and steps that call something of ours."""
    for job in content["jobs"].values():
        yield from (one for one in (job, *job.get("steps", ())) if re.match("OWNER/gates[/@]", one.get("uses", "")))
