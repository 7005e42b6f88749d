"""docs/helm.md does what it says: kubectl is real, and Helm by its own library, which has no command line."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from charts import ROOT
from control_plane import ControlPlane, kubectl
from helm_client import Helm
from node import Node
from pages import blocks

PAGE = ROOT / "docs/helm.md"


def merged(values: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    both = dict(values)
    for key, value in more.items():
        both[key] = merged(both[key], value) if isinstance(value, dict) and isinstance(both.get(key), dict) else value
    return both


def options(words: list[str], folder: Path) -> tuple[list[str], str, dict[str, Any]]:
    """What is left of a command of Helm, its namespace and its values."""
    left, namespace, values = [], "default", dict[str, Any]()
    following = iter(words)
    for word in following:
        if word == "--namespace":
            namespace = next(following)
        elif word == "-f":
            values = merged(values, yaml.safe_load((folder / next(following)).read_text()))
        elif word == "--set":
            path, _, value = next(following).partition("=")
            nested: Any = yaml.safe_load(value)
            for step in reversed(path.split(".")):
                nested = {step: nested}
            values = merged(values, nested)
        else:
            left.append(word)
    return left, namespace, values


def helm(plane: ControlPlane, words: list[str], folder: Path) -> None:
    (action, name, *rest), namespace, values = options(words, folder)
    config = plane.kubeconfig("helm", namespace=namespace)
    client = Helm(config, namespace)
    if action in ("install", "upgrade"):
        getattr(client, action)(ROOT / rest[0], name, values)
    elif action == "rollback":
        client.rollback(name, version=int(rest[0]))
    else:
        assert (action, rest) == ("uninstall", [])
        client.uninstall(name)


def commands() -> Iterator[tuple[str, str, str]]:
    """What is done: a file's name with its text, or a command."""
    for action, argument, language, text in blocks(PAGE):
        if action == "file":
            yield "file", argument, text
        elif language == "sh":
            yield from (("run", "", line) for line in text.splitlines())


def test_the_page_does_what_it_says(node: Node, tmp_path: Path) -> None:
    plane = node.plane
    for action, name, text in commands():
        if action == "file":
            (tmp_path / name).write_text(text)
            continue
        program, *words = shlex.split(text)
        if program == "helm":
            helm(plane, words, tmp_path)
            continue
        done = kubectl(plane, *words)
        assert done.returncode == 0, done.stderr
        if words[:2] == ["get", "jobs"]:
            assert "churn-" in done.stdout
    jobs = "/apis/batch/v1/namespaces/churn/jobs"
    plane.wait(jobs, lambda found: not found["items"], "a run goes on")
    assert plane.ask("GET", "/api/v1/namespaces/churn/serviceaccounts/gates-launcher")
