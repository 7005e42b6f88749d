"""What a rule judges: one metric on one part of the holdout. Not a kind; kinds use it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gates.documents.decision import Code, Estimate, Verdict
from gates.documents.evidence import CANDIDATE, CHAMPION, Evidence, Slice
from gates.documents.slices import key_text
from gates.kinds.metric.comparison import COMPARISONS
from gates.kinds.metric.sentences import subject
from gates.kinds.protocol import GateContext
from gates.metrics import QUANTITIES, Metric
from gates.schema.canonical import settled
from gates.stats.multiplicity import corrected
from gates.stats.quantity import Found, Quantity, Undefined
from gates.stats.seeds import pooled
from gates.wording import QUERY, ROW, Noun, rows

MOST_LEFT = 5  # groups named in a sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleOutcome:
    """The outcome of holding one subject against one limit; the statistics part of a ``GateVerdict``."""

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
    notes: tuple[str, ...] = ()


def absent(verdict: Verdict | None, code: Code, reason: str) -> RuleOutcome:
    """Return an outcome without numbers."""
    return RuleOutcome(verdict=verdict, code=code, reason=reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedPart:
    """One metric on one part of the holdout, ready to be held against one limit."""

    metric: Metric
    rule: str
    limit: float
    part: Sequence[Slice]
    judged: Quantity  # what the limit is about
    candidate: Found
    champion: Found | None
    difference: Found | None
    champion_name: str
    confidence: float  # the policy's
    left: str = ""  # of a fairness gate: which groups are too small to be compared

    @property
    def sign(self) -> int:
        """+1 where larger is better for this rule."""
        return COMPARISONS[self.rule].sign(self.metric.better)

    @property
    def at(self) -> float:
        """The oriented limit, at as many digits as the bounds that are held against it."""
        return settled(COMPARISONS[self.rule].at(self.limit))

    @property
    def key(self) -> dict[str, str | None] | None:
        """The slice's key; None for the whole holdout and for groups."""
        return _key(self.metric, self.part)

    def oriented(self, confidence: float) -> tuple[float, float]:
        """Return the lower and upper bound, oriented so that larger is better."""
        low, high = (settled(bound) for bound in self.judged.bounds(confidence))
        return (low, high) if self.sign > 0 else (-high, -low)

    @property
    def noun(self) -> Noun:
        """What it is an average of: rows; of a ranking, queries."""
        statistic = self.metric.statistic
        return QUERY if statistic.form == "moments" and QUANTITIES[statistic.name].queries else ROW

    @property
    def n(self) -> int:
        """How many of them it rests on."""
        if self.noun is ROW:
            return sum(one.rows for one in self.part)
        held = (one.moments_of(self.metric.statistic) for one in self.part)
        return sum(one.rows for one in held if one)

    def blaming(self, confidence: float) -> float:
        """Return the bound on the blaming side at a confidence that is corrected for how many are judged: it lies so
        far out that one which isn't exact is asked for more."""
        if confidence <= self.confidence:
            return self.oriented(confidence)[1]
        return self.oriented(corrected(confidence, 1, exact=self.judged.exact))[1]

    def blamed(self, confidence: float) -> bool:
        """Tell whether even the best bound at this confidence misses the limit; it can't where the value itself
        doesn't."""
        return self.sign * settled(self.judged.value) < self.at and self.blaming(confidence) < self.at


_WAITING = absent(None, Code.NOT_MEASURED, "not held against its limit yet")


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedPart:
    """A part of the holdout before judging. ``judged`` is what there is to hold; where that is None, ``outcome`` says
    why."""

    part: Sequence[Slice]
    judged: JudgedPart | None
    outcome: RuleOutcome


def prepare(
    metric: Metric,
    rule: str,
    limit: float,
    slices: Sequence[Slice],
    evidence: Evidence,
    terms: GateContext,
    rival: str = "champion",
) -> PreparedPart:
    """Prepare one metric on one part to be held against a limit.

    ``rival``: what stands in the champion's place in the evidence.
    """
    small = [one for one in slices if one.key and one.rows < terms.min_rows]
    outcome = _obstacle(metric, rule, slices, small, evidence, terms, rival)
    if outcome:
        return PreparedPart(part=slices, judged=None, outcome=outcome)
    champion = evidence.champion if evidence.champion and not evidence.champion.unscored else None
    slices = [one for one in slices if one not in small]
    runs = evidence.trained(slices)
    quantity = pooled([metric.level(run, CANDIDATE) for run in runs])
    before = metric.level(slices, CHAMPION) if champion and not metric.paired else None
    change = pooled([metric.change(run) for run in runs]) if champion and metric.change else None
    judged = change if COMPARISONS[rule].compares else quantity
    assert judged is not None  # noqa: S101 -- ``mistakes`` refuses a comparison the metric lacks
    left = _left_out(small, terms.min_rows)
    if isinstance(judged, Undefined):
        outcome = _undefined(metric, slices, judged, quantity)
        return PreparedPart(part=slices, judged=None, outcome=_and(outcome, left))
    judged_part = JudgedPart(
        metric=metric,
        rule=rule,
        limit=limit,
        part=slices,
        judged=judged,
        candidate=quantity,
        champion=before,
        difference=change,
        champion_name=rival_name(rival, champion.version) if champion else "",
        confidence=terms.confidence,
        left=left,
    )
    return PreparedPart(part=slices, judged=judged_part, outcome=_WAITING)


