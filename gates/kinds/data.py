"""The tables must keep the contract: every rule of it is judged on every named table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import inf, isfinite
from typing import Literal

from gates.contract.rules.contract_rule import NONE, AllowedRange, ContractRule, share
from gates.documents.decision import Code, Estimate, GateVerdict, Verdict
from gates.documents.evidence import Evidence, Finding
from gates.documents.printed.diff import Named, one
from gates.kinds.metric.comparison import outcome
from gates.kinds.protocol import GateContext, GateMistake, Needs
from gates.schema.canonical import settled
from gates.schema.fields import declare
from gates.stats.drift import EXPECTED, Distance
from gates.wording import limit_text, number, percent, rows

KEY = "data"
TIMES = (2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 50, 100, 200, 500, 1000)  # the rows, that may settle a question

EXAMPLES = ("data: [train, holdout]\n", "data: holdout\n")


@dataclass(frozen=True, kw_only=True, slots=True)
class DataRule:
    """Tables held to the contract. Implied for all tables where `data.contract` is set."""

    data: tuple[Literal["train", "holdout"], ...] = declare("The tables.", single=True, minItems=1)


RULE = DataRule


def name(rule: DataRule) -> str:
    """Name the gate: ``data train, holdout``."""
    return f"data {', '.join(rule.data)}"


def asks(rule: DataRule) -> Iterator[Named]:
    """Yield each table on its own, however the gates are written."""
    for table in rule.data:
        yield from one(f"data({table})")


def mistakes(rule: DataRule, terms: GateContext) -> Iterator[GateMistake]:
    """Yield a gate on a contract that the policy does not name."""
    if terms.contract is None:
        yield GateMistake(path=("data",), what="the policy has no contract; name one under data.contract")
    for table in rule.data:
        if table not in terms.tables:
            yield GateMistake(path=("data",), what=f"the policy has no table {table}; name one under data.{table}")


def needs(rule: DataRule, terms: GateContext) -> Needs:  # noqa: ARG001 -- the shape all kinds share
    """Return nothing of the models: the contract's counts are always made."""
    return Needs()


def judge(rule: DataRule, evidence: Evidence, terms: GateContext) -> Iterator[GateVerdict]:
    """Yield one verdict a rule and table; a rule that was not counted is an error, never a pass."""
    assert terms.contract is not None  # noqa: S101 -- ``mistakes`` refuses a policy without one
    findings = {(finding.table, finding.rule): finding for finding in evidence.findings}
    for table in rule.data:
        if not any(one.name == table for one in evidence.tables):
            continue
        for contract_rule in terms.contract.rules:
            if table in contract_rule.tables and (
                contract_rule.beside != "train" or any(one.name == "train" for one in evidence.tables)
            ):
                yield judged_rule(table, contract_rule, findings.get((table, contract_rule.id)), terms)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Outcome:
    """What became of one rule, before anybody asks how severe it is."""

    verdict: Verdict
    code: Code
    reason: str
    value: float | None = None
    judged: Estimate | None = None


def judged_rule(table: str, rule: ContractRule, finding: Finding | None, terms: GateContext) -> GateVerdict:
    """Return the verdict of one rule on one table; of one that was not counted, an error."""
    if finding is None:
        rule_outcome = _Outcome(verdict=Verdict.ERROR, code=Code.NOT_MEASURED, reason=f"{rule.id} was not counted")
    else:
        rule_outcome = _held(rule, finding, terms)
    verdict, code, reason, bounds = rule_outcome.verdict, rule_outcome.code, rule_outcome.reason, rule.bounds
    if rule.severity == "warn" and verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE):
        verdict, code, reason = Verdict.PASS, Code.WARNED, f"{reason} (warning only)"
    low = isfinite(bounds.low) and (rule_outcome.value is None or rule_outcome.value < settled(bounds.low))
    limit = bounds.low if low else bounds.high
    return GateVerdict.without_metric(
        id=f"data.{table}",
        kind=KEY,
        rule=rule.id,
        verdict=verdict,
        code=code,
        reason=f"{table}: {reason}",
        bar=limit if isfinite(limit) else bounds.low,
        n=finding.rows if finding else 0,
        candidate=rule_outcome.judged,
    )


