"""Holding a quantity against a bar: the rule of three verdicts. Not a kind; kinds use it.

With one-sided bounds L and U, oriented so that larger is better: L >= bar passes, U < bar fails, anything
else is inconclusive. Only finite numbers can pass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

from gates.canonical import settled
from gates.decision import Code, Estimate, Verdict
from gates.evidence import CANDIDATE, CHAMPION, Evidence, Slice
from gates.kinds.protocol import Terms
from gates.metrics import Metric
from gates.slices import key_text
from gates.stats.power import detectable, rows_to_settle
from gates.stats.quantity import Quantity
from gates.stats.seeds import pooled
from gates.words import Told, rows, sentence, subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """How one rule reads: against the champion or not, which way is up, and where the oriented bar lies."""

    compares: bool
    sign: Callable[[int], int]  # of the metric's own direction
    at: Callable[[float], float]
    broken: Code
    alarm: bool = False  # silent while the value itself keeps the bar, however wide its bounds


BARS: Mapping[str, Bar] = {
    "min": Bar(compares=False, sign=lambda _: 1, at=lambda bar: bar, broken=Code.BELOW_BAR),
    "max": Bar(compares=False, sign=lambda _: -1, at=lambda bar: -bar, broken=Code.ABOVE_BAR),
    "max_worsening": Bar(compares=True, sign=lambda better: better, at=lambda bar: -bar, broken=Code.BELOW_BAR),
    "min_improvement": Bar(compares=True, sign=lambda better: better, at=lambda bar: bar, broken=Code.BELOW_BAR),
    "suspicious_gain": Bar(
        compares=True, sign=lambda better: -better, at=lambda bar: -bar, broken=Code.SUSPICIOUS, alarm=True
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The outcome of holding one subject against one bar; the statistics part of a ``GateVerdict``."""

    verdict: Verdict | None
    code: Code
    reason: str
    candidate: Estimate | None = None
    champion: Estimate | None = None
    difference: Estimate | None = None
    groups: dict[str, float | None] | None = None
    detectable: float | None = None
    method: str | None = None
    training: float | None = None
    searched: int | None = None


