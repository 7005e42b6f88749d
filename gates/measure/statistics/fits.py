"""Count how a regression's predictions lie beside their labels: for pictures, nothing is judged by it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from gates.contract.sql import literal
from gates.documents.spread import Fit
from gates.measure.holdout.joined import ScoredRows
from gates.policy import Policy
from gates.stats.residual_bins import BITS, LEAST, MOST


def fits(joined: ScoredRows, policy: Policy, edges: Sequence[float]) -> tuple[Fit, ...]:
    """Return each model's fit of a regression. ``edges``: where the bins of labels and of predictions begin; none where
    labels are sensitive."""
    if policy.task != "regression":
        return ()
    names: tuple[Literal["candidate", "champion"], ...] = ("candidate", "champion")
    return tuple(
        Fit(
            model=name,
            edges=tuple(map(repr, edges)),
            cells=_counted(joined, _bin("label", edges), _bin(model.call, edges)) if edges else (),
            residuals=_counted(joined, _residual_bin(f"({model.call} - label)")),
        )
        for name, model in zip(names, joined.models, strict=False)
    )


def _counted(joined: ScoredRows, *bins: str) -> tuple[tuple[int, ...], ...]:
    """Return how many rows each combination of bins holds, sorted."""
    names = ", ".join(f"b{place}" for place in range(len(bins)))
    columns = ", ".join(f"{sql} AS b{place}" for place, sql in enumerate(bins))
    query = f"SELECT {names}, count(*) FROM (SELECT {columns} FROM joined) GROUP BY {names} ORDER BY {names}"
    return tuple(tuple(int(one) for one in row) for row in joined.engine.run(query))


def _bin(value: str, edges: Sequence[float]) -> str:
    """Write SQL of the number of edges that a value reaches."""
    cases = " ".join(f"WHEN {value} < {literal(edge)} THEN {place}" for place, edge in enumerate(edges))
    return f"CASE {cases} ELSE {len(edges)} END"


def _residual_bin(residual: str) -> str:
    """Write SQL of a residual's bin: positive where the prediction is too high."""
    size = f"((gates_bits(abs({residual})) >> {BITS}) - {LEAST} + 1)"
    kept = f"CASE WHEN {size} < 1 THEN 0 WHEN {size} > {MOST - LEAST} THEN {MOST - LEAST} ELSE {size} END"
    return f"CASE WHEN {residual} < 0 THEN -({kept}) ELSE {kept} END"
