"""Quantiles: order statistics from the engine, exact at any size, with Woodruff's error.

The share of rows below a quantile has an error; the values at that share less and plus the error bound the quantile.
Two models' quantiles covary as their rows' being below them do. Sources: Woodruff, JASA 1952;47:635; Francisco and
Fuller, Ann Stat 1991;19:454.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, isfinite, sqrt

from gates.contract.sql import literal
from gates.documents.evidence import Computed
from gates.documents.slices import Dimension
from gates.documents.statistic import Statistic
from gates.measure.holdout.joined import ScoredRows
from gates.measure.holdout.tables import double_of
from gates.measure.statistics.cells import Key
from gates.metrics.columns import ORDERED
from gates.schema.canonical import settled
from gates.stats.distributions.student import t

_ONE = 2.0**Computed.UNIT
_SURE = 0.975  # of each of the two values from whose distance the error is taken
_MOST = 1e40
_TIED = 3.0  # standard errors of a share, within which values that are all the same leave no doubt of the quantile
_FEW = "too few rows lie beyond it to know how far off it may be"


@dataclass(frozen=True, slots=True)
class _Tally:
    """Rows of one slice, or of one bucket of it: their number, their weight, and the weight of those at or below
    each model's quantile, of those below it, and of those at or below both."""

    rows: int
    weight: int
    at: tuple[int, ...]
    below: tuple[int, ...]
    both: int


@dataclass(frozen=True, slots=True)
class _Found:
    """The quantiles of one slice and its tallies."""

    values: tuple[float, ...]
    tallies: list[_Tally]


def ordered(
    joined: ScoredRows, dimension: Dimension, statistic: Statistic, *, weighted: bool, together: bool
) -> dict[Key, Computed]:
    """Return the quantile of each slice and both models. ``together``: rows belong together or are weighted, so that
    the error is that of buckets."""
    asked = ORDERED[statistic.name]
    q = asked.q(statistic.parameters)
    names = joined.columns(dimension)
    values = [asked.value(model, statistic.parameters) for model in joined.models_of(statistic)]
    columns = {f"x{at}": value for at, value in enumerate(values)}
    source = _running(names, columns, "weight" if weighted else "1")
    by_slice = {
        key: _found(rows, len(columns))
        for key, rows in _tallied(joined, names, source, len(columns), q, together).items()
    }
    spreads = {key: _spread(one, q, together=together) for key, one in by_slice.items()}
    told_apart = {key: spread for key, spread in spreads.items() if isinstance(spread, _Spread)}
    ends = _ends(joined, names, source, len(columns), told_apart)
    return {key: _one(statistic.id, one, spreads[key], ends.get(key, ())) for key, one in by_slice.items()}


def _over(names: Sequence[str], order: str = "") -> str:
    part = f"PARTITION BY {', '.join(names)} " if names else ""
    return f"OVER ({part}{f'ORDER BY {order}' if order else ''})"


def _running(names: Sequence[str], columns: Mapping[str, str], weight: str) -> str:
    """Return a subquery: each row's values, its weight n, and the weight of all rows up to each value."""
    rows = ", ".join([*names, "bucket", f"{weight} AS n", *(f"{sql} AS {name}" for name, sql in columns.items())])
    sums = ", ".join(f"sum(n) {_over(names, name)} AS n{name}" for name in columns)
    return f"(SELECT *, {sums}, sum(n) {_over(names)} AS total FROM (SELECT {rows} FROM joined))"


