"""Helm by its own library, in a process of its own: it brings Go's runtime along, which does not bear a fork.

Run as a program it takes one call as JSON on standard input.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class HelmError(Exception):
    """What Helm said, after the name of its error."""


def called(**call: Any) -> Any:
    """Make one call in a process of its own. Raises ``HelmError`` where Helm does."""
    done = subprocess.run(
        [sys.executable, "-I", __file__], input=json.dumps(call), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    if "error" in answer:
        raise HelmError(answer["error"])
    return answer["result"]


class Helm:
    """Releases in a namespace."""

    def __init__(self, config: Path, namespace: str) -> None:
        self.where = {"kubeconfig_path": str(config), "namespace": namespace}

    def _release(self, action: str, *arguments: Any, **options: Any) -> None:
        called(what="release", where=self.where, action=action, arguments=arguments, options=options)

    def install(self, chart: Path, name: str, values: Mapping[str, Any] | None = None) -> None:
        self._release("install", str(chart), name, values)

    def upgrade(self, chart: Path, name: str, values: Mapping[str, Any] | None = None) -> None:
        self._release("upgrade", str(chart), name, values)

    def rollback(self, name: str, *, version: int) -> None:
        self._release("rollback", name, version=version)

    def uninstall(self, name: str) -> None:
        self._release("uninstall", name)


def render(chart: Path, values: Mapping[str, Any], name: str) -> dict[str, str]:
    """The texts of a release, by template."""
    found: dict[str, str] = called(what="render", chart=str(chart), values=values, name=name)
    return found


def lint(chart: Path, values: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What Helm has to say of a chart."""
    found: dict[str, Any] = called(what="lint", chart=str(chart), values=values)
    return found


def _answer(call: dict[str, Any]) -> Any:
    from helm_python import Config
    from helm_python.chart import Chart
    from helm_python.chart import lint as linted

    if call["what"] == "render":
        with Chart.load(call["chart"]) as chart:
            return chart.render(values=call["values"], name=call["name"])
    if call["what"] == "lint":
        return linted(call["chart"], call["values"])
    with Config(**call["where"]) as client:
        getattr(client, call["action"])(*call["arguments"], **call["options"])
    return None


if __name__ == "__main__":
    try:
        print(json.dumps({"result": _answer(json.load(sys.stdin))}))
    except Exception as error:
        print(json.dumps({"error": f"{type(error).__name__}: {error}"}))
