"""Choose which searched slices are kept, and which of those may be blamed.

A search only blames. That no slice of all that there are is past the limit can't be shown by any holdout, as the small
ones say too little; so what is not blamed counts as nothing found. Blame must survive Holm's correction over all
slices that were searched, not over the kept ones: then it does not matter how these were chosen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import sqrt

from gates.documents.decision import Code, Verdict
from gates.documents.evidence import Evidence, Slice
from gates.documents.slices import AUTO, OVERALL
from gates.documents.statistic import Statistic
from gates.kinds.metric.subject import JudgedPart, RuleOutcome, absent, prepare
from gates.kinds.metric.verdict import hold
from gates.kinds.protocol import GateContext
from gates.metrics import Metric
from gates.stats.multiplicity import corrected, holm
from gates.wording import counted

KEPT = 5  # of one rule
_SHORTLIST = 40  # of one rule: those whose bounds are computed


def searchable(statistic: Statistic) -> bool:
    """Tell whether it is quick enough to be counted of thousands of slices."""
    return statistic.form != "computed"


def _all_at_once(one: JudgedPart, among: int) -> float:
    """Return the confidence at which every bound of ``among`` slices holds with the policy's."""
    return corrected(one.confidence, max(1, among), exact=one.judged.exact)


def suspects(
    metric: Metric, rule: str, limit: float, slices: Sequence[Slice], evidence: Evidence, terms: GateContext
) -> list[Slice]:
    """Return the few slices, of all that are searched, that come nearest to being blamed under a rule."""
    prepared = [prepare(metric, rule, limit, [part], evidence, terms) for part in slices]
    subjects = [one.judged for one in prepared if one.judged]
    subjects.sort(key=lambda one: (one.sign * one.judged.value - one.at) * sqrt(one.n))
    among = len(slices)
    nearest = sorted(subjects[:_SHORTLIST], key=lambda one: one.oriented(_all_at_once(one, among))[1] - one.at)
    return [one.part[0] for one in nearest[:KEPT]]


def judged(
    metric: Metric, rule: str, limit: float, evidence: Evidence, terms: GateContext, rival: str
) -> Iterator[tuple[Sequence[Slice], RuleOutcome]]:
    """Yield each found slice that is to blame; where none is, the one that comes nearest to it, which passes."""
    whole = evidence.along(OVERALL)
    first = prepare(metric, rule, limit, whole, evidence, terms, rival)
    if first.judged is None and first.outcome.code is not Code.UNDEFINED:
        yield whole, first.outcome  # no champion, no predictions: true of every slice
        return
    among = evidence.search.slices if evidence.search else 0
    prepared = [prepare(metric, rule, limit, [part], evidence, terms, rival) for part in evidence.along(AUTO)]
    subjects = [one.judged for one in prepared if one.judged]
    if not subjects:
        what = f"{metric.name} could be held against the limit in none of {counted(among, 'slice')} searched"
        yield whole, absent(Verdict.INCONCLUSIVE, Code.TOO_FEW_ROWS, what)
        return
    levels = holm([one.blamed for one in subjects], terms.confidence, among)
    blamed = [(one, level) for one, (fallen, level) in zip(subjects, levels, strict=True) if fallen]
    nearest = min(subjects, key=lambda one: one.oriented(_all_at_once(one, among))[1] - one.at)
    for one, level in blamed or [(nearest, 1 - (1 - terms.confidence) / max(1, among))]:
        told = replace(terms, confidence=_all_at_once(one, among))
        yield one.part, hold(one, level, told, evidence.used, among)
