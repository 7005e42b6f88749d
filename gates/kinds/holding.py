"""A subject held against its bar: the verdict, its numbers, and the sentence. Not a kind; kinds use it."""

from __future__ import annotations

from gates.canonical import settled
from gates.decision import Code, Estimate, Verdict
from gates.kinds.bars import BARS, outcome
from gates.kinds.protocol import Terms
from gates.kinds.subject import Held, Subject, by_text, groups_of
from gates.stats.power import detectable, rows_to_settle
from gates.stats.quantity import Quantity
from gates.words import Told, sentence


def hold(subject_: Subject, blame_confidence: float, terms: Terms, used: int = 0, searched: int | None = None) -> Held:
    """Judge: the side that clears at the policy's confidence, the side that blames at the corrected one.

    ``used``: how many decisions the holdout has made; past what it is good for nothing it clears is a pass.
    ``searched``: of how many slices this one was found; it may be blamed, but what is undecided is nothing found.
    """
    value = settled(subject_.judged.value or 0.0)
    low, _ = subject_.oriented(terms.confidence)
    _, high = subject_.oriented(blame_confidence)
    oriented = Estimate(value=subject_.sign * value, low=low, high=high)
    bar = BARS[subject_.rule]
    verdict = outcome(oriented.value, low, high, subject_.at, alarm=bar.alarm)
    code = {
        Verdict.PASS: Code.WITHIN_BAR,
        Verdict.INCONCLUSIVE: Code.ACROSS_BAR,
        Verdict.FAIL: bar.broken,
        Verdict.ERROR: Code.NOT_FINITE,
    }[verdict]
    if searched is not None and verdict in (Verdict.PASS, Verdict.INCONCLUSIVE):
        verdict, code = Verdict.PASS, Code.NOTHING_FOUND
    judged = oriented if subject_.sign > 0 else Estimate(value=value, low=-high, high=-low)
    reason = _reason(subject_, judged, oriented, code, blame_confidence, terms, searched)
    if verdict is Verdict.PASS and terms.reuse is not None and used >= terms.reuse:
        verdict, code = Verdict.INCONCLUSIVE, Code.HOLDOUT_SPENT
        reason += (
            f"; but this holdout has decided {used:,} of the {terms.reuse:,} times it is good for: take fresh rows"
        )
    return Held(
        verdict=verdict,
        code=code,
        reason=reason,
        candidate=_estimate(subject_.candidate, terms) if bar.compares else judged,
        champion=_estimate(subject_.champion, terms),
        difference=judged if bar.compares else _estimate(subject_.difference, terms),
        groups=groups_of(subject_),
        detectable=settled(_detectable(oriented, terms)),
        method=subject_.judged.method,
        training=None if subject_.judged.training is None else settled(subject_.judged.training),
        searched=searched,
    )


def _detectable(oriented: Estimate, terms: Terms) -> float:
    return detectable(oriented.value - oriented.low, terms.confidence)


def _reason(
    subject_: Subject,
    judged: Estimate,
    oriented: Estimate,
    code: Code,
    blame_confidence: float,
    terms: Terms,
    searched: int | None,
) -> str:
    if code is Code.NOT_FINITE:
        return f"{subject_.metric.name} is not a finite number"
    found, n = _detectable(oriented, terms), subject_.n
    return sentence(
        Told(
            metric=subject_.metric.name,
            key=subject_.key,
            by=by_text(subject_.part) if subject_.metric.grouped else None,
            rule=subject_.rule,
            bar=subject_.bar,
            judged=judged,
            oriented=oriented,
            code=code,
            n=n,
            noun=subject_.noun,
            confidence=terms.stated,
            corrected=code is BARS[subject_.rule].broken and blame_confidence > terms.confidence,
            searched=searched,
            charged=terms.reuse,
            champion=subject_.champion_name,
            points=subject_.metric.points,
            detectable=found,
            settle=_settle(subject_, oriented, n, blame_confidence, terms),
            training=subject_.judged.training,
        )
    )


def _settle(subject_: Subject, oriented: Estimate, n: int, blame_confidence: float, terms: Terms) -> int | None:
    """How many would settle it. Where these could not reveal a loss as large as the margin: how many could.
    Where they could, what was seen lies too near the bar, and only rows that tell the two apart would do."""
    found = _detectable(oriented, terms)
    if subject_.rule == "max_worsening" and found > subject_.bar:
        return rows_to_settle(n, found, subject_.bar)
    # what leans towards blame needs the corrected confidence; of a lopsided interval the wider half tells the error
    confidence = blame_confidence if oriented.value < subject_.at else terms.confidence
    low, high = subject_.oriented(confidence)
    found = detectable(max(oriented.value - low, high - oriented.value), confidence)
    rows = rows_to_settle(n, found, abs(oriented.value - subject_.at))
    return None if rows is None else max(rows, n)


def _estimate(quantity: Quantity | None, terms: Terms) -> Estimate | None:
    if quantity is None or quantity.value is None:
        return None
    low, high = quantity.bounds(terms.confidence)
    return Estimate(value=settled(quantity.value), low=settled(low), high=settled(high))
