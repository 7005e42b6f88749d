"""A holdout measured in parts, which add up to the whole's bytes.

A row belongs to the part that its key's hash says, so every part finds its own rows among those of the holdout and of
every model's predictions. Counts and sums add up as they are. Ranks don't: a part carries how many rows have each
score instead, exactly up to ``EXACT_ROWS`` rows and by bins in any case, and the merge ranks them. What looks at all
rows at once (the contract, the tables' digests) the first part does.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gates.contract.columns import quoted
from gates.errors import GatesError
from gates.evidence import EXACT_ROWS, Bucket, Computed, Curve, Evidence, Moments, Ranks, RankSums, Slice, Table
from gates.fields import build
from gates.kinds.protocol import Needs
from gates.measure.computed import estimated
from gates.measure.counts import order
from gates.measure.curves import CURVES
from gates.measure.joined import Joined, bin_of
from gates.measure.rows import clustered
from gates.measure.tables import run, told_digest
from gates.policy import Bound
from gates.slices import Dimension
from gates.statistic import CELLS, Statistic
from gates.stats.scores import middle_of

Counts = list[list[Any]]  # [dimension's id, key, bucket, label, candidate's score, champion's, rows, weight]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """The ``index``-th of ``of`` parts, from 1."""

    index: int
    of: int

    @classmethod
    def read(cls, text: str) -> Shard:
        """``2/8``. Raises ``GatesError`` for anything else."""
        left, _, right = text.partition("/")
        if not (left.isascii() and right.isascii() and left.isdecimal() and right.isdecimal()):
            raise GatesError(f"{text} is no part of a holdout", mend="Write --shard I/N, such as 1/4.")
        made = cls(index=int(left), of=int(right))
        if not 1 <= made.index <= made.of:
            raise GatesError(f"there is no part {made.index} of {made.of}", mend="Parts are counted from 1.")
        return made

    def where(self, key: str) -> str:
        """SQL that holds of the part's rows."""
        text = f"coalesce(CAST({quoted(key)} AS VARCHAR), '')"
        return f"gates_hex(substr(sha256({text}), 1, 12)) % {self.of} = {self.index - 1}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What was measured of one part. ``columns`` and ``lanes``: of the digest of its rows. ``sides``: how many rows
    have each score, exactly (or None) and by bins, of the candidate's slices, the anchor's, and each further run's."""

    shard: Shard
    evidence: Evidence
    rows: int
    columns: list[list[str]]
    lanes: list[int]
    sides: list[tuple[Counts | None, Counts]]


def refuse(bound: Bound) -> None:
    """Raises ``GatesError`` for what does not add up over parts, by name."""
    policy, needs = bound.policy, bound.needs
    wrong = []
    if policy.data.key is None:
        wrong.append("data.key is missing: a row's part is told by its key")
    if policy.task in ("ranking", "score"):
        wrong.append(f"task: {policy.task}")
    if policy.data.engine != "duckdb":
        wrong.append(f"data.engine: {policy.data.engine}")
    if needs.searches:
        wrong.append("slices: auto")
    wrong += sorted({one.id for one, _ in needs.wanted if one.form == "computed" and one.name not in CURVES})
    if wrong:
        raise GatesError(f"can't be measured in shards: {', '.join(wrong)}", mend="Measure the holdout whole.")


def adding(needs: Needs) -> Needs:
    """What adds up as it is."""
    kept = {(one, at) for one, at in needs.wanted if one.form in ("cells", "moments")}
    return Needs(wanted=frozenset(kept | {(CELLS, at) for at in needs.dimensions}))


def _ranked(needs: Needs, dimension: Dimension) -> list[Statistic]:
    """What is made of scores."""
    return [one for one in needs.along(dimension) if one.form in ("ranks", "computed")]


def counts(joined: Joined, bound: Bound) -> tuple[Counts | None, Counts]:
    """How many rows have each score: exactly, where they are few enough, and by bins."""
    exact = _counts(joined, bound, binned=False) if joined.rows <= EXACT_ROWS else None
    return exact, _counts(joined, bound, binned=True)


def _counts(joined: Joined, bound: Bound, *, binned: bool) -> Counts:
    found: Counts = []
    for dimension in bound.needs.dimensions if joined.scored else ():
        wanted = _ranked(bound.needs, dimension)
        if not wanted:
            continue
        names = joined.columns(dimension)
        bucketed = clustered(bound.policy) or any(one.form == "computed" for one in wanted)
        told = [bin_of(name) if binned else name for name in ("s", "t")[: 1 + joined.paired]]
        by = ", ".join([*names, *(["g"] if bucketed else []), "y", *told])
        for row in run(joined.engine, f"SELECT {by}, count(*), sum(w) FROM joined GROUP BY {by} ORDER BY {by}"):
            key, rest = list(row[: len(names)]), list(row[len(names) :])
            bucket = rest.pop(0) if bucketed else 0
            label, s, *other, n, w = rest
            found.append([dimension.id, key, int(bucket), int(label), s, other[0] if other else None, int(n), int(w)])
    return found


