"""Write a verdict's sentence. Its wording is here and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gates.documents.decision import Code, Estimate
from gates.documents.slices import key_text
from gates.wording import (
    Hopeless,
    Noun,
    apart,
    asked_size,
    between,
    counted,
    limit_text,
    number,
    percent,
    plural,
    size,
    standing,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SentenceFacts:
    """What a sentence about one judged rule is made of. ``oriented``: larger is better."""

    metric: str
    key: dict[str, str | None] | None
    by: str | None
    rule: str
    limit: float
    judged: Estimate
    oriented: Estimate
    code: Code
    n: int
    noun: Noun  # what there are ``n`` of
    confidence: float  # the policy's
    corrected: bool  # whether the judged side holds for all slices together
    searched: int | None  # of how many slices it was found
    charged: int | None  # the uses of the holdout that the confidence pays for
    champion: str
    points: bool
    detectable: float | None
    settle: int | Hopeless
    training: float | None = None  # share of the uncertainty that several trainings showed


def sentence(facts: SentenceFacts) -> tuple[str, tuple[str, ...]]:
    """Return one plain sentence, and its notes: what was found, how sure, and what the policy asks; then what the
    numbers themselves don't say."""
    if facts.code is Code.NOTHING_FOUND:
        return _nothing_found(facts), _training(facts)
    if facts.code is Code.TOO_FEW_ROWS:
        return _unbounded(facts), _training(facts)
    return _SENTENCES[facts.rule](facts), (*_notes(facts), *_training(facts))


def _notes(facts: SentenceFacts) -> tuple[str, ...]:
    """Return what would settle an undecided rule, and where to look if a gain is suspicious."""
    if facts.rule == "suspicious_gain":
        look = "suspiciously good: look for the label among the features, or for the same rows in train and holdout"
        return () if facts.code is Code.WITHIN_BAR else (look,)
    if facts.code is not Code.ACROSS_BAR:
        return ()
    blind = facts.detectable is not None and facts.detectable > facts.limit and not isinstance(facts.settle, Hopeless)
    if facts.rule not in ("max_worsening", "min_improvement") or facts.detectable is None or not blind:
        return (_settle(facts),)
    missed = (
        f"{'losses' if facts.rule == 'max_worsening' else 'gaps'} above {size(facts.detectable, points=facts.points)}"
    )
    return f"these {facts.noun[1]} can only reveal {missed}", _settle(facts)


def _training(facts: SentenceFacts) -> tuple[str, ...]:
    share = facts.training
    told = "" if share is None else f"{percent(round(share, 2))} of the uncertainty is training, the rest the holdout"
    return (told,) if told else ()


def subject(metric: str, key: dict[str, str | None] | None, by: str | None) -> str:
    """Name what a sentence is about: ``recall for region=LATAM``, ``demographic_parity_difference by sex``."""
    return metric + (f" by {by}" if by else "") + (f" for {key_text(key)}" if key else "")


def _basis(facts: SentenceFacts) -> str:
    for_what = [
        *(["corrected for the number of slices"] if facts.corrected and not facts.searched else []),
        *([f"corrected for the {plural(facts.searched, 'slice', 'slices')} searched"] if facts.searched else []),
        *([f"charged for {plural(facts.charged, 'use', 'uses')} of the holdout"] if facts.charged else []),
    ]
    sure = ", ".join([f"{percent(facts.confidence)} sure", *for_what])
    return f"({sure}, {plural(facts.n, *facts.noun)})"


def _nothing_found(facts: SentenceFacts) -> str:
    """Write the sentence of a search that found no slice to blame."""
    level = facts.rule in ("min", "max")
    nearest = f"the nearest to it is {key_text(facts.key or {})}, which "
    if level:
        short = f"{'below' if facts.rule == 'min' else 'above'} your limit of {limit_text(facts.limit)}"
        ends = [apart(number, end, facts.limit) for end in (facts.judged.low, facts.judged.high)]
        nearest += f"lies between {ends[0]} and {ends[1]}"
    else:
        asked, size_ = facts.rule == "max_worsening", asked_size(facts.limit, points=facts.points)
        short = f"worse than {facts.champion} by more than {size_}" if asked else f"short of a gain of {size_}"
        span = between(facts.oriented.low, facts.oriented.high, points=facts.points)
        nearest += f"is {span} than {facts.champion}'s"
    among = counted(facts.searched or 0, "slice")
    return f"{facts.metric} is certainly {short} in none of {among} searched; {nearest} {_basis(facts)}"


def _settle(facts: SentenceFacts) -> str:
    if isinstance(facts.settle, Hopeless):
        return facts.settle.value.format(of=facts.noun[1])
    level = facts.rule in ("min", "max")
    value = facts.oriented.value
    stays = f"at {number(facts.judged.value)}" if level else standing(value, points=facts.points)
    return f"about {plural(facts.settle, *facts.noun)} would settle it if it stays {stays}"