def _tallied(
    joined: ScoredRows, names: list[str], source: str, models: int, q: Fraction, together: bool
) -> dict[Key, list[tuple[int, ...]]]:
    """Return for each slice and bucket the bits of each model's lower and upper order statistic, then a tally."""
    places, whole = range(models), _over(names)
    marks = [
        f"min(CASE WHEN nx{at} * {q.denominator} {sign} total * {q.numerator} THEN x{at} END) {whole} AS {end}{at}"
        for at in places
        for end, sign in (("low", ">="), ("high", ">"))
    ]
    ends = [f"{end}{at}" for at in places for end in ("low", "high")]
    both = " AND ".join(f"x{at} <= low{at}" for at in places)
    counted = [f"x{at} {sign} low{at}" for sign in ("<=", "<") for at in places] + [both]
    sums = [f"sum(CASE WHEN {one} THEN n ELSE 0 END)" for one in counted]
    by = [*names, *ends, *(["bucket"] if together else [])]
    by_slice: dict[Key, list[tuple[int, ...]]] = {}
    columns = [*names, *(f"gates_bits({end})" for end in ends), "count(*)", "sum(n)", *sums]
    query = f"SELECT {', '.join(columns)} FROM (SELECT *, {', '.join(marks)} FROM {source}) GROUP BY {', '.join(by)}"
    for row in joined.engine.run(query):
        by_slice.setdefault(tuple(row[: len(names)]), []).append(tuple(int(one or 0) for one in row[len(names) :]))
    return by_slice  # of a slice without weight there are no order statistics: nulls


def _found(rows: list[tuple[int, ...]], models: int) -> _Found:
    ends = [double_of(bits) for bits in rows[0][: 2 * models]]
    tallies = []
    for row in rows:
        count, weight, *sums, both = row[2 * models :]
        tallies.append(_Tally(count, weight, tuple(sums[:models]), tuple(sums[models:]), both))
    return _Found(tuple((low + high) / 2 for low, high in zip(ends[::2], ends[1::2], strict=True)), tallies)


@dataclass(frozen=True, slots=True)
class _Spread:
    """Of one slice: for each model the weights up to which the two bounding values reach, the correlation of the
    models, the quantile of Student's t that they stand for, and what it rests on."""

    reach: tuple[tuple[int, int], ...]
    correlation: float
    sure: float
    groups: int


def _spread(quantiles: _Found, q: Fraction, *, together: bool) -> _Spread | str:
    """Tell how far the shares below the quantiles may be off; in words if there are too few rows."""
    tallies = quantiles.tallies
    rows, weight = sum(tally.rows for tally in tallies), sum(tally.weight for tally in tallies)
    groups = sum(tally.weight > 0 for tally in tallies) if together else rows
    if groups < 2 or not weight:  # one has no spread
        return _FEW
    models = range(len(quantiles.values))
    p = float(q)
    errors = []
    for at in models:
        variance = p * (1 - p) / rows
        if together:  # whichever is worse: of many rows that tie at the quantile the one or the other says nothing
            variance = max(
                variance,
                _product(tallies, weight, [tally.at[at] for tally in tallies], [tally.at[at] for tally in tallies]),
                _product(
                    tallies, weight, [tally.below[at] for tally in tallies], [tally.below[at] for tally in tallies]
                ),
            )
        errors.append(sqrt(variance))
    sure = t(_SURE, groups - 1)
    shares = [(settled(p - sure * error), settled(p + sure * error)) for error in errors]
    if any(low <= 0 or high >= 1 for low, high in shares):
        return _FEW
    for at, (error, (low, high)) in enumerate(zip(errors, shares, strict=True)):
        below, upto = (sum(getattr(tally, name)[at] for tally in tallies) / weight for name in ("below", "at"))
        same = below < low and high <= upto  # both bounding values are the quantile itself
        if same and not (below < p - _TIED * error and p + _TIED * error <= upto):
            return _FEW
    reach = tuple((ceil(Fraction(low) * weight), ceil(Fraction(high) * weight)) for low, high in shares)
    return _Spread(reach, _correlation(tallies, rows, weight, together=together), sure, groups)


def _product(tallies: Sequence[_Tally], weight: int, ours: Sequence[int], theirs: Sequence[int]) -> float:
    """Return the variance, or covariance, of two shares of the weight over buckets: that of ratios of sums,
    linearised."""
    k, a, b = len(tallies), sum(ours) / weight, sum(theirs) / weight
    total = sum(
        (x / weight - a * (tally.weight / weight)) * (y / weight - b * (tally.weight / weight))
        for x, y, tally in zip(ours, theirs, tallies, strict=True)
    )
    return k / (k - 1) * total


