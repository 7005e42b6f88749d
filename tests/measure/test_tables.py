"""Tables of an engine: digests that add up over shards, wide tables, and memory that does not grow."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
import time

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gates.checkout.workspace import read_contract
from gates.errors import Exit, GatesError
from gates.measure.contract_check import AT_ONCE, findings
from gates.measure.engines import connect
from gates.measure.holdout.tables import content_digest, content_lanes, digest_of, open_table, sequence_digest
from gates.schema.yaml_text import Source


def opened(folder, table, name="t"):
    pq.write_table(table, folder / f"{name}.parquet")
    engine = connect(threads=1)
    return engine, open_table(engine, folder, f"{name}.parquet", name)


def digest(folder, table):
    return content_digest(*opened(folder, table))[0]


def test_lanes_of_shards_add_up_to_those_of_the_whole(tmp_path):
    table = pa.table({"a": list(range(100)), "b": [None, 0.1, float("nan"), -0.0] * 25, "c": ["é", ""] * 50})
    parts = [content_lanes(*opened(tmp_path, part)) for part in (table.slice(0, 33), table.slice(33))]
    lanes = [sum(pair) for pair in zip(*(lanes for lanes, _ in parts), strict=True)]
    engine, whole = opened(tmp_path, table)
    assert digest_of(whole, lanes, sum(rows for _, rows in parts)) == content_digest(engine, whole)[0]


BASE = {"a": [0.1, None], "b": ["x", "y"]}


@pytest.mark.parametrize(
    "other",
    [
        {"a": [0.1 + 2**-56, None], "b": ["x", "y"]},
        {"a": [0.1, float("nan")], "b": ["x", "y"]},
        {"a": [0.1, 0.0], "b": ["x", "y"]},
        {"a": [None, 0.1], "b": ["x", "y"]},
        {"a": [0.1, None], "b": ["x", None]},
        {"a": [0.1, None], "c": ["x", "y"]},
        {"b": ["x", "y"], "a": [0.1, None]},
        {"a": [0.1, None, None], "b": ["x", "y", "y"]},
        {"a": ["0.1", None], "b": ["x", "y"]},
    ],
)
def test_the_digest_is_of_every_cell(tmp_path, other):
    assert digest(tmp_path, pa.table(BASE)) != digest(tmp_path, pa.table(other))


def test_the_digest_is_of_values_and_not_of_how_they_are_kept(tmp_path):
    """Neither the order of rows, nor how wide a number is, nor how a file is written."""
    wide = {"a": [1, 2, 3], "b": ["x", "y", None], "d": [dt.date(2026, 1, day) for day in (1, 2, 3)]}
    narrow = pa.table(wide).take([2, 0, 1]).set_column(0, "a", pa.array([3, 1, 2], pa.int8()))
    narrow = narrow.set_column(1, "b", narrow["b"].dictionary_encode())
    assert digest(tmp_path, pa.table(wide)) == digest(tmp_path, narrow)


def test_the_sequence_of_rows_has_a_digest_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr("gates.measure.engines.duckdb.AT_ONCE", 7)
    table = pa.table({"a": list(range(100)), "b": [None, 0.1, float("nan"), -0.0] * 25})
    one = sequence_digest(*opened(tmp_path, table))
    assert sequence_digest(*opened(tmp_path, table)) == one
    swapped = pa.concat_tables([table.slice(0, 97), table.slice(98, 1), table.slice(97, 1), table.slice(99)])
    assert digest(tmp_path, swapped) == digest(tmp_path, table)
    named = table.rename_columns(["a", "c"])
    assert len({sequence_digest(*opened(tmp_path, made)) for made in (table, swapped, named, table.slice(0, 99))}) == 4


def test_a_wide_table_is_planned_in_seconds(tmp_path):
    """Rules of one query are planned in the square of their number, so there are only so many in one."""
    wide = 700
    engine, table = opened(tmp_path, pa.table({f"c{n}": [1.0, float(n)] for n in range(wide)}), "holdout")
    record = {f"c{n}": {"type": "number", "minimum": 0, "maximum": 690} for n in range(wide)}
    rules = read_contract(Source(name="c", value={"properties": record}, places={}))
    assert len(rules.rules) > 3 * AT_ONCE
    started = time.process_time()
    found = findings(engine, table, rules, lambda _: None)
    assert time.process_time() - started < 15  # about 2; all in one query it was 30
    assert [one.count for one in found] == [
        int(one.rule.endswith("maximum") and n // 3 > 690) for n, one in enumerate(found)
    ]


MEMORY = """
import resource, sys
from pathlib import Path
from gates.measure.contract_check import findings
from gates.measure.engines import connect
from gates.measure.holdout.tables import open_table
from gates.schema.yaml_text import Source
from gates.checkout.workspace import read_contract
from gates.errors import Exit, GatesError
engine = connect(threads=1)
engine.connection.execute("SET memory_limit = '150MB'")
rules = read_contract(Source(name="c", value={"table": [{"unique": "a"}, {"unique": ["a", "b"]}]}, places={}))
found = findings(engine, open_table(engine, Path(sys.argv[1]), "t.parquet", "holdout"), rules, lambda _: None)
limit, = engine.run("SELECT current_setting('memory_limit')")
print([one.count for one in found], limit[0])
"""


@pytest.mark.slow
def test_keys_that_do_not_fit_into_memory_go_to_disk(tmp_path):
    """Eight million keys take more than 300 MB; the limit still holds at the end."""
    duckdb.sql(f"COPY (SELECT i AS a, 'x' AS b FROM range(8000000) t(i)) TO '{tmp_path}/t.parquet'")  # noqa: S608
    done = subprocess.run([sys.executable, "-c", MEMORY, tmp_path], capture_output=True, text=True, check=True)
    assert done.stdout == "[0, 0] 143.0 MiB\n"


def test_what_can_not_be_done_from_disk_gets_more_memory(tmp_path):
    engine, _ = opened(tmp_path, pa.table({"a": [1]}))
    engine.connection.execute("SET memory_limit = '20MB'")
    assert engine.run("SELECT len(list(i)) FROM range(5000000) t(i)") == [(5_000_000,)]


def test_a_full_disk_is_told_and_no_fault_of_the_data():
    with pytest.raises(GatesError, match="the disk for temporary files is full") as caught:
        connect().run("COPY (FROM range(1000000)) TO '/dev/full' (FORMAT csv)")
    assert caught.value.exit_code is Exit.OUTSIDE
    assert "TMPDIR" in str(caught.value.hint)
