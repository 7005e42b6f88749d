"""Hide columns whose values must not appear: number their slices, and merge or refuse small ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gates.contract.rules.contract_rule import Contract
from gates.contract.sql import literal
from gates.documents.slices import Dimension
from gates.errors import GatesError
from gates.measure.engines import Engine
from gates.wording import have, plural

LEAST = 5  # rows of a group, where the contract's ``shown.min_cell`` asks for no more
FEW = "small groups"

Values = Mapping[tuple[str, tuple[float, ...]], str]  # (column, edges) -> SQL of the slice that a row falls into


@dataclass(frozen=True, slots=True, kw_only=True)
class Hidden:
    """The columns, and how many rows a group must have to be distinguished."""

    columns: frozenset[str] = frozenset()
    least: int = LEAST

    @classmethod
    def of(cls, contract: Contract | None) -> Hidden:
        """Return what a contract hides."""
        if contract is None:
            return cls()
        cell = contract.shown.min_cell
        return cls(columns=contract.hidden, least=cell if cell > 1 else LEAST)

    def grouped(self, engine: Engine, value: str, table: str, most: int) -> str:
        """Write SQL of a number of the group in the place of a value: numbered in the order of the values, of so many.

        Groups of too few rows are one, and take the smallest of the others in where they are too few together: else
        what is missing could be derived from the sums.
        """
        groups = engine.run(f"SELECT v, count(*) FROM (SELECT {value} AS v FROM {table}) GROUP BY v LIMIT {most + 2}")
        if len(groups) > most + 1:
            return value  # reported as too many, without showing any
        sizes = {name: int(rows) for name, rows in groups}
        few = {name for name, rows in sizes.items() if rows < self.least}
        while few != sizes.keys() and 0 < sum(sizes[name] for name in few) < self.least:
            few.add(min(sizes.keys() - few, key=lambda name: (sizes[name], name or "")))
        told = sorted(name for name in sizes.keys() - few if name is not None)
        names = {name: f"group {place} of {len(told)}" for place, name in enumerate(told, 1)}
        cases = "".join(f" WHEN {literal(name)} THEN {literal(group)}" for name, group in names.items())
        known = f"CASE ({value}){cases} ELSE {literal(FEW)} END" if cases else literal(FEW)
        return f"CASE WHEN ({value}) IS NULL THEN {literal(FEW) if None in few else 'NULL'} ELSE {known} END"

    def refuse_small(self, engine: Engine, dimensions: Iterable[Dimension], values: Values, table: str) -> None:
        """Raise ``GatesError`` where declared bins, or a crossing, of these columns have a group of too few rows."""
        for dimension in dimensions:
            secret = self.columns & set(dimension.columns)
            if not secret or dimension.found or (len(dimension.columns) == 1 and not dimension.edges):
                continue
            listed = ", ".join(f"{values[part]} AS v{place}" for place, part in enumerate(dimension.parts))
            names = ", ".join(f"v{place}" for place, _ in enumerate(dimension.parts))
            counts = f"SELECT count(*) AS n FROM (SELECT {listed} FROM {table}) GROUP BY {names}"
            ((small,),) = engine.run(f"SELECT count(*) FROM ({counts}) WHERE n < {self.least}")
            if small:
                told = ", ".join(sorted(secret))
                raise GatesError(
                    f"{told} is x-sensitive, and {plural(small, 'group', 'groups')} of {dimension.id} "
                    f"{have(small)} fewer than {self.least} rows",
                    where="slices",
                    hint="Use wider bins, or fewer columns: so small a group says something about people.",
                )
