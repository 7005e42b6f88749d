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

MODELS = ("candidate", "champion")  # the beginnings of their columns' names


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredRows:
    """The table ``joined``: label, weight, unit, query, bucket, the slice columns, and of each model (``candidate``,
    ``champion``) its call (``candidate_call``), its score, its scores by class (``candidate_score_0``, ...) and further
    columns (``candidate_of0``, ...). Without a second model ``champion_call`` is -1 and ``champion_score`` is null."""

    engine: Engine
    parts: Parts
    columns_of: tuple[Mapping[str, str], ...]  # of each model: its further columns by their names in the predictions
    rows: int
    scored_by: tuple[bool, ...]  # of each model: whether it gives scores, not only calls
    classes_of: tuple[int, ...]  # of each model: how many scores by class it gives
    places: int  # weights are whole numbers of 2**-places

    def columns(self, dimension: Dimension) -> list[str]:
        """Return the columns that distinguish a dimension's slices."""
        return [self.parts[part] for part in dimension.parts]

    @property
    def models(self) -> tuple[ModelColumns, ...]:
        """The columns of the candidate, and of the champion where there is one."""
        return tuple(
            ModelColumns(
                prefix=f"{model}_",
                label="label",
                call=f"{model}_call",
                score=f"{model}_score",
                scores=tuple(f"{model}_score_{place}" for place in range(classes)),
                of={column: f"{model}_{name}" for column, name in of.items()},
            )
            for model, of, classes in zip(MODELS, self.columns_of, self.classes_of, strict=False)
        )

    def models_of(self, statistic: Statistic) -> tuple[ModelColumns, ...]:
        """Return the models that give what a statistic is about; the candidate always does."""
        needs_scores = of_scores(statistic)
        return tuple(
            model
            for model, scored in zip(self.models, self.scored_by, strict=True)
            if model.of.keys() >= set(statistic.of) and (scored or not needs_scores)
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
        """Write SQL of a score, or of its bin."""
        return bin_of(name) if self.binned else name


def of_scores(statistic: Statistic) -> bool:
    """Tell whether it can't be counted of a model that only calls."""
    if statistic.form == "moments":
        return QUANTITIES[statistic.name].scores
    of_values = statistic.name in ORDERED or is_general(statistic)
    return statistic.form in ("ranks", "computed") and not of_values


def bin_of(score: str) -> str:
    """Write SQL of the bin of a score within 0 and 1: bins are 32 to a doubling of its distance from 0 or 1.

    A double's sign, exponent and first bits of fraction, as a whole number, are such bins.
    """
    near = f"(gates_bits({score}) >> {BITS})"
    far = f"(gates_bits(CAST(1.0 AS DOUBLE) - {score}) >> {BITS})"
    return f"CASE WHEN {score} < 0.5 THEN {near} ELSE {2 * HALF} - {far} END"


def _told_apart() -> str:
    """Write SQL of a text for rows that nothing identifies: what they hold and what is predicted of them, and the how
    many-eth of those that are equal in all it is. So the order of rows does not matter."""
    names = [f"{model}_{what}" for what in ("call", "score") for model in MODELS]
    values = [f"coalesce(CAST(gates_bits(CAST({name} AS DOUBLE)) AS VARCHAR), '~')" for name in names]
    text = " || ',' || ".join(["unit", *values])
    return f"{text} || '#' || CAST(row_number() OVER (PARTITION BY unit, {', '.join(names)}) AS VARCHAR)"


def _columns(predicted: Predicted, model: str) -> str:
    """Write SQL of a model's call, score, scores by class and further columns."""
    scores = [f"score_{place}" for place in range(predicted.classes)]
    names = ["call", "score", *scores, *predicted.columns.values()]
    return ", ".join(f"{model}.{name} AS {model}_{name}" for name in names)


def _beside(policy: Policy, predicted: Predicted, model: str) -> str:
    """Write SQL that puts predictions beside their rows: by key, or as they stand, of which there are as many as
    rows."""
    if policy.data.key:
        return f" JOIN {predicted.name} AS {model} ON {model}.row_key = holdout.row_key"
    return f" POSITIONAL JOIN {predicted.name} AS {model}"


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
    models = [model for model in (candidate, champion) if model]
    columns = ["holdout." + name for name in ("label", "weight", "unit", "query", *parts.values())]
    columns += [_columns(predicted, model) for model, predicted in zip(MODELS, models, strict=False)]
    columns += [] if champion else ["CAST(-1 AS TINYINT) AS champion_call, CAST(NULL AS DOUBLE) AS champion_score"]
    beside = "".join(_beside(policy, predicted, model) for model, predicted in zip(MODELS, models, strict=False))
    rows = f"SELECT {', '.join(columns)} FROM gates_rows AS holdout{beside}"
    bucket = bucket_of("unit" if identified(policy) else _told_apart()) if told_apart else "CAST(0 AS SMALLINT)"
    engine.run(f"CREATE OR REPLACE TEMP TABLE joined AS SELECT *, {bucket} AS bucket FROM ({rows})")
    ((count,),) = engine.run("SELECT count(*) FROM joined")
    return ScoredRows(
        engine=engine,
        parts=parts,
        columns_of=tuple(model.columns for model in models),
        rows=count,
        scored_by=tuple(model.scored for model in models),
        classes_of=tuple(model.classes for model in models),
        places=places,
    )
