"""Evidence: all that a judge sees. Counts and whole-number sums by slice, with digests.

However many rows there were, evidence stays small. Everything in it is an integer or text, so any engine,
row order and thread count gives the same bytes. How rows become evidence is ``gates.measure``'s business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from gates.documents.live.prometheus_answer import PrometheusAnswer
from gates.documents.slices import AUTO, Dimension, Key, is_found
from gates.documents.spread import Curve, Fit
from gates.documents.statistic import Statistic
from gates.schema.fields import TIME_PATTERN, declare

SCHEMA: Literal["gates/evidence/v1"] = "gates/evidence/v1"
CANDIDATE, CHAMPION = 0, 1  # which of the two models a number is about
BUCKETS = 200  # parts into which units, or weighted rows, fall by their hash
_SHA256 = "^sha256:[0-9a-f]{64}$"
EXACT_ROWS = 200_000  # above, scores are distinguished by their bins


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table that was read: its name in the policy, the digest of its rows, and how many they are."""

    WRITTEN = "whole"
    name: str = declare("train or holdout")
    digest: str = declare("Digest of column names, types and the multiset of rows; row order does not matter.")
    rows: int = declare("Number of rows.")
    since: str | None = declare(
        "The first second that its rows are of, as snapshot.json says; left out where nobody says it.",
        default=None,
        late=True,
        pattern=TIME_PATTERN,
    )
    until: str | None = declare(
        "The second after the last one that its rows are of.", default=None, late=True, pattern=TIME_PATTERN
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingFacts:
    """What a training says of its model: claims, for gates of the kind `require`."""

    WRITTEN = "whole"
    parameters: dict[str, str | int | float | bool] = declare("What it was trained with.")
    tags: dict[str, str] = declare("Whatever else.")


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchedTraining:
    """A training that ran as a job, as its launcher says. Claims, like all facts of a training."""

    WRITTEN = "whole"
    engine: str = declare("What launched it: kubernetes.")
    kind: str = declare("The kind of its document: batch/v1 Job.")
    name: str = declare("The job's name.")
    where: str | None = declare("Its namespace; null where it was gone, and what it had left was taken.")
    document: str = declare("Digest of its document.", pattern=_SHA256)
    image: str | None = declare("The image asked for; null where the document names none.")
    ran: str | None = declare("The image that the node says it ran; null where it says none.")
    queued: int | None = declare("Seconds from the job's making to its container's start; null where unknown.")
    seconds: int | None = declare("Seconds of work inside; null where the pod left no last words.")
    memory: int | None = declare("Bytes of memory at most, inside; null likewise.")
    interruptions: int = declare("How often the cluster took a pod of it away.")
    adopted: bool = declare("Whether it was there already when it was to be started.")
    log: str = declare("Digest of its log.", pattern=_SHA256)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredModel:
    """A model that was measured."""

    WRITTEN = "whole"
    digest: str = declare("Digest of the sorted file manifest.")
    version: str | None = declare("Version in the registry; null for a candidate.")
    unscored: str | None = declare("Why it could not be scored on these rows; null if it was.")
    facts: TrainingFacts | None = declare("What the training says of it; null if it said nothing.", default=None)
    training: LaunchedTraining | None = declare("The job that trained it, if it was one.", default=None, late=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class RankSums:
    """Sums over the rows of one class of doubled placements (DeLong's structural components).

    A row's doubled placement is twice the number of rows of the other class that its score beats (for a
    positive: lower ones; for a negative: higher ones), plus the number of ties: a whole number.
    """

    WRITTEN = "whole"
    rows: int = declare("Rows of this class.")
    a: int = declare("Sum of the candidate's doubled placements.", big=True)
    b: int = declare("Sum of the champion's; 0 without a champion, -1 of one that gave calls only.", big=True)
    aa: int = declare("Sum of the candidate's squares.", big=True)
    bb: int = declare("Sum of the champion's squares.", big=True)
    ab: int = declare("Sum of the products.", big=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranks:
    """What ROC-AUC and DeLong's paired variance need.

    Of the scores themselves up to ``EXACT_ROWS`` rows of the holdout, of their bins above.
    """

    WRITTEN = "whole"
    positives: RankSums = declare("Sums over the positive rows.")
    negatives: RankSums = declare("Sums over the negative rows.")
    buckets: tuple[tuple[int, ...], ...] = declare(
        "Where rows belong together or are weighted: (bucket, weight of positives, of negatives, the candidate's "
        "doubled placements over positives, over negatives, the champion's over positives, over negatives).",
        big=True,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """Sums and products of quantities of each row, such as both models' squared errors, in units of 2**-``UNIT``.
    A double between 1e-42 and 5e36 is a whole number of them, to 12 digits at least.

    The quantities are the candidate's, then the champion's in the same order where there is one, then those of the
    row alone. Any smooth function of their means has a value and, paired, an error.
    """

    WRITTEN = "whole"
    UNIT: ClassVar[int] = 140
    id: str = declare("Which quantities.")
    rows: int = declare("Rows, or queries where a row's quantity is its query's.")
    sums: tuple[int, ...] = declare("Sum of each quantity.", big=True)
    products: tuple[int, ...] = declare(
        "Sums of products of every two, row by row of the upper triangle; none where there are buckets.", big=True
    )
    buckets: tuple[Bucket, ...] = declare("Sums by bucket, where rows belong together or are weighted.")
    ends: tuple[int, ...] = declare(
        "Of quantities of the row alone: the smallest and the largest value of the first one.", big=True, default=()
    )

    @property
    def constant(self) -> bool:
        """Whether the first quantity of the row alone is one and the same in all rows."""
        return bool(self.ends) and self.ends[0] == self.ends[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """Rows of one of 200 parts, into which a unit falls with all its rows."""

    WRITTEN = "whole"
    bucket: int = declare("Which part.")
    weight: int = declare(
        "Sum of the rows' weights, which count by what they are to each other; 2**30 a row where there are none.",
        big=True,
    )
    sums: tuple[int, ...] = declare("Weighted sum of each quantity.", big=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Computed:
    """A metric that no small sums hold, computed where the rows are; in units of 2**-``UNIT``.

    Its error is the covariance of both models' values over parts of the rows left out, or drawn again.
    """

    WRITTEN = "whole"
    UNIT: ClassVar[int] = 60
    id: str = declare("The metric with its parameters.")
    why: str | None = declare("Why it is undefined here; null if it is defined.")
    paired: bool = declare("Whether the champion's value is there, too.")
    candidate: int = declare("The candidate's value.", big=True)
    champion: int = declare("The champion's value; 0 without one.", big=True)
    aa: int = declare("Variance of the candidate's value, in squared units.", big=True)
    bb: int = declare("Variance of the champion's.", big=True)
    ab: int = declare("Their covariance.", big=True)
    groups: int = declare("Parts, draws or rows that the variance rests on; of an undefined value, rows too few.")
    method: str = declare("jackknife, bootstrap or woodruff")


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """The counts of one slice of the holdout.

    ``cells`` holds ``(label, candidate's call, champion's call, rows)``, classes as indices into
    ``Evidence.classes``; the champion's call is -1 without one. Empty cells are left out.
    """

    WRITTEN = "whole"
    dimension: str = declare("The dimension's id; empty for the whole holdout.")
    key: Key = declare("(column, value) pairs.")
    rows: int = declare("Number of rows.")
    cells: tuple[tuple[int, ...], ...] = declare("(label, candidate's call, champion's call, rows), sorted.")
    weights: tuple[tuple[int, ...], ...] = declare(
        "Where rows belong together or are weighted: (bucket, label, candidate's call, champion's call, weight).",
        big=True,
    )
    ranks: Ranks | None = declare("Placement sums where a gate needs ranks and both models have scores.")
    moments: tuple[Moments, ...] = declare("Sums of quantities, by id.")
    computed: tuple[Computed, ...] = declare("Computed metrics, by id.")

    def moments_of(self, statistic: Statistic) -> Moments | None:
        """Return the sums that answer a request; None where they could not be counted."""
        return next((one for one in self.moments if one.id == statistic.id), None)

    def computed_of(self, statistic: Statistic) -> Computed | None:
        """Return the computed value that answers a request; None where it could not be computed."""
        return next((one for one in self.computed if one.id == statistic.id), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Rows of one bin or value in a table and in the one beside it; for KS all rows, then the gap's numerator and
    denominator."""

    WRITTEN = "whole"
    label: str | None = declare("The bin; null for missing values.")
    here: int = declare("Rows of the table.", big=True)
    there: int = declare("Rows of the other table.", big=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one rule of the contract counted in one table."""

    WRITTEN = "whole"
    table: str = declare("train or holdout")
    rule: str = declare("The rule's id, such as ``tenure.minimum``.")
    rows: int = declare("Rows looked at.")
    count: int = declare("Rows that the rule counts: violations, nulls, or holders of a value.")
    examples: tuple[str, ...] = declare("Up to five distinct offending values, most frequent first.")
    parts: tuple[Part, ...] = declare("Counts against another table, for rules that need one.")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRun:
    """A further training of the same recipe, with another seed, measured on the same rows."""

    WRITTEN = "whole"
    digest: str = declare("Digest of its sorted file manifest.")
    slices: tuple[Slice, ...] = declare("Its slices, as the candidate's.")
    training: LaunchedTraining | None = declare("The job that trained it, if it was one.", default=None, late=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What a search for the worst slices went through; those that it found are among the slices."""

    WRITTEN = "whole"
    columns: tuple[str, ...] = declare("The columns, numbers with the edges of their bins: `age[23,41]`.")
    crossed: bool = declare("Whether every two of them were crossed; of very many columns, they are not.")
    slices: int = declare("How many slices were looked at, each of 100 rows or more.", minimum=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Sufficient statistics of a candidate and, where there is one, the champion, on the same rows."""

    WRITTEN = "whole"
    schema: Literal["gates/evidence/v1"] = declare("Format of this document.")
    model: str = declare("The policy's model name.")
    measured: str = declare("Digest of the part of the policy that says what to measure.")
    classes: tuple[str, ...] = declare("Label values; binary: the negative, then the positive one.", default=())
    tables: tuple[Table, ...] = declare("The tables read.")
    findings: tuple[Finding, ...] = declare("What the contract's rules counted.")
    used: int = declare("How many decisions the holdout had made before.", default=0, minimum=0)
    candidate: MeasuredModel | None = declare(
        "Null if the data stopped the run before a model was measured.", default=None
    )
    champion: MeasuredModel | None = declare("Null if there is no champion yet.", default=None)
    uncompared: str | None = declare(
        "Why the candidate is compared with no champion though there may be one; null if it is compared.",
        default=None,
    )
    anchor: MeasuredModel | None = declare("Null if the policy names none.", default=None)
    slices: tuple[Slice, ...] = declare("The whole holdout first, then every slice, sorted.", default=())
    runs: tuple[TrainingRun, ...] = declare("Further trainings of the candidate's recipe.", default=())
    search: Search | None = declare("Null if the policy asks for no search of slices.", default=None)
    anchored: tuple[Slice, ...] = declare("The slices with the anchor in the champion's place.", default=())
    curves: tuple[Curve, ...] = declare("Scores of each model that calls classes, over the whole holdout.", default=())
    base: MeasuredModel | None = declare(
        "The base commit's model; null in other runs than a pull request's, or where it is the champion.",
        default=None,
        late=True,
    )
    unbased: str | None = declare(
        "Why there is no base commit's model to compare with; null if there is one, or none is asked for.",
        default=None,
        late=True,
    )
    based: tuple[Slice, ...] = declare(
        "The slices with the base commit's model in the champion's place.", default=(), late=True
    )
    fits: tuple[Fit, ...] = declare(
        "Predictions of each model of a regression beside the labels.", default=(), late=True
    )
    answers: tuple[PrometheusAnswer, ...] = declare(
        "What a Prometheus answered, if the policy asks one.", default=(), late=True
    )
    unasked: str | None = declare(
        "Why no Prometheus was asked though the policy asks one; null if it was.", default=None, late=True
    )

    def along(self, dimension: Dimension) -> Sequence[Slice]:
        """Return the slices of a dimension; of ``OVERALL``, the whole holdout alone; of ``AUTO``, all that a search
        found."""
        if dimension == AUTO:
            return tuple(part for part in self.slices if is_found(part.dimension))
        return tuple(part for part in self.slices if part.dimension == dimension.id)

    @property
    def against_anchor(self) -> Evidence:
        """The same with the anchor in the champion's place."""
        return replace(self, champion=self.anchor, uncompared=None, slices=self.anchored, runs=())

    @property
    def against_base(self) -> Evidence:
        """The same with the base commit's model in the champion's place."""
        return replace(self, champion=self.base, uncompared=None, slices=self.based, runs=())

    @property
    def trainings(self) -> tuple[LaunchedTraining, ...]:
        """The jobs that trained the candidate, one a seed; none where commands did."""
        return tuple(one.training for one in (self.candidate, *self.runs) if one and one.training)

    @property
    def without_base(self) -> Evidence:
        """The same without the base commit's model, which a promotion doesn't look at."""
        return replace(self, base=None, unbased=None, based=())

    def trained(self, slices: Sequence[Slice]) -> list[Sequence[Slice]]:
        """Return the same slices of every training, the candidate's first. Raises ``KeyError`` where a run lacks
        one."""
        trainings: list[Sequence[Slice]] = [slices]
        for run in self.runs:
            by_key = {(one.dimension, one.key): one for one in run.slices}
            trainings.append([by_key[one.dimension, one.key] for one in slices])
        return trainings
