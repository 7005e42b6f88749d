"""Judge one table by a contract, without a policy: the document that ``gates data --json`` prints. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

from gates.contract.rules.contract_rule import Contract
from gates.documents.decision import GateVerdict, Verdict, worst
from gates.documents.evidence import SCHEMA as EVIDENCE
from gates.documents.evidence import Evidence, Finding, Table
from gates.documents.printed.table_check import SCHEMA, Checked
from gates.kinds import data
from gates.kinds.protocol import GateContext
from gates.wording import all_of, rows


def alone(contract: Contract, table: str) -> Contract:
    """Return the contract's rules that can be held by one table on its own, meant for that table."""
    rules = tuple(replace(rule, tables=(table,)) for rule in contract.rules if rule.beside != "train")
    return replace(contract, rules=rules)


def judge(contract: Contract, table: str, findings: Sequence[Finding]) -> Checked:
    """Return the verdicts on what the rules of ``alone`` counted, of which there must be one at least."""
    held = alone(contract, table)
    counted = max((finding.rows for finding in findings), default=0)
    gates = _gates(held, table, counted, tuple(findings))
    bad = worst(gates)
    held_all = bad is None or bad.verdict is Verdict.PASS
    holding = all_of(len(gates), "rule holds", "rules hold")
    return Checked(
        schema=SCHEMA,
        verdict=Verdict.PASS if bad is None or bad.verdict is None else bad.verdict,
        reason=f"{holding} in {rows(counted)}" if held_all or bad is None else bad.reason,
        table=table,
        rows=counted,
        gates=gates,
        findings=tuple(findings),
        skipped=tuple(rule.id for rule in contract.rules if rule.beside == "train"),
    )


def _gates(contract: Contract, table: str, counted: int, findings: tuple[Finding, ...]) -> tuple[GateVerdict, ...]:
    """Return what the gate on the data says of the table, as if it were the policy's only one."""
    evidence = Evidence(
        schema=EVIDENCE,
        model="",
        measured="",
        tables=(Table(name=table, digest="", rows=counted),),
        findings=findings,
    )
    terms = GateContext(confidence=0.95, dimensions=(), contract=contract, tables=(table,))
    return tuple(data.judge(data.DataRule(data=cast(Any, (table,))), evidence, terms))
