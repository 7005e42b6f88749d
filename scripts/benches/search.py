"""How often a search for slices blames one by chance: every slice's true accuracy lies on the limit."""

from __future__ import annotations

import sys
from itertools import combinations

import numpy as np

from gates.documents.decision import Verdict
from gates.documents.evidence import Evidence, MeasuredModel, Search, Slice, Table
from gates.documents.slices import AUTO, Dimension
from gates.kinds.metric import slice_search
from gates.kinds.protocol import GateContext
from gates.measure.worst_slices import LEAST
from gates.metrics import find

ACCURACIES = (0.5, 0.8, 0.95)


def _slice(hits: np.ndarray, key: tuple[tuple[str, str], ...]) -> Slice:
    right, rows = int(hits.sum()), len(hits)
    cells = tuple(cell for cell in ((1, 0, -1, rows - right), (1, 1, -1, right)) if cell[-1])
    columns = tuple(column for column, _ in key)
    dimension = Dimension(columns=columns, found=True).id if key else ""
    return Slice(dimension=dimension, key=key, rows=rows, cells=cells, weights=(), ranks=None, moments=(), computed=())


def blames_by_chance(
    repeats: int, rows: int, columns: int, values: int = 4, accuracy: float = 0.8
) -> tuple[float, float]:
    """(share of searches that blame a slice, mean number of slices searched) of ``repeats`` holdouts of so many rows,
    columns and values a column; nominal is at most 0.05."""
    random, metric = np.random.default_rng(1), find("accuracy", "binary")
    terms = GateContext(confidence=0.95, dimensions=(AUTO,), contract=None, tables=("holdout",))
    blamed, searched = 0, 0
    for _ in range(repeats):
        hits = random.random(rows) < accuracy
        held = random.integers(0, values, (columns, rows))
        masks = {((f"c{c}", str(v)),): held[c] == v for c in range(columns) for v in range(values)}
        for (one, a), (other, b) in combinations(list(masks.items()), 2):
            if one[0][0] != other[0][0]:
                masks[one + other] = a & b
        every = [_slice(hits[mask], key) for key, mask in masks.items() if mask.sum() >= LEAST]
        evidence = Evidence(
            schema="gates/evidence/v1",
            model="m",
            measured="",
            tables=(Table(name="holdout", digest="", rows=rows),),
            findings=(),
            candidate=MeasuredModel(digest="", version=None, unscored=None),
            search=Search(columns=(), crossed=True, slices=len(every)),
            slices=(_slice(hits, ()),),
        )
        kept = slice_search.suspects(metric, "min", accuracy, every, evidence, terms)
        whole = Evidence(
            **{name: getattr(evidence, name) for name in evidence.__slots__} | {"slices": (*evidence.slices, *kept)}
        )
        outcomes = [one for _, one in slice_search.judged(metric, "min", accuracy, whole, terms, "champion")]
        blamed += any(one.verdict is Verdict.FAIL for one in outcomes)
        searched += len(every)
    return blamed / repeats, searched / repeats


def main() -> None:
    """Print a table."""
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    print("| rows | columns | accuracy | slices searched | blamed by chance (nominal 5 %) |\n|--:|--:|--:|--:|--:|")
    for rows, columns in ((1_500, 4), (10_000, 4), (10_000, 10)):
        for accuracy in ACCURACIES:
            share, slices = blames_by_chance(repeats, rows, columns, accuracy=accuracy)
            print(f"| {rows:,} | {columns} | {accuracy} | {slices:.0f} | {share:.1%} |", flush=True)


if __name__ == "__main__":
    main()
