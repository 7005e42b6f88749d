"""The pictures of the documentation, as SVG text: drawn from the package's own statistics, and without chance.

Each has a ground and colours of its own for light and dark, as a page may be either; colour is never the only sign.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log10, sqrt
from statistics import NormalDist
from xml.sax.saxutils import escape

from gates.documents.decision import Verdict
from gates.kinds.metric.comparison import outcome
from gates.stats.power import detectable
from gates.stats.proportions import exact, mover_difference, paired_difference
from gates.wording import number, signed

CONFIDENCE = 0.95
WIDE, LEFT, RIGHT, TOP = 760, 190, 225, 58
HIGH = 330  # of a picture with curves
ROW = 34  # of one with intervals
STYLE = """
text{font:13px system-ui,sans-serif;fill:#1f2328}.t{font-size:15px;font-weight:600}.s{fill:#59636e}.e{text-anchor:end}
.m{text-anchor:middle}.g{fill:#fff}.a{stroke:#8c959f}.b{stroke:#59636e;stroke-dasharray:5 3}path{fill:none}
path{stroke-width:2}.pass{stroke:#1a7f37}.inconclusive{stroke:#9a6700}.fail{stroke:#cf222e}.one{stroke:#0969da}.two{stroke:#bc4c00}
.three{stroke:#8250df}circle{stroke:none}circle.pass{fill:#1a7f37}circle.inconclusive{fill:#9a6700}circle.fail{fill:#cf222e}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.s{fill:#9198a1}.g{fill:#0d1117}.a{stroke:#656c76}.b{stroke:#9198a1}
.pass{stroke:#3fb950}.inconclusive{stroke:#d29922}.fail{stroke:#f85149}.one{stroke:#58a6ff}.two{stroke:#ff9a4d}
.three{stroke:#bc8cff}circle.pass{fill:#3fb950}circle.inconclusive{fill:#d29922}circle.fail{fill:#f85149}}
"""
NORMAL = NormalDist()


@dataclass(frozen=True, kw_only=True)
class Axis:
    """From where to where, which values are written, what they are, and whether each step is ten times the last."""

    low: float
    high: float
    marks: Sequence[float]
    title: str
    log: bool = False
    told: Callable[[float], str] = "{:,g}".format

    def place(self, value: float) -> float:
        """From 0 to 1."""
        low, high, at = (
            (log10(one) for one in (self.low, self.high, value)) if self.log else (self.low, self.high, value)
        )
        return (at - low) / (high - low)


def picture(title: str, what: str, high: float, drawn: Sequence[str]) -> str:
    """A whole SVG. ``what`` says in words what is seen."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE} {high:g}" width="{WIDE}" role="img" '
        f'aria-labelledby="t d">\n<title id="t">{escape(title)}</title>\n<desc id="d">{escape(what)}</desc>\n'
        f'<style>{STYLE}</style>\n<rect class="g" width="{WIDE}" height="{high:g}" rx="6"/>\n'
        f"{text(16, 26, title, 't')}\n" + "\n".join(drawn) + "\n</svg>\n"
    )


def text(x: float, y: float, words: str, kind: str = "") -> str:
    """Words at a place."""
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{escape(words)}</text>'


def across(axis: Axis) -> Callable[[float], float]:
    """Where a value lies from left to right."""
    return lambda value: LEFT + axis.place(value) * (WIDE - LEFT - RIGHT)


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A row of a picture with intervals."""

    name: str
    value: float
    low: float
    high: float
    verdict: Verdict
    told: str


def intervals(title: str, axis: Axis, limit: float, limit_says: str, rows: Sequence[Interval]) -> str:
    """Intervals below each other, against one limit."""
    x, bottom = across(axis), TOP + ROW * len(rows)
    drawn = [
        f'<path class="a" d="M{LEFT} {bottom}H{WIDE - RIGHT}"/>',
        f'<path class="b" d="M{x(limit):.1f} {TOP - 6}V{bottom}"/>',
        text(x(limit), TOP - 12, limit_says, "s m"),
        text((LEFT + WIDE - RIGHT) / 2, bottom + 38, axis.title, "s m"),
        *(text(x(mark), bottom + 18, axis.told(mark), "s m") for mark in axis.marks),
    ]
    for place, row in enumerate(rows):
        y = TOP + ROW * (place + 0.5)
        drawn += [
            text(LEFT - 14, y + 4, row.name, "e"),
            f'<path class="{row.verdict}" d="M{x(row.low):.1f} {y:.1f}H{x(row.high):.1f}"/>',
            f'<circle class="{row.verdict}" cx="{x(row.value):.1f}" cy="{y:.1f}" r="4.5"/>',
            text(WIDE - RIGHT + 12, y + 4, row.told),
        ]
    what = ". ".join(f"{row.name}: {row.told}" for row in rows)
    return picture(title, f"{limit_says}. {what}.", bottom + 52, drawn)


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A line with its name at its end, or in a list beside the picture, where ends lie too close together."""

    name: str
    kind: str
    points: Sequence[tuple[float, float]]
    listed: int | None = None


def curves(
    title: str, what: str, below: Axis, beside: Axis, lines: Sequence[Curve], limit: tuple[str, str] = ("", "")
) -> str:
    """Lines over two axes. ``limit``: the path of a dashed line, and what it is."""
    x, bottom = across(below), HIGH - 52

    def y(value: float) -> float:
        return bottom - beside.place(value) * (bottom - TOP)

    drawn = [
        f'<path class="a" d="M{LEFT} {TOP}V{bottom}H{WIDE - RIGHT}"/>',
        text((LEFT + WIDE - RIGHT) / 2, bottom + 40, below.title, "s m"),
        *(text(x(mark), bottom + 18, below.told(mark), "s m") for mark in below.marks),
        *(text(LEFT - 10, y(mark) + 4, beside.told(mark), "s e") for mark in beside.marks),
        *(text(16, TOP + 8 + 17 * place, line, "s") for place, line in enumerate(beside.title.split("\n"))),
    ]
    if limit[0]:
        axis, at = limit[0][0], float(limit[0][1:])
        path = f"M{x(at):.1f} {TOP}V{bottom}" if axis == "x" else f"M{LEFT} {y(at):.1f}H{WIDE - RIGHT}"
        here = (x(at) + 6, TOP + 8) if axis == "x" else (WIDE - RIGHT + 8, y(at) + 4)
        drawn += [f'<path class="b" d="{path}"/>', text(*here, limit[1], "s")]
    for line in lines:
        path = "L".join(f"{x(one):.1f} {y(other):.1f}" for one, other in line.points)
        drawn.append(f'<path class="{line.kind}" d="M{path}"/>')
        end, high = WIDE - RIGHT + 10, y(line.points[-1][1]) if line.listed is None else TOP + 10 + 22 * line.listed
        if line.listed is not None:
            drawn.append(f'<path class="{line.kind}" d="M{end} {high:.1f}h18"/>')
            end += 26
        drawn.append(text(end, high + 4, line.name))
    return picture(title, what, HIGH, drawn)


# -- the pictures --


def verdicts() -> str:
    """Where an interval lies against a limit."""
    limit, rows = 0.80, []
    for right, n in ((850, 1000), (85, 100), (812, 1000), (745, 1000)):
        value, (low, high) = right / n, exact(right, n, CONFIDENCE)
        verdict = outcome(value, low, high, limit)
        told = f"{verdict}: {number(low)} to {number(high)}"
        name = f"{number(value)} of {n:,} positives"
        rows.append(Interval(name=name, value=value, low=low, high=high, verdict=verdict, told=told))
    axis = Axis(low=0.70, high=0.92, marks=(0.7, 0.75, 0.8, 0.85, 0.9), title="recall")
    return intervals("The interval decides, not the number", axis, limit, "at least 0.8", rows)


def paired() -> str:
    """The same two models, told apart on the same rows and on rows of their own."""
    margin, share, differ = 0.01, 0.85, 0.05
    rows = []
    for name, n, alike in (
        ("same 2,000 rows", 2000, True),
        ("2,000 rows each", 2000, False),
        ("10,000 each", 10_000, False),
    ):
        low, high = difference(n, share, differ, alike=alike)
        verdict = outcome(0.0, low, high, -margin)
        told = f"{verdict}: {signed(low)} to {signed(high)}"
        rows.append(Interval(name=name, value=0.0, low=low, high=high, verdict=verdict, told=told))
    axis = Axis(low=-0.025, high=0.025, marks=(-0.02, -0.01, 0, 0.01, 0.02), title="change of accuracy", told=signed)
    return intervals("Paired is worth five times the rows", axis, -margin, "worse by at most 0.01", rows)


def difference(n: int, share: float, differ: float, *, alike: bool) -> tuple[float, float]:
    """Bounds for the change between two models that are right in ``share`` of the rows each: on the same rows, of which
    one alone is right in ``differ``, or on ``n`` rows each."""
    right, only = round(n * share), round(n * differ / 2)
    if alike:
        return paired_difference(right - only, only, only, n - right - only, CONFIDENCE)
    bounds = exact(right, n, CONFIDENCE)
    return mover_difference(right / n, *bounds, right / n, *bounds)


def gap() -> str:
    """How far apart the extremes of groups lie that are all alike."""
    error, limit, lines = sqrt(0.3 * 0.7 / 200), 0.05, []
    for place, (groups, kind) in enumerate(((12, "three"), (4, "two"), (2, "one"))):
        points = [(step / 400, 100 * beyond(step / 400 / error, groups)) for step in range(81)]
        name = f"{groups} groups: {dict(points)[limit]:.3g} %"
        lines.append(Curve(name=name, kind=kind, points=points, listed=place))
    below = Axis(
        low=0, high=0.20, marks=(0, 0.05, 0.1, 0.15, 0.2), title="largest less smallest rate, 200 rows a group"
    )
    beside = Axis(low=0, high=100, marks=(0, 50, 100), title="of the draws\nso many lie\nfurther apart, %")
    what = "Further apart than 0.05 by chance alone: " + "; ".join(line.name for line in lines)
    return curves("A gap between groups that are treated alike", f"{what}.", below, beside, lines, (f"x{limit}", ""))


def beyond(far: float, groups: int) -> float:
    """How often the largest and the smallest of so many standard normal values lie further apart."""
    steps = [place / 20 for place in range(-160, 161)]
    within = (NORMAL.pdf(x) * (NORMAL.cdf(x + far) - NORMAL.cdf(x)) ** (groups - 1) for x in steps)
    return 1 - groups * sum(within) / 20


def rows() -> str:
    """What a holdout of so many rows can reveal."""
    sizes = sorted({200 * round(10 ** (place / 20)) for place in range(55)})  # of which every share is whole
    lines = []
    for name, kind, differ, alike in (
        ("as many rows each", "two", 0.1, False),
        ("same rows, 10 % differ", "one", 0.1, True),
        ("same rows, 2 % differ", "three", 0.02, True),
    ):
        seen = [(n, -100 * detectable(difference(n, 0.85, differ, alike=alike)[0], CONFIDENCE)) for n in sizes]
        lines.append(Curve(name=name, kind=kind, points=seen))
    below = Axis(low=200, high=100_000, marks=(200, 1000, 10_000, 100_000), title="rows of the holdout", log=True)
    beside = Axis(
        low=0.1,
        high=20,
        marks=(0.1, 0.3, 1, 3, 10),
        title="loss of accuracy,\nin points, found in\n8 of 10 holdouts",
        log=True,
    )
    what = "Four times the rows halve what can be found. A loss of one point takes " + " and ".join(
        f"{reveals(line.points, 1.0):,} rows ({line.name})" for line in lines
    )
    return curves("What a holdout can tell", f"{what}.", below, beside, lines, ("y1", "1 point"))


def reveals(points: Sequence[tuple[float, float]], loss: float) -> int:
    """The rows from which on a loss is found, to two digits."""
    n = next(size for size, seen in points if seen <= loss)
    return int(float(f"{n:.2g}"))


def luck() -> str:
    """By how much the best of many equal candidates looks better than it is."""
    tried = [10 ** (place / 20) for place in range(61)]
    lines = []
    for n, kind in ((500, "two"), (2000, "one"), (10_000, "three")):
        error = 100 * sqrt(0.10 / 2 / n)
        lines.append(Curve(name=f"{n:,} rows", kind=kind, points=[(k, error * best(k)) for k in tried]))
    below = Axis(low=1, high=1000, marks=(1, 10, 100, 1000), title="candidates tried, all equally good", log=True)
    beside = Axis(low=0, high=3.5, marks=(0, 1, 2, 3), title="points by which\nthe best of them\nlooks better")
    told = ", ".join(f"{line.points[40][1]:.1f} points on {line.name}" for line in lines)
    return curves(
        "The best of many looks better than it is", f"Of 100: {told}. On fresh rows: 0.", below, beside, lines
    )


def best(tried: float) -> float:
    """The mean of the largest of so many standard normal values."""
    steps = [place / 50 for place in range(-400, 401)]
    return sum(x * tried * NORMAL.pdf(x) * NORMAL.cdf(x) ** (tried - 1) for x in steps) / 50


PICTURES: dict[str, Callable[[], str]] = {
    f"docs/pictures/{make.__name__}.svg": make for make in (verdicts, paired, gap, rows, luck)
}
