"""Evidence of parts added up to that of the whole: counts and sums, slice by slice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from gates.documents.evidence import Bucket, Evidence, Moments, Slice
from gates.documents.spread import Curve, Fit
from gates.measure.slice_counts import order
from gates.policy import ResolvedPolicy


def added_up(resolved: ResolvedPolicy, parts: Sequence[Evidence]) -> Evidence:
    """Add the evidence of all parts up."""
    runs = tuple(
        replace(run_, slices=_slices(resolved, [part.runs[at].slices for part in parts]))
        for at, run_ in enumerate(parts[0].runs)
    )
    return replace(
        parts[0],
        slices=_slices(resolved, [part.slices for part in parts]),
        anchored=_slices(resolved, [part.anchored for part in parts]),
        based=_slices(resolved, [part.based for part in parts]),
        runs=runs,
        curves=_curves([part.curves for part in parts]),
        fits=_fits([part.fits for part in parts]),
    )


def _slices(resolved: ResolvedPolicy, parts: Sequence[Sequence[Slice]]) -> tuple[Slice, ...]:
    """Return the slices of all parts, added up and put into their order."""
    by_id = {dimension.id: (place, dimension) for place, dimension in enumerate(resolved.needs.dimensions)}
    together: dict[tuple[str, Any], list[Slice]] = {}
    for one in (one for slices in parts for one in slices if one.rows):
        together.setdefault((one.dimension, one.key), []).append(one)

    def place(item: tuple[str, Any]) -> tuple[int, Any]:
        at, dimension = by_id[item[0]]
        return at, order(dimension, tuple(value for _, value in item[1]))

    return tuple(_added(together[item]) for item in sorted(together, key=place))


def _added(parts: Sequence[Slice]) -> Slice:
    moments = zip(*(part.moments for part in parts), strict=True)
    return replace(
        parts[0],
        rows=sum(part.rows for part in parts),
        cells=_tuples(cell for part in parts for cell in part.cells),
        weights=_tuples(weight for part in parts for weight in part.weights),
        moments=tuple(_moments(held) for held in moments),
    )


def _tuples(rows: Iterator[tuple[int, ...]]) -> tuple[tuple[int, ...], ...]:
    """Return rows that are alike but for their last number, added up."""
    added: Counter[tuple[int, ...]] = Counter()
    for *key, n in rows:
        added[tuple(key)] += n
    return tuple(sorted((*key, n) for key, n in added.items()))


def _sums(rows: Sequence[Sequence[int]]) -> tuple[int, ...]:
    return tuple(sum(column) for column in zip(*(row for row in rows if row), strict=True))


def _moments(sums: Sequence[Moments]) -> Moments:
    buckets: dict[int, list[Bucket]] = {}
    for moments in sums:
        for bucket in moments.buckets:
            buckets.setdefault(bucket.bucket, []).append(bucket)
    return Moments(
        id=sums[0].id,
        rows=sum(moments.rows for moments in sums),
        sums=_sums([moments.sums for moments in sums]),
        products=_sums([moments.products for moments in sums]),
        buckets=tuple(
            Bucket(
                bucket=at, weight=sum(bucket.weight for bucket in some), sums=_sums([bucket.sums for bucket in some])
            )
            for at, some in sorted(buckets.items())
        ),
        ends=_ends([moments.ends for moments in sums if moments.ends]),
    )


def _ends(held: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """Return the smallest and the largest of all."""
    return (min(low for low, _ in held), max(high for _, high in held)) if held else ()


def _curves(parts: Sequence[Sequence[Curve]]) -> tuple[Curve, ...]:
    curves = list[Curve]()
    for same in zip(*parts, strict=True):
        bins: dict[int, tuple[int, int]] = {}
        for at, no, yes in (one for curve in same for one in curve.bins):
            before = bins.get(at, (0, 0))
            bins[at] = before[0] + no, before[1] + yes
        curves.append(replace(same[0], bins=tuple((at, *both) for at, both in sorted(bins.items()))))
    return tuple(curves)


def _fits(parts: Sequence[Sequence[Fit]]) -> tuple[Fit, ...]:
    return tuple(
        replace(
            same[0],
            cells=_tuples(cell for fit in same for cell in fit.cells),
            residuals=_tuples(row for fit in same for row in fit.residuals),
        )
        for same in zip(*parts, strict=True)
    )
