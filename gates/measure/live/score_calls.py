"""Count live rows by score and call: what a metric is estimated from as long as nobody knows their labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gates.contract.sql import quoted
from gates.measure.engines import Engine
from gates.measure.holdout.joined import bin_of
from gates.measure.holdout.labels import known_labels
from gates.measure.holdout.predictions import binary_form
from gates.measure.holdout.tables import OpenTable
from gates.policy import ResolvedPolicy


def count(
    engine: Engine, table: OpenTable, resolved: ResolvedPolicy, classes: Sequence[str]
) -> tuple[tuple[int, int, int], ...]:
    """Return (bin of the score, the call, rows), rising: bins and calls as those of a holdout.

    ``classes``: as the evidence of the promotion has them. Raises ``GatesError`` for a score or call that is none.
    """
    policy, hidden = resolved.policy, resolved.contract.hidden if resolved.contract else ()
    key = policy.monitor.key if policy.monitor and policy.monitor.key not in hidden else None  # which messages name
    form = binary_form(engine, table, replace(policy, data=replace(policy.data, key=key)), known_labels(classes))
    rows = engine.run(
        f"SELECT {bin_of('score')} AS bin, call, count(*) FROM (SELECT {form.score} AS score, {form.call} AS call "
        f"FROM {quoted(table.name)} p) GROUP BY 1, 2 ORDER BY 1, 2"
    )
    return tuple((int(at), int(call), int(n)) for at, call, n in rows)
