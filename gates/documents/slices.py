"""Dimensions: the ways in which a policy cuts the holdout into named slices. Contains no counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, ClassVar

from gates.schema.fields import Plain

Key = tuple[tuple[str, str | None], ...]  # ((column, value or bin), ...); None: the value is missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimension:
    """Columns whose values name the slices: one column, bins of one, or a crossing of several.

    ``edges`` cut a numeric column into half-open bins, of which the first and the last are unbounded; they are told
    of each column, empty for one that is taken by its values. ``found``: nobody declared it, a search found it.
    """

    columns: tuple[str, ...]
    edges: tuple[tuple[float, ...], ...] = ()
    found: bool = False

    SCHEMA: ClassVar[Mapping[str, Plain]] = {
        "anyOf": [
            {"type": "string", "minLength": 1},
            {
                "type": "object",
                "minProperties": 1,
                "maxProperties": 1,
                "additionalProperties": {
                    "type": "array",
                    "items": {"type": "number"},
                    "minItems": 1,
                    "maxItems": 50,
                },
            },
        ]
    }

    @classmethod
    def read(cls, value: Plain) -> Dimension:
        """Read a dimension: ``contract``, ``sex * age_group``, ``{age: [25, 40]}``, or ``auto``, which asks for a
        search."""
        if value == AUTO.id:
            return AUTO
        if isinstance(value, str):
            return cls(columns=tuple(part.strip() for part in value.split(" * ")))
        ((column, edges),) = value.items()
        return cls(columns=(column,), edges=(tuple(float(edge) for edge in edges),))

    def plain(self) -> Plain:
        """Return the written form; the inverse of ``read``."""
        if self == AUTO:
            return self.id
        return {self.columns[0]: list(self.edges[0])} if self.edges else " * ".join(self.columns)

    @property
    def parts(self) -> tuple[tuple[str, tuple[float, ...]], ...]:
        """Each column with its edges."""
        return tuple(zip(self.columns, self.edges or ((),) * len(self.columns), strict=True))

    @property
    def id(self) -> str:
        """One text for a dimension, the same wherever it is declared: ``age[25,40]``, ``sex * region``."""
        told = " * ".join(column + _edges_text(edges) for column, edges in self.parts)
        return (f"{_FOUND}{told}" if told else "auto") if self.found else told

    @property
    def bins(self) -> tuple[tuple[str, ...], ...]:
        """Of each column the names of its bins, in order; empty where the slices are whatever values occur."""
        return tuple(bins_of(edges) for _, edges in self.parts)

    def binned(self, declared: Iterable[Dimension]) -> Dimension:
        """Return the same with the bins that its columns have where they are declared alone."""
        cut = {one.columns[0]: one.edges[0] for one in declared if len(one.columns) == 1 and one.edges}
        edges = tuple(cut.get(column, ()) for column in self.columns)
        return replace(self, edges=edges) if any(edges) else self


OVERALL = Dimension(columns=())
AUTO = Dimension(columns=(), found=True)  # asks for a search
_FOUND = "auto: "


def is_found(id_: str) -> bool:
    """Tell whether a dimension's id is that of one which a search found."""
    return id_.startswith(_FOUND)


def twice_cut(column: str, declared: Iterable[Dimension]) -> bool:
    """Tell whether a column is declared with bins of two kinds, so that a crossing could take either."""
    return len({one.edges for one in declared if one.columns == (column,) and one.edges}) > 1


def bins_of(edges: tuple[float, ...]) -> tuple[str, ...]:
    """Return names of the bins between edges, in order; of none, none."""
    texts = [edge_text(edge) for edge in edges]
    inner = (f"[{low}, {high})" for low, high in pairwise(texts))
    return (f"< {texts[0]}", *inner, f">= {texts[-1]}") if edges else ()


def _edges_text(edges: tuple[float, ...]) -> str:
    return f"[{','.join(map(edge_text, edges))}]" if edges else ""


def edge_text(edge: float) -> str:
    """Write a bin's edge: 25.0 as ``25``, 0.5 as ``0.5``."""
    return str(int(edge)) if edge == int(edge) and abs(edge) < 10**15 else repr(edge)


def key_text(key: Key | dict[str, Any]) -> str:
    """Write a slice's key: ``contract=One year, tenure=[12, 36)``, ``tenure < 12``; the whole holdout is
    ``overall``."""
    pairs = key.items() if isinstance(key, dict) else key
    return ", ".join(_pair_text(column, value) for column, value in pairs) or "overall"


def _pair_text(column: str, value: str | None) -> str:
    if value is None:
        return f"{column}=(missing)"
    return f"{column} {value}" if value.startswith(("< ", ">= ")) else f"{column}={value}"
