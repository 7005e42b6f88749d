"""Numbers and verdict sentences in plain words. The only place where a verdict's wording is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gates.decision import Code, Estimate
from gates.slices import key_text

POINT = 100  # one point is a hundredth
Noun = tuple[str, str]  # of one, of many
ROW: Noun = ("row", "rows")
QUERY: Noun = ("query", "queries")


def number(value: float) -> str:
    """A value at three decimals, more where it is small: ``0.812``, ``0.0004``, ``1,234.5``."""
    if value and abs(value) < 0.01:  # noqa: PLR2004 -- three decimals would show one digit or none
        return f"{value:.2g}"
    return f"{value:,.3f}" if abs(value) < POINT else f"{value:,.1f}"


def bar_text(value: float) -> str:
    """A bar as its author wrote it: ``0.8``, ``500``."""
    return f"{value:,.10g}"


def signed(value: float) -> str:
    """A difference with its sign: ``+0.018``, ``−0.071``, ``0``."""
    return f"{'+' if value > 0 else '−'}{number(abs(value))}" if value else "0"


def size(value: float, *, points: bool) -> str:
    """The size of a difference: ``1.4 points``, ``0.25 points``; as a number where points make no sense."""
    if not points:
        return number(abs(value))
    told = _points(abs(value))
    return f"{told} point{'' if told == '1' else 's'}"


def _points(value: float) -> str:
    scaled = value * POINT
    return f"{scaled:.1f}".removesuffix(".0") if scaled >= 1 or scaled == 0 else f"{scaled:.2f}"


def moved(low: float, high: float, *, points: bool) -> str:
    """A range of change with signs: ``−8.8 to −2.2 points``."""
    if not points:
        return f"{signed(low)} to {signed(high)}"
    low_text, high_text = (f"{'+' if end > 0 else '−' if end < 0 else ''}{_points(abs(end))}" for end in (low, high))
    return f"{low_text} to {high_text} points"


def moved_by(value: float) -> str:
    """One change with its sign: ``−2.2 points``."""
    return f"{'+' if value > 0 else '−' if value < 0 else ''}{size(value, points=True)}"


def percent(confidence: float) -> str:
    """0.95 -> ``95 %``."""
    return f"{confidence * 100:.6g} %"


def rows(n: int) -> str:
    """1 -> ``1 row``, 48210 -> ``48,210 rows``."""
    return plural(n, *ROW)


def plural(n: int, one: str, many: str) -> str:
    """``1 bar holds``, ``3 bars hold``."""
    return f"{n:,} {one if n == 1 else many}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a sentence about one judged bar is made of. ``oriented``: larger is better."""

    metric: str
    key: dict[str, str | None] | None
    by: str | None
    rule: str
    bar: float
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
    settle: int | None
    training: float | None = None  # share of the uncertainty that several trainings showed


def sentence(told: Told) -> str:
    """One plain sentence: what was found, how sure, and what the policy asks."""
    text = _nothing_found(told) if told.code is Code.NOTHING_FOUND else _SENTENCES[told.rule](told)
    if told.training is not None:
        text += f"; {percent(round(told.training, 2))} of the uncertainty is training, the rest the holdout"
    return text


def subject(metric: str, key: dict[str, str | None] | None, by: str | None) -> str:
    """``recall for region=LATAM``, ``demographic_parity_difference by sex``."""
    return metric + (f" by {by}" if by else "") + (f" for {key_text(key)}" if key else "")


def _basis(told: Told) -> str:
    for_what = [
        *(["corrected for the number of slices"] if told.corrected and not told.searched else []),
        *([f"corrected for the {told.searched:,} slices searched"] if told.searched else []),
        *([f"charged for {told.charged:,} uses of the holdout"] if told.charged else []),
    ]
    sure = ", ".join([f"{percent(told.confidence)} sure", *for_what])
    return f"({sure}, {plural(told.n, *told.noun)})"


