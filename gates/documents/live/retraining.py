"""Retraining: what a plan to train again came to, as a record of the ledger says it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from gates.schema.fields import declare


class RetrainState(StrEnum):
    """What a plan came to."""

    STARTED = "started"  # a candidate is to be trained
    REFUSED = "refused"  # none is
    RESUMED = "resumed"  # somebody ended a pause


class NotRetrained(StrEnum):
    """Why no candidate is to be trained. Codes are stable and never reused."""

    NO_ALARM = "no_alarm"  # no alarm that may start one stands
    IN_FLIGHT = "in_flight"  # one was started, and nothing is known of its candidate yet
    COOLDOWN = "cooldown"  # one was started not long ago
    BUDGET_SPENT = "budget_spent"  # so many were started as there may be
    NO_FRESH_ROWS = "no_fresh_rows"  # too few labelled rows are newer than the last decision's holdout
    SAME_DATA = "same_data"  # nothing was labelled since the last one was started
    PAUSED = "paused"  # candidates in a row were not promoted, and nobody has ended the pause


@dataclass(frozen=True, slots=True, kw_only=True)
class Retraining:
    """What a plan came to, and what it rests on."""

    WRITTEN = "whole"
    state: RetrainState = declare("What it came to.")
    code: NotRetrained | None = declare("The reason of a refusal as a stable word.")
    record: str | None = declare(
        "Digest of the record of live windows whose alarm asked for it; null where none did.",
        pattern="^sha256:[0-9a-f]{64}$",
    )
    fresh_rows: int | None = declare("Labelled rows newer than the last decision's holdout; null: not counted.")
    until: str | None = declare("When the newest window with such rows ended, UTC; null: there is none.")

    @property
    def fits(self) -> bool:
        """Whether it has what its state asks for, and nothing else."""
        refused = self.state is RetrainState.REFUSED
        rests = (self.record, self.fresh_rows, self.until)
        needed = self.state is not RetrainState.STARTED or None not in rests
        unneeded = self.state is not RetrainState.RESUMED or rests == (None, None, None)
        return refused is (self.code is not None) and needed and unneeded