def absent(verdict: Verdict | None, code: Code, reason: str) -> Held:
    """An outcome without numbers."""
    return Held(verdict=verdict, code=code, reason=reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One metric on one part of the holdout, ready to be held against one bar."""

    metric: Metric
    rule: str
    bar: float
    part: Sequence[Slice]
    candidate: Quantity
    champion: Quantity | None
    difference: Quantity | None
    champion_name: str

    @classmethod
    def of(
        cls,
        metric: Metric,
        rule: str,
        bar: float,
        part: Sequence[Slice],
        evidence: Evidence,
        terms: Terms,
        rival: str = "champion",
    ) -> Subject | Held:
        """The subject, or at once the outcome where there is nothing to hold.

        ``rival``: what stands in the champion's place in the evidence.
        """
        candidate, champion = evidence.candidate, evidence.champion
        compares = BARS[rule].compares or metric.paired
        if candidate is None:
            return absent(None, Code.NOT_MEASURED, "the data stopped the run")
        if candidate.unscored:
            return absent(Verdict.ERROR, Code.DIFFERENT_ROWS, f"the candidate has no predictions: {candidate.unscored}")
        if compares and champion is None:
            return absent(None, Code.NO_CHAMPION, "no champion yet")
        if champion is not None and champion.unscored:
            if compares:
                why = f"{rival} v{champion.version} was not scored on the same rows: {champion.unscored}"
                return absent(Verdict.ERROR, Code.DIFFERENT_ROWS, why)
            champion = None
        if metric.statistic.form == "ranks" and any(one.ranks is None for one in part):
            return absent(Verdict.ERROR, Code.NO_SCORES, f"{metric.name} needs scores; only calls were predicted")
        n = sum(one.rows for one in part)
        if part and part[0].key and not metric.grouped and n < terms.min_rows:
            what = f"{key_text(part[0].key)} has {rows(n)}; min_rows asks for {terms.min_rows:,}"
            return absent(Verdict.INCONCLUSIVE, Code.TOO_FEW_ROWS, what)
        runs = evidence.trained(part)
        quantity = pooled([metric.level(run, CANDIDATE) for run in runs])
        before = metric.level(part, CHAMPION) if champion and not metric.paired else None
        change = pooled([metric.change(run) for run in runs]) if champion and metric.change else None
        made = cls(
            metric=metric,
            rule=rule,
            bar=bar,
            part=part,
            candidate=quantity,
            champion=before,
            difference=change,
            champion_name=f"{rival} v{champion.version}" if champion else "",
        )
        return made if made.judged.value is not None else _undefined(made)

    @property
    def judged(self) -> Quantity:
        """The quantity that the bar is about."""
        quantity = self.difference if BARS[self.rule].compares else self.candidate
        assert quantity is not None  # noqa: S101 -- ``mistakes`` refuses a comparison the metric lacks
        return quantity

    @property
    def sign(self) -> int:
        """+1 where larger is better for this bar."""
        return BARS[self.rule].sign(self.metric.better)

    @property
    def at(self) -> float:
        """The oriented bar."""
        return BARS[self.rule].at(self.bar)

    @property
    def key(self) -> dict[str, str | None] | None:
        """The slice's key; None for the whole holdout and for groups."""
        return dict(self.part[0].key) or None if not self.metric.grouped else None

    def oriented(self, confidence: float) -> tuple[float, float]:
        """Lower and upper bound with larger being better."""
        low, high = (settled(bound) for bound in self.judged.bounds(confidence))
        return (low, high) if self.sign > 0 else (-high, -low)

    @property
    def n(self) -> int:
        """Rows that it rests on."""
        return sum(one.rows for one in self.part)

    def blamed(self, confidence: float) -> bool:
        """Whether even the best bound at this confidence misses the bar."""
        return self.oriented(confidence)[1] < self.at


def outcome(value: float, low: float, high: float, bar: float, *, alarm: bool = False) -> Verdict:
    """The three-valued rule on oriented numbers; not-finite ones are an error, never a pass.

    An ``alarm`` passes where the value itself keeps the bar.
    """
    if not all(map(isfinite, (value, low, high, bar))):
        return Verdict.ERROR
    if low >= bar or (alarm and value >= bar):
        return Verdict.PASS
    return Verdict.FAIL if high < bar else Verdict.INCONCLUSIVE


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
        groups=_groups(subject_),
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
    """Rows that would settle it. Where these could not reveal a loss as large as the margin: how many could.
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


def by_text(part: Sequence[Slice]) -> str:
    """The sensitive columns of a family of groups."""
    return " * ".join(column for column, _ in part[0].key)


def _estimate(quantity: Quantity | None, terms: Terms) -> Estimate | None:
    if quantity is None or quantity.value is None:
        return None
    low, high = quantity.bounds(terms.confidence)
    return Estimate(value=settled(quantity.value), low=settled(low), high=settled(high))


def _groups(subject_: Subject) -> dict[str, float | None] | None:
    if not subject_.metric.grouped:
        return None
    values = subject_.candidate.parts
    return {
        key_text(one.key): None if value is None else settled(value)
        for one, value in zip(subject_.part, values, strict=True)
    }


def _undefined(subject_: Subject) -> Held:
    """Undefined on the whole holdout is an error; within a slice or group there is too little to tell."""
    quantity = subject_.judged
    local = quantity.small or subject_.key is not None
    by = by_text(subject_.part) if subject_.metric.grouped and subject_.part else None
    what = subject(subject_.metric.name, subject_.key, by)
    return Held(
        verdict=Verdict.INCONCLUSIVE if local else Verdict.ERROR,
        code=Code.TOO_FEW_ROWS if local else Code.UNDEFINED,
        reason=f"{what} is undefined: {quantity.why}",
        groups=_groups(subject_),
    )
