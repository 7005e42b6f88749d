"""Check whether evidence can have been measured: somebody hostile may have handed it over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from gates.documents.evidence import (
    BUCKETS,
    CANDIDATE,
    CHAMPION,
    Computed,
    Evidence,
    Finding,
    Moments,
    Ranks,
    Slice,
    Table,
)
from gates.documents.slices import OVERALL, is_found
from gates.judge.answers import wrong_answers
from gates.policy import ResolvedPolicy

_ROUNDED = 50  # a double's last bits, which two roundings of a square may differ in
_CUT = 60  # binary places of which a value is summed at least
CELL = 4  # label, candidate's call, champion's call, rows


def contradiction(resolved: ResolvedPolicy, evidence: Evidence) -> str | None:
    """Tell why no measuring under this policy can have made this evidence; None where one can."""
    return next(_contradictions(resolved, evidence), None)


def _contradictions(resolved: ResolvedPolicy, evidence: Evidence) -> Iterator[str]:
    tables = {table.name: table.rows for table in evidence.tables}
    if evidence.model != resolved.policy.model:
        yield "it is about another model"
    if "holdout" not in tables or len(tables) != len(evidence.tables):
        yield "it does not name each table once"
        return
    yield from _of_times(evidence.tables)
    yield from _of_findings(evidence.findings)
    yield from wrong_answers(resolved.needs.questions, evidence.answers)
    if evidence.candidate is None or evidence.candidate.unscored:
        return
    task = resolved.policy.task
    if task == "binary" and len(evidence.classes) != 2:  # a binary task has two
        yield "it does not name two classes"
    if len(evidence.runs) != resolved.policy.train.seeds - 1:
        yield "it does not contain every training"
    champion = evidence.champion is not None and evidence.champion.unscored is None
    if resolved.policy.anchor is not None and evidence.anchor is None:
        yield "it lacks the anchor"
    if evidence.anchor is not None and evidence.anchor.version != str(resolved.policy.anchor):
        yield "its anchor is not the policy's"
    yield from _of_rivals(evidence)
    sides = [(evidence.slices, champion), *((run.slices, champion) for run in evidence.runs)]
    fixed = [slices for slices in (evidence.anchored, evidence.based) if slices]
    for slices, paired in [*sides, *((slices, True) for slices in fixed)]:
        yield from _of_slices(resolved, evidence, slices, tables["holdout"], paired=paired)
    if (evidence.search is not None) != resolved.needs.searches:
        yield "it has a search that the policy does not ask for, or lacks one"
    among = sum(is_found(slice_.dimension) for slice_ in evidence.slices)
    if among > (evidence.search.slices if evidence.search else 0):
        yield "it found more slices than were searched"
    every = [*(slices for slices, _ in sides), *fixed]
    if len({tuple((slice_.dimension, slice_.key) for slice_ in slices) for slices in every}) > 1:
        yield "its trainings, or the anchor, have other slices"


def _of_times(tables: Sequence[Table]) -> Iterator[str]:
    ranges = {table.name: (table.since, table.until) for table in tables}
    if any((since is None) != (until is None) or (since or "") > (until or "") for since, until in ranges.values()):
        yield "a table's time range has no end, or ends before it begins"
    begins, ends = ranges["holdout"][0], ranges.get("train", (None, None))[1]
    if begins is not None and ends is not None and ends > begins:
        yield "it was trained on rows of the holdout's time"


def _of_rivals(evidence: Evidence) -> Iterator[str]:
    for name, model, slices in (
        ("an anchor", evidence.anchor, evidence.anchored),
        ("a base commit", evidence.base, evidence.based),
    ):
        if bool(slices) != (model is not None and model.unscored is None):
            yield f"it has {name}'s slices without its model, or the reverse"


def _of_findings(findings: Sequence[Finding]) -> Iterator[str]:
    for one in findings:
        counts = [one.rows, one.count, *(count for part in one.parts for count in (part.here, part.there))]
        if min(counts) < 0:
            yield f"{one.rule} counts a negative number of rows"


def _of_slices(
    resolved: ResolvedPolicy, evidence: Evidence, slices: Sequence[Slice], rows: int, *, paired: bool
) -> Iterator[str]:
    columns = {dimension.id: dimension.columns for dimension in resolved.needs.dimensions}
    counted: Mapping[str, int] = dict.fromkeys(columns, 0)
    if len({(slice_.dimension, slice_.key) for slice_ in slices}) != len(slices):
        yield "a slice occurs twice"
    for slice_ in slices:
        if is_found(slice_.dimension):
            if not 0 < len(slice_.key) <= 2 or slice_.rows > rows:  # a column or two
                yield f"{slice_.dimension} is not a slice that a search finds"
        elif tuple(column for column, _ in slice_.key) != columns.get(slice_.dimension):
            yield f"the policy has no slices by {slice_.dimension}, or they name other columns"
            return
        else:
            counted = {**counted, slice_.dimension: counted[slice_.dimension] + slice_.rows}
        for wrong in _of_slice(
            slice_, evidence, called=resolved.policy.task in ("binary", "multiclass"), paired=paired
        ):
            yield f"{slice_.dimension or 'the whole holdout'}: {wrong}"
    for name, total in counted.items():
        if total != rows:
            yield f"{name or 'its cells'}: not as many rows as the holdout has"
    if sum(slice_.dimension == OVERALL.id for slice_ in slices) != 1:
        yield "it does not contain the whole holdout once"


def _of_slice(slice_: Slice, evidence: Evidence, *, called: bool, paired: bool) -> Iterator[str]:
    classes = range(len(evidence.classes))
    calls: Sequence[int] = classes if paired else (-1,)
    if slice_.rows < 1:
        yield "it has no rows"
    for cell in slice_.cells:
        if len(cell) != CELL or cell[0] not in classes or cell[1] not in classes or cell[2] not in calls or cell[3] < 1:
            yield f"{list(cell)} is not a cell"
            return
    if len({cell[:3] for cell in slice_.cells}) != len(slice_.cells):
        yield "a cell occurs twice"
    if called and sum(cell[-1] for cell in slice_.cells) != slice_.rows:
        yield "its cells are not as many rows"
    cells = {cell[:3] for cell in slice_.cells}
    for weighted in slice_.weights:
        if (
            len(weighted) != CELL + 1
            or not 0 <= weighted[0] < BUCKETS
            or weighted[1:4] not in cells
            or weighted[-1] < 0
        ):
            yield f"{list(weighted)} is not a weight of a cell"
    if slice_.ranks:
        yield from _of_ranks(slice_, slice_.ranks)
    for moments in slice_.moments:
        yield from _of_moments(slice_, moments)
    for computed in slice_.computed:
        yield from _of_computed(computed)


def _of_ranks(slice_: Slice, ranks: Ranks) -> Iterator[str]:
    if (ranks.positives.a, ranks.positives.b) != (ranks.negatives.a, ranks.negatives.b):
        yield "both classes must give the same ROC-AUC"
    for label, sums in ((1, ranks.positives), (0, ranks.negatives)):
        n = sums.rows
        if n != sum(cell[3] for cell in slice_.cells if cell[0] == label):
            yield "ranks and cells count different rows"
        most = 2 * (slice_.rows - n)  # a row beats at most all rows of the other class
        calls = (sums.b, sums.bb, sums.ab) == (-1, 0, 0)  # of a champion that gave no scores
        for total, squares in ((sums.a, sums.aa), (0 if calls else sums.b, sums.bb)):
            if not (0 <= total <= n * most and total * total <= squares * n <= most * total * n):
                yield "no ranks have these sums"
        if sums.ab < 0 or sums.ab * sums.ab > sums.aa * sums.bb:
            yield "no two rankings have these sums"
    for bucket in ranks.buckets:
        if len(bucket) != 7 or not 0 <= bucket[0] < BUCKETS or min(bucket) < 0:  # its seven numbers
            yield f"{list(bucket)} is not a bucket of ranks"
            return


def _of_moments(slice_: Slice, moments: Moments) -> Iterator[str]:
    size = len(moments.sums)
    if not 0 <= moments.rows <= slice_.rows or (moments.rows == 0) != (size == 0):
        yield f"{moments.id} counts other rows"
    if moments.buckets:
        if any(len(one.sums) != size or not 0 <= one.bucket < BUCKETS or one.weight < 0 for one in moments.buckets):
            yield f"{moments.id} has an invalid bucket"
    elif len(moments.products) != size * (size + 1) // 2:
        yield f"{moments.id} lacks products"
    else:
        squares = [moments.products[place * size - place * (place - 1) // 2] for place in range(size)]
        for total, square in zip(moments.sums, squares, strict=True):
            # a square is rounded to a double before it is cut, and what is cut off is at most 2**-60 a row
            slack = (square >> _ROUNDED) + (moments.rows << Moments.UNIT - _CUT)
            if total * total > (moments.rows * (square + slack)) << Moments.UNIT:
                yield f"{moments.id}: no rows have these sums"
    if moments.ends and (len(moments.ends) != 2 or moments.ends[0] > moments.ends[1]):  # two ends
        yield f"{moments.id} has invalid ends"


def _of_computed(computed: Computed) -> Iterator[str]:
    if computed.aa < 0 or computed.bb < 0 or computed.groups < 0:
        yield f"{computed.id}: no variance is negative"
    slack = 1 + 2**-30
    if computed.ab**2 > computed.aa * computed.bb * slack:
        yield f"{computed.id}: no two values have this covariance"


def champion_as_candidate(then: Evidence, now: Evidence) -> bool:
    """Tell whether today's champion gave what it gave when it was the candidate, on the same rows.

    True where there is nothing to compare: other rows, or a champion without predictions here.
    """
    holdouts = [next((one.digest for one in each.tables if one.name == "holdout"), None) for each in (then, now)]
    if now.champion is None or now.champion.unscored or then.candidate is None or holdouts[0] != holdouts[1]:
        return True
    before = {(slice_.dimension, slice_.key): slice_ for slice_ in then.slices if not is_found(slice_.dimension)}
    return all(
        _gave(before[slice_.dimension, slice_.key], CANDIDATE) == _gave(slice_, CHAMPION)
        for slice_ in now.slices
        if (slice_.dimension, slice_.key) in before
    )


def _gave(slice_: Slice, model: int) -> tuple[object, ...]:
    """Return what one of the two models gave for a slice's rows: its calls by label, its ranks, its computed
    metrics."""
    calls: dict[tuple[int, int], int] = {}
    for label, *called, rows in slice_.cells:
        calls[label, called[model]] = calls.get((label, called[model]), 0) + rows
    ranks = slice_.ranks and tuple(
        (one.rows, *((one.a, one.aa), (one.b, one.bb))[model])
        for one in (slice_.ranks.positives, slice_.ranks.negatives)
    )
    computed = tuple((one.id, (one.candidate, one.champion)[model]) for one in slice_.computed if one.why is None)
    return calls, ranks, computed
