"""Doubled placements of both models' scores, summed: for a positive 2 x (negatives below) + ties, for a negative
2 x (positives above) + ties."""

from __future__ import annotations

from gates.evidence import Ranks, RankSums
from gates.measure.cells import Key
from gates.measure.joined import Joined
from gates.measure.tables import run
from gates.slices import Dimension

_NONE = RankSums(rows=0, a=0, b=0, aa=0, bb=0, ab=0)
_WIDE = "HUGEINT"  # a placement's square, times rows, passes 64 bits


def ranks(joined: Joined, dimension: Dimension, *, buckets: bool) -> dict[Key, Ranks]:
    """The sums of each slice; with ``buckets``, weighted ones a bucket at a time beside them.

    Rows of the same label and scores are counted first, so that binned scores cost no sorting of rows.
    """
    names = joined.columns(dimension)
    sums: dict[Key, dict[int, RankSums]] = {}
    width = len(names)
    query = (
        f"SELECT {', '.join([*names, 'y'])}, sum(n), sum(p * n), sum(q * n), sum(p * p * n), sum(q * q * n), "
        f"sum(p * q * n) FROM ({_placed(joined, names, 'count(*)', [])}) GROUP BY {', '.join([*names, 'y'])}"
    )
    for row in run(joined.engine, query):
        n, a, b, aa, bb, ab = (int(value) for value in row[width + 1 :])
        sums.setdefault(tuple(row[:width]), {})[int(row[width])] = RankSums(rows=n, a=a, b=b, aa=aa, bb=bb, ab=ab)
    parts = _buckets(joined, names) if buckets else {}
    return {
        key: Ranks(positives=held.get(1, _NONE), negatives=held.get(0, _NONE), buckets=parts.get(key, ()))
        for key, held in sums.items()
    }


def _buckets(joined: Joined, names: list[str]) -> dict[Key, tuple[tuple[int, ...], ...]]:
    def of(label: int, what: str) -> str:
        return f"sum(CASE WHEN y = {label} THEN {what} ELSE 0 END)"

    counted = ["n", "p * n", "q * n"]
    columns = [of(label, counted[place]) for place, label in ((0, 1), (0, 0), (1, 1), (1, 0), (2, 1), (2, 0))]
    by = ", ".join([*names, "g"])
    found: dict[Key, list[tuple[int, ...]]] = {}
    placed = _placed(joined, names, "sum(w)", ["g"])
    for row in run(joined.engine, f"SELECT {by}, {', '.join(columns)} FROM ({placed}) GROUP BY {by}"):
        found.setdefault(tuple(row[: len(names)]), []).append(tuple(int(value) for value in row[len(names) :]))
    return {key: tuple(sorted(held)) for key, held in found.items()}


def _placed(joined: Joined, names: list[str], counted: str, extra: list[str]) -> str:
    """Distinct (label, scores) with n rows, or weight, of each and both placements p and q."""
    by = ", ".join([*names, *extra, "y"])
    scores = [joined.score("s"), *([joined.score("t")] if joined.paired else [])]
    told = [f"{score} AS {name}" for score, name in zip(scores, "st", strict=False)]
    cells = (
        f"SELECT {', '.join([by, *told])}, CAST({counted} AS {_WIDE}) AS n FROM joined "
        f"GROUP BY {', '.join([by, *scores])}"
    )
    other = _placement("t", names) if joined.paired else f"CAST(0 AS {_WIDE})"
    return f"SELECT {by}, n, {_placement('s', names)} AS p, {other} AS q FROM ({cells})"


def _placement(score: str, names: list[str]) -> str:
    """By running sums over the cells in the order of a score."""
    part = f"PARTITION BY {', '.join(names)}" if names else ""
    tied = f"PARTITION BY {', '.join([*names, score])}"
    up_to = f"OVER ({part} ORDER BY {score} RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)"
    negatives, positives = "(1 - y) * n", "y * n"
    above = f"2 * sum({positives}) OVER ({part}) - 2 * sum({positives}) {up_to} + sum({positives}) OVER ({tied})"
    below = f"2 * sum({negatives}) {up_to} - sum({negatives}) OVER ({tied})"
    return f"CAST(CASE WHEN y = 1 THEN {below} ELSE {above} END AS {_WIDE})"
