"""Translate DuckDB's SQL into Spark's with the same meaning: ANSI mode, UTC, and no function whose result differs.

sqlglot translates; what it would translate to something else is told here, by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any

from gates.measure.engines import unordered

MATCHES = "gates_matches"  # a function that the engine registers: RE2, as in DuckDB; Java's can take forever
_DIGITS = {"%Y": "yyyy", "%m": "MM", "%d": "dd", "%H": "HH", "%M": "mm", "%S": "ss", "%f": "SSSSSS"}
_WHOLE = "4503599627370496D"  # 2^52: from here on a double has no places
OUTSIDE = "a date or time lies outside the years 1 to 9999, where Spark and DuckDB differ"

FUNCTIONS: Mapping[str, str] = {  # by name: Spark's SQL, with the arguments' SQL in it
    "ISFINITE": "(abs({0}) < double('infinity'))",  # NaN is larger than all
    "STRLEN": "octet_length({0})",
    "GATES_BITS": (
        "CASE WHEN {0} IS NOT NULL THEN "
        "CAST(java_method('java.lang.Double', 'doubleToLongBits', coalesce({0}, 0D)) AS BIGINT) END"
    ),
    "GATES_HEX": "CAST(conv({0}, 16, 10) AS BIGINT)",
    "EPOCH_US": "unix_micros(CAST({0} AS TIMESTAMP))",
    "TIMEZONE": "CAST({1} AS TIMESTAMP_NTZ)",  # of a moment with its zone, in the session's zone: UTC
}


@cache
def _generator() -> Any:
    """Return what writes Spark's SQL, less what it takes for the same and isn't."""
    from sqlglot import exp
    from sqlglot.dialects.spark import Spark

    kinds, written = exp.DataType.Type, Spark.Generator
    changed = {
        "TYPE_MAPPING": written.TYPE_MAPPING | {kinds.INT128: "DECIMAL(38, 0)", kinds.TIME: "TIME(6)"},
        "TRANSFORMS": written.TRANSFORMS
        | {
            exp.Add: _sum,
            exp.Anonymous: _named,
            exp.IsNan: lambda self, node: f"({self.sql(node.this)} = double('NaN'))",  # null is neither
            exp.Floor: lambda self, node: _whole("CAST(floor({0}) AS DOUBLE)", self.sql(node.this)),
            exp.Trunc: lambda self, node: _whole("CAST(CAST({0} AS BIGINT) AS DOUBLE)", self.sql(node.this)),
            exp.RegexpLike: lambda self, node: f"{MATCHES}({self.sql(node.this)}, {self.sql(node.expression)})",
            exp.Sum: lambda self, node: f"sum(CAST({self.sql(node.this)} AS DECIMAL(38, 0)))",
            exp.TimeToStr: _text_of_time,
            exp.RowNumber: _row_number,
        },
    }
    return type("Generator", (written,), changed)(dialect=Spark())


def parsed(sql: str, now: datetime) -> Any:
    """Return a statement of DuckDB's as a tree, in which tables are those that ``view_of`` names, and ``gates_now()``
    is ``now``, a moment in UTC."""
    import sqlglot
    from sqlglot import exp

    tree = sqlglot.parse_one(sql, read="duckdb")
    for table in list(tree.find_all(exp.Table)):
        table.set("this", exp.to_identifier(view_of(table.name), quoted=True))
    for function in list(tree.find_all(exp.Anonymous)):
        if function.name.lower() == "gates_now":
            function.replace(exp.cast(exp.Literal.string(now.replace(tzinfo=None).isoformat(" ")), "TIMESTAMP"))
    return tree


def view_of(name: str) -> str:
    """Return what a table of ours is called in a session that may hold other people's."""
    return f"gates {name}"


def written(tree: Any) -> str:
    """Write a query's tree as Spark's SQL. Raises ``GatesError`` for what has no equal there."""
    return str(_generator().generate(tree))


def _named(self: Any, node: Any) -> str:
    arguments = [self.sql(argument) for argument in node.expressions]
    template = FUNCTIONS.get(node.name.upper())
    return template.format(*arguments) if template else str(self.func(node.name, *node.expressions))


def _sum(self: Any, node: Any) -> str:
    """Write a sum; that of a day and a time of day is a moment."""
    clock = node.expression
    if clock.key == "cast" and clock.to.this.name == "TIME":
        return f"make_timestamp_ntz({self.sql(node.this)}, {self.sql(clock)})"
    return str(self.binary(node, "+"))


def _whole(template: str, number: str) -> str:
    """Apply a template to a number that fits into Spark's whole numbers, which end at 64 bits; leave others as they
    are."""
    return f"CASE WHEN abs({number}) < {_WHOLE} THEN {template.format(number)} ELSE {number} END"


def _text_of_time(self: Any, node: Any) -> str:
    moment, form = self.sql(node.this), node.args["format"].name
    for written, text in _DIGITS.items():
        form = form.replace(written, f"'{text}'")
    form = f"'{form}'".replace("''", "").replace("'", "\\'")
    text = f"date_format({moment}, '{form}')"
    outside = f"WHEN {moment} IS NOT NULL THEN raise_error('{OUTSIDE}')"
    return f"CASE WHEN year({moment}) BETWEEN 1 AND 9999 THEN {text} {outside} END"


def _row_number(_: Any, node: Any) -> str:
    if not node.parent.args.get("order"):
        raise unordered()
    return "row_number()"
