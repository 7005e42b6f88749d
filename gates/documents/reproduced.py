"""What came of training a record again: the document that ``gates reproduce --json`` prints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gates.schema.fields import declare

SCHEMA: Literal["gates/reproduced/v1"] = "gates/reproduced/v1"


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