def _held(rule: ContractRule, finding: Finding, terms: GateContext) -> _Outcome:
    if rule.distance:
        return _far(rule, rule.distance(finding), finding, terms)
    if rule.judge:
        code, reason = rule.judge(finding)
        return _Outcome(verdict=Verdict.PASS if code is Code.WITHIN_BAR else Verdict.FAIL, code=code, reason=reason)
    return _counted(rule, finding)


def _counted(rule: ContractRule, finding: Finding) -> _Outcome:
    """Return a number of rows, or their share, within its bounds or not."""
    value, bounds = settled(rule.held(finding)), _settled_ends(rule.bounds)
    if not isfinite(value):
        verdict, code = Verdict.ERROR, Code.NOT_FINITE
    elif bounds.keep(value):
        verdict, code = Verdict.PASS, Code.WITHIN_BAR
    else:
        verdict, code = Verdict.FAIL, Code.BELOW_BAR if value < bounds.low else Code.ABOVE_BAR
    reason = _breaking(rule, finding) if _counts_breaking(rule) else _level(rule, finding, value)
    return _Outcome(verdict=verdict, code=code, reason=reason, value=value)


def _settled_ends(bounds: AllowedRange) -> AllowedRange:
    """Round limits to as many digits as what is compared with them: 2 of 3 rows meet a limit of 0.6666666666666666."""
    return replace(bounds, low=settled(bounds.low), high=settled(bounds.high))


def _far(rule: ContractRule, distance: Distance, finding: Finding, terms: GateContext) -> _Outcome:
    """Return an estimated distance, whose bounds are held against the limit; at the policy's own confidence, as the
    tables' likeness says nothing about any model."""
    if distance.value is None:
        reason = f"{rule.asks} is undefined: one of the tables has no rows to compare"
        return _Outcome(verdict=Verdict.ERROR, code=Code.NOT_FINITE, reason=reason)
    value, limit = settled(distance.value), settled(rule.bounds.high)
    low, high = (settled(end) for end in distance.bounds(terms.stated, 1))
    judged = Estimate(value=value, low=low, high=high)
    verdict = outcome(-value, -high, -low, -limit)
    sure = f"({percent(terms.stated)} sure, {rows(finding.rows)})"
    if verdict is not Verdict.FAIL and distance.lumped:
        statement = (
            f"can't be determined from {rows(finding.rows)}: too many of them lie in bins of fewer than {EXPECTED} rows"
        )
        verdict, code = Verdict.INCONCLUSIVE, Code.TOO_FEW_ROWS
    elif verdict is Verdict.PASS:
        statement, code = f"is at most {number(high)} {sure}", Code.WITHIN_BAR
    elif verdict is Verdict.FAIL:
        statement, code = f"is at least {number(low)} {sure}", Code.ABOVE_BAR
    else:
        statement, code = (
            f"lies between {number(low)} and {number(high)} {sure}; {_settled(distance, limit, terms.stated)}",
            Code.ACROSS_BAR,
        )
    return _Outcome(
        verdict=verdict,
        code=code,
        reason=f"{rule.asks} {statement}; you allow {limit_text(rule.bounds.high)}",
        value=value,
        judged=judged,
    )


def _settled(distance: Distance, limit: float, confidence: float) -> str:
    """Tell how many times the rows would settle it, if both tables grow alike."""
    for times in TIMES:
        low, high = distance.bounds(confidence, times)
        if low > limit or high <= limit:
            return f"about {times:,} times the rows of both tables would settle it"
    return "no number of rows would settle it"


def _counts_breaking(rule: ContractRule) -> bool:
    """Tell whether the rows counted are those that break the rule, rather than a level that is held."""
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
    return f"{rule.asks}: {told}; expected {_bounds(rule.bounds)}"


def _bounds(bounds: AllowedRange) -> str:
    ends = (("at least", bounds.low), ("at most", bounds.high))
    trivial = (0, -inf, inf) if not bounds.share else (0, -inf, inf, 1)
    limits = [
        f"{word} {percent(end) if bounds.share else limit_text(end)}"
        for word, end in ends
        if isfinite(end) and not (word == "at least" and end in trivial)
    ]
    return " and ".join(limits) or "anything"