def merge(bound: Bound, parts: Sequence[Measured]) -> Evidence:
    """The evidence of the whole. Raises ``GatesError`` where the parts are not all there, or not of one whole."""
    parts = sorted(parts, key=lambda part: part.shard.index)
    _one_whole(bound, parts)
    first = parts[0].evidence
    rows = sum(part.rows for part in parts)

    def side(place: int, held: Sequence[Sequence[Slice]]) -> tuple[Slice, ...]:
        made = [part.sides[place] for part in parts]
        exact = rows <= EXACT_ROWS
        told = [row for one, bins in made for row in ((one or []) if exact else bins)]
        return _slices(bound, [one for slices in held for one in slices if one.rows], told, binned=not exact)

    anchored = first.anchor is not None and first.anchor.unscored is None
    runs = tuple(
        replace(run_, slices=side(1 + anchored + at, [part.evidence.runs[at].slices for part in parts]))
        for at, run_ in enumerate(first.runs)
    )
    return replace(
        first,
        slices=side(0, [part.evidence.slices for part in parts]),
        anchored=side(1, [part.evidence.anchored for part in parts]) if anchored else (),
        runs=runs,
        curves=_curves([part.evidence.curves for part in parts]),
    )


def _one_whole(bound: Bound, parts: Sequence[Measured]) -> None:
    of = parts[0].shard.of
    lacking = sorted(set(range(1, of + 1)) - {part.shard.index for part in parts})
    if lacking or len(parts) != of or {part.shard.of for part in parts} != {of}:
        missing = f"lacks {', '.join(map(str, lacking))}" if lacking else "holds parts of several splits"
        raise GatesError(f"the split into {of} {missing}", mend="Run gates measure --shard I/N for every I.")
    if any(part.evidence.measured != bound.measured for part in parts):
        raise GatesError("a part was measured under another policy", mend="Run gates measure --shard again.")

    def told(part: Measured) -> tuple[Any, ...]:
        one = part.evidence
        return one.classes, one.candidate, one.champion, one.anchor, [run_.digest for run_ in one.runs], part.columns

    other = next((part for part in parts if told(part) != told(parts[0])), None)
    if other:
        raise GatesError(f"part {other.shard.index} is about other models, or other columns, than part 1")
    holdout: Table = next(one for one in parts[0].evidence.tables if one.name == "holdout")
    lanes = [sum(column) for column in zip(*(part.lanes for part in parts), strict=True)]
    rows = sum(part.rows for part in parts)
    columns = [(name, category) for name, category in parts[0].columns]
    if (told_digest(columns, lanes, rows), rows) != (holdout.digest, holdout.rows):
        raise GatesError("the parts are not those of one holdout: it was changed between", mend="Measure all anew.")


def _slices(bound: Bound, held: Sequence[Slice], told: Counts, *, binned: bool) -> tuple[Slice, ...]:
    """The slices of all parts, added up and put into their order."""
    by_id = {dimension.id: (place, dimension) for place, dimension in enumerate(bound.needs.dimensions)}
    of_scores: dict[tuple[str, tuple[str | None, ...]], Counts] = {}
    for row in told:
        of_scores.setdefault((row[0], tuple(row[1])), []).append(row[2:])
    together: dict[tuple[str, Any], list[Slice]] = {}
    for one in held:
        together.setdefault((one.dimension, one.key), []).append(one)

    def place(item: tuple[str, Any]) -> tuple[int, Any]:
        at, dimension = by_id[item[0]]
        return at, order(dimension, tuple(value for _, value in item[1]))

    found = []
    for id_, key in sorted(together, key=place):
        dimension = by_id[id_][1]
        counted = of_scores.get((id_, tuple(value for _, value in key)), [])
        whole = _added(together[id_, key])
        found.append(_with_scores(whole, counted, _ranked(bound.needs, dimension), bound, binned=binned))
    return tuple(found)


def _added(parts: Sequence[Slice]) -> Slice:
    moments = zip(*(part.moments for part in parts), strict=True)
    return replace(
        parts[0],
        rows=sum(part.rows for part in parts),
        cells=_tuples(cell for part in parts for cell in part.cells),
        weights=_tuples(weight for part in parts for weight in part.weights),
        moments=tuple(_moments(held) for held in moments),
    )


def _tuples(rows: Iterator[tuple[int, ...]]) -> tuple[tuple[int, ...], ...]:
    """Rows that are alike but for their last number, added up."""
    found: Counter[tuple[int, ...]] = Counter()
    for *key, n in rows:
        found[tuple(key)] += n
    return tuple(sorted((*key, n) for key, n in found.items()))


def _sums(rows: Sequence[Sequence[int]]) -> tuple[int, ...]:
    return tuple(sum(column) for column in zip(*(row for row in rows if row), strict=True))


