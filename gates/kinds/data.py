"""The tables must keep the contract: every rule of it is judged on every table named."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf, isfinite
from typing import Literal

from gates.asks import Named, one
from gates.canonical import settled
from gates.contract.rules import NONE, Bounds, share
from gates.contract.rules import Rule as ContractRule
from gates.decision import Code, GateVerdict, Verdict
from gates.evidence import Evidence, Finding
from gates.fields import declare
from gates.kinds.protocol import Mistake, Needs, Terms
from gates.words import bar_text, percent, rows

KEY = "data"

EXAMPLES = ("data: [train, holdout]\n", "data: holdout\n")


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """Tables held to the contract. Implied for all tables where `data.contract` is set."""

    data: tuple[Literal["train", "holdout"], ...] = declare("The tables.", single=True, minItems=1)


def name(rule: Rule) -> str:
    """``data train, holdout``."""
    return f"data {', '.join(rule.data)}"


def asks(rule: Rule) -> Iterator[Named]:
    """Each table on its own, however the gates are written."""
    for table in rule.data:
        yield from one(f"data({table})")


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
            if table in held.tables and (held.beside != "train" or any(one.name == "train" for one in evidence.tables)):
                yield _verdict(table, held, found.get((table, held.id)))


def _verdict(table: str, rule: ContractRule, finding: Finding | None) -> GateVerdict:
    value = None if finding is None else settled(rule.held(finding))
    bounds = rule.bounds
    if finding is None or value is None:
        verdict, code, reason = Verdict.ERROR, Code.NOT_MEASURED, f"{table}: {rule.id} was not counted"
    else:
        reason = _reason(table, rule, finding, value)
        if not isfinite(value):
            verdict, code = Verdict.ERROR, Code.NOT_FINITE
        elif bounds.keep(value):
            verdict, code = Verdict.PASS, Code.WITHIN_BAR
        elif rule.severity == "warn":
            verdict, code = Verdict.PASS, Code.WARNED
        else:
            verdict, code = Verdict.FAIL, Code.BELOW_BAR if value < bounds.low else Code.ABOVE_BAR
    bar = bounds.low if isfinite(bounds.low) and (value is None or value < bounds.low) else bounds.high
    return GateVerdict(
        id=f"data.{table}",
        kind=KEY,
        metric=None,
        rule=rule.id,
        bar=bar if isfinite(bar) else bounds.low,
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


def _reason(table: str, rule: ContractRule, finding: Finding, value: float) -> str:
    warned = " (only warned of)" if rule.severity == "warn" and not rule.bounds.keep(value) else ""
    return f"{table}: {_breaking(rule, finding) if _counts_breaking(rule) else _level(rule, finding, value)}{warned}"


def _counts_breaking(rule: ContractRule) -> bool:
    """Whether the rows counted are those that break the rule, rather than a level that is held."""
    return (rule.value is None and rule.example is not None) or rule.bounds == NONE


def _breaking(rule: ContractRule, finding: Finding) -> str:
    if not finding.count:
        return f"{rule.id} ({rule.asks}) holds in all {rows(finding.rows)}"
    examples = f", such as {', '.join(finding.examples)}" if finding.examples else ""
    allowed = f"; {_bounds(rule.bounds)} allowed" if rule.bounds != NONE else ""
    found = f"{finding.count:,} of {rows(finding.rows)} ({percent(share(finding))})"
    return f"{rule.id} ({rule.asks}) is broken in {found}{examples}{allowed}"


def _level(rule: ContractRule, finding: Finding, value: float) -> str:
    told = f"{percent(value)} of {rows(finding.rows)}" if rule.bounds.share else f"{value:,.6g}"
    return f"{rule.asks}: {told}; asked for is {_bounds(rule.bounds)}"


def _bounds(bounds: Bounds) -> str:
    ends = (("at least", bounds.low), ("at most", bounds.high))
    trivial = (0, -inf, inf) if not bounds.share else (0, -inf, inf, 1)
    told = [
        f"{word} {percent(end) if bounds.share else bar_text(end)}"
        for word, end in ends
        if isfinite(end) and not (word == "at least" and end in trivial)
    ]
    return " and ".join(told) or "anything"
