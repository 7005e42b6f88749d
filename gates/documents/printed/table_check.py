"""One table held to a contract alone, without a policy: the document that ``gates data --json`` prints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gates.documents.decision import GateVerdict, Verdict
from gates.documents.evidence import Finding
from gates.errors import Exit
from gates.schema.fields import declare

SCHEMA: Literal["gates/data/v1"] = "gates/data/v1"
EXITS = {Verdict.PASS: Exit.SHIP, Verdict.INCONCLUSIVE: Exit.STOP, Verdict.FAIL: Exit.STOP}


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A table held to a contract."""

    WRITTEN = "whole"
    schema: Literal["gates/data/v1"] = declare("Format of this document.")
    verdict: Verdict = declare("The worst verdict.")
    reason: str = declare("Why, in one plain sentence.")
    table: str = declare("The table's name.")
    rows: int = declare("Number of rows.")
    gates: tuple[GateVerdict, ...] = declare("One verdict a rule, in the contract's order.")
    findings: tuple[Finding, ...] = declare("What each rule counted.")
    skipped: tuple[str, ...] = declare("Rules that need the training data and were skipped.")

    @property
    def exit_code(self) -> Exit:
        """0 where the contract holds, 1 where it is broken or may be, 2 where it could not be judged."""
        return EXITS.get(self.verdict, Exit.INPUT)
