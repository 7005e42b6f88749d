"""Quantities of a row as SQL in DuckDB's dialect: what the sums of ``moments`` add up.

Only + - * / and comparisons are used, each rounded as IEEE 754 says on every engine and machine; a library's
logarithm may differ in its last digit from one machine to the next, and the evidence would with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import log, sqrt
from typing import Final

from gates.documents.statistic import Parameters

Steps = tuple[Mapping[str, str], ...]  # column -> expression; each step may use the columns of those before


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelColumns:
    """The columns of one model in the joined table of rows: label and call as class numbers, or as values.

    ``scores``: one a class, in the order of the classes, for a multiclass model. ``of``: further numbers that it gives
    of each row, by their names in the predictions. ``prefix``: of the columns that steps make.
    """

    prefix: str
    label: str
    call: str
    score: str
    scores: tuple[str, ...] = ()
    of: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """An expression that uses columns of the steps before it."""

    expression: str
    steps: Steps = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantities:
    """What is summed for one statistic: quantities of each model, and of the row alone.

    ``wide``: values may be of any size, as of squared errors; others lie within 2**42 with steps of 2**-60.
    ``scores``: a model that only calls has none. ``queries``: the quantities are of a query, aggregates over its rows,
    and this condition, an aggregate too, says which queries count.
    """

    models: Callable[[ModelColumns, Parameters], Sequence[Staged]]
    rows: Callable[[ModelColumns], Sequence[Staged]] = lambda _: ()
    wide: bool = False
    scores: bool = False
    queries: Callable[[Parameters], str] | None = None


def double(value: float) -> str:
    """Return a number as a double: a bare one with a point would be a decimal."""
    return f"CAST({value!r} AS DOUBLE)"


def within(ours: str, theirs: str, most: float) -> str:
    """Tell whether two numbers lie at most so far apart, as they are written in decimals: 0.4 lies within 0.1 of 0.3.

    A double is at most 2**-53 of itself away from the decimal that it was read from, so 0.4 - 0.3 comes out above 0.1.
    As much as that may explain is allowed for, and no more; a whole number is what it says, and so is a distance of 0.
    """
    gap, most_, last = f"abs({ours} - {theirs})", double(most), double(2.0**-53)
    if most == 0:
        return f"{gap} = {most_}"
    sizes = " + ".join(f"CASE WHEN {x} = trunc({x}) THEN {double(0.0)} ELSE abs({x}) END" for x in (ours, theirs))
    beyond = f"({gap} - {most_}) <= ({sizes} + {gap} + {most_}) * {last}"
    whole = f"({ours} = trunc({ours}) AND {theirs} = trunc({theirs}))"
    return f"({gap} <= {most_} OR (NOT {whole} AND {beyond}))"


_ROOT_HALF: Final = sqrt(0.5)
_TERMS = 11


def ln(x: str, prefix: str) -> Staged:
    """Return the natural logarithm of an expression in (0, 1], to about 2e-16.

    x = m 2**-k with m in [0.5, 1), by six comparisons; ln m = ln c + 2 artanh((m - c) / (m + c)) with c = sqrt(1/2),
    whose argument is at most 0.172, by its series.
    """
    steps: list[Mapping[str, str]] = [{f"{prefix}m0": x, f"{prefix}k0": double(0.0)}]
    for step, power in enumerate((32, 16, 8, 4, 2, 1)):
        m, k = f"{prefix}m{step}", f"{prefix}k{step}"
        small = f"{m} < {double(2.0**-power)}"
        steps.append(
            {
                f"{prefix}m{step + 1}": f"CASE WHEN {small} THEN {m} * {double(2.0**power)} ELSE {m} END",
                f"{prefix}k{step + 1}": f"CASE WHEN {small} THEN {k} + {double(float(power))} ELSE {k} END",
            }
        )
    m, c = f"{prefix}m6", double(_ROOT_HALF)
    steps.append({f"{prefix}t": f"({m} - {c}) / ({m} + {c})"})
    steps.append({f"{prefix}q": f"{prefix}t * {prefix}t"})
    series = double(1 / (2 * _TERMS - 1))
    for term in range(_TERMS - 1, 0, -1):
        series = f"(({series} * {prefix}q) + {double(1 / (2 * term - 1))})"
    value = f"((({double(2.0)} * {prefix}t) * {series}) + {double(log(_ROOT_HALF))}) - ({prefix}k6 * {double(log(2))})"
    return Staged(expression=value, steps=tuple(steps))
