"""A data contract held to generated Parquet or CSV, whole process: ours against peers and a bare scan by DuckDB.

scripts/bench contract [--rows 1000000,10000000] [--runs 5] [--only "gates;bare scan"] [--format csv]

lock: bench
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

GATES = str(Path(sys.executable).parent / "gates")
FORMATS = {".parquet": "FORMAT parquet, COMPRESSION zstd", ".csv": "FORMAT csv, HEADER"}
SHARE = 10_000  # rows for what goes row by row in Python

# The table: what makes a column out of the row number i, and what must hold of it.
NUMBERS = {f"x{n}": (f"(hash(i * {2 * n + 3}) % 1000003) / 1000003.0 * 200 - 100", -100.0, 100.0) for n in range(7)}
COUNTS = {f"n{n}": (f"CAST(hash(i * {2 * n + 31}) % 1000 AS INTEGER)", 0, 999) for n in range(4)}
WORDS = {f"c{n}": [f"{word}{n}" for word in ("red", "green", "blue", "white", "black", "grey")] for n in range(4)}
PATTERN = "^[A-Z]{2}[0-9]{4}$"
BROKEN = {"x0": "maximum", "c0": "enum", "code": "pattern", "n0": "null"}  # one row in 100,000 breaks each
EVERY = 100_000


def columns() -> dict[str, str]:
    """Twenty columns: a key, seven doubles, four whole numbers, four of few words, a code, a day, a moment, a flag."""
    found = {"id": "i"}
    found |= {name: made for name, (made, _, _) in NUMBERS.items()}
    found |= {name: made for name, (made, _, _) in COUNTS.items()}
    found |= {
        name: f"{words}[CAST(1 + hash(i * {n + 7}) % {len(words)} AS INTEGER)]"
        for n, (name, words) in enumerate(WORDS.items())
    }
    letters = " || ".join(f"chr(65 + CAST(i % {most} AS INTEGER))" for most in (26, 25))
    found["code"] = f"{letters} || lpad(CAST(hash(i) % 10000 AS VARCHAR), 4, '0')"
    found["day"] = "DATE '2020-01-01' + CAST(hash(i * 5) % 2000 AS INTEGER)"
    found["moment"] = "TIMESTAMP '2020-01-01' + INTERVAL (hash(i * 9) % 100000000) SECOND"
    found["flag"] = "hash(i * 11) % 2 = 0"
    for name, wrong in {"x0": "1e6", "c0": "'pink'", "code": "'?'", "n0": "NULL"}.items():
        found[name] = f"CASE WHEN i % {EVERY} = 7 THEN {wrong} ELSE {found[name]} END"
    return found


def make(file: Path, rows: int) -> None:
    """Write the table, in the format that the file's name says."""
    import duckdb

    made = ", ".join(f"{sql} AS {name}" for name, sql in columns().items())
    duckdb.sql(f"COPY (SELECT {made} FROM range({rows}) t(i)) TO '{file}' ({FORMATS[file.suffix]})")


def contract() -> dict[str, object]:
    """The same rules as every peer is given."""
    ranges = {name: ("number", low, high) for name, (_, low, high) in NUMBERS.items()}
    ranges |= {name: ("integer", low, high) for name, (_, low, high) in COUNTS.items()}
    properties: dict[str, dict[str, object]] = {"id": {"type": "integer"}}
    properties |= {name: {"type": kind, "minimum": low, "maximum": high} for name, (kind, low, high) in ranges.items()}
    properties |= {name: {"type": "string", "enum": words} for name, words in WORDS.items()}
    properties |= {"code": {"type": "string", "pattern": PATTERN}, "flag": {"type": "boolean"}}
    properties |= {"day": {"type": "string"}, "moment": {"type": "string"}}
    return {"record": {"properties": properties, "required": list(properties)}, "table": [{"unique": "id"}]}


def scan(file: str) -> set[str]:
    """DuckDB reads every value of every column, and no more; of a CSV it is told the types."""
    import duckdb

    types = dict.fromkeys(NUMBERS, "DOUBLE") | dict.fromkeys(COUNTS, "BIGINT") | {"id": "BIGINT", "flag": "BOOLEAN"}
    types |= {"day": "DATE", "moment": "TIMESTAMP"}
    told = ", ".join(f"{name}: '{types.get(name, 'VARCHAR')}'" for name in columns())
    csv = f"read_csv('{file}', auto_detect = false, header = true, columns = {{{told}}})"

    duckdb.sql("SET disabled_optimizers = 'statistics_propagation'")
    table = csv if file.endswith(".csv") else f"'{file}'"
    duckdb.sql(f"SELECT {', '.join(f'max({name})' for name in columns())} FROM {table}").fetchall()
    return set(BROKEN)


