"""Check a repository that gates models: a table of checks, each with its hint. Pure: files and GitHub's settings are
arguments.

Pure: files and GitHub's settings are arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from gates.doctor.seen import Seen
from gates.documents.printed.diagnosis import SCHEMA, CheckState, Diagnosed, Diagnosis, Looked


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A row of the table. ``look`` yields what is not ok; ``settings``: it looks at GitHub's settings."""

    id: str
    asks: str
    hint: str
    look: Callable[[Seen], Iterator[Diagnosed]]
    settings: bool = False


def examine(seen: Seen, checks: tuple[Check, ...]) -> Diagnosis:
    """Make every check."""
    return Diagnosis(schema=SCHEMA, repository=seen.repository, checks=tuple(_looked(seen, one) for one in checks))


def _looked(seen: Seen, check: Check) -> Looked:
    skipped = check.settings and seen.settings is None
    findings = () if skipped else tuple(check.look(seen))
    states = [CheckState.SKIPPED if skipped else CheckState.OK, *(finding.state for finding in findings)]
    state = max(states, key=list(CheckState).index)
    return Looked(id=check.id, state=state, asks=check.asks, findings=findings, mend=check.hint)
