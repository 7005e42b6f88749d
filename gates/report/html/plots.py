"""Draw square plots with two axes as SVG text: curves, histograms, heat maps. Colours are the page's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gates.report.html.axis import labels, ticks

Points = Sequence[tuple[float, float]]
Range = tuple[float, float]
SIDE = 280
LEFT, BOTTOM, AROUND = 52, 42, 10  # what the axes and their numbers take
UNIT: Range = (0.0, 1.0)
_MOST = 300  # points of one curve: more can't be seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A square with the ranges of its two axes."""

    across: Range = UNIT
    up: Range = UNIT

    def x(self, value: float) -> float:
        """Return how far from the left a value stands."""
        low, high = self.across
        return LEFT + (value - low) / ((high - low) or 1.0) * (SIDE - LEFT - AROUND)

    def y(self, value: float) -> float:
        """Return how far from the top a value stands."""
        low, high = self.up
        return SIDE - BOTTOM - (value - low) / ((high - low) or 1.0) * (SIDE - BOTTOM - AROUND)

    def drawn(self, title: str, marks: Iterable[str], axes: tuple[str, str]) -> str:
        """Return the whole picture: axes with their numbers and names, and the marks."""
        across, up = axes
        at_x, at_y = ticks(*self.across, 3), ticks(*self.up)
        numbers = [
            *(
                f'<text x="{self.x(at):.1f}" y="{SIDE - BOTTOM + 14}">{told}</text>'
                for at, told in zip(at_x, labels(at_x), strict=True)
            ),
            *(
                f'<text class="y" x="{LEFT - 5}" y="{self.y(at) + 4:.1f}">{told}</text>'
                for at, told in zip(at_y, labels(at_y), strict=True)
            ),
        ]
        ends = "".join(f"M{self.x(at):.1f} {SIDE - BOTTOM}v3" for at in at_x)
        ends += "".join(f"M{LEFT} {self.y(at):.1f}h-3" for at in at_y)
        return (
            f'<svg class="plot" viewBox="0 0 {SIDE} {SIDE}" role="img" aria-label="{title}">{"".join(marks)}'
            f'<path class="a" d="M{LEFT} {AROUND}V{SIDE - BOTTOM}H{SIDE - AROUND}{ends}"/>{"".join(numbers)}'
            f'<text x="{(SIDE + LEFT) / 2}" y="{SIDE - 6}">{across}</text>'
            f'<text transform="translate(12 {(SIDE - BOTTOM) / 2}) rotate(-90)">{up}</text></svg>'
        )


def thinned(points: Points) -> Points:
    """Return at most ``_MOST`` of the points, the first and the last among them."""
    step = max(1, -(-len(points) // _MOST))
    return [*points[::step], points[-1]] if points else points


def curves(
    title: str,
    lines: Sequence[tuple[str, Points]],
    axes: tuple[str, str],
    frame: Frame | None = None,
    *,
    diagonal: bool = False,
) -> str:
    """Draw lines. ``lines``: (class of the picture, points); ``diagonal``: where both axes are equal."""
    frame = frame or Frame()
    drawn = []
    if diagonal:
        low, high = max(frame.across[0], frame.up[0]), min(frame.across[1], frame.up[1])
        drawn.append(
            f'<path class="z" d="M{frame.x(low):.1f} {frame.y(low):.1f}L{frame.x(high):.1f} {frame.y(high):.1f}"/>'
        )
    for name, points in lines:
        path = "L".join(f"{frame.x(x):.1f} {frame.y(y):.1f}" for x, y in thinned(points))
        drawn.append(f'<path class="c {name}" d="M{path}"/>')
    return frame.drawn(title, drawn, axes)


def bars(title: str, series: Sequence[tuple[str, Sequence[float]]], axes: tuple[str, str]) -> str:
    """Draw shares over bins from 0 to 1, one series beside the other. ``series``: (class of the picture, a share a
    bin)."""
    most = max((share for _, shares in series for share in shares), default=0) or 1
    frame, drawn = Frame(up=(0.0, most)), []
    for index, (name, shares) in enumerate(series):
        wide = 1 / max(1, len(shares)) / len(series)
        steps = [
            f"M{frame.x((at * len(series) + index) * wide):.1f} {frame.y(0):.1f}V{frame.y(share):.1f}"
            f"H{frame.x((at * len(series) + index + 0.9) * wide):.1f}V{frame.y(0):.1f}"
            for at, share in enumerate(shares)
        ]
        drawn.append(f'<path class="h {name}" d="{"".join(steps)}"/>')
    return frame.drawn(title, drawn, axes)


def heat(title: str, cells: Iterable[tuple[Range, Range, float]], axes: tuple[str, str], frame: Frame) -> str:
    """Draw rectangles, each as strong as its share. ``cells``: (from and to across, from and to up, share)."""
    drawn = [
        f'<rect class="cell" x="{frame.x(left):.1f}" y="{frame.y(high):.1f}" opacity="{share:.3f}" '
        f'width="{frame.x(right) - frame.x(left):.1f}" height="{frame.y(low) - frame.y(high):.1f}"/>'
        for (left, right), (low, high), share in cells
        if share > 0
    ]
    low, high = max(frame.across[0], frame.up[0]), min(frame.across[1], frame.up[1])
    line = f'<path class="z" d="M{frame.x(low):.1f} {frame.y(low):.1f}L{frame.x(high):.1f} {frame.y(high):.1f}"/>'
    return frame.drawn(title, [*drawn, line], axes)
