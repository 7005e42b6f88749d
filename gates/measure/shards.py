"""Measure a holdout in parts. The merged evidence is the whole's, byte for byte.

A row belongs to the part that its key's hash says, so every part finds its own rows among those of the holdout and of
every model's predictions. Counts and sums add up as they are. Where a policy asks for anything else (ranks, curves,
quantiles, rankings, a search, somebody else's function) a part keeps its rows with the predictions beside them, and
the merge counts those as the whole would be. What looks at all rows at once (the contract, the tables' digests) the
first part does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from gates.contract.sql import literal, quoted
from gates.documents.evidence import Evidence, Slice, Table
from gates.documents.slices import Dimension
from gates.errors import GatesError
from gates.measure.engines import connect
from gates.measure.holdout.joined import ScoredRows
from gates.measure.holdout.labels import Kind, Labels
from gates.measure.holdout.rows import MAX_SLICES, check_queries, parts_of, too_many
from gates.measure.holdout.tables import told_digest
from gates.measure.pairings import Counting, Pairings, counted
from gates.measure.part_sums import added_up
from gates.measure.statistics.function_calls import GuestMetric
from gates.policy import ResolvedPolicy
from gates.schema.fields import Plain, declare
from gates.system import files

AGAIN = "Run gates measure --shard again."


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """The ``index``-th of ``of`` parts, from 1."""

    index: int
    of: int

    SCHEMA: ClassVar[Mapping[str, Plain]] = {"type": "string", "pattern": "^[0-9]{1,9}/[0-9]{1,9}$"}

    @classmethod
    def read(cls, text: str) -> Shard:
        """Read a shard such as ``2/8``. Raises ``GatesError`` for anything else."""
        left, _, right = text.partition("/")
        if not (left.isascii() and right.isascii() and left.isdecimal() and right.isdecimal()):
            raise GatesError(f"{text} is not a part of a holdout", hint="Write --shard I/N, such as 1/4.")
        shard = cls(index=int(left), of=int(right))
        if not 1 <= shard.index <= shard.of:
            raise GatesError(f"there is no part {shard.index} of {shard.of}", hint="Parts are counted from 1.")
        return shard

    def plain(self) -> str:
        """Return the inverse of ``read``."""
        return f"{self.index}/{self.of}"

    def where(self, key: str) -> str:
        """Write SQL that holds of the part's rows."""
        text = f"coalesce(CAST({quoted(key)} AS VARCHAR), '')"
        return f"gates_hex(substr(sha256({text}), 1, 12)) % {self.of} = {self.index - 1}"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptRows:
    """Rows with predictions beside them, the table ``joined`` of one side, as a file."""

    WRITTEN = "whole"
    sha256: str = declare("Of the file.")
    scored_by: tuple[bool, ...] = declare("Of each model, whether it gives scores.")
    classes_of: tuple[int, ...] = declare("Of each model, how many scores by class it gives.")
    columns: tuple[Mapping[str, str], ...] = declare("Of each model its further columns, by their names.")
    places: int = declare("Weights are whole numbers of 2**-places.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What was measured of one part."""

    WRITTEN = "whole"
    shard: Shard = declare("Which part.")
    evidence: Evidence = declare("Of the part; without slices where rows are kept.")
    rows: int = declare("Rows of the part.")
    columns: tuple[tuple[str, str], ...] = declare("The holdout's columns, as its digest names them.")
    lanes: tuple[int, ...] = declare("Sums of the hashes of the part's rows.", big=True)
    kind: Kind = declare("When two spellings of a label are one class.")
    searched: tuple[tuple[str, tuple[float, ...]], ...] = declare("What is searched for slices: columns, edges.")
    edges: tuple[str, ...] = declare("Where bins of a regression's labels begin.")
    sides: tuple[KeptRows, ...] = declare(
        "The rows that are kept: of the candidate, the anchor, the base commit's model, and each further run."
    )


def refuse(resolved: ResolvedPolicy) -> None:
    """Raise ``GatesError`` for what can't be measured in parts."""
    data = resolved.policy.data
    if data.key is None:
        raise GatesError(
            "can't be measured in shards: a row's part depends on its key", where="data.key", hint="Name a key column."
        )
    if data.engine != "duckdb":
        raise GatesError(
            f"can't be measured in shards: {data.engine} divides the work itself",
            where="data.engine",
            hint="Measure the holdout whole.",
        )


def adds_up(resolved: ResolvedPolicy) -> bool:
    """Tell whether all that a policy asks for adds up over parts. A ranking's queries may lie in several."""
    needs = resolved.needs
    sums = all(one.form in ("cells", "moments") for one, _ in needs.wanted)
    return sums and not needs.searches and resolved.policy.task != "ranking"


def keep(sides: Pairings, folder: Path) -> tuple[KeptRows, ...]:
    """Return every side's rows as a file."""
    return tuple(_kept(side(), _file(folder, place)) for place, side in enumerate(sides.all))


def _file(folder: Path, place: int) -> Path:
    return folder / f"rows-{place}.parquet"


def _kept(joined: ScoredRows, target: Path) -> KeptRows:
    joined.engine.write("SELECT * FROM joined", target)
    return KeptRows(
        sha256=files.sha256(target),
        scored_by=joined.scored_by,
        classes_of=joined.classes_of,
        columns=joined.columns_of,
        places=joined.places,
    )


def merge(resolved: ResolvedPolicy, parts: Mapping[Path, Measured], guest: GuestMetric) -> Evidence:
    """Return the evidence of the whole. ``parts``: by the folders in which their rows lie.

    Raises ``GatesError`` where the parts are not all there, or not of one whole.
    """
    parts = dict(sorted(parts.items(), key=lambda item: item[1].shard.index))
    measured = list(parts.values())
    _one_whole(resolved, measured)
    first = measured[0]
    if first.sides:
        columns = [
            Dimension(columns=(name,), edges=(edges,) if edges else (), found=True) for name, edges in first.searched
        ]
        labels = Labels(classes=first.evidence.classes, kind=first.kind)
        how = Counting(resolved=resolved, labels=labels, columns=columns, edges=[*map(float, first.edges)], guest=guest)
        whole = counted(first.evidence, _sides(resolved, parts, columns), how)
    else:
        whole = added_up(resolved, [part.evidence for part in measured])
    _few(whole.slices)
    return whole


def _one_whole(resolved: ResolvedPolicy, parts: Sequence[Measured]) -> None:
    of = parts[0].shard.of
    lacking = sorted(set(range(1, of + 1)) - {part.shard.index for part in parts})
    if lacking or len(parts) != of or {part.shard.of for part in parts} != {of}:
        missing = f"lacks {', '.join(map(str, lacking))}" if lacking else "contains parts of several splits"
        raise GatesError(f"the split into {of} {missing}", hint="Run gates measure --shard I/N for every I.")
    if any(part.evidence.measured != resolved.measured for part in parts):
        raise GatesError("a part was measured under another policy", hint=AGAIN)

    def identity(part: Measured) -> tuple[Any, ...]:
        evidence = part.evidence
        sides = [replace(side, sha256="") for side in part.sides]
        rivals = evidence.champion, evidence.anchor, evidence.base
        models = evidence.candidate, rivals, [run_.digest for run_ in evidence.runs]
        return evidence.classes, models, part.columns, part.searched, part.edges, sides

    other = next((part for part in parts if identity(part) != identity(parts[0])), None)
    if other:
        raise GatesError(f"part {other.shard.index} is about other models, or other columns, than part 1")
    holdout: Table = next(one for one in parts[0].evidence.tables if one.name == "holdout")
    lanes = [sum(column) for column in zip(*(part.lanes for part in parts), strict=True)]
    rows = sum(part.rows for part in parts)
    if (told_digest(parts[0].columns, lanes, rows), rows) != (holdout.digest, holdout.rows):
        raise GatesError(
            "the parts are not those of one holdout: it was changed between", hint="Measure all of them again."
        )


def _sides(resolved: ResolvedPolicy, parts: Mapping[Path, Measured], columns: Sequence[Dimension]) -> Pairings:
    """Return the kept rows of all parts together, a side at a time."""
    first = next(iter(parts.values()))
    engine = connect()
    names = parts_of([*resolved.needs.dimensions, *columns])

    def side(index: int) -> ScoredRows:
        paths = [_whole(_file(folder, index), part.sides[index]) for folder, part in parts.items()]
        rows = f"read_parquet([{', '.join(literal(str(path)) for path in paths)}])"
        engine.run(f"CREATE OR REPLACE TEMP TABLE joined AS SELECT * FROM {rows}")
        check_queries(engine, resolved.policy, names, "joined")
        kept = first.sides[index]
        return ScoredRows(
            engine=engine,
            parts=names,
            columns_of=kept.columns,
            rows=sum(part.rows for part in parts.values()),
            scored_by=kept.scored_by,
            classes_of=kept.classes_of,
            places=kept.places,
        )

    candidate, *others = (partial(side, index) for index in range(len(first.sides)))
    left = iter(others)
    anchor, base = (
        next(left) if model and model.unscored is None else None
        for model in (first.evidence.anchor, first.evidence.base)
    )
    return Pairings(candidate=candidate, anchor=anchor, base=base, runs=tuple(left))


def _whole(path: Path, told: KeptRows) -> Path:
    """Return a file of rows that is the one which was kept."""
    if not files.is_plain(path) or files.sha256(path) != told.sha256:
        raise GatesError("is not the file of rows that its part was measured with", where=str(path), hint=AGAIN)
    return path


def _few(slices: Sequence[Slice]) -> None:
    """Refuse a column with too many values in all parts together: each part may hold few enough."""
    values: dict[tuple[str, str], set[str | None]] = {}
    for one in slices:
        for column, value in one.key:
            values.setdefault((one.dimension, column), set()).add(value)
    for (_, column), held in values.items():
        if len(held - {None}) > MAX_SLICES:
            raise too_many(column, len(held - {None}))
