"""Write alert rules, their tests and a dashboard beside the policy, and tell where they no longer match it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gates.checkout.workspace import Workspace
from gates.errors import GatesError
from gates.observability.alert_rules import rules_document
from gates.observability.dashboard import dashboard_document
from gates.observability.rule_cases import cases_document
from gates.policy import ResolvedPolicy
from gates.schema.yaml_text import dump, parse
from gates.system import files
from gates.wording import printable

FOLDER = "monitoring"
RULES, CASES, DASHBOARD = "rules.yml", "rules.test.yml", "dashboard.json"
AGAIN = "gates init --monitoring --force"
_HEAD = f"# Written by gates init --monitoring from gates.yaml. Change that, then run {AGAIN}.\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitoringFiles:
    """What was written, and what stands there and was kept though it differs."""

    written: tuple[Path, ...]
    kept: tuple[Path, ...]


def write_monitoring(root: Path, *, force: bool) -> MonitoringFiles:
    """Write the files that the policy in ``root`` asks for, all or none. What stands there stays, unless ``force``.

    Raises ``GatesError`` for a policy with mistakes or without a monitor section.
    """
    texts = _texts(root)
    standing = {path for path in texts if path.exists() or path.is_symlink()}
    differing = {path for path in standing if files.read(path, "Move it.") != texts[path]}
    written = tuple(path for path in texts if path not in standing or (force and path in differing))
    files.write_all({path: texts[path] for path in written})
    return MonitoringFiles(written=written, kept=() if force else tuple(sorted(differing)))


def differences(root: Path) -> Iterator[str]:
    """Yield what differs from what the policy in ``root`` asks for, in words; nothing where all is as it should be."""
    for path, wanted in _texts(root).items():
        name = f"{FOLDER}/{path.name}"
        if not path.exists():
            yield f"{name} is missing"
            continue
        standing = files.read(path, "Move it.")
        if standing != wanted:
            parts = (_parts(path.name, data) for data in (standing, wanted))
            yield from (f"{name}: {what}" for what in _compared(*parts))


def _texts(root: Path) -> Mapping[Path, bytes]:
    resolved = Workspace(policy=root / "gates.yaml").load()
    return {root / FOLDER / name: write(resolved).encode() for name, write in _WRITERS.items()}


def _rules(resolved: ResolvedPolicy) -> str:
    return _HEAD + dump(rules_document(resolved))


def _cases(resolved: ResolvedPolicy) -> str:
    return _HEAD + dump(cases_document(resolved, RULES))


_WRITERS: Mapping[str, Callable[[ResolvedPolicy], str]] = {
    RULES: _rules,
    CASES: _cases,
    DASHBOARD: dashboard_document,
}


def _compared(standing: Mapping[str, Any] | None, wanted: Mapping[str, Any] | None) -> Iterator[str]:
    """Yield in words which parts of a file differ."""
    if standing is None or wanted is None:
        yield "is not what gates writes"
        return
    names = [name for name in dict.fromkeys([*wanted, *standing]) if standing.get(name) != wanted.get(name)]
    for name in names:
        how = "is missing" if name not in standing else "is not asked for" if name not in wanted else "differs"
        yield f"{printable(name)} {how}"
    if not names:
        yield "differs in its comments or its order"


def _parts(name: str, data: bytes) -> Mapping[str, Any] | None:
    """Return a file's parts by their names; None for one that has none."""
    try:
        if name == DASHBOARD:
            board = json.loads(data)
            panels = {f"the panel {one['title']}": one for one in board.pop("panels")}
            return {**panels, "what is beside the panels": board}
        plain: Any = parse(data, name).value
        if name == RULES:
            return {f"the alert {rule['alert']}": rule for group in plain["groups"] for rule in group["rules"]}
        cases: list[Any] = plain.pop("tests")
        return {**{f"the test {one['name']}": one for one in cases}, "what is beside the tests": plain}
    except (ValueError, KeyError, TypeError, AttributeError, GatesError):
        return None
