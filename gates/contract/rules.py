"""A contract as a list of rules, and what each rule allows to be counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gates.evidence import Finding
from gates.fields import Plain, declare


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One keyword held to one column (of the record) or to some columns (of the table).

    ``value`` is the keyword's parameter. ``low`` and ``high`` bound what may be counted: a number of rows
    where ``share`` is false, else a share of the rows.
    """

    columns: tuple[str, ...]
    keyword: str
    value: Plain = None
    low: float | None = None
    high: float | None = 0
    share: bool = False
    sensitive: bool = False

    @property
    def id(self) -> str:
        """``tenure.minimum``; for a table rule ``unique(id)``, ``values(churn=Yes)``, ``rows``."""
        if self.keyword in RECORD_KEYWORDS:
            return f"{self.columns[0]}.{self.keyword}"
        inner = ", ".join(self.columns) + (f"={self.value}" if self.keyword == "values" else "")
        return f"{self.keyword}({inner})" if inner else self.keyword

    def counted(self, finding: Finding) -> float:
        """What is held between ``low`` and ``high``: rows, or their share (0 where there are no rows)."""
        if not self.share:
            return finding.count
        return finding.count / finding.rows if finding.rows else 0.0

    def kept(self, finding: Finding) -> bool:
        """Whether the count lies within the bounds."""
        counted = self.counted(finding)
        return (self.low is None or counted >= self.low) and (self.high is None or counted <= self.high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """All rules of a contract, record first, in the file's order."""

    rules: tuple[Rule, ...]


RECORD_KEYWORDS: Mapping[str, Plain] = {  # keyword -> the schema of its parameter
    "type": {
        "anyOf": [
            {"enum": ["string", "integer", "number", "boolean", "null"]},
            {
                "type": "array",
                "items": {"enum": ["string", "integer", "number", "boolean", "null"]},
                "minItems": 1,
            },
        ]
    },
    "enum": {"type": "array", "minItems": 1, "items": {"type": ["string", "number", "boolean", "null"]}},
    "minimum": {"type": "number"},
    "maximum": {"type": "number"},
    "required": {"type": "array", "items": {"type": "string"}},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Bounds, both inclusive."""

    min: float | None = declare("At least this.", default=None, minimum=0)
    max: float | None = declare("At most this.", default=None, minimum=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRules:
    """Rules over a whole table."""

    rows: Range | None = declare("How many rows there may be.", default=None, minProperties=1)
    unique: tuple[str, ...] = declare("Columns whose values may not repeat (`a, b`: as a pair).", default=())
    nulls: dict[str, float] | None = declare("Column: share of nulls that is allowed, 0 to 1.", default=None)
    values: dict[str, dict[str, Range]] | None = declare(
        "Column: value: the share of rows, 0 to 1, that may have it (class balance).", default=None
    )