def _obstacle(
    metric: Metric,
    rule: str,
    slices: Sequence[Slice],
    small: Sequence[Slice],
    evidence: Evidence,
    terms: GateContext,
    rival: str,
) -> RuleOutcome | None:
    """Return the outcome where nothing can be held against the limit; None where something can. ``small``: slices and
    groups of fewer rows than the policy asks for."""
    candidate, champion = evidence.candidate, evidence.champion
    compares = COMPARISONS[rule].compares or metric.paired
    if candidate is None:
        return absent(None, Code.NOT_MEASURED, "the data stopped the run")
    if candidate.unscored:
        return absent(Verdict.ERROR, Code.DIFFERENT_ROWS, f"the candidate has no predictions: {candidate.unscored}")
    if compares and evidence.uncompared and (champion is None or champion.unscored):
        return absent(None, Code.UNCOMPARED, f"not compared, because {evidence.uncompared}")
    if compares and champion is None:
        return absent(None, Code.NO_CHAMPION, "no champion yet")
    if compares and champion and champion.unscored:
        why = f"{rival_name(rival, champion.version)} was not scored on the same rows: {champion.unscored}"
        return absent(Verdict.ERROR, Code.DIFFERENT_ROWS, why)
    if metric.statistic.form == "ranks" and any(one.ranks is None for one in slices):
        return absent(Verdict.ERROR, Code.NO_SCORES, f"{metric.name} needs scores; only calls were predicted")
    if small and not metric.grouped:
        what = f"{key_text(small[0].key)} has {rows(small[0].rows)}; min_rows asks for {terms.min_rows:,}"
        return absent(None, Code.TOO_FEW_ROWS, what)
    if small and len(slices) - len(small) < 2:  # the groups that a gap compares
        what = f"{subject(metric.name, None, by_text(small))} has fewer than two groups to compare"
        what += f"; {_left_out(small, terms.min_rows).removeprefix('not compared, ')}"
        return absent(Verdict.INCONCLUSIVE, Code.TOO_FEW_ROWS, what)
    return None


def _and(outcome: RuleOutcome, note: str) -> RuleOutcome:
    return replace(outcome, reason=f"{outcome.reason}; {note}", notes=(note,)) if note else outcome


def _left_out(small: Sequence[Slice], least: int) -> str:
    """Return the groups that are not compared, as a clause; nothing where all are."""
    if not small:
        return ""
    told = [f"{key_text(one.key)} ({rows(one.rows)})" for one in small[:MOST_LEFT]]
    more = f" and {len(small) - MOST_LEFT} more" if len(small) > MOST_LEFT else ""
    return f"not compared, min_rows asks for {least:,}: {', '.join(told)}{more}"


def rival_name(rival: str, version: str | None) -> str:
    """Name the model that a candidate is compared with: ``champion v12``, ``base commit 1a2b3c4``."""
    return f"base commit {version}" if rival == "base" else f"{rival} v{version}"


def by_text(slices: Sequence[Slice]) -> str:
    """Return the sensitive columns of a family of groups."""
    return " * ".join(column for column, _ in slices[0].key)


def groups_of(metric: Metric, slices: Sequence[Slice], candidate: Found) -> dict[str, float | None] | None:
    """Return each group's value, of a fairness gate."""
    if not metric.grouped:
        return None
    return {
        key_text(one.key): None if value is None else settled(value)
        for one, value in zip(slices, candidate.parts, strict=True)
    }


def _key(metric: Metric, slices: Sequence[Slice]) -> dict[str, str | None] | None:
    return dict(slices[0].key) or None if not metric.grouped else None


def _undefined(metric: Metric, slices: Sequence[Slice], judged: Undefined, candidate: Found) -> RuleOutcome:
    """Return the outcome of an undefined metric: an error on the whole holdout; too few rows within a slice or
    group."""
    key = _key(metric, slices)
    local = judged.small or key is not None
    by = by_text(slices) if metric.grouped and slices else None
    return RuleOutcome(
        verdict=Verdict.INCONCLUSIVE if local else Verdict.ERROR,
        code=Code.TOO_FEW_ROWS if local else Code.UNDEFINED,
        reason=f"{subject(metric.name, key, by)} is undefined: {judged.why}",
        groups=groups_of(metric, slices, candidate),
    )
