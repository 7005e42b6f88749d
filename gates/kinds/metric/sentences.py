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
    counted,
    limit_text,
    moved,
    moved_by,
    number,
    percent,
    plural,
    size,
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


def sentence(told: SentenceFacts) -> str:
    """Return one plain sentence: what was found, how sure, and what the policy asks."""
    if told.code is Code.NOTHING_FOUND:
        text = _nothing_found(told)
    else:
        text = (_unbounded if told.code is Code.TOO_FEW_ROWS else _SENTENCES[told.rule])(told)
    if told.training is not None:
        text += f"; {percent(round(told.training, 2))} of the uncertainty is training, the rest the holdout"
    return text


def subject(metric: str, key: dict[str, str | None] | None, by: str | None) -> str:
    """``recall for region=LATAM``, ``demographic_parity_difference by sex``."""
    return metric + (f" by {by}" if by else "") + (f" for {key_text(key)}" if key else "")


def _basis(told: SentenceFacts) -> str:
    for_what = [
        *(["corrected for the number of slices"] if told.corrected and not told.searched else []),
        *([f"corrected for the {plural(told.searched, 'slice', 'slices')} searched"] if told.searched else []),
        *([f"charged for {plural(told.charged, 'use', 'uses')} of the holdout"] if told.charged else []),
    ]
    sure = ", ".join([f"{percent(told.confidence)} sure", *for_what])
    return f"({sure}, {plural(told.n, *told.noun)})"


def _nothing_found(told: SentenceFacts) -> str:
    """Of a search that found no slice to blame."""
    level = told.rule in ("min", "max")
    nearest = f"the nearest to it is {key_text(told.key or {})}, which "
    if level:
        short = f"{'below' if told.rule == 'min' else 'above'} your limit of {limit_text(told.limit)}"
        ends = [apart(number, end, told.limit) for end in (told.judged.low, told.judged.high)]
        nearest += f"lies between {ends[0]} and {ends[1]}"
    else:
        asked, size_ = told.rule == "max_worsening", asked_size(told.limit, points=told.points)
        short = f"worse than {told.champion} by more than {size_}" if asked else f"short of a gain of {size_}"
        span = moved(told.oriented.low, told.oriented.high, points=told.points)
        nearest += f"moved by {span} against {told.champion}"
    among = counted(told.searched or 0, "slice")
    return f"{told.metric} is certainly {short} in none of {among} searched; {nearest} {_basis(told)}"


def _settle(told: SentenceFacts) -> str:
    if isinstance(told.settle, Hopeless):
        return told.settle.value.format(of=told.noun[1])
    level = told.rule in ("min", "max")
    stays = number(told.judged.value) if level else moved_by(told.oriented.value, points=told.points)
    return f"about {plural(told.settle, *told.noun)} would settle it if it stays at {stays}"


def _unbounded(told: SentenceFacts) -> str:
    """For a value whose rows say nothing about how far off it may be."""
    what = subject(told.metric, told.key, told.by)
    level = told.rule in ("min", "max")
    value = number(told.judged.value) if level else moved_by(told.oriented.value, points=told.points)
    found = f"is {value}" if level else f"moved by {value} against {told.champion}"
    rows_ = f"1 {told.noun[0]} tells" if told.n == 1 else f"these {plural(told.n, *told.noun)} tell"
    return f"{what} {found}, but {rows_} too little about how far off that may be; {_asked(told)}"


def _asked(told: SentenceFacts) -> str:
    """Return what the policy asks for."""
    if told.rule in ("min", "max"):
        return f"you {'ask for at least' if told.rule == 'min' else 'allow'} {limit_text(told.limit)}"
    limit = asked_size(told.limit, points=told.points) if told.limit else "none"
    if told.rule == "suspicious_gain":
        return f"a gain of {limit} would be suspicious"
    return f"you allow {limit}" if told.rule == "max_worsening" else f"you ask for {limit if told.limit else 'no loss'}"


def _level(told: SentenceFacts) -> str:
    what, lower = subject(told.metric, told.key, told.by), told.rule == "min"
    low, high = (apart(number, end, told.limit) for end in (told.judged.low, told.judged.high))
    if told.code is Code.WITHIN_BAR:
        side = f"at least {low}" if lower else f"at most {high}"
        return f"{what} is {side} {_basis(told)}; {_asked(told)}"
    if told.code is Code.ACROSS_BAR:
        return (
            f"{what} lies between {low} and {high} {_basis(told)}, on both sides of your limit of "
            f"{limit_text(told.limit)}; {_settle(told)}"
        )
    side = f"at most {high}" if lower else f"at least {low}"
    return f"{what} is {side} {_basis(told)}; {_asked(told)}"


def _comparison(told: SentenceFacts) -> str:
    what, points, asked = subject(told.metric, told.key, told.by), told.points, _asked(told)
    worsening = told.rule == "max_worsening"
    low, high = told.oriented.low, told.oriented.high
    if told.code is Code.ACROSS_BAR:
        return _undecided(told, what, worsening=worsening)
    basis = _basis(told)
    if told.code is Code.WITHIN_BAR:
        limit = told.limit if worsening == (low <= 0) else None
        ahead = f"is better than {told.champion}'s by at least" if low > 0 else "is at worst"
        behind = "" if low > 0 else f" behind {told.champion}"
        return f"{what} {ahead} {size(low, points=points, limit=limit)}{behind} {basis}; {asked}"
    limit = told.limit if worsening == (high < 0) else None
    if high < 0:
        told_size = size(high, points=points, limit=limit)
        return f"{what} is worse than {told.champion}'s by at least {told_size} {basis}; {asked}"
    return f"{what} is at best {size(high, points=points, limit=limit)} ahead of {told.champion} {basis}; {asked}"


def _undecided(told: SentenceFacts, what: str, *, worsening: bool) -> str:
    limit = -told.limit if worsening else told.limit
    span = moved(told.oriented.low, told.oriented.high, points=told.points, limit=limit)
    sure = f"minus is worse; {percent(told.confidence)} sure, {plural(told.n, *told.noun)}"
    text = f"{what} moved by {span} against {told.champion} ({sure}); you "
    text += "allow a loss of " if worsening else "ask for a gain of "
    text += asked_size(told.limit, points=told.points)
    if told.detectable is not None and told.detectable > told.limit and not isinstance(told.settle, Hopeless):
        found = "losses" if worsening else "gaps"
        text += f"; these {told.noun[1]} can only reveal {found} above {size(told.detectable, points=told.points)}"
    return f"{text}; {_settle(told)}"


def _gain(told: SentenceFacts) -> str:
    """Of an improvement too good to be true."""
    what, limit = subject(told.metric, told.key, told.by), asked_size(told.limit, points=told.points)
    gain = moved_by(-told.oriented.value, points=told.points)
    if told.code is Code.WITHIN_BAR:
        return f"{what} moved by {gain} against {told.champion}; {_asked(told)}"
    sure = "certainly " if told.code is Code.SUSPICIOUS else ""
    return (
        f"{what} is {sure}more than {limit} better than {told.champion}'s {_basis(told)} (it moved by {gain}): "
        "suspiciously good? Look for the label among the features, or for the same rows in train and holdout"
    )


_SENTENCES: Mapping[str, Callable[[SentenceFacts], str]] = {
    "min": _level,
    "max": _level,
    "max_worsening": _comparison,
    "min_improvement": _comparison,
    "suspicious_gain": _gain,
}