def _correlation(tallies: Sequence[_Tally], rows: int, weight: int, *, together: bool) -> float:
    """Return the correlation of a row's being at or below each of the two models' quantiles; 0 where one says
    nothing."""
    if len(tallies[0].at) == 1:
        return 0.0
    first, second = ([tally.at[at] for tally in tallies] for at in (0, 1))
    if together:
        joint, ours, theirs = (
            _product(tallies, weight, *pair) for pair in ((first, second), (first, first), (second, second))
        )
    else:
        a, b = sum(first) / rows, sum(second) / rows
        joint, ours, theirs = tallies[0].both / rows - a * b, a * (1 - a), b * (1 - b)
    return max(-1.0, min(1.0, joint / sqrt(ours * theirs))) if ours > 0 and theirs > 0 else 0.0


def _ends(
    joined: ScoredRows, names: list[str], source: str, models: int, spreads: Mapping[Key, _Spread]
) -> dict[Key, tuple[float, ...]]:
    """Return for each slice the values that bound each model's quantile."""
    if not spreads:
        return {}
    reached = [f"r{at}_{end}" for at in range(models) for end in (0, 1)]
    keys = [f"k{at}" for at in range(len(names))]
    rows = [
        ", ".join([*(_text(value) for value in key), *(str(one) for pair in spread.reach for one in pair)])
        for key, spread in spreads.items()
    ]
    listed = f"(VALUES {', '.join(f'({row})' for row in rows)}) AS reach({', '.join([*keys, *reached])})"
    on = " AND ".join(f"held.{name} IS NOT DISTINCT FROM reach.{key}" for name, key in zip(names, keys, strict=True))
    found = [f"min(CASE WHEN nx{at} >= r{at}_{end} THEN x{at} END)" for at in range(models) for end in (0, 1)]
    columns = ", ".join([*names, *(f"gates_bits({one})" for one in found)])
    grouped = f" GROUP BY {', '.join(names)}" if names else ""
    query = f"SELECT {columns} FROM {source} AS held JOIN {listed} ON {on or 'TRUE'}{grouped}"
    width = len(names)
    return {tuple(row[:width]): tuple(double_of(int(bits)) for bits in row[width:]) for row in joined.engine.run(query)}


def _text(value: str | None) -> str:
    return "CAST(NULL AS VARCHAR)" if value is None else literal(value)


def _one(id_: str, quantiles: _Found, spread: _Spread | str, ends: Sequence[float]) -> Computed:
    rows = sum(one.rows for one in quantiles.tallies)
    if isinstance(spread, str):
        return _undefined(id_, spread, rows)
    if not all(isfinite(one) and abs(one) < _MOST for one in (*quantiles.values, *ends)):
        return _undefined(id_, "its values are too large", 0)
    errors = list(_errors(quantiles.values, ends, spread.sure))
    paired = len(quantiles.values) > 1
    return Computed(
        id=id_,
        why=None,
        paired=paired,
        candidate=_units(quantiles.values[0]),
        champion=_units(quantiles.values[1]) if paired else 0,
        aa=_units(errors[0] ** 2, 2),
        bb=_units(errors[1] ** 2, 2) if paired else 0,
        ab=_units(spread.correlation * errors[0] * errors[1], 2) if paired else 0,
        groups=spread.groups,
        method="woodruff",
    )


def _errors(values: Sequence[float], ends: Sequence[float], sure: float) -> Iterator[float]:
    """Yield each model's error, on both sides that of the wider one: a quantile's error is skewed, and each bound has
    to hold."""
    for value, low, high in zip(values, ends[::2], ends[1::2], strict=True):
        yield max(value - low, high - value) / sure


def _units(value: float, power: int = 1) -> int:
    return int(settled(value) * _ONE**power)


def _undefined(id_: str, why: str, rows: int) -> Computed:
    return Computed(
        id=id_, why=why, paired=False, candidate=0, champion=0, aa=0, bb=0, ab=0, groups=rows, method="woodruff"
    )
