"""What checking a ledger found (``gates verify --json``), and training a record again (``gates reproduce --json``)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from gates.schema.fields import declare

SCHEMA: Literal["gates/audit/v1"] = "gates/audit/v1"
REPRODUCED: Literal["gates/reproduced/v1"] = "gates/reproduced/v1"


class Flaw(StrEnum):
    """What is wrong with a record. Codes are stable and never reused."""

    UNREADABLE = "unreadable"  # no record of this form
    NOT_CANONICAL = "not_canonical"  # not the bytes that gates writes
    PARENTS = "parents"  # not one commit after another
    SEQUENCE = "sequence"  # not its place
    PREVIOUS = "previous"  # names another record as the one before
    DOCUMENTS = "documents"  # other documents beside it than it names, or changed ones
    CONTRADICTION = "contradiction"  # says something else than its documents
    DECISION_DIFFERS = "decision_differs"  # the evidence gives another decision
    NOT_ACCEPTED = "not_accepted"  # promoted though neither passed nor waived
    NOT_APPROVED = "not_approved"  # promoted without the approvals that its policy asks for
    INTENT = "intent"  # an outcome without its intent, or of one that is closed
    SIGNATURE = "signature"  # a move of an alias that the key that was named has not signed
    INCOMPLETE = "incomplete"  # lacks what a record of its kind must hold, or holds what it must not
    TARGET = "target"  # a rollback to a record that never was, or that says something else
    WAIVER = "waiver"  # rests on a waiver that no record before it gave
    BEFORE = "before"  # took the place of another version than the ledger knew
    TIME = "time"  # was written before the record that it follows
    POLICY = "policy"  # its policy is not the one at its commit, or that commit is not on the default branch
    RETRAIN = "retrain"  # a retraining that the records before it refuse, or that rests on no record of live windows
    EXPERIMENT = "experiment"  # a step of an experiment that the records before it refuse, or a promotion without one
    ANCHOR = "anchor"  # the expected record is not in the ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFinding:
    """One thing that is wrong."""

    WRITTEN = "whole"
    sequence: int = declare("The record's place, counted from the first commit; 0 for the ledger as a whole.")
    code: Flaw = declare("What is wrong, as a stable word.")
    what: str = declare("What is wrong, in words.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """A ledger, or one record of it, checked."""

    WRITTEN = "whole"
    schema: Literal["gates/audit/v1"] = declare("Format of this document.")
    records: int = declare("How many records were checked.")
    derived: int = declare("How many different decisions were derived again from their evidence.")
    head: str | None = declare("Digest of the newest record; keep it somewhere else.")
    anchored: bool = declare("Whether an anchor was given and found.")
    tiers: dict[str, int] = declare("How many decisions are unsigned, signed by a key, or attested.")
    found: tuple[AuditFinding, ...] = declare("What is wrong.")
    unknown: tuple[str, ...] = declare("What this check can't determine.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproduced:
    """What came of training again. Null: it could not be compared."""

    WRITTEN = "whole"
    schema: Literal["gates/reproduced/v1"] = declare("Format of this document.")
    record: int = declare("The record's place in the ledger.")
    commit: str = declare("The commit that was trained.")
    model: bool = declare("Whether the files are the same, byte for byte.")
    predictions: bool | None = declare("Whether the predictions on the holdout are the same.")
    evidence: bool = declare("Whether tables and counts are the same, the champion's too.")
    parts: tuple[str, ...] = declare("Where they differ, and what could not be compared.")

    @property
    def same(self) -> bool:
        """Whether a verdict on this training would rest on the same numbers."""
        return self.evidence and self.predictions is not False
