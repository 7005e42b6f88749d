"""Experiment step: what a record says of an experiment, which was started, looked at or stopped."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from gates.schema.fields import TIME_PATTERN, declare

_DIGEST = "^sha256:[0-9a-f]{64}$"
SALT = 12  # hexadecimal digits of the start record's digest


class ExperimentState(StrEnum):
    """What was done."""

    STARTED = "started"  # units are assigned from now on
    LOOK = "look"  # what is known so far was judged
    STOPPED = "stopped"  # somebody ended it


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedModel:
    """A model of an experiment."""

    WRITTEN = "whole"
    digest: str = declare("Digest of its files.", pattern=_DIGEST)
    version: str = declare("Its version in the registry.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentStep:
    """What was done, of which experiment."""

    WRITTEN = "whole"
    state: ExperimentState = declare("What was done.")
    plan: str = declare("Digest of the section, the confidence and the two models.", pattern=_DIGEST)
    champion: ComparedModel = declare("The model that served when it was started.")
    challenger: ComparedModel = declare("The model that is compared with it.")
    start: str | None = declare("Digest of the record that started it; null for that one itself.", pattern=_DIGEST)
    begins: str | None = declare(
        "For a start: from when units count, UTC, later than the record; null: from the record on.",
        default=None,
        late=True,
        pattern=TIME_PATTERN,
    )

    @property
    def fits(self) -> bool:
        """Whether it has what its state asks for."""
        is_start = self.state is ExperimentState.STARTED
        return is_start is (self.start is None) and (is_start or self.begins is None)


def salt_of(start: str) -> str:
    """Return what the hash of each unit begins with. ``start``: the digest of the start record."""
    return start.removeprefix("sha256:")[:SALT]
