"""Rows with both models' predictions beside them: the one table that every statistic is counted from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gates.documents.evidence import EXACT_ROWS
from gates.documents.slices import Dimension
from gates.documents.statistic import Statistic
from gates.measure.engines import Engine
from gates.measure.holdout.predictions import Predicted
from gates.measure.holdout.rows import Parts, bucket_of, identified
from gates.metrics import QUANTITIES
from gates.metrics.columns import ORDERED
from gates.metrics.expressions import ModelColumns
from gates.metrics.functions import is_general
from gates.policy import Policy
from gates.stats.score_bins import BITS, HALF


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredRows:
    """The table ``joined``: y, w, g, q, the slice columns, and of each model its call (c, b), score (s, t), scores by
    class (s_0, ..., t_0, ...) and further columns (s_of0, ..., t_of0, ...). Without a second model b is -1 and t is
    null."""

    engine: Engine
    parts: Parts
    columns_of: tuple[Mapping[str, str], ...]  # of each model: its further columns by their names in the predictions
    rows: int
    scored_by: tuple[bool, ...]  # of each model: whether it gives scores, not only calls
    classes_of: tuple[int, ...]  # of each model: how many scores by class it gives
    places: int  # w is a weight in whole 2**-places

    def columns(self, dimension: Dimension) -> list[str]:
        """The columns that distinguish a dimension's slices."""
        return [self.parts[part] for part in dimension.parts]

    @property
    def models(self) -> tuple[ModelColumns, ...]:
        """The columns of the candidate, and of the champion where there is one."""
        both = zip(("c", "b"), "st", self.columns_of, self.classes_of, strict=False)
        return tuple(
            ModelColumns(
                prefix=f"{score}_",
                label="y",
                call=call,
                score=score,
                scores=tuple(f"{score}_{place}" for place in range(classes)),
                of={column: f"{score}_{name}" for column, name in of.items()},
            )
            for call, score, of, classes in both
        )

    def models_of(self, statistic: Statistic) -> tuple[ModelColumns, ...]:
        """The models that give what a statistic is about; the candidate always does."""
        needs_scores = of_scores(statistic)
        return tuple(
            model
            for model, scored in zip(self.models, self.scored_by, strict=True)
            if (statistic.of is None or statistic.of in model.of) and (scored or not needs_scores)
        )

    @property
    def scored(self) -> bool:
        """Whether the candidate gives scores."""
        return self.scored_by[0]

    @property
    def paired(self) -> bool:
        """Whether there is a second model."""
        return len(self.scored_by) > 1

    @property
    def binned(self) -> bool:
        """Whether there are too many rows for scores to be distinguished exactly."""
        return self.rows > EXACT_ROWS

    def score(self, name: str) -> str:
        """SQL of a score, or of its bin."""
        return bin_of(name) if self.binned else name


def of_scores(statistic: Statistic) -> bool:
    """Whether it can't be counted of a model that only calls."""
    if statistic.form == "moments":
        return QUANTITIES[statistic.name].scores
    of_values = statistic.name in ORDERED or is_general(statistic)
    return statistic.form in ("ranks", "computed") and not of_values


def bin_of(score: str) -> str:
    """SQL of the bin of a score within 0 and 1: bins are 32 to a doubling of its distance from 0 or 1.

    A double's sign, exponent and first bits of fraction, as a whole number, are such bins.
    """
    near = f"(gates_bits({score}) >> {BITS})"
    far = f"(gates_bits(CAST(1.0 AS DOUBLE) - {score}) >> {BITS})"
    return f"CASE WHEN {score} < 0.5 THEN {near} ELSE {2 * HALF} - {far} END"


def _told_apart() -> str:
    """SQL of a text for rows that nothing identifies: what they hold and what is predicted of them, and the how
    many-eth of those that are equal in all it is. So the order of rows does not matter."""
    told = [f"coalesce(CAST(gates_bits(CAST({name} AS DOUBLE)) AS VARCHAR), '~')" for name in "cbst"]
    text = " || ',' || ".join(["u", *told])
    return f"{text} || '#' || CAST(row_number() OVER (PARTITION BY u, c, b, s, t) AS VARCHAR)"


def _further(predicted: Predicted, alias: str, prefix: str) -> str:
    """SQL of a model's scores by class and further columns."""
    scores = [(f"score_{place}", str(place)) for place in range(predicted.classes)]
    further = [(name, name) for name in predicted.columns.values()]
    return "".join(f", {alias}.{name} AS {prefix}_{told}" for name, told in scores + further)


def _beside(policy: Policy, predicted: Predicted, alias: str) -> str:
    """SQL that puts predictions beside their rows: by key, or as they stand, of which there are as many as rows."""
    if policy.data.key:
        return f" JOIN {predicted.name} {alias} ON {alias}.k = r.k"
    return f" POSITIONAL JOIN {predicted.name} {alias}"


def join(
    engine: Engine,
    policy: Policy,
    parts: Parts,
    candidate: Predicted,
    champion: Predicted | None,
    *,
    told_apart: bool = True,
    places: int,
) -> ScoredRows:
    """Make the table ``joined``, of weights of so many binary ``places``. Unless rows are ``told_apart`` they are all
    of one bucket, which nothing asks for."""
    columns = "".join(f", r.{name}" for name in parts.values())
    scores = _further(candidate, "c", "s")
    if champion:
        other = "b.call AS b, b.score AS t" + _further(champion, "b", "t")
    else:
        other = "CAST(-1 AS TINYINT) AS b, CAST(NULL AS DOUBLE) AS t"
    beside = _beside(policy, candidate, "c") + (_beside(policy, champion, "b") if champion else "")
    rows = f"SELECT r.y, r.w, r.u, r.q, c.call AS c, c.score AS s{scores}, {other}{columns} FROM gates_rows r{beside}"
    bucket = bucket_of("u" if identified(policy) else _told_apart()) if told_apart else "CAST(0 AS SMALLINT)"
    engine.run(f"CREATE OR REPLACE TEMP TABLE joined AS SELECT *, {bucket} AS g FROM ({rows})")
    ((rows,),) = engine.run("SELECT count(*) FROM joined")
    models = [one for one in (candidate, champion) if one]
    return ScoredRows(
        engine=engine,
        parts=parts,
        columns_of=tuple(one.columns for one in models),
        rows=rows,
        scored_by=tuple(one.scored for one in models),
        classes_of=tuple(one.classes for one in models),
        places=places,
    )
