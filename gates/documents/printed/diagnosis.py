"""What is missing or unsafe about a repository: the document that ``gates doctor --json`` prints."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from gates.errors import Exit
from gates.schema.fields import declare

SCHEMA: Literal["gates/doctor/v1"] = "gates/doctor/v1"


class CheckState(StrEnum):
    """How a check ended, from best to worst."""

    OK = "ok"
    SKIPPED = "skipped"  # there was no token to look with
    UNKNOWN = "unknown"  # GitHub does not tell, or not this token
    MISSING = "missing"
    UNSAFE = "unsafe"


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosed:
    """One thing that a check found."""

    WRITTEN = "whole"
    state: CheckState = declare("How bad it is.")
    where: str = declare("The file with its line, the environment, the branch.")
    what: str = declare("What was found there.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """A check that was made."""

    WRITTEN = "whole"
    id: str = declare("The check's name; stable.")
    state: CheckState = declare("The worst of its findings.")
    asks: str = declare("What should hold.")
    findings: tuple[Diagnosed, ...] = declare("What does not hold.")
    mend: str = declare("What to do about it.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """All checks of one repository: the document that ``gates doctor --json`` prints."""

    WRITTEN = "whole"
    schema: Literal["gates/doctor/v1"] = declare("Format of this document.")
    repository: str | None = declare("owner/name on GitHub; null if unknown.")
    checks: tuple[Looked, ...] = declare("In the order of the table.")

    @property
    def exit_code(self) -> Exit:
        """0 where nothing is missing or unsafe, else 1."""
        bad = any(one.state in (CheckState.MISSING, CheckState.UNSAFE) for one in self.checks)
        return Exit.STOP if bad else Exit.SHIP
