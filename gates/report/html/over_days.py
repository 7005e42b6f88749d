"""Draw values with their bounds over the days of an experiment: the limit, and where its planned end lies.

Numbers come from decisions; no foreign text is in the picture but the escaped title.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from math import isfinite

from gates.documents.decision import Estimate
from gates.report.escape import flat
from gates.report.html.axis import labels, ticks

WIDE, HIGH = 420, 190
LEFT, RIGHT, TOP, BOTTOM = 46, 10, 20, 32  # around the plot
REACH = 1.5  # of the narrowest bounds, by which wider ones are shown beside them
CLOSE = 44  # so far apart two marks must be, that their words don't meet


@dataclass(frozen=True, slots=True, kw_only=True)
class LookMark:
    """One look: on which day, what was judged, the word of its verdict, and whether it was the planned end."""

    day: float
    judged: Estimate
    verdict: str
    planned: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EndMarks:
    """On which days something ends: the first that may decide, and the one on which the units are there."""

    min_days: int
    units_day: float | None
    last: float  # of the axis


def looks(title: str, marks: Sequence[LookMark], limit: float, ends: EndMarks) -> str:
    """Return the picture. Bounds that run out of it end at its edge; empty where nothing can be drawn."""
    shown = [one for one in marks if all(map(isfinite, (one.judged.value, one.judged.low, one.judged.high)))]
    if not shown or not isfinite(limit):
        return ""
    scale = _Scale.of(shown, limit, max(ends.last, shown[-1].day, ends.min_days))
    drawn = [*_ends(scale, ends), f'<path class="z" d="M{LEFT} {scale.y(limit)}H{WIDE - RIGHT}"/>']
    line = "L".join(f"{scale.x(one.day)} {scale.y(one.judged.value)}" for one in shown)
    drawn.append(f'<path class="c" d="M{line}"/>')
    for one in shown:
        drawn += _look(scale, one)
    drawn += _axes(scale)
    return (
        f'<svg class="past days" viewBox="0 0 {WIDE} {HIGH}" role="img" aria-label="{escape(flat(title))}">'
        f'<path class="a" d="M{LEFT} {TOP - 6}V{HIGH - BOTTOM}H{WIDE - RIGHT}"/>{"".join(drawn)}</svg>'
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scale:
    """Where days and values lie in the picture."""

    low: float
    high: float
    days: float

    @classmethod
    def of(cls, marks: Sequence[LookMark], limit: float, days: float) -> _Scale:
        """Show all values, the limit and the narrowest bounds; of wider bounds as much as ``REACH`` says."""
        tight = min(marks, key=lambda one: one.judged.high - one.judged.low).judged
        more = REACH * (tight.high - tight.low)
        values = [limit, *(one.judged.value for one in marks)]
        low, high = min(*values, tight.low), max(*values, tight.high)
        low = max(low - more, min(low, *(one.judged.low for one in marks)))
        high = min(high + more, max(high, *(one.judged.high for one in marks)))
        return cls(low=low, high=high, days=days or 1.0)

    def x(self, day: float) -> str:
        return f"{LEFT + 8 + day / self.days * (WIDE - LEFT - RIGHT - 16):.1f}"

    def y(self, value: float) -> str:
        inside = min(self.high, max(self.low, value))
        return f"{TOP + (self.high - inside) / ((self.high - self.low) or 1.0) * (HIGH - TOP - BOTTOM - 6):.1f}"


def _look(scale: _Scale, look: LookMark) -> Iterator[str]:
    x, y, style = scale.x(look.day), scale.y(look.judged.value), f"{look.verdict}{' planned' * look.planned}"
    low, high = scale.y(look.judged.low), scale.y(look.judged.high)
    yield f'<path class="i {style}" d="M{x} {high}V{low}"/>'
    caps = [
        end for end, value in ((low, look.judged.low), (high, look.judged.high)) if scale.low <= value <= scale.high
    ]
    across = 6 if look.planned else 3
    yield (
        f'<path class="i {style}" d="{"".join(f"M{float(x) - across:.1f} {end}h{2 * across}" for end in caps)}"/>'
        if caps
        else ""
    )
    if look.verdict == "fail":
        yield f'<path class="p {style}" d="M{x} {float(y) - 5:.1f}l5 5l-5 5l-5 -5z"/>'
    else:
        yield f'<circle class="p {style}" cx="{x}" cy="{y}" r="3.5"/>'


def _ends(scale: _Scale, ends: EndMarks) -> Iterator[str]:
    """Yield a line for the first day that may decide, and one for the planned end's units."""
    first, units = float(scale.x(ends.min_days)), None if ends.units_day is None else float(scale.x(ends.units_day))
    near = units is not None and abs(units - first) < CLOSE
    yield f'<path class="e" d="M{first} {TOP - 6}V{HIGH - BOTTOM}"/>'
    yield f'<text x="{_inside(first)}" y="11">{"min_days, units" if near else "min_days"}</text>'
    if units is not None:
        yield f'<path class="e" d="M{units} {TOP - 6}V{HIGH - BOTTOM}"/>'
        if not near:
            yield f'<text x="{_inside(units)}" y="11">units</text>'


def _inside(x: float) -> str:
    return f"{min(WIDE - CLOSE, max(CLOSE, x)):.1f}"


def _axes(scale: _Scale) -> Iterator[str]:
    marks, days = ticks(scale.low, scale.high), ticks(0, scale.days, 6)
    for value, told in zip(marks, labels(marks, signs=True), strict=True):
        yield f'<text class="y" x="{LEFT - 5}" y="{float(scale.y(value)) + 4:.1f}">{told}</text>'
    for day, told in zip(days, labels(days), strict=True):
        yield f'<text x="{scale.x(day)}" y="{HIGH - BOTTOM + 14}">{told}</text>'
    yield f'<text x="{(LEFT + WIDE) / 2:.0f}" y="{HIGH - 3}">days since the start</text>'