def pandera_pandas(file: str) -> set[str]:
    """Pandera over a frame of pandas."""
    import pandas as pd
    import pandera.pandas as pa

    return _pandera(pa, lambda schema: schema.validate(_frame(pd, file), lazy=True))


def pandera_polars(file: str) -> set[str]:
    """Pandera over a frame of polars."""
    import pandera.polars as pa
    import polars as pl

    return _pandera(pa, lambda schema: schema.validate(_frame(pl, file), lazy=True))


def _frame(library: Any, file: str) -> Any:
    return library.read_csv(file) if file.endswith(".csv") else library.read_parquet(file)


def _pandera(pa: object, validate: Callable[[object], object]) -> set[str]:
    made = {"id": pa.Column(unique=True)}
    bounds = {name: (low, high) for name, (_, low, high) in (NUMBERS | COUNTS).items()}
    made |= {name: pa.Column(checks=pa.Check.in_range(low, high)) for name, (low, high) in bounds.items()}
    made |= {name: pa.Column(checks=pa.Check.isin(words)) for name, words in WORDS.items()}
    made |= {"code": pa.Column(checks=pa.Check.str_matches(PATTERN))}
    made |= {name: pa.Column() for name in ("day", "moment", "flag")}
    try:
        validate(pa.DataFrameSchema(made))
    except pa.errors.SchemaErrors as error:
        return {one.schema.name for one in error.schema_errors}
    return set()


def great_expectations(file: str) -> set[str]:
    """Great Expectations over a frame of pandas."""
    import great_expectations as gx
    import great_expectations.expectations as gxe
    import pandas as pd

    context = gx.get_context(mode="ephemeral")
    batch = context.data_sources.add_pandas("p").add_dataframe_asset("a").add_batch_definition_whole_dataframe("b")
    suite = gx.ExpectationSuite(name="s")
    for name in columns():
        suite.add_expectation(gxe.ExpectColumnValuesToNotBeNull(column=name))
    suite.add_expectation(gxe.ExpectColumnValuesToBeUnique(column="id"))
    for name, (_, low, high) in (NUMBERS | COUNTS).items():
        suite.add_expectation(gxe.ExpectColumnValuesToBeBetween(column=name, min_value=low, max_value=high))
    for name, words in WORDS.items():
        suite.add_expectation(gxe.ExpectColumnValuesToBeInSet(column=name, value_set=words))
    suite.add_expectation(gxe.ExpectColumnValuesToMatchRegex(column="code", regex=PATTERN))
    done = batch.get_batch(batch_parameters={"dataframe": _frame(pd, file)}).validate(suite)
    return {one.expectation_config.kwargs["column"] for one in done.results if not one.success}


def pointblank(file: str) -> set[str]:
    """Pointblank over a frame of polars."""
    import pointblank as pb
    import polars as pl

    steps = pb.Validate(_frame(pl, file)).rows_distinct(columns_subset="id").col_vals_not_null(list(columns()))
    for name, (_, low, high) in (NUMBERS | COUNTS).items():
        steps = steps.col_vals_between(name, low, high, na_pass=True)
    for name, words in WORDS.items():
        steps = steps.col_vals_in_set(name, words)
    done = steps.col_vals_regex("code", PATTERN).interrogate(collect_extracts=False)
    return {str(step.column) for step in done.validation_info if not step.all_passed}


def frictionless(file: str) -> set[str]:
    """Frictionless, row by row."""
    from frictionless import Resource, Schema, formats

    bounds = {name: {"minimum": low, "maximum": high} for name, (_, low, high) in (NUMBERS | COUNTS).items()}
    rules = bounds | {name: {"enum": words} for name, words in WORDS.items()} | {"code": {"pattern": PATTERN}}
    types = {"id": "integer", "day": "date", "moment": "datetime", "flag": "boolean", "code": "string"}
    types |= dict.fromkeys(NUMBERS, "number") | dict.fromkeys(COUNTS, "integer") | dict.fromkeys(WORDS, "string")
    fields = [
        {"name": name, "type": types[name], "constraints": {"required": True, **rules.get(name, {})}}
        for name in columns()
    ]
    fields[0]["constraints"]["unique"] = True
    resource = Resource(
        path=Path(file).name,
        basepath=str(Path(file).parent),
        schema=Schema.from_descriptor({"fields": fields}),
        control=formats.parquet.ParquetControl(),
    )
    report = resource.validate(limit_errors=1_000_000)
    return {name for (name,) in report.flatten(["fieldName"])}