def _nothing_found(told: Told) -> str:
    """Of a search that found no slice to blame."""
    level = told.rule in ("min", "max")
    nearest = f"the nearest to it is {key_text(told.key or {})}, which "
    if level:
        bar = f"{'below' if told.rule == 'min' else 'above'} your bar of {bar_text(told.bar)}"
        nearest += f"lies between {number(told.judged.low)} and {number(told.judged.high)}"
    else:
        asked, size_ = told.rule == "max_worsening", size(told.bar, points=told.points)
        bar = f"worse than {told.champion} by more than {size_}" if asked else f"short of a gain of {size_}"
        span = moved(told.oriented.low, told.oriented.high, points=told.points)
        nearest += f"moved by {span} against {told.champion}"
    return f"{told.metric} is certainly {bar} in none of {told.searched:,} slices searched; {nearest} {_basis(told)}"


def _settle(told: Told) -> str:
    if told.settle is None:
        return f"no number of {told.noun[1]} would settle it"
    return f"about {plural(told.settle, *told.noun)} would settle it"


def _level(told: Told) -> str:
    what, floor = subject(told.metric, told.key, told.by), told.rule == "min"
    asked = f"you ask for at least {bar_text(told.bar)}" if floor else f"you allow {bar_text(told.bar)}"
    low, high = number(told.judged.low), number(told.judged.high)
    if told.code is Code.WITHIN_BAR:
        side = f"at least {low}" if floor else f"at most {high}"
        return f"{what} is {side} {_basis(told)}; {asked}"
    if told.code is Code.ACROSS_BAR:
        return (
            f"{what} lies between {low} and {high} {_basis(told)}, on both sides of your bar of "
            f"{bar_text(told.bar)}; {_settle(told)} if it stays at {number(told.judged.value)}"
        )
    side = f"at most {high}" if floor else f"at least {low}"
    return f"{what} is {side} {_basis(told)}; {asked}"


def _comparison(told: Told) -> str:
    what, points = subject(told.metric, told.key, told.by), told.points
    worsening = told.rule == "max_worsening"
    bar = size(told.bar, points=points) if told.bar else "none"
    asked = f"you allow {bar}" if worsening else f"you ask for {bar if told.bar else 'no loss'}"
    low, high = told.oriented.low, told.oriented.high
    if told.code is Code.WITHIN_BAR:
        basis = _basis(told)
        if told.oriented.value == low == high == 0:
            return f"{what} is exactly the same as {told.champion}'s {basis}; {asked}"
        if low > 0:
            return f"{what} is better than {told.champion}'s by at least {size(low, points=points)} {basis}; {asked}"
        return f"{what} is at worst {size(low, points=points)} behind {told.champion} {basis}; {asked}"
    if told.code is Code.ACROSS_BAR:
        return _undecided(told, what, worsening=worsening)
    basis = _basis(told)
    if high < 0:
        return f"{what} is worse than {told.champion}'s by at least {size(high, points=points)} {basis}; {asked}"
    return f"{what} is at best {size(high, points=points)} ahead of {told.champion} {basis}; {asked}"


def _undecided(told: Told, what: str, *, worsening: bool) -> str:
    span = moved(told.oriented.low, told.oriented.high, points=told.points)
    sure = f"minus is worse; {percent(told.confidence)} sure, {plural(told.n, *told.noun)}"
    text = f"{what} moved by {span} against {told.champion} ({sure}); you "
    text += "allow a loss of " if worsening else "ask for a gain of "
    text += size(told.bar, points=told.points)
    if told.detectable is not None and told.detectable > told.bar:
        found = "losses" if worsening else "gaps"
        text += f"; these {told.noun[1]} can only reveal {found} above {size(told.detectable, points=told.points)}"
    return f"{text}; {_settle(told)}"


def _gain(told: Told) -> str:
    """Of an improvement too good to be true."""
    what, bar = subject(told.metric, told.key, told.by), size(told.bar, points=told.points)
    gain = signed(-told.oriented.value) if not told.points else moved_by(-told.oriented.value)
    if told.code is Code.WITHIN_BAR:
        return f"{what} moved by {gain} against {told.champion}; a gain of {bar} would be suspicious"
    sure = "certainly " if told.code is Code.SUSPICIOUS else ""
    return (
        f"{what} is {sure}more than {bar} better than {told.champion}'s {_basis(told)} (it moved by {gain}): "
        "too good to be true? Look for the label among the features, or the same rows in train and holdout"
    )


_SENTENCES: Mapping[str, Callable[[Told], str]] = {
    "min": _level,
    "max": _level,
    "max_worsening": _comparison,
    "min_improvement": _comparison,
    "suspicious_gain": _gain,
}
