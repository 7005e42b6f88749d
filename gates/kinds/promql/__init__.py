"""What a Prometheus says must lie within limits: a share of bad events, or an expression at one moment or at several.

The address is `PROMETHEUS_URL`, a token `PROMETHEUS_TOKEN`, both in the environment. What can't be known is never a
pass: no series, several of them, a value that is not finite and a target that died are errors.
"""

from __future__ import annotations

from collections.abc import Iterator

from gates.documents.decision import Code, GateVerdict, Verdict
from gates.documents.evidence import Evidence
from gates.documents.printed.diff import Named
from gates.documents.printed.diff import asks as fields_ask
from gates.kinds.promql.promql_expression import complaints
from gates.kinds.promql.promql_rule import KEY, PromqlRule
from gates.kinds.promql.promql_verdict import RuleAnswer, held, verdicts
from gates.kinds.protocol import GateContext, GateMistake, Needs

__all__ = ["EXAMPLES", "KEY", "RULE", "asks", "judge", "mistakes", "name", "needs", "rule_mistakes"]

EXAMPLES = (
    """promql:
  bad: sum(increase(http_requests_total{model="churn", code=~"5.."}[1h]))
  total: sum(increase(http_requests_total{model="churn"}[1h]))
max: 0.01
""",
    """promql: histogram_quantile(0.99, sum by (le) (rate(model_request_duration_seconds_bucket{model="churn"}[5m])))
max: 0.25
over: 1h
step: 5m
""",
)
_MOST_STEPS = 1000
RULE = PromqlRule


def name(rule: PromqlRule) -> str:
    """Name the gate: ``promql(up) over 1h by 5m``."""
    return rule.name


def asks(rule: PromqlRule) -> Iterator[Named]:
    """Yield its limits. Of two expressions it can't be determined which is stricter, so that one goes and another
    comes."""
    yield from fields_ask(rule, rule.name)


def mistakes(rule: PromqlRule, terms: GateContext) -> Iterator[GateMistake]:  # noqa: ARG001 -- the shape all share
    """Yield an expression that is no PromQL or says nothing, and limits that don't fit."""
    yield from rule_mistakes(rule)


def rule_mistakes(rule: PromqlRule) -> Iterator[GateMistake]:
    """Yield the same where no gate of a policy stands around the rule."""
    for path, text in rule.promql.texts:
        for what in complaints(text):
            yield GateMistake(path=path, what=what)
    yield from (_share_mistakes if rule.counts else _value_mistakes)(rule)


def _share_mistakes(rule: PromqlRule) -> Iterator[GateMistake]:
    for key in ("over", "step"):
        if getattr(rule, key) is not None:
            what = "can't go with bad and total: they count events, and a range such as [1h] says of how long"
            yield GateMistake(path=(key,), what=what)
    if rule.min is not None:
        yield GateMistake(path=("min",), what="can't go with bad and total: of bad events there is a max")
    if rule.max is None:
        yield GateMistake(path=(), what="has no limit; give it a max")
    elif not 0 < rule.max < 1:
        what = "must lie between 0 and 1, both excluded: no number of events shows that none is ever bad"
        yield GateMistake(path=("max",), what=what)


def _value_mistakes(rule: PromqlRule) -> Iterator[GateMistake]:
    if not rule.limits:
        yield GateMistake(path=(), what="has no limit; give it a min or a max")
    if rule.min is not None and rule.max is not None and rule.min > rule.max:
        yield GateMistake(path=("min",), what="is above max, so nothing could pass")
    (over, step), alone = rule.span, "over" if rule.step is None else "step"
    if (rule.over is None) != (rule.step is None):
        yield GateMistake(path=(alone,), what="over and step go together")
    elif rule.over is not None and (over % step or not 2 <= over // step <= _MOST_STEPS):
        yield GateMistake(path=("step",), what=f"must divide over into 2 to {_MOST_STEPS:,} steps")


def needs(rule: PromqlRule, terms: GateContext) -> Needs:  # noqa: ARG001 -- the shape all kinds share
    """Return what a Prometheus is to be asked; of the models nothing is counted."""
    return Needs(questions=frozenset(rule.questions))


def judge(rule: PromqlRule, evidence: Evidence, terms: GateContext) -> Iterator[GateVerdict]:
    """Yield a verdict for each limit; without a candidate nobody was asked."""
    if evidence.candidate is None:
        yield from verdicts(rule, RuleAnswer(verdict=None, code=Code.NOT_MEASURED, reason="the data stopped the run"))
    elif evidence.unasked is not None:
        what = f"no Prometheus was asked: {evidence.unasked}"
        yield from verdicts(rule, RuleAnswer(verdict=Verdict.ERROR, code=Code.NOT_MEASURED, reason=what))
    else:
        yield from held(rule, evidence.answers, terms.stated)  # what serves is no holdout that is used again
