"""What every kind of gate provides, and what it is given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from gates.contract.rules.contract_rule import Contract
from gates.documents.decision import GateVerdict
from gates.documents.evidence import Evidence
from gates.documents.printed.diff import Named
from gates.documents.slices import AUTO, OVERALL, Dimension
from gates.documents.statistic import Statistic
from gates.metrics.definition import Task
from gates.schema.yaml_text import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class GateContext:
    """What all gates of a policy share."""

    confidence: float  # of each bound, charged for the uses of the holdout
    stated: float = 0.95  # the policy's confidence, before that charge
    task: Task = "binary"
    reuse: int | None = None  # how many decisions the holdout is good for
    min_rows: int = 0  # of a slice, below which it is not judged
    anchored: bool = False  # whether the policy names an anchor
    dimensions: tuple[Dimension, ...]
    contract: Contract | None
    tables: tuple[str, ...]
    sources: Mapping[str, str] = field(default_factory=dict)  # a table's name -> where the policy says it lies


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class PromqlQuestion:
    """What a Prometheus is to be asked: an expression at one moment, or every ``step`` of the last ``over`` seconds."""

    query: str
    over: int = 0
    step: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What must be counted for a gate: statistics, each along a dimension; and what a Prometheus is to be asked."""

    wanted: frozenset[tuple[Statistic, Dimension]] = field(default_factory=frozenset)
    questions: frozenset[PromqlQuestion] = field(default_factory=frozenset)

    def __or__(self, other: Needs) -> Needs:
        return Needs(wanted=self.wanted | other.wanted, questions=self.questions | other.questions)

    @classmethod
    def of(cls, dimensions: Sequence[Dimension], statistic: Statistic) -> Needs:
        """Return one statistic of the whole holdout and of these dimensions."""
        return cls(wanted=frozenset((statistic, dimension) for dimension in (OVERALL, *dimensions)))

    @property
    def dimensions(self) -> tuple[Dimension, ...]:
        """The whole holdout first, then every dimension that is looked at, by id; not those still to be searched."""
        found = {OVERALL, *(dimension for _, dimension in self.wanted)} - {AUTO}
        return tuple(sorted(found, key=lambda one: one.id))

    @property
    def searches(self) -> bool:
        """Whether slices are to be searched for."""
        return any(dimension == AUTO for _, dimension in self.wanted)

    def along(self, dimension: Dimension) -> tuple[Statistic, ...]:
        """Return the statistics that are asked for along a dimension, sorted."""
        return tuple(sorted((one for one, at in self.wanted if at == dimension), key=lambda one: (one.form, one.id)))

    @property
    def columns(self) -> tuple[str, ...]:
        """Further columns of the predictions that are asked for."""
        return tuple(sorted({column for one, _ in self.wanted for column in one.of}))

    @property
    def written(self) -> list[list[str]]:
        """[form, id, dimension] of each request, sorted: what decides the measuring."""
        return sorted([one.form, one.id, dimension.id] for one, dimension in self.wanted)

    @property
    def asked(self) -> list[list[str | int]]:
        """[query, over, step] of each question, sorted: these decide the measuring, too."""
        return [[one.query, one.over, one.step] for one in sorted(self.questions)]


@dataclass(frozen=True, slots=True, kw_only=True)
class GateMistake:
    """Something that the schema can't see. ``path`` is relative to the gate.

    ``idle``: the rule means something, but decides nothing; old policies may have such rules.
    """

    path: Path
    what: str
    idle: bool = False


class GateKind(Protocol):
    """A module of this folder. ``RULE`` is its frozen dataclass: the fields are the YAML keys."""

    KEY: str
    EXAMPLES: tuple[str, ...]

    @property
    def RULE(self) -> type[Any]:  # noqa: N802 -- a class in the module
        """The frozen dataclass of the gate's keys."""
        ...

    def name(self, rule: Any) -> str:
        """Return the gate's stable id; two gates of one policy may not share it."""
        ...

    def asks(self, rule: Any) -> Iterator[Named]:
        """Return what it asks for, each with the direction in which it is stricter."""
        ...

    def mistakes(self, rule: Any, terms: GateContext) -> Iterator[GateMistake]:
        """Return what is wrong with a rule that its schema accepts."""
        ...

    def needs(self, rule: Any, terms: GateContext) -> Needs:
        """Return what must be counted."""
        ...

    def judge(self, rule: Any, evidence: Evidence, terms: GateContext) -> Iterator[GateVerdict]:
        """Return the verdicts, one a rule and slice. Pure."""
        ...
