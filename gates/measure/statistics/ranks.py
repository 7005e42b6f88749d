"""Doubled placements of both models' scores, summed: for a positive 2 x (negatives below) + ties, for a negative
2 x (positives above) + ties."""

from __future__ import annotations

from dataclasses import replace

from gates.documents.evidence import Ranks, RankSums
from gates.documents.slices import Dimension
from gates.documents.statistic import RANKS
from gates.measure.holdout.joined import MODELS, ScoredRows
from gates.measure.statistics.cells import Key

PLACES = tuple(f"{model}_place" for model in MODELS)
_CALLS = -1  # in the place of the sum of a champion that gave calls only
_NONE = RankSums(rows=0, a=0, b=0, aa=0, bb=0, ab=0)
_WIDE = "HUGEINT"  # a placement's square, times rows, passes 64 bits
_ROWS = 2**30  # up to so many rows a placement's square does not


def ranks(joined: ScoredRows, dimension: Dimension, *, buckets: bool) -> dict[Key, Ranks]:
    """Return the sums of each slice; with ``buckets``, weighted ones a bucket at a time beside them."""
    names = joined.columns(dimension)
    sums: dict[Key, dict[int, RankSums]] = {}
    width = len(names)
    wide = ", ".join(f"CAST({name} AS {_WIDE}) AS {name}" for name in ("n", *PLACES))
    placed = f"SELECT {', '.join([*names, 'label'])}, {wide} FROM ({_placed(joined, names, weighted=False)})"
    ours, theirs = PLACES
    products = (ours, theirs, f"{ours} * {ours}", f"{theirs} * {theirs}", f"{ours} * {theirs}")
    wanted = ", ".join(f"sum(n * {product})" for product in products)
    by = ", ".join([*names, "label"])
    query = f"SELECT {by}, sum(n), {wanted} FROM ({placed}) GROUP BY {by}"
    for row in joined.engine.run(query):
        n, a, b, aa, bb, ab = (int(value) for value in row[width + 1 :])
        if joined.paired and not _rival(joined):
            b = _CALLS
        sums.setdefault(tuple(row[:width]), {})[int(row[width])] = RankSums(rows=n, a=a, b=b, aa=aa, bb=bb, ab=ab)
    parts = _buckets(joined, names) if buckets else {}
    none = replace(_NONE, b=_CALLS if joined.paired and not _rival(joined) else 0)
    return {
        key: Ranks(positives=held.get(1, none), negatives=held.get(0, none), buckets=parts.get(key, ()))
        for key, held in sums.items()
    }


def _rival(joined: ScoredRows) -> bool:
    """Tell whether there is a second model that gives scores."""
    return len(joined.models_of(RANKS)) > 1


def _buckets(joined: ScoredRows, names: list[str]) -> dict[Key, tuple[tuple[int, ...], ...]]:
    def of(label: int, what: str) -> str:
        return f"sum(CASE WHEN label = {label} THEN {what} ELSE 0 END)"

    counted = ["n", *(f"{place} * n" for place in PLACES)]
    columns = [of(label, counted[place]) for place, label in ((0, 1), (0, 0), (1, 1), (1, 0), (2, 1), (2, 0))]
    by = ", ".join([*names, "bucket"])
    by_slice: dict[Key, list[tuple[int, ...]]] = {}
    placed = _placed(joined, names, weighted=True)
    for row in joined.engine.run(f"SELECT {by}, {', '.join(columns)} FROM ({placed}) GROUP BY {by}"):
        by_slice.setdefault(tuple(row[: len(names)]), []).append(tuple(int(value) for value in row[len(names) :]))
    return {key: tuple(sorted(held)) for key, held in by_slice.items()}


def _placed(joined: ScoredRows, names: list[str], *, weighted: bool) -> str:
    """Return every row's label, bucket, weight n and placements, looked up in one table of scores a model: so that rows
    are sorted nowhere, and of binned scores the tables are small."""
    type_ = _WIDE if weighted or joined.rows > _ROWS else "BIGINT"
    columns = [*names, "label", "bucket", f"CAST({'weight' if weighted else '1'} AS {type_}) AS n"]
    scores = [f"{model}_score" for model in MODELS]
    models = list(zip(scores, PLACES, strict=True))[: 1 + _rival(joined)]
    rows = f"SELECT {', '.join([*columns, *(f'{joined.score(score)} AS {score}' for score, _ in models)])} FROM joined"
    if joined.binned and not weighted:
        rows = _together(joined, rows, [*names, "label", *(score for score, _ in models)], type_)
    tables = "".join(
        f" JOIN ({_placements(rows, names, score, type_)}) AS of_{place} ON {_same([*names, score], place)}"
        for score, place in models
    )
    columns_of_places = [
        f"CASE WHEN r.label = 1 THEN of_{place}.below ELSE of_{place}.above END AS {place}" for _, place in models
    ]
    columns_of_places += [] if _rival(joined) else [f"CAST(0 AS {type_}) AS {PLACES[1]}"]
    kept = [f"r.{name}" for name in (*names, "label", "bucket", "n")]
    return f"SELECT {', '.join([*kept, *columns_of_places])} FROM ({rows}) AS r{tables}"


def _together(joined: ScoredRows, rows: str, by: list[str], type_: str) -> str:
    """Return rows of the same binned scores as one, in a table of their own: there are far fewer of them."""
    listed = ", ".join(by)
    counted = (
        f"SELECT {listed}, CAST(0 AS SMALLINT) AS bucket, CAST(sum(n) AS {type_}) AS n FROM ({rows}) GROUP BY {listed}"
    )
    joined.engine.run(f"CREATE OR REPLACE TEMP TABLE gates_scores AS {counted}")
    return "SELECT * FROM gates_scores"


def _same(names: list[str], place: str) -> str:
    return " AND ".join(f"r.{name} IS NOT DISTINCT FROM of_{place}.{name}" for name in names)


def _placements(rows: str, names: list[str], score: str, type_: str) -> str:
    """Return the SQL of every score's doubled placement, of a positive that has it and of a negative."""
    partition = f"PARTITION BY {', '.join(names)} " if names else ""
    by = ", ".join([*names, score])
    counted = (
        f"SELECT {by}, CAST(sum((1 - label) * n) AS {type_}) AS negatives, "
        f"CAST(sum(label * n) AS {type_}) AS positives FROM ({rows}) GROUP BY {by}"
    )
    below = f"2 * sum(negatives) OVER ({partition}ORDER BY {score}) - negatives"
    above = f"2 * sum(positives) OVER ({partition}ORDER BY {score} DESC) - positives"
    return f"SELECT {by}, CAST({below} AS {type_}) AS below, CAST({above} AS {type_}) AS above FROM ({counted})"
