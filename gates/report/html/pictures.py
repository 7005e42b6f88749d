"""Draw small pictures as SVG text: an interval with its limit, curves, histograms. Numbers come from decision and
evidence; foreign text is only escaped names. Colors are the page's.

Numbers come from decision and evidence; foreign text is only escaped names. Colors are the page's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape
from math import isfinite
from typing import Final

from gates.documents.decision import Estimate, GateVerdict
from gates.kinds.metric.comparison import COMPARISONS
from gates.report.escape import flat
from gates.report.interval import held
from gates.wording import number, signed

Points = Sequence[tuple[float, float]]
WIDE, HIGH = 200, 20  # of a forest picture
SIDE = 260  # of a square plot
LONG, SHORT = 420, 160  # of a history
MOST_NAMES = 9  # below a history
_EDGE = 30  # of its axes
_MOST = 300  # points of one curve: more can't be seen

# Enough contrast for text on paper and soft, in both schemes.
COLOURS: Final[Mapping[str, Mapping[str, str]]] = {
    "light": {
        "ink": "#1b1f24", "quiet": "#57606a", "paper": "#fff", "soft": "#f3f5f7", "line": "#d0d7de", "good": "#116329",
        "bad": "#a40e26", "unsure": "#7d4e00", "ours": "#0550ae", "theirs": "#8a4600",
    },
    "dark": {
        "ink": "#e6edf3", "quiet": "#9da7b3", "paper": "#0d1117", "soft": "#161b22", "line": "#30363d",
        "good": "#56d364", "bad": "#ff7b72", "unsure": "#e3b341", "ours": "#79c0ff", "theirs": "#ffa657",
    },
}  # fmt: skip
# Of a forest picture, by variables of those names: the interval, its value, the limit, the thin mark.
MARKS = """.f .i { stroke: var(--ink); stroke-width: 2; } .f .p { fill: var(--ink); }
.f .b { stroke: var(--bad); stroke-width: 2.5; } .z { stroke: var(--quiet); stroke-width: 1; }
.f.pass .i { stroke: var(--good); } .f.pass .p { fill: var(--good); }"""


def variables(scheme: str) -> str:
    """Return the colours of a scheme, light or dark, as CSS declares them."""
    return " ".join(f"--{name}: {colour};" for name, colour in COLOURS[scheme].items())


def coloured(css: str, scheme: str) -> str:
    """Put colours in place of the variables of CSS, which not every program that shows a picture knows."""
    return re.sub(r"var\(--(\w+)\)", lambda found: COLOURS[scheme][found[1]], css)


def forest(gate: GateVerdict, attributes: str = "") -> str:
    """Return a judged interval as a line with its value, the champion's value or no change, and the limit.

    Empty where nothing was judged. ``attributes`` say where it lies within another picture.
    """
    judgement = held(gate)
    if judgement is None:
        return ""
    (judged, limit), compares = judgement, gate.rule in COMPARISONS and COMPARISONS[gate.rule].compares
    other = 0.0 if compares else gate.champion.value if gate.champion else None
    marks = [judged.low, judged.value, judged.high, limit, *([] if other is None else [other])]
    if not all(map(isfinite, marks)):
        return ""
    low, high = min(marks), max(marks)
    span = (high - low) or 1.0

    def x(value: float) -> str:
        return f"{8 + (value - low) / span * (WIDE - 16):.1f}"

    middle = HIGH // 2
    zero = "" if other is None else f'<path class="z" d="M{x(other)} 3V{HIGH - 3}"/>'
    return (
        f'<svg class="f {gate.verdict}" {attributes}viewBox="0 0 {WIDE} {HIGH}" role="img" '
        f'aria-label="{_aloud(judged, limit, compares)}">{zero}<path class="b" d="M{x(limit)} 1V{HIGH - 1}"/>'
        f'<path class="i" d="M{x(judged.low)} {middle}H{x(judged.high)}"/>'
        f'<circle class="p" cx="{x(judged.value)}" cy="{middle}" r="3.5"/></svg>'
    )


def _aloud(judged: Estimate, limit: float, compares: bool) -> str:
    told = signed if compares else number
    return f"{told(judged.value)}, from {told(judged.low)} to {told(judged.high)}; the limit is {told(limit)}"


def thinned(points: Points) -> Points:
    """Return at most ``_MOST`` of the points, the first and the last among them."""
    step = max(1, -(-len(points) // _MOST))
    return [*points[::step], points[-1]] if points else points


def square(title: str, curves: Sequence[tuple[str, Points]], axes: tuple[str, str], *, diagonal: bool = False) -> str:
    """Draw curves over the unit square. ``curves``: (name, points) with names candidate and champion."""
    inner = SIDE - 2 * _EDGE

    def at(x: float, y: float) -> str:
        return f"{_EDGE + x * inner:.1f} {SIDE - _EDGE - y * inner:.1f}"

    drawn = [
        f'<path class="c {name}" d="M{"L".join(at(*one) for one in thinned(points))}"/>' for name, points in curves
    ]
    if diagonal:
        drawn.insert(0, f'<path class="z" d="M{at(0, 0)}L{at(1, 1)}"/>')
    return _plot(title, drawn, axes)


def history(title: str, points: Sequence[tuple[str, Estimate]], next_: Estimate | None) -> str:
    """Return a value with its interval over time, equally far apart, each named. ``next_`` may follow: not there
    yet."""
    every = [(name, one, "") for name, one in points] + ([("now", next_, " next")] if next_ else [])
    every = [row for row in every if all(map(isfinite, (row[1].value, row[1].low, row[1].high)))]
    if not every:
        return ""
    low, high = min(one.low for _, one, _ in every), max(one.high for _, one, _ in every)
    span = (high - low) or 1.0
    far = (LONG - 3 * _EDGE) / max(1, len(every) - 1)

    def at(index: int, value: float) -> tuple[str, str]:
        return f"{1.8 * _EDGE + index * far:.1f}", f"{12 + (high - value) / span * (SHORT - _EDGE - 24):.1f}"

    line = "L".join(" ".join(at(index, one.value)) for index, (_, one, style) in enumerate(every) if not style)
    drawn = [f'<path class="c" d="M{line}"/>'] if line else []
    for index, (name, one, style) in enumerate(every):
        (x, middle), (_, top), (_, bottom) = (at(index, value) for value in (one.value, one.high, one.low))
        drawn.append(f'<path class="i{style}" d="M{x} {top}V{bottom}"/>')
        drawn.append(f'<circle class="p{style}" cx="{x}" cy="{middle}" r="3.5"/>')
        if style or index % -(-len(every) // MOST_NAMES) == 0:  # others would run into them
            drawn.append(f'<text x="{x}" y="{SHORT - 10}">{escape(flat(name, 6))}</text>')
    drawn += [f'<text x="20" y="{at(0, value)[1]}">{number(value)}</text>' for value in dict.fromkeys((high, low))]
    return (
        f'<svg class="past" viewBox="0 0 {LONG} {SHORT}" role="img" aria-label="{escape(flat(title))}">'
        f'<path class="a" d="M{_EDGE + 12} 6V{SHORT - _EDGE}H{LONG - 6}"/>{"".join(drawn)}</svg>'
    )


def bars(title: str, series: Sequence[tuple[str, Sequence[float]]], axes: tuple[str, str]) -> str:
    """Draw shares over bins from 0 to 1, one series beside the other. ``series``: (class of the picture, a share a
    bin)."""
    inner = SIDE - 2 * _EDGE
    most = max((share for _, shares in series for share in shares), default=0) or 1
    drawn = []
    for index, (name, shares) in enumerate(series):
        width = inner / max(1, len(shares)) / len(series)
        steps = []
        for at, share in enumerate(shares):
            left = _EDGE + (at * len(series) + index) * width
            steps.append(
                f"M{left:.1f} {SIDE - _EDGE}V{SIDE - _EDGE - share / most * inner:.1f}h{width * 0.9:.1f}V{SIDE - _EDGE}"
            )
        drawn.append(f'<path class="h {name}" d="{"".join(steps)}"/>')
    return _plot(title, drawn, axes)


def _plot(title: str, drawn: Sequence[str], axes: tuple[str, str]) -> str:
    across, up = axes
    return (
        f'<svg class="plot" viewBox="0 0 {SIDE} {SIDE}" role="img" aria-label="{title}">'
        f'<path class="a" d="M{_EDGE} {_EDGE}V{SIDE - _EDGE}H{SIDE - _EDGE}"/>{"".join(drawn)}'
        f'<text x="{SIDE / 2}" y="{SIDE - 8}">{across}</text>'
        f'<text transform="translate(14 {SIDE / 2}) rotate(-90)">{up}</text>'
        f'<text class="t" x="{_EDGE}" y="{SIDE - _EDGE + 14}">0</text>'
        f'<text class="t" x="{SIDE - _EDGE}" y="{SIDE - _EDGE + 14}">1</text></svg>'
    )
