"""Show what a model calls: its confusion matrix, and each class's precision and recall."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gates.documents.evidence import Evidence
from gates.wording import number

MOST_CLASSES = 20  # of a confusion matrix: a larger one has no room, and the table of classes says the same in short


def told(evidence: Evidence) -> dict[str, Any]:
    """Return the page's matrices, one a model, and its table of classes where there are more than two."""
    counts = {name: _counts(evidence, column) for name, column in (("candidate", 1), ("champion", 2))}
    held = {name: rows for name, rows in counts.items() if rows}
    return {
        "confusion": [_matrix(evidence, name, rows) for name, rows in held.items() if len(rows) <= MOST_CLASSES],
        "classes": _classes(evidence.classes, held) if len(evidence.classes) > 2 else [],
    }


def _counts(evidence: Evidence, column: int) -> list[list[int]]:
    """Return rows by label and call; empty where the model called nothing."""
    whole = next((part for part in evidence.slices if not part.dimension), None)
    if whole is None or not whole.cells or any(cell[column] < 0 for cell in whole.cells):
        return []
    counts = [[0] * len(evidence.classes) for _ in evidence.classes]
    for cell in whole.cells:
        counts[cell[0]][cell[column]] += cell[3]
    return counts


def _matrix(evidence: Evidence, name: str, counts: Sequence[Sequence[int]]) -> dict[str, Any]:
    rows = [
        (label, [(count, count / (sum(row) or 1)) for count in row])
        for label, row in zip(evidence.classes, counts, strict=True)
    ]
    scored = name in {curve.model for curve in evidence.curves}
    return {"model": name, "classes": evidence.classes, "rows": rows, "scored": scored}


def _classes(classes: Sequence[str], counts: dict[str, list[list[int]]]) -> list[dict[str, Any]]:
    """Return a row a class, the lowest recall of the candidate first."""
    rows = []
    for at, name in enumerate(classes):
        shares = [(_share(held[at], at), _share([row[at] for row in held], at)) for held in reversed(counts.values())]
        recalls, precisions = zip(*shares, strict=True)
        rows.append(
            {
                "name": name,
                "rows": sum(next(iter(counts.values()))[at]),
                "recall": _beside(recalls),
                "precision": _beside(precisions),
                "sort": -1.0 if recalls[-1] is None else recalls[-1],
            }
        )
    return sorted(rows, key=lambda row: row["sort"])


def _share(counts: Sequence[int], at: int) -> float | None:
    total = sum(counts)
    return counts[at] / total if total else None


def _beside(values: Sequence[float | None]) -> str:
    """Write the champion's value, where there is one, and the candidate's."""
    return " → ".join("undefined" if value is None else number(value) for value in values)
