"""Count rows by label and both models' calls, slice by slice; as weights by bucket, if rows belong together."""

from __future__ import annotations

from gates.documents.slices import Dimension
from gates.measure.holdout.joined import ScoredRows

Key = tuple[str | None, ...]
Cells = dict[Key, list[tuple[int, ...]]]


def rows(joined: ScoredRows, dimension: Dimension) -> dict[Key, int]:
    """Count the rows of each slice."""
    names = joined.columns(dimension)
    grouped = f" GROUP BY {', '.join(names)}" if names else ""
    found = joined.engine.run(f"SELECT {', '.join([*names, 'count(*)'])} FROM joined{grouped}")
    return {tuple(row[: len(names)]): int(row[-1]) for row in found}


def cells(joined: ScoredRows, dimension: Dimension) -> Cells:
    """Return (label, candidate's call, champion's call, rows) of each slice, sorted."""
    return _grouped(joined, dimension, ["label", "candidate_call", "champion_call"], "count(*)")


def weights(joined: ScoredRows, dimension: Dimension) -> Cells:
    """Return (bucket, label, candidate's call, champion's call, weight) of each slice, sorted."""
    return _grouped(joined, dimension, ["bucket", "label", "candidate_call", "champion_call"], "sum(weight)")


def _grouped(joined: ScoredRows, dimension: Dimension, by: list[str], counted: str) -> Cells:
    names = joined.columns(dimension)
    grouped = ", ".join([*names, *by])
    by_slice: Cells = {}
    for row in joined.engine.run(f"SELECT {grouped}, {counted} FROM joined GROUP BY {grouped}"):
        by_slice.setdefault(tuple(row[: len(names)]), []).append(tuple(int(value) for value in row[len(names) :]))
    return {key: sorted(held) for key, held in by_slice.items()}
