"""Judge a subject by its limit: the verdict, its numbers, and the sentence. Not a kind; kinds use it."""

from __future__ import annotations

from math import isfinite, sqrt

from gates.documents.decision import Code, Estimate, Verdict
from gates.kinds.metric.comparison import COMPARISONS, outcome
from gates.kinds.metric.sentences import SentenceFacts, sentence, subject
from gates.kinds.metric.subject import JudgedPart, RuleOutcome, by_text, groups_of
from gates.kinds.protocol import GateContext
from gates.schema.canonical import settled
from gates.stats.power import HOPELESS, detectable, rows_to_settle
from gates.stats.quantity import Found, Quantity
from gates.wording import Hopeless


def hold(
    subject_: JudgedPart, blame_confidence: float, terms: GateContext, used: int = 0, searched: int | None = None
) -> RuleOutcome:
    """Judge: the side that clears at the policy's confidence, the side that blames at the corrected one.

    ``used``: how many decisions the holdout has made; past what it is good for nothing it clears is a pass.
    ``searched``: of how many slices this one was found; it may be blamed, but what is undecided is nothing found.
    """
    value = settled(subject_.judged.value)
    low, high = subject_.oriented(terms.confidence)[0], subject_.blaming(blame_confidence)
    oriented = Estimate(value=subject_.sign * value, low=low, high=high)
    how = COMPARISONS[subject_.rule]
    verdict = outcome(oriented.value, low, high, subject_.at, alarm=how.alarm)
    code = {
        Verdict.PASS: Code.WITHIN_BAR,
        Verdict.INCONCLUSIVE: Code.ACROSS_BAR,
        Verdict.FAIL: how.broken,
        Verdict.ERROR: Code.NOT_FINITE,
    }[verdict]
    if searched is not None and verdict in (Verdict.PASS, Verdict.INCONCLUSIVE):
        verdict, code = Verdict.PASS, Code.NOTHING_FOUND
    if verdict is Verdict.INCONCLUSIVE and not (isfinite(low) and isfinite(high)):
        code = Code.TOO_FEW_ROWS
    judged = oriented if subject_.sign > 0 else Estimate(value=value, low=-high, high=-low)
    revealed = _detectable(oriented, terms)
    head, notes = _reason(subject_, judged, oriented, code, blame_confidence, terms, searched, revealed)
    notes += (subject_.left,) if subject_.left else ()
    if verdict is Verdict.PASS and terms.reuse is not None and used >= terms.reuse:
        verdict, code = Verdict.INCONCLUSIVE, Code.HOLDOUT_SPENT
        spent = f"but this holdout has decided {used:,} of the {terms.reuse:,} times it is good for: use fresh rows"
        notes = (*notes, spent)
    return RuleOutcome(
        verdict=verdict,
        code=code,
        reason="; ".join([head, *notes]),
        notes=notes,
        candidate=estimate_of(subject_.candidate, terms) if how.compares else _bounded(judged),
        champion=estimate_of(subject_.champion, terms),
        difference=_bounded(judged) if how.compares else estimate_of(subject_.difference, terms),
        groups=groups_of(subject_.metric, subject_.part, subject_.candidate),
        detectable=revealed,
        method=subject_.judged.method,
        training=None if subject_.judged.training is None else settled(subject_.judged.training.share),
        searched=searched,
    )


def _detectable(oriented: Estimate, terms: GateContext) -> float | None:
    """Return the smallest difference that the rows can show; None where nothing bounds it on that side."""
    half = oriented.value - oriented.low
    return settled(detectable(half, terms.confidence)) if isfinite(half) else None


def _reason(
    subject_: JudgedPart,
    judged: Estimate,
    oriented: Estimate,
    code: Code,
    blame_confidence: float,
    terms: GateContext,
    searched: int | None,
    revealed: float | None,
) -> tuple[str, tuple[str, ...]]:
    if code is Code.NOT_FINITE:
        by = by_text(subject_.part) if subject_.metric.grouped else None
        return f"{subject(subject_.metric.name, subject_.key, by)} is not a finite number", ()
    undecided = code is Code.ACROSS_BAR  # of nothing else it is told what would settle it
    settle = _settle(subject_, oriented, blame_confidence, terms) if undecided else Hopeless.AT_BAR
    training = subject_.judged.training
    return sentence(
        SentenceFacts(
            metric=subject_.metric.name,
            key=subject_.key,
            by=by_text(subject_.part) if subject_.metric.grouped else None,
            rule=subject_.rule,
            limit=subject_.limit,
            judged=judged,
            oriented=oriented,
            code=code,
            n=subject_.n,
            noun=subject_.noun,
            confidence=terms.stated,
            corrected=code is COMPARISONS[subject_.rule].broken and blame_confidence > terms.confidence,
            searched=searched,
            charged=terms.reuse,
            champion=subject_.champion_name,
            points=subject_.metric.points,
            detectable=revealed,
            settle=settle,
            training=None if training is None else training.share,
        )
    )


def _settle(subject_: JudgedPart, oriented: Estimate, blame_confidence: float, terms: GateContext) -> int | Hopeless:
    """Tell how many rows would settle it, were the value to stay where it is; or why no number of them would."""
    # what leans towards blame needs the corrected confidence; the wider half of a skewed interval gives the error
    confidence = blame_confidence if oriented.value < subject_.at else terms.confidence
    low, high = subject_.oriented(confidence)
    half, distance = max(oriented.value - low, high - oriented.value), abs(oriented.value - subject_.at)
    if not isfinite(half):
        return Hopeless.AT_BAR
    training = subject_.judged.training
    always = detectable(training.half(confidence), confidence) if training else 0.0
    if training and always >= distance and detectable(half, confidence) < distance * sqrt(HOPELESS):
        return Hopeless.TRAINING
    return rows_to_settle(subject_.n, detectable(half, confidence), distance, always) or Hopeless.AT_BAR


def estimate_of(quantity: Found | None, terms: GateContext) -> Estimate | None:
    """Return a quantity with its bounds; None where it is not known or has none."""
    if not isinstance(quantity, Quantity):
        return None
    low, high = quantity.bounds(terms.confidence)
    return _bounded(Estimate(value=settled(quantity.value), low=settled(low), high=settled(high)))


def _bounded(estimate: Estimate) -> Estimate | None:
    """Return an estimate that has bounds, or None: no document holds infinite ones."""
    return estimate if isfinite(estimate.low) and isfinite(estimate.high) else None
