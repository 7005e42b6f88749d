"""Compare the two arms of an experiment week by week of exposure: shown, not judged. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from gates.documents.live.experiment_evidence import ExperimentEvidence
from gates.documents.live.experiment_history import WeekDifference
from gates.monitoring.experiments.experiment_rules import LookTerms, judged_gate
from gates.policy.experiment_section import Experiment
from gates.stats.experiments.confidence_sequence import early


def week_differences(
    experiment: Experiment, confidence: float, evidence: ExperimentEvidence
) -> Iterator[WeekDifference]:
    """Yield each gate's difference of each week, with bounds as wide as those of a look with so few units."""
    for week in sorted({week.week for arm in evidence.arms for week in arm.weeks}):
        arms = tuple(replace(arm, weeks=tuple(one for one in arm.weeks if one.week == week)) for arm in evidence.arms)
        units = sum(arm.closed for arm in arms)
        terms = LookTerms(
            confidence=confidence,
            errors=early(max(1, units), experiment.units, confidence),
            planned=False,
            shares=experiment.shares,
            champion="the champion",
        )
        for gate in experiment.gates:
            judged = judged_gate(gate, arms, terms)
            yield WeekDifference(week=week, gate=gate.name, units=units, difference=judged.difference)
