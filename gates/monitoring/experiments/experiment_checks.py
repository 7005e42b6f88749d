"""Check what must be so before the log of an experiment says anything about a model. What is wrong is never a pass."""

from __future__ import annotations

from collections.abc import Iterator

from gates.documents.decision import Code, GateVerdict, Verdict
from gates.documents.live.experiment_decision import ExperimentDecision
from gates.documents.live.experiment_evidence import ExperimentEvidence
from gates.policy.experiment_section import Experiment
from gates.stats.experiments.sample_ratio import is_broken
from gates.wording import Noun, counted, percent, plural

GATE = "experiment"  # the name of these checks
UNIT: Noun = ("unit", "units")
OTHER = 0.001  # share of units that may be in another arm than their hash says
BOTH = 0.01  # that may be in both arms
BEFORE = 0.01  # that may have an outcome just before their exposure, whatever comes after it
REPEATED = 0.01  # share of outcomes that may repeat another one
NAMED = 3  # arms that a sentence names


def log_checks(
    evidence: ExperimentEvidence, experiment: Experiment, before: ExperimentDecision | None
) -> Iterator[GateVerdict]:
    """Yield each check of the log. After the first error nothing else is shown: no effect, no other check."""
    for verdict in _all(evidence, experiment, before):
        yield verdict
        if verdict.verdict is Verdict.ERROR:
            return


def _all(
    evidence: ExperimentEvidence, experiment: Experiment, before: ExperimentDecision | None
) -> Iterator[GateVerdict]:
    if evidence.unreadable is not None:
        code = Code.MISSING_COLUMN if evidence.lacking else Code.COULD_NOT_JUDGE
        yield _check("rows", Verdict.ERROR, code, evidence.unreadable)
        return
    yield _arms(evidence)
    yield _rows(evidence, before)
    yield _assignment(evidence)
    yield _crossover(evidence)
    yield _times(evidence)
    yield _duplicates(evidence)
    yield _ratio(evidence, experiment)


def _check(rule: str, verdict: Verdict, code: Code, reason: str, n: int = 0) -> GateVerdict:
    return GateVerdict.without_metric(id=GATE, kind=GATE, rule=rule, verdict=verdict, code=code, reason=reason, n=n)


def _held(rule: str, reason: str, n: int) -> GateVerdict:
    return _check(rule, Verdict.PASS, Code.WITHIN_BAR, reason, n)


def _arms(evidence: ExperimentEvidence) -> GateVerdict:
    units = evidence.exposed
    if evidence.invented:
        named = ", ".join(f"{arm.digest[:19] or 'no model'} ({_units(arm.units)})" for arm in evidence.invented[:NAMED])
        more = len(evidence.invented) - NAMED
        also = f" and {counted(more, 'other')}" if more > 0 else ""
        what = f"exposures name arms that this experiment does not have: {named}{also}"
        return _check("arms", Verdict.ERROR, Code.UNKNOWN_ARM, what, units)
    return _held("arms", "every exposure is to one of the two models", units)


def _rows(evidence: ExperimentEvidence, before: ExperimentDecision | None) -> GateVerdict:
    empty = [arm.arm for arm in evidence.arms if not arm.exposed]
    if empty or not evidence.arms:
        left = evidence.both + evidence.other
        beside = f"; {_units(left)} are in no arm for certain" if left else ""
        what = f"nobody was exposed to the {' or the '.join(empty) or 'models'} since the start{beside}"
        return _check("rows", Verdict.ERROR, Code.NO_ROWS, what)
    if before is not None and evidence.earlier + evidence.both + evidence.other < before.exposed:
        what = f"{_units(before.exposed)} had been exposed at the look before, and the log now has only "
        return _check("rows", Verdict.ERROR, Code.ROWS_LOST, f"{what}{evidence.earlier:,} of them")
    return _held("rows", f"{_units(evidence.exposed)} were exposed", evidence.exposed)


def _assignment(evidence: ExperimentEvidence) -> GateVerdict:
    units = evidence.exposed + evidence.other
    if evidence.other <= OTHER * units:
        return _held("assignment", _left_out(evidence.other, "in another arm than their hash says"), units)
    what = f"{percent(round(evidence.other / units, 4))} of units are in another arm than their hash says"
    reused = next((salt for salt in evidence.salts if salt.other <= OTHER * units), None)
    if reused is not None:
        what += f", and in the one that the salt of an earlier experiment says ({reused.record[:19]})"
        return _check("assignment", Verdict.ERROR, Code.SALT_REUSED, f"{what}: it is used again", units)
    return _check("assignment", Verdict.ERROR, Code.ASSIGNMENT, f"{what}; at most {percent(OTHER)} may be", units)


def _crossover(evidence: ExperimentEvidence) -> GateVerdict:
    units = evidence.exposed + evidence.other + evidence.both
    if evidence.both <= BOTH * units:
        return _held("crossover", _left_out(evidence.both, "exposed to both models"), units)
    what = f"{percent(round(evidence.both / units, 4))} of units were exposed to both models; at most {percent(BOTH)}"
    return _check("crossover", Verdict.ERROR, Code.CROSSOVER, f"{what} may be", units)


def _times(evidence: ExperimentEvidence) -> GateVerdict:
    closed, before, after = evidence.closed, evidence.backwards, evidence.forwards
    if before > BEFORE * closed and before > 2 * after:
        what = (
            f"{_units(before)} have an outcome in the day before their first exposure, and {after:,} in the day after"
        )
        return _check("times", Verdict.ERROR, Code.TIME_BACKWARDS, f"{what}: exposures are logged too late", closed)
    return _held("times", "outcomes follow exposures", closed)


def _duplicates(evidence: ExperimentEvidence) -> GateVerdict:
    rows, repeated = evidence.outcomes, evidence.duplicates
    if repeated > REPEATED * rows:
        what = f"{percent(round(repeated / rows, 4))} of outcomes repeat another one in every column"
        hint = "the log was delivered twice, or lacks a column that tells its rows apart"
        return _check("outcomes", Verdict.ERROR, Code.DUPLICATES, f"{what}: {hint}", rows)
    told = plural(repeated, "outcome repeats", "outcomes repeat") if repeated else "no outcome repeats"
    return _held("outcomes", f"{told} another one", rows)


def _ratio(evidence: ExperimentEvidence, experiment: Experiment) -> GateVerdict:
    counts = [arm.exposed for arm in evidence.arms]
    shares = experiment.shares
    fell = " : ".join(f"{count:,}" for count in counts)
    if is_broken(counts, shares):
        asked = " : ".join(percent(round(share, 4)) for share in shares)
        what = f"units fell into the arms {fell}, of {asked} planned, which is no chance: one arm loses units"
        return _check("shares", Verdict.ERROR, Code.SAMPLE_RATIO, what, sum(counts))
    return _held("shares", f"units fell into the arms {fell}, as planned", sum(counts))


def _left_out(units: int, why: str) -> str:
    return f"{_units(units)} {'is' if units == 1 else 'are'} left out, {why}" if units else f"no unit is {why}"


def _units(units: int) -> str:
    return plural(units, *UNIT)
