"""Draw a regression: predictions beside their labels, and how far off they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from gates.documents.spread import Fit
from gates.report.html import plots
from gates.report.html.plots import Frame, Range
from gates.stats.residual_bins import ends_of

BINS = 30  # of the histogram of residuals
SEEN = 0.98  # of all residuals lie within the histogram; the others are counted in its ends


def drawn(fits: Sequence[Fit]) -> Iterator[tuple[str, str]]:
    """Yield the title and the picture of each plot."""
    if not fits:
        return
    yield "Residuals", _residuals(fits)
    for fit in fits:
        if len(fit.edges) > 1:
            yield f"Predictions of the {fit.model}", _grid(fit)


def _residuals(fits: Sequence[Fit]) -> str:
    far = _reach([row for fit in fits for row in fit.residuals])
    lines = [(fit.model, _steps(_shares(fit, far), far)) for fit in fits]
    most = max(y for _, points in lines for _, y in points)
    axes = ("prediction less label", "share of the rows")
    return plots.curves("Residuals", lines, axes, Frame(across=(-far, far), up=(0.0, most or 1.0)))


def _reach(rows: Sequence[Sequence[int]]) -> float:
    """Return within which size ``SEEN`` of the residuals lie."""
    sizes = sorted((max(map(abs, ends_of(bin_))), count) for bin_, count in rows)
    total, upto = sum(count for _, count in sizes), 0
    for size, count in sizes:
        upto += count
        if upto >= SEEN * total:
            return size or 1.0
    return 1.0


def _shares(fit: Fit, far: float) -> list[float]:
    """Return the share of rows in each bin between ``-far`` and ``far``; a fine bin's rows are spread over it."""
    wide, counts = 2 * far / BINS, [0.0] * BINS
    for bin_, count in fit.residuals:
        low, high = ends_of(bin_)
        first, last = (min(BINS - 1, max(0, int((end + far) / wide))) for end in (low, high))
        for at in range(first, last + 1):
            left = -far + at * wide if at > first else low
            right = -far + (at + 1) * wide if at < last else high
            counts[at] += count * ((right - left) / (high - low) if first < last else 1.0)
    total = sum(counts) or 1.0
    return [count / total for count in counts]


def _steps(shares: Sequence[float], far: float) -> list[tuple[float, float]]:
    wide = 2 * far / len(shares)
    return [(-far + (at + side) * wide, share) for at, share in enumerate(shares) for side in (0, 1)]


def _grid(fit: Fit) -> str:
    """Return a heat map: of the rows in each tenth of the labels, the share in each bin of predictions."""
    edges = [float(edge) for edge in fit.edges]
    pad = (edges[-1] - edges[0]) / len(edges) or 1.0
    ends = [edges[0] - pad, *edges, edges[-1] + pad]  # the first bin and the last have no end
    ranges: list[Range] = list(pairwise(ends))
    of_label: dict[int, int] = {}
    for label, _, rows in fit.cells:
        of_label[label] = of_label.get(label, 0) + rows
    cells = [(ranges[label], ranges[at], rows / of_label[label]) for label, at, rows in fit.cells]
    frame = Frame(across=(ends[0], ends[-1]), up=(ends[0], ends[-1]))
    return plots.heat(f"Predictions of the {fit.model}", cells, ("label", "prediction"), frame)
