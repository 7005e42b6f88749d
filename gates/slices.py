"""Dimensions: the ways in which a policy cuts the holdout into named slices. Holds no counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

from gates.fields import Plain

Key = tuple[tuple[str, str | None], ...]  # ((column, value or bin), ...); None: the value is missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimension:
    """Columns whose values name the slices: one column, bins of one, or a crossing of several.

    ``edges`` cut a numeric column into half-open bins; the first and the last bin are unbounded.
    """

    columns: tuple[str, ...]
    edges: tuple[float, ...] = ()

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
        """``contract``, ``sex * age_group`` or ``{age: [25, 40]}``."""
        if isinstance(value, str):
            return cls(columns=tuple(part.strip() for part in value.split(" * ")))
        ((column, edges),) = value.items()
        return cls(columns=(column,), edges=tuple(float(edge) for edge in edges))

    def plain(self) -> Plain:
        """The written form; the inverse of ``read``."""
        return {self.columns[0]: list(self.edges)} if self.edges else " * ".join(self.columns)

    @property
    def id(self) -> str:
        """One text for a dimension, the same wherever it is declared: ``age[25,40]``, ``sex * region``."""
        bins = f"[{','.join(edge_text(edge) for edge in self.edges)}]" if self.edges else ""
        return " * ".join(self.columns) + bins

    @property
    def bins(self) -> tuple[str, ...]:
        """Names of the declared bins, in order; empty where the slices are whatever values occur."""
        if not self.edges:
            return ()
        texts = [edge_text(edge) for edge in self.edges]
        inner = [f"[{low}, {high})" for low, high in pairwise(texts)]
        return (f"< {texts[0]}", *inner, f">= {texts[-1]}")


OVERALL = Dimension(columns=())


def edge_text(edge: float) -> str:
    """25.0 -> ``25``, 0.5 -> ``0.5``."""
    return str(int(edge)) if edge == int(edge) and abs(edge) < 10**15 else repr(edge)


def key_text(key: Key | dict[str, Any]) -> str:
    """``contract=One year, tenure=[12, 36)``, ``tenure < 12``; the whole holdout is ``overall``."""
    pairs = key.items() if isinstance(key, dict) else key
    return ", ".join(_pair_text(column, value) for column, value in pairs) or "overall"


def _pair_text(column: str, value: str | None) -> str:
    if value is None:
        return f"{column}=(missing)"
    return f"{column} {value}" if value.startswith(("< ", ">= ")) else f"{column}={value}"