def _unbounded(facts: SentenceFacts) -> str:
    """Write the sentence of a value whose rows say nothing about how far off it may be."""
    what = subject(facts.metric, facts.key, facts.by)
    level = facts.rule in ("min", "max")
    found = f"is {number(facts.judged.value) if level else _beside(facts, facts.oriented.value)}"
    rows_ = f"1 {facts.noun[0]} tells" if facts.n == 1 else f"these {plural(facts.n, *facts.noun)} tell"
    return f"{what} {found}, but {rows_} too little about how far off that may be; {_asked(facts)}"


def _beside(facts: SentenceFacts, change: float) -> str:
    """Return how the candidate compares with the champion. ``change``: larger is better."""
    told = standing(change, points=facts.points)
    return f"{told} {'as' if told == 'as good' else 'than'} {facts.champion}'s"


def _asked(facts: SentenceFacts) -> str:
    """Return what the policy asks for."""
    if facts.rule in ("min", "max"):
        return f"you {'ask for at least' if facts.rule == 'min' else 'allow'} {limit_text(facts.limit)}"
    limit = asked_size(facts.limit, points=facts.points) if facts.limit else "none"
    if facts.rule == "suspicious_gain":
        return f"a gain of {limit} would be suspicious"
    return (
        f"you allow {limit}" if facts.rule == "max_worsening" else f"you ask for {limit if facts.limit else 'no loss'}"
    )


def _level(facts: SentenceFacts) -> str:
    what, lower = subject(facts.metric, facts.key, facts.by), facts.rule == "min"
    low, high = (apart(number, end, facts.limit) for end in (facts.judged.low, facts.judged.high))
    if facts.code is Code.WITHIN_BAR:
        side = f"at least {low}" if lower else f"at most {high}"
        return f"{what} is {side} {_basis(facts)}; {_asked(facts)}"
    if facts.code is Code.ACROSS_BAR:
        return (
            f"{what} lies between {low} and {high} {_basis(facts)}, on both sides of your limit of "
            f"{limit_text(facts.limit)}"
        )
    side = f"at most {high}" if lower else f"at least {low}"
    return f"{what} is {side} {_basis(facts)}; {_asked(facts)}"


def _comparison(facts: SentenceFacts) -> str:
    what, points, asked = subject(facts.metric, facts.key, facts.by), facts.points, _asked(facts)
    worsening = facts.rule == "max_worsening"
    low, high = facts.oriented.low, facts.oriented.high
    if facts.code is Code.ACROSS_BAR:
        return _undecided(facts, what, worsening=worsening)
    basis = _basis(facts)
    if facts.code is Code.WITHIN_BAR:
        limit = facts.limit if worsening == (low <= 0) else None
        ahead = f"is better than {facts.champion}'s by at least" if low > 0 else "is at worst"
        behind = "" if low > 0 else f" behind {facts.champion}"
        return f"{what} {ahead} {size(low, points=points, limit=limit)}{behind} {basis}; {asked}"
    limit = facts.limit if worsening == (high < 0) else None
    if high < 0:
        loss = size(high, points=points, limit=limit)
        return f"{what} is worse than {facts.champion}'s by at least {loss} {basis}; {asked}"
    return f"{what} is at best {size(high, points=points, limit=limit)} ahead of {facts.champion} {basis}; {asked}"


def _undecided(facts: SentenceFacts, what: str, *, worsening: bool) -> str:
    limit = -facts.limit if worsening else facts.limit
    span = between(facts.oriented.low, facts.oriented.high, points=facts.points, limit=limit)
    sure = f"{percent(facts.confidence)} sure, {plural(facts.n, *facts.noun)}"
    text = f"{what} is {span} than {facts.champion}'s ({sure}); you "
    text += "allow a loss of " if worsening else "ask for a gain of "
    text += asked_size(facts.limit, points=facts.points)
    return text


def _gain(facts: SentenceFacts) -> str:
    """Write the sentence of an improvement that may be too good to be true."""
    what, limit = subject(facts.metric, facts.key, facts.by), asked_size(facts.limit, points=facts.points)
    if facts.code is Code.WITHIN_BAR:
        return f"{what} is {_beside(facts, -facts.oriented.value)}; {_asked(facts)}"
    sure = "certainly " if facts.code is Code.SUSPICIOUS else ""
    gain = standing(-facts.oriented.value, points=facts.points)
    return f"{what} is {sure}more than {limit} better than {facts.champion}'s {_basis(facts)}; it is {gain}"


_SENTENCES: Mapping[str, Callable[[SentenceFacts], str]] = {
    "min": _level,
    "max": _level,
    "max_worsening": _comparison,
    "min_improvement": _comparison,
    "suspicious_gain": _gain,
}
