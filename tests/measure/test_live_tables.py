"""Rows of a window: the same however time is written, and no more of a file is read than the window's part."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gates.measure.live.live_tables import LiveTables
from gates.measure.live.window_times import window_at
from gates.policy.policy_file import read

HOUR = 3600
START = datetime(2026, 11, 30, 9, tzinfo=UTC)
EDGES = [timedelta(0), timedelta(microseconds=1), timedelta(hours=1, microseconds=-1), timedelta(hours=1)]
POLICY = {
    "version": 1,
    "model": "m",
    "data": {"holdout": "holdout.parquet", "label": "y"},
    "train": {"run": "true"},
    "gates": [{"metric": "accuracy", "min": 0.5}],
    "monitor": {
        "live": "live.parquet",
        "key": "id",
        "time": "at",
        "window": "1h",
        "gates": [{"drift": "psi", "columns": "x", "max": 0.1}],
    },
}


def tables(folder, live="live.parquet"):
    policy = POLICY | {"monitor": POLICY["monitor"] | {"live": live}}
    resolved = read(json.dumps(policy).encode(), "gates.yaml", lambda _: b"")
    return LiveTables(resolved=resolved, monitor=resolved.policy.monitor, root=folder, now=START, threads=1)


def rows_of(opened, hour):
    window = window_at(START + timedelta(hours=hour), HOUR)
    opened.take(window, "")
    rows = [row[0] for row in opened.engine.run("SELECT id FROM live ORDER BY id")]
    assert sum(count for _, count in opened.answered(window)) == len(rows)
    return rows


TIMES = {
    "moments": lambda at: pa.array(at, pa.timestamp("us", "UTC")),
    "of Tokyo": lambda at: pa.array(at, pa.timestamp("us", "Asia/Tokyo")),
    "without a zone": lambda at: pa.array([one.replace(tzinfo=None) for one in at], pa.timestamp("us")),
    "nanoseconds": lambda at: pa.array([one.replace(tzinfo=None) for one in at], pa.timestamp("ns")),
}


@pytest.mark.parametrize("kind", TIMES)
def test_a_window_has_its_first_microsecond_and_not_its_end(tmp_path, kind):
    at = TIMES[kind]([START + edge for edge in EDGES])
    pq.write_table(pa.table({"id": [0, 1, 2, 3], "x": [1.0] * 4, "at": at}), tmp_path / "live.parquet")
    opened = tables(tmp_path)
    assert [rows_of(opened, hour) for hour in (-1, 0, 1)] == [[], [0, 1, 2], [3]]


def test_nor_has_it_where_a_file_has_text(tmp_path):
    lines = [f"{place},1,{(START + edge).isoformat()}\n" for place, edge in enumerate(EDGES)]
    (tmp_path / "live.csv").write_text("".join(["id,x,at\n", *lines]))
    opened = tables(tmp_path, "live.csv")
    assert [rows_of(opened, hour) for hour in (-1, 0, 1)] == [[], [0, 1, 2], [3]]


def test_rows_of_other_windows_are_not_read(tmp_path):
    """Of what lies outside nothing but the time can be read here: the rest of that row group is noise."""
    file = tmp_path / "live.parquet"
    n = 5_000
    at = [START + timedelta(hours=place // n, milliseconds=place % n) for place in range(2 * n)]
    table = pa.table({"id": range(2 * n), "x": [place / 7 for place in range(2 * n)], "at": TIMES["moments"](at)})
    pq.write_table(table, file, row_group_size=n, compression="zstd")
    group = pq.ParquetFile(file).metadata.row_group(1)
    data = bytearray(file.read_bytes())
    for place in (0, 1):
        column = group.column(place)
        start = column.dictionary_page_offset or column.data_page_offset
        data[start : start + column.total_compressed_size] = b"\xff" * column.total_compressed_size
    file.write_bytes(data)
    assert rows_of(tables(tmp_path), 0) == list(range(n))