TOOLS: dict[str, Callable[[str], set[str]]] = {
    "bare scan": scan,
    "pandera, polars": pandera_polars,
    "pandera, pandas": pandera_pandas,
    "pointblank, polars": pointblank,
    "Great Expectations, pandas": great_expectations,
    "frictionless": frictionless,
}
OURS = {"gates": (), "gates, Spark": ("--engine", "spark")}
Taken = tuple[float, float, float]  # seconds by the clock, by the processor; GB at most
MEASURED = ["bare scan", "gates", *list(TOOLS)[1:]]


def command(tool: str, file: Path) -> list[str]:
    """A whole process: ours as a user calls it, a peer's as a script that does nothing else."""
    if tool in OURS:
        rules = str(file.with_suffix(".yaml"))
        return [GATES, "data", str(file), "--contract", rules, "--json", *OURS[tool]]
    return [sys.executable, __file__, "--tool", tool, "--file", str(file)]


def broken(tool: str, out: bytes) -> set[str]:
    """The columns in which a tool found something."""
    if tool not in OURS:
        return set(json.loads(out.splitlines()[-1]))
    return {one["rule"].split(".")[0] for one in json.loads(out)["gates"] if one["verdict"] == "fail"}


def measured(tool: str, file: Path) -> Taken:
    """One process, which must find what was broken."""
    environment = {
        name: value for name, value in os.environ.items() if name not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
    }
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        started = time.perf_counter()
        process = subprocess.Popen(command(tool, file), stdout=out, stderr=err, env=environment)  # noqa: S603
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        told = out.read()
        if process.returncode != (tool in OURS) or broken(tool, told) != set(BROKEN):
            sys.exit(f"{tool}: exit code {process.returncode}\n{told.decode()[-500:]}\n{err.read().decode()[-2000:]}")
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 2**20


def rounds(tools: list[str], file: Path, share: Path, runs: int) -> Iterator[tuple[str, list[Taken]]]:
    """The tools in turn, so that a machine that slows down slows all alike."""
    taken: dict[str, list[Taken]] = {tool: [] for tool in tools}
    for _ in range(runs):
        for tool in tools:
            taken[tool].append(measured(tool, share if tool == "frictionless" else file))
    yield from taken.items()


def prepare(folder: Path, rows: int, form: str) -> Path:
    """A table and its contract."""
    file = folder / f"{rows}.{form}"
    make(file, rows)
    file.with_suffix(".yaml").write_text(json.dumps(contract()))
    return file


def main() -> None:
    """Print a Markdown table for each number of rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", default="1000000,10000000")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", help="tools, parted by ;")
    parser.add_argument("--format", choices=("parquet", "csv"), default="parquet")
    parser.add_argument("--tool", choices=TOOLS, help=argparse.SUPPRESS)
    parser.add_argument("--file", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.tool:
        print(json.dumps(sorted(TOOLS[asked.tool](asked.file))))
        return
    tools = asked.only.split(";") if asked.only else MEASURED
    names = ("duckdb", "pandera", "polars", "pandas", "great-expectations", "pointblank", "frictionless")
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    load = os.getloadavg()[0]
    print(
        f"{os.cpu_count()} cores, {platform.machine()}, load {load:.1f}, Python {platform.python_version()}, {versions}"
    )
    with tempfile.TemporaryDirectory() as made:
        share = prepare(Path(made), SHARE, "parquet")
        for rows in map(int, asked.rows.split(",")):
            file = prepare(Path(made), rows, asked.format)
            print(f"\n{rows:,} rows x {len(columns())} columns, {file.stat().st_size >> 20:,} MB, {asked.runs} runs\n")
            print("| | median | min | max | against the scan | processor | against the scan | peak memory |")
            print("|:--|--:|--:|--:|--:|--:|--:|--:|", flush=True)
            base: list[float] = []
            for tool, taken in rounds(tools, file, share, asked.runs):
                seconds, processor, memory = zip(*taken, strict=True)
                medians = [statistics.median(seconds), statistics.median(processor)]
                base = base or medians
                name, whole = (f"{tool}, {SHARE:,} rows", False) if tool == "frictionless" else (tool, True)
                clock, spent = (f"{one / of:.1f}×" if whole else "" for one, of in zip(medians, base, strict=True))
                spread = f"{medians[0]:.2f} s | {min(seconds):.2f} | {max(seconds):.2f} | {clock}"
                print(f"| {name} | {spread} | {medians[1]:.2f} s | {spent} | {max(memory):.2f} GB |", flush=True)


if __name__ == "__main__":
    main()
