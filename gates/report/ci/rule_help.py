"""Say what each kind of rule asks and what to do about it, for collectors that explain a rule beside its finding."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleHelp:
    """What a kind of rule asks, in a sentence or two, and what to do about it."""

    asks: str
    full: str
    help: str


_INTERVAL = "It fails if its whole interval misses the limit, and is inconclusive if the limit lies inside."
_METRIC = (
    "`report.md` shows the interval: more rows make it narrower, another model moves it. To accept the verdict for a "
    "while, `gates waive --gate RULE --reason … --until …` records who accepts it and why."
)
_COMPARED = f"Both are scored on the same rows and compared in pairs. {_INTERVAL}"
RULES = {
    "min": RuleHelp(
        asks="at least its limit", full=f"The metric must be at least the limit. {_INTERVAL}", help=_METRIC
    ),
    "max": RuleHelp(asks="at most its limit", full=f"The metric must be at most the limit. {_INTERVAL}", help=_METRIC),
    "max_worsening": RuleHelp(
        asks="not worse than the champion by more than its limit",
        full=f"The candidate may be worse than the champion by at most the limit. {_COMPARED}",
        help=_METRIC,
    ),
    "min_improvement": RuleHelp(
        asks="better than the champion by at least its limit",
        full=f"The candidate must be better than the champion by at least the limit. {_COMPARED}",
        help=_METRIC,
    ),
    "suspicious_gain": RuleHelp(
        asks="not better than the champion by more than is believable",
        full=f"A candidate that is better by more than the limit has probably seen the labels. {_COMPARED}",
        help="Look for a column that gives the label away, and for holdout rows in the training data. " + _METRIC,
    ),
}
KINDS = {
    "data": RuleHelp(
        asks="a rule of the data contract",
        full="The table must keep this rule of the contract.",
        help="Fix the table, or change the rule in the contract. `gates data` checks one table without a training.",
    ),
    "require": RuleHelp(
        asks="an expression that must hold",
        full="The expression over the facts of a run must be true.",
        help="Look at the facts that the expression names; `gates check --explain` prints the policy in full.",
    ),
}
STOPPED = RuleHelp(
    asks="the run could be judged",
    full="The run stopped before anything was judged.",
    help="Fix what the message names, and run `gates run` again. `gates check` reports every mistake of the policy.",
)
_ANY = RuleHelp(asks="a rule of the policy", full="The rule must hold.", help=_METRIC)


def about_rule(kind: str, rule: str) -> RuleHelp:
    """Return what a rule of a kind of gate asks."""
    return KINDS.get(kind) or RULES.get(rule, _ANY)
