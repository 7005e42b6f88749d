"""What every kind of gate brings, and what it is given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from gates.asks import Named
from gates.contract.rules import Contract
from gates.decision import GateVerdict
from gates.evidence import Evidence
from gates.slices import OVERALL, Dimension
from gates.source import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What all gates of a policy share."""

    confidence: float
    dimensions: tuple[Dimension, ...]
    contract: Contract | None
    tables: tuple[str, ...]
    sources: Mapping[str, str] = field(default_factory=dict)  # a table's name -> where the policy says it lies
    seed: str = ""  # the evidence's digest: the only source of randomness


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What must be counted for a gate: dimensions whose cells, and whose ranks, it reads."""

    cells: frozenset[Dimension] = field(default_factory=frozenset)
    ranks: frozenset[Dimension] = field(default_factory=frozenset)

    def __or__(self, other: Needs) -> Needs:
        return Needs(cells=self.cells | other.cells, ranks=self.ranks | other.ranks)

    @classmethod
    def of(cls, dimensions: Sequence[Dimension], *, ranks: bool) -> Needs:
        """Cells, and ranks if asked, of the whole holdout and of these dimensions."""
        every = frozenset((OVERALL, *dimensions))
        return cls(cells=every, ranks=every if ranks else frozenset())


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """Something that the schema can't see. ``path`` is relative to the gate."""

    path: Path
    what: str


class Kind(Protocol):
    """A module of this folder. ``Rule`` is its frozen dataclass: the fields are the YAML keys."""

    KEY: str
    EXAMPLES: tuple[str, ...]

    @property
    def Rule(self) -> type[Any]:  # noqa: N802 -- a class in the module
        """The frozen dataclass of the gate's keys."""
        ...

    def name(self, rule: Any) -> str:
        """The gate's stable id; two gates of one policy may not share it."""
        ...

    def asks(self, rule: Any) -> Iterator[Named]:
        """What it asks for, each with the direction in which it is stricter."""
        ...

    def mistakes(self, rule: Any, terms: Terms) -> Iterator[Mistake]:
        """What is wrong with a rule that its schema accepts."""
        ...

    def needs(self, rule: Any, terms: Terms) -> Needs:
        """What must be counted."""
        ...

    def judge(self, rule: Any, evidence: Evidence, terms: Terms) -> Iterator[GateVerdict]:
        """The verdicts, one a bar and slice. Pure."""
        ...
