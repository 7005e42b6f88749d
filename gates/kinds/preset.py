"""A well-known rule by its name, for those it applies to. Never a default.

`four_fifths`: the smallest group's share called positive is at least four fifths of the largest group's, that is
`demographic_parity_ratio` with `min: 0.8`. Source: 29 CFR 1607.4(D), the Uniform Guidelines on Employee Selection
Procedures of the United States, where it is a rule of thumb that evidence of adverse impact starts from: of selection
for employment, and no proof of fairness.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from gates.documents.decision import GateVerdict
from gates.documents.evidence import Evidence
from gates.documents.printed.diff import Named, one
from gates.kinds import metric
from gates.kinds.metric.rule import MetricRule
from gates.kinds.protocol import GateContext, GateMistake, Needs
from gates.schema.fields import declare

KEY = "preset"

EXAMPLES = ("preset: four_fifths\nby: sex\n", "preset: four_fifths\nby: [sex, age_group]\n")

_MEANS: Mapping[str, MetricRule] = {"four_fifths": MetricRule(metric="demographic_parity_ratio", min=0.8)}


@dataclass(frozen=True, kw_only=True, slots=True)
class PresetRule:
    """A named rule over the groups of a column."""

    preset: Literal["four_fifths"] = declare("Its name.")
    by: tuple[str, ...] = declare("Sensitive column; several columns are crossed.", single=True, minItems=1)


RULE = PresetRule


def means(rule: PresetRule) -> MetricRule:
    """Return the rule of a metric that it stands for."""
    return replace(_MEANS[rule.preset], by=rule.by)


def name(rule: PresetRule) -> str:
    """Name the gate: ``four_fifths by sex``."""
    return f"{rule.preset} by {' * '.join(rule.by)}"


def asks(rule: PresetRule) -> Iterator[Named]:
    """Yield the preset itself: there is nothing about it to weaken."""
    yield from one(name(rule))


def mistakes(rule: PresetRule, terms: GateContext) -> Iterator[GateMistake]:
    """Yield those of what it stands for."""
    for mistake in metric.mistakes(means(rule), terms):
        yield replace(mistake, path=mistake.path if mistake.path == ("by",) else (KEY,))


def needs(rule: PresetRule, terms: GateContext) -> Needs:
    """Return those of what it stands for."""
    return metric.needs(means(rule), terms)


def judge(rule: PresetRule, evidence: Evidence, terms: GateContext) -> Iterator[GateVerdict]:
    """Yield its verdicts under its own name."""
    for verdict in metric.judge(means(rule), evidence, terms):
        yield replace(verdict, id=name(rule), kind=KEY)