def _moments(held: Sequence[Moments]) -> Moments:
    buckets: dict[int, list[Bucket]] = {}
    for one in held:
        for bucket in one.buckets:
            buckets.setdefault(bucket.bucket, []).append(bucket)
    return Moments(
        id=held[0].id,
        rows=sum(one.rows for one in held),
        sums=_sums([one.sums for one in held]),
        products=_sums([one.products for one in held]),
        buckets=tuple(
            Bucket(bucket=at, weight=sum(one.weight for one in some), sums=_sums([one.sums for one in some]))
            for at, some in sorted(buckets.items())
        ),
    )


def _curves(parts: Sequence[Sequence[Curve]]) -> tuple[Curve, ...]:
    found = []
    for same in zip(*parts, strict=True):
        bins: dict[int, tuple[int, int]] = {}
        for at, no, yes in (one for curve in same for one in curve.bins):
            before = bins.get(at, (0, 0))
            bins[at] = before[0] + no, before[1] + yes
        found.append(Curve(model=same[0].model, bins=tuple((at, *both) for at, both in sorted(bins.items()))))
    return tuple(found)


def _with_scores(part: Slice, counted: Counts, wanted: Sequence[Statistic], bound: Bound, *, binned: bool) -> Slice:
    if not counted:
        return part
    ranks = _ranks(counted, buckets=clustered(bound.policy)) if any(one.form == "ranks" for one in wanted) else None
    weighted = bound.policy.data.weight is not None
    made = [_computed(counted, one, weighted=weighted, binned=binned) for one in wanted if one.form == "computed"]
    return replace(part, ranks=ranks, computed=tuple(made))


def _placements(cells: Sequence[Sequence[int]], score: int) -> dict[Any, tuple[int, int]]:
    """Of each score the doubled placement of a negative and of a positive that has it, counted by the last number."""
    held: dict[Any, list[int]] = {}
    for cell in cells:
        held.setdefault(cell[score], [0, 0])[cell[1]] += cell[-1]
    positives, below, above, found = sum(yes for _, yes in held.values()), 0, 0, {}
    for at in sorted(held):
        no, yes = held[at]
        above += yes
        found[at] = 2 * (positives - above) + yes, 2 * below + no
        below += no
    return found


def _ranks(counted: Counts, *, buckets: bool) -> Ranks:
    """As ``ranks.ranks`` has the engine do it."""

    def placed(count: int) -> Iterator[tuple[int, int, int, int, int]]:
        """(bucket, label, count, candidate's placement, champion's) of rows that are alike."""
        cells = [(*row[:4], row[count]) for row in counted]
        ours = _placements(cells, 2)
        theirs = _placements(cells, 3) if cells[0][3] is not None else None
        for bucket, label, s, t, n in cells:
            yield bucket, label, n, ours[s][label], theirs[t][label] if theirs else 0

    sums = {label: [0] * 6 for label in (0, 1)}
    for _, label, n, p, q in placed(4):
        for at, value in enumerate((1, p, q, p * p, q * q, p * q)):
            sums[label][at] += n * value
    names = ("rows", "a", "b", "aa", "bb", "ab")
    negatives, positives = (RankSums(**dict(zip(names, sums[label], strict=True))) for label in (0, 1))
    parts: dict[int, list[int]] = {}
    for bucket, label, n, p, q in placed(5) if buckets else ():
        totals = parts.setdefault(bucket, [0] * 6)
        for at, value in enumerate((n, p * n, q * n)):
            totals[2 * at + 1 - label] += value
    return Ranks(
        positives=positives,
        negatives=negatives,
        buckets=tuple((bucket, *totals) for bucket, totals in sorted(parts.items())),
    )


def _computed(counted: Counts, statistic: Statistic, *, weighted: bool, binned: bool) -> Computed:
    """As ``computed.computed`` makes it of what the engine counts."""
    tables = []
    for score in (2, 3) if counted[0][3] is not None else (2,):
        found: Counter[tuple[Any, ...]] = Counter()
        for row in counted:
            found[row[0], row[1], row[score]] += row[5 if weighted else 4]
        rows = [(bucket, label, middle_of(s) if binned else s, n) for (bucket, label, s), n in sorted(found.items())]
        tables.append([np.array(rows, dtype=float)])
    return estimated(statistic.id, statistic.name, tables, CURVES[statistic.name], dict(statistic.parameters))


def read(data: bytes, name: str) -> Measured:
    """A part as it was written. Raises ``GatesError`` for anything else."""
    try:
        value = json.loads(data)
        index, of = value["shard"]
        evidence: Evidence = build(Evidence, value["evidence"])
        return Measured(
            shard=Shard(index=index, of=of),
            evidence=evidence,
            rows=value["rows"],
            columns=value["columns"],
            lanes=value["lanes"],
            sides=[(exact, bins) for exact, bins in value["sides"]],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise GatesError("is no part of a holdout", where=name, mend="Run gates measure --shard again.") from error


def document(measured: Measured) -> dict[str, Any]:
    """A part as JSON can hold it, but for its evidence."""
    shard = measured.shard
    return {
        "shard": [shard.index, shard.of],
        "rows": measured.rows,
        "columns": measured.columns,
        "lanes": measured.lanes,
        "sides": measured.sides,
    }
