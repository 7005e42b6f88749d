"""Sums and products of quantities of each row. Sums of doubles depend on their order; so each double is split into
whole numbers of 40 bits, whose sums don't."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import zip_longest

from gates.documents.evidence import Bucket, Moments
from gates.documents.slices import Dimension
from gates.documents.statistic import Statistic
from gates.errors import GatesError
from gates.measure.holdout.joined import ScoredRows
from gates.measure.holdout.rows import WEIGHT_BITS
from gates.measure.holdout.tables import double_of
from gates.measure.statistics.cells import Key
from gates.metrics import QUANTITIES
from gates.metrics.expressions import Staged, double
from gates.wording import counted

_LIMB = 40
NARROW, WIDE = (-20, -60), (60, 20, -20, -60, -100, -140)  # exponents of the limbs; the highest holds 62 bits
_TOP = 62


def moments(joined: ScoredRows, dimension: Dimension, statistic: Statistic, *, buckets: bool) -> dict[Key, Moments]:
    """Return the sums of each slice. Raises ``GatesError`` where a value is too large to be summed."""
    quantities = QUANTITIES[statistic.name]
    names = joined.columns(dimension)
    staged = [
        quantity for model in joined.models_of(statistic) for quantity in quantities.models(model, statistic.parameters)
    ]
    staged += quantities.rows(joined.models[0])
    values = {f"v{place}": f"v{place}" for place in range(len(staged))}
    counting = quantities.queries(statistic.parameters) if quantities.queries else None
    source = _quantities(staged, names, counting)
    if buckets:
        weight = f"(CAST(weight AS DOUBLE) * {double(2.0**-WEIGHT_BITS)})"
        values = {name: f"{weight} * {name}" for name in values}
    else:
        size = len(staged)
        values |= {f"p{i}_{j}": f"v{i} * v{j}" for i in range(size) for j in range(i, size)}
    limbs = WIDE if quantities.wide else NARROW
    by = [*names, "bucket"] if buckets else names
    columns = [*by, "weight", *(f"{sql} AS x{at}" for at, sql in enumerate(values.values()))]
    source = f"SELECT {', '.join(columns)} FROM {source}"
    by_slice: dict[Key, list[tuple[int, ...]]] = {}
    for row in joined.engine.run(summed(source, by, len(values), limbs)):
        key, rest = tuple(row[: len(names)]), row[len(names) :]
        bucket, counts = (rest[:1], rest[1:]) if buckets else ((), rest)
        rows, weights, bad, *parts = (int(value or 0) for value in counts)
        if bad:
            what = f"in {counted(bad, 'row')} its value is missing, not a number, or too large to be summed"
            raise GatesError(f"{statistic.id}: {what}", hint="Look at the label and the predictions of these rows.")
        if rows:  # of no query that counts there are sums, too: nulls
            by_slice.setdefault(key, []).append((*bucket, rows, weights, *whole_numbers(parts, limbs)))
    ends = _ends(joined, names, quantities.rows(joined.models[0]))
    sums = {key: _moments(statistic, rows, len(staged), buckets=buckets) for key, rows in by_slice.items()}
    return {key: replace(of_slice, ends=ends.get(key, ())) for key, of_slice in sums.items()}


def _ends(joined: ScoredRows, names: Sequence[str], rows: Sequence[Staged]) -> dict[Key, tuple[int, ...]]:
    """Return for each slice the smallest and the largest value of the first quantity of single rows, where there is
    one.

    Both are exact, unlike what sums tell of them. Rows without weight don't count.
    """
    if not rows:
        return {}
    ends = [f"gates_bits(CAST({end}({rows[0].expression}) AS DOUBLE))" for end in ("min", "max")]
    grouped = f" GROUP BY {', '.join(names)}" if names else ""
    query = f"SELECT {', '.join([*names, *ends])} FROM joined WHERE weight > 0{grouped}"
    width = len(names)
    return {
        tuple(row[:width]): tuple(int(Fraction(double_of(int(bits))) * 2**Moments.UNIT) for bits in row[width:])
        for row in joined.engine.run(query)
        if row[width] is not None
    }


def _moments(statistic: Statistic, rows_of: list[tuple[int, ...]], size: int, *, buckets: bool) -> Moments:
    if buckets:
        parts = tuple(Bucket(bucket=at, weight=weight, sums=tuple(sums)) for at, _, weight, *sums in sorted(rows_of))
        totals = tuple(sum(column) for column in zip(*(part.sums for part in parts), strict=True))
        rows = sum(row[1] for row in rows_of)
        return Moments(id=statistic.id, rows=rows, sums=totals, products=(), buckets=parts)
    ((rows, _, *sums),) = rows_of
    return Moments(id=statistic.id, rows=rows, sums=tuple(sums[:size]), products=tuple(sums[size:]), buckets=())


def _quantities(staged: Sequence[Staged], names: Sequence[str], counts: str | None) -> str:
    """Return a subquery with the quantities as v0, v1, ... beside the slice columns, bucket and weight; a row a row, or
    a row a query that ``counts``."""
    source = "joined"
    for step in zip_longest(*(quantity.steps for quantity in staged), fillvalue=()):
        made = {name: sql for columns in step if isinstance(columns, Mapping) for name, sql in columns.items()}
        source = f"(SELECT *, {', '.join(f'{sql} AS {name}' for name, sql in made.items())} FROM {source})"
    values = [f"{quantity.expression} AS v{place}" for place, quantity in enumerate(staged)]
    kept = [*names, "bucket", "weight"]
    grouped = f" GROUP BY {', '.join(['query', *kept])} HAVING {counts}" if counts else ""
    return f"(SELECT {', '.join([*kept, *values])} FROM {source}{grouped})"


def summed(source: str, by: Sequence[str], values: int, limbs: Sequence[int]) -> str:
    """Return the query: rows, weight, rows that can't be summed, and of each value the sum of each limb."""
    most = double(2.0 ** (limbs[0] + _TOP))
    bad = " OR ".join(f"NOT coalesce(abs(x{at}) < {most}, FALSE)" for at in range(values))
    kept = [*by, "weight", "bad"]
    source = f"SELECT *, CASE WHEN {bad} THEN 1 ELSE 0 END AS bad FROM ({source})"
    rest = [f"CASE WHEN bad = 1 THEN 0 ELSE x{at} * {double(2.0 ** -limbs[0])} END AS r{at}" for at in range(values)]
    source = f"SELECT {', '.join([*kept, *rest])} FROM ({source})"
    columns: list[str] = []
    for limb in range(len(limbs)):
        made = [f"trunc(r{at}) AS l{at}_{limb}" for at in range(values)]
        kept_limbs = [*kept, *columns]
        source = f"SELECT {', '.join([*kept_limbs, *(f'r{at}' for at in range(values)), *made])} FROM ({source})"
        columns += [f"l{at}_{limb}" for at in range(values)]
        rest = [f"(r{at} - l{at}_{limb}) * {double(2.0**_LIMB)} AS r{at}" for at in range(values)]
        source = f"SELECT {', '.join([*kept, *columns, *rest])} FROM ({source})"
    sums = [f"sum(CAST(l{at}_{limb} AS BIGINT))" for at in range(values) for limb in range(len(limbs))]
    grouped = f" GROUP BY {', '.join(by)}" if by else ""
    return f"SELECT {', '.join([*by, 'count(*)', 'sum(weight)', 'sum(bad)', *sums])} FROM ({source}){grouped}"


def whole_numbers(parts: Sequence[int], limbs: Sequence[int]) -> Iterator[int]:
    """Yield sums of limbs -> one whole number of 2**-``Moments.UNIT`` a value."""
    for at in range(0, len(parts), len(limbs)):
        held = zip(parts[at : at + len(limbs)], limbs, strict=True)
        yield sum(part << (exponent + Moments.UNIT) for part, exponent in held)
