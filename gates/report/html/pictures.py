"""Draw intervals as SVG text: one with its limit, or a value over time.

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
from gates.report.html.axis import labels, ticks
from gates.report.interval import held
from gates.wording import number, signed

WIDE, HIGH = 200, 20  # of a forest picture
TICKS = 14  # more of its height, with an axis below
LONG, SHORT = 420, 160  # of a history
MOST_NAMES = 9  # below a history
MOST_TICKS = 3  # of a forest picture's axis
_EDGE = 30  # of its axes

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
MARKS = """.f .i { stroke: var(--ink); stroke-width: 2.5; } .f .p { fill: var(--ink); }
.f .b { stroke: var(--ink); stroke-width: 2; } .z { stroke: var(--quiet); stroke-width: 1; stroke-dasharray: 2 2; }
.f.pass .i { stroke: var(--good); } .f.pass .p { fill: var(--good); }
.f.fail .i, .f.error .i { stroke: var(--bad); } .f.fail .p, .f.error .p { fill: var(--bad); }
.f.inconclusive .i { stroke: var(--unsure); } .f.inconclusive .p { fill: var(--unsure); }"""


def variables(scheme: str) -> str:
    """Return the colours of a scheme, light or dark, as CSS declares them."""
    return " ".join(f"--{name}: {colour};" for name, colour in COLOURS[scheme].items())


def coloured(css: str, scheme: str) -> str:
    """Put colours in place of the variables of CSS, which not every program that shows a picture knows."""
    return re.sub(r"var\(--(\w+)\)", lambda found: COLOURS[scheme][found[1]], css)


def forest(gate: GateVerdict, attributes: str = "", *, axis: bool = False) -> str:
    """Return a judged interval as a line with its value, the champion's value or no change, and the limit.

    Empty where nothing was judged. ``attributes`` say where it lies within another picture; with ``axis`` numbers
    stand below.
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

    middle, below = HIGH // 2, ""
    if axis:
        at = ticks(low, high, MOST_TICKS)
        below = f'<path class="a" d="M8 {HIGH}H{WIDE - 8}{"".join(f"M{x(one)} {HIGH}v3" for one in at)}"/>' + "".join(
            f'<text x="{x(one)}" y="{HIGH + TICKS - 1}">{told}</text>'
            for one, told in zip(at, labels(at, signs=compares), strict=True)
        )
    zero = "" if other is None else f'<path class="z" d="M{x(other)} 3V{HIGH - 3}"/>'
    return (
        f'<svg class="f {gate.verdict}" {attributes}viewBox="0 0 {WIDE} {HIGH + TICKS * axis}" role="img" '
        f'aria-label="{_aloud(judged, limit, compares)}">{zero}<path class="b" d="M{x(limit)} 1V{HIGH - 1}"/>'
        f'<path class="i" d="M{x(judged.low)} {middle}H{x(judged.high)}"/>'
        f'<circle class="p" cx="{x(judged.value)}" cy="{middle}" r="3.5"/>{below}</svg>'
    )


def _aloud(judged: Estimate, limit: float, compares: bool) -> str:
    told = signed if compares else number
    return f"{told(judged.value)}, from {told(judged.low)} to {told(judged.high)}; the limit is {told(limit)}"


def history(title: str, points: Sequence[tuple[str, Estimate]], next_: Estimate | None) -> str:
    """Return a value with its interval over time, equally far apart, each named. ``next_`` may follow: not there
    yet."""
    return series(title, [(name, one, "") for name, one in points] + ([("now", next_, " next")] if next_ else []))


def series(title: str, points: Sequence[tuple[str, Estimate, str]], limit: float | None = None) -> str:
    """Return values with their intervals over time, each with its name and the classes of its marks (" next": not
    there yet); ``limit`` is a line that they are held against."""
    every = [row for row in points if all(map(isfinite, (row[1].value, row[1].low, row[1].high)))]
    if not every:
        return ""
    limits = [limit] if limit is not None and isfinite(limit) else []
    low = min([*(one.low for _, one, _ in every), *limits])
    high = max([*(one.high for _, one, _ in every), *limits])
    span = (high - low) or 1.0
    far = (LONG - 3 * _EDGE) / max(1, len(every) - 1)

    def at(index: int, value: float) -> tuple[str, str]:
        return f"{1.8 * _EDGE + index * far:.1f}", f"{12 + (high - value) / span * (SHORT - _EDGE - 24):.1f}"

    line = "L".join(" ".join(at(index, one.value)) for index, (_, one, style) in enumerate(every) if style != " next")
    drawn = [f'<path class="c" d="M{line}"/>'] if line else []
    for index, (name, estimate, style) in enumerate(every):
        (x, middle), (_, top), (_, bottom) = (
            at(index, value) for value in (estimate.value, estimate.high, estimate.low)
        )
        drawn.append(f'<path class="i{style}" d="M{x} {top}V{bottom}"/>')
        drawn.append(f'<circle class="p{style}" cx="{x}" cy="{middle}" r="3.5"/>')
        if style == " next" or index % -(-len(every) // MOST_NAMES) == 0:  # others would run into them
            drawn.append(f'<text x="{x}" y="{SHORT - 10}">{escape(flat(name, 6))}</text>')
    drawn += [f'<path class="z" d="M{_EDGE + 12} {at(0, one)[1]}H{LONG - 6}"/>' for one in limits]
    marks = ticks(low, high)
    drawn += [
        f'<text class="y" x="{_EDGE + 8}" y="{at(0, value)[1]}">{told}</text>'
        for value, told in zip(marks, labels(marks), strict=True)
    ]
    return (
        f'<svg class="past" viewBox="0 0 {LONG} {SHORT}" role="img" aria-label="{escape(flat(title))}">'
        f'<path class="a" d="M{_EDGE + 12} 6V{SHORT - _EDGE}H{LONG - 6}"/>{"".join(drawn)}</svg>'
    )
