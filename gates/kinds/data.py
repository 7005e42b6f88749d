"""The tables must keep the contract: every rule of it is judged on every table named."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from gates.contract.rules import Rule as ContractRule
from gates.decision import Code, GateVerdict, Verdict
from gates.evidence import Evidence, Finding
from gates.fields import declare
from gates.kinds.protocol import Mistake, Needs, Terms
from gates.words import bar_text, number, percent, rows

KEY = "data"

EXAMPLES = ("data: [train, holdout]\n", "data: holdout\n")


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """Tables held to the contract. Implied for all tables where `data.contract` is set."""

    data: tuple[Literal["train", "holdout"], ...] = declare("The tables.", single=True, minItems=1)


def name(rule: Rule) -> str:
    """``data train, holdout``."""
    return f"data {', '.join(rule.data)}"


def mistakes(rule: Rule, terms: Terms) -> Iterator[Mistake]:
    """A gate on a contract that the policy does not name."""
    if terms.contract is None:
        yield Mistake(path=("data",), what="the policy has no contract; name one under data.contract")
    for table in rule.data:
        if table not in terms.tables:
            yield Mistake(path=("data",), what=f"the policy has no table {table}; name one under data.{table}")


def needs(rule: Rule, terms: Terms) -> Needs:  # noqa: ARG001 -- the shape all kinds share
    """Nothing of the models: the contract's counts are always made."""
    return Needs()


def judge(rule: Rule, evidence: Evidence, terms: Terms) -> Iterator[GateVerdict]:
    """One verdict a rule and table; a rule that was not counted is an error, never a pass."""
    assert terms.contract is not None  # noqa: S101 -- ``mistakes`` refuses a policy without one
    found = {(finding.table, finding.rule): finding for finding in evidence.findings}
    for table in rule.data:
        if not any(one.name == table for one in evidence.tables):
            continue
        for held in terms.contract.rules:
            yield _verdict(table, held, found.get((table, held.id)))


def _verdict(table: str, rule: ContractRule, finding: Finding | None) -> GateVerdict:
    kept = finding is not None and rule.kept(finding)
    if finding is None:
        verdict, code, reason = Verdict.ERROR, Code.NOT_MEASURED, f"{table}: {rule.id} was not counted"
    elif kept:
        verdict, code, reason = Verdict.PASS, Code.WITHIN_BAR, _reason(table, rule, finding)
    else:
        low = rule.low is not None and rule.counted(finding) < rule.low
        verdict, code = Verdict.FAIL, Code.BELOW_BAR if low else Code.ABOVE_BAR
        reason = _reason(table, rule, finding)
    return GateVerdict(
        id=f"data.{table}",
        kind=KEY,
        metric=None,
        rule=rule.id,
        bar=rule.high if rule.low is None else rule.low,
        slice=None,
        by=None,
        groups=None,
        n=finding.rows if finding else 0,
        verdict=verdict,
        code=code,
        reason=reason,
        candidate=None,
        champion=None,
        difference=None,
        detectable=None,
        method=None,
    )


def _reason(table: str, rule: ContractRule, finding: Finding) -> str:
    share = finding.count / finding.rows if finding.rows else 0.0
    examples = f", such as {', '.join(finding.examples)}" if finding.examples else ""
    bounds = " and ".join(
        f"{word} {percent(bound) if rule.share else bar_text(bound)}"
        for word, bound in (("at least", rule.low), ("at most", rule.high))
        if bound is not None
    )
    if rule.keyword == "rows":
        return f"{table} has {rows(finding.count)}; the contract asks for {bounds}"
    if rule.keyword == "required":
        return f"{table} {'lacks' if finding.count else 'has'} the column {rule.columns[0]}"
    if rule.share:
        what = "is missing" if rule.keyword == "nulls" else f"is {rule.value}"
        found = f"{number(share * 100)} % of {rows(finding.rows)}"
        return f"{table}: {rule.columns[0]} {what} in {found}; the contract allows {bounds}"
    broken = (
        f"{rows(finding.count)} of {finding.rows:,} break it ({number(share * 100)} %)" if finding.count else "kept"
    )
    return f"{table}: {rule.id}{_told(rule)}: {broken}{examples}"


def _told(rule: ContractRule) -> str:
    return "" if rule.value is None else f" {rule.value}"
