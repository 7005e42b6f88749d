"""Joined rows -> integer counts and sums, a slice at a time. The engine returns whole numbers only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gates.evidence import Ranks, RankSums, Slice
from gates.kinds.protocol import Needs
from gates.measure.predictions import Predicted
from gates.measure.tables import run
from gates.slices import Dimension, Key

Parts = Mapping[tuple[str, tuple[float, ...]], str]


def count(
    connection: Any, needs: Needs, parts: Parts, candidate: Predicted, champion: Predicted | None
) -> tuple[Slice, ...]:
    """The slices of all dimensions that are needed, the whole holdout first."""
    _join(connection, parts, candidate, champion)
    scored = candidate.scored and (champion is None or champion.scored)
    return tuple(
        part
        for dimension in sorted(needs.cells | needs.ranks, key=lambda one: one.id)
        for part in _along(connection, dimension, parts, ranks=scored and dimension in needs.ranks)
    )


def _join(connection: Any, parts: Parts, candidate: Predicted, champion: Predicted | None) -> None:
    """``joined``: y, both models' calls (c, b; -1 without champion) and scores (s, t), and the slice columns."""
    columns = "".join(f", r.{name}" for name in parts.values())
    other = "b.call AS b, b.score AS t" if champion else "CAST(-1 AS TINYINT) AS b, CAST(NULL AS DOUBLE) AS t"
    beside = f" JOIN {champion.name} b USING (pos)" if champion else ""
    run(
        connection,
        f"CREATE OR REPLACE TEMP TABLE joined AS SELECT r.y, c.call AS c, c.score AS s, {other}{columns} "
        f"FROM gates_rows r JOIN {candidate.name} c USING (pos){beside}",
    )


def _along(connection: Any, dimension: Dimension, parts: Parts, *, ranks: bool) -> Iterator[Slice]:
    names = [parts[column, dimension.edges] for column in dimension.columns]
    width = len(names)
    grouped = ", ".join([*names, "y", "c", "b"])
    cells: dict[tuple[str | None, ...], list[tuple[int, ...]]] = {}
    for row in run(connection, f"SELECT {grouped}, count(*) FROM joined GROUP BY {grouped}"):
        cells.setdefault(row[:width], []).append(tuple(int(value) for value in row[width:]))
    sums = _ranks(connection, names) if ranks else {}

    def order(values: tuple[str | None, ...]) -> list[tuple[bool, int, str]]:
        """Missing values first, bins as they rise, other values by their text."""
        bins = dimension.bins
        return [(v is not None, bins.index(v) if v in bins else 0, v or "") for v in values]

    for values in sorted(cells, key=order):
        key: Key = tuple(zip(dimension.columns, values, strict=True))
        yield Slice(dimension=dimension.id, key=key, cells=tuple(sorted(cells[values])), ranks=sums.get(values))


def _ranks(connection: Any, names: list[str]) -> dict[tuple[str | None, ...], Ranks]:
    """Doubled placements of both scores, summed: for a positive 2 x (negatives below) + ties, for a negative
    2 x (positives above) + ties."""
    by = ", ".join([*names, "y"])
    placed = f"{_placement('s', names)} AS p, CASE WHEN t IS NULL THEN 0 ELSE {_placement('t', names)} END AS q"
    query = (
        f"SELECT {by}, count(*), sum(p), sum(q), sum(p * p), sum(q * q), sum(p * q) "
        f"FROM (SELECT {by}, {placed} FROM joined) GROUP BY {by}"
    )
    width = len(names)
    found: dict[tuple[str | None, ...], dict[int, RankSums]] = {}
    for row in run(connection, query):
        n, a, b, aa, bb, ab = (int(value) for value in row[width + 1 :])
        found.setdefault(row[:width], {})[row[width]] = RankSums(rows=n, a=a, b=b, aa=aa, bb=bb, ab=ab)
    none = RankSums(rows=0, a=0, b=0, aa=0, bb=0, ab=0)
    return {key: Ranks(positives=sums.get(1, none), negatives=sums.get(0, none)) for key, sums in found.items()}


def _placement(score: str, names: list[str]) -> str:
    part = f"PARTITION BY {', '.join(names)}" if names else ""
    tied = f"PARTITION BY {', '.join([*names, score])}"
    up_to = f"OVER ({part} ORDER BY {score} RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)"
    positive = f"2 * sum(1 - y) {up_to} - sum(1 - y) OVER ({tied})"
    negative = f"2 * sum(y) OVER ({part}) - 2 * sum(y) {up_to} + sum(y) OVER ({tied})"
    return f"CASE WHEN y = 1 THEN {positive} ELSE {negative} END"
