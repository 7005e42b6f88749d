"""Profiles of tables, and the rows of a window in their bins: counted as numpy counts them, however they are stored."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gates.measure.engines import connect
from gates.measure.holdout.tables import open_table
from gates.measure.live import drift_bins

NOW = datetime(2026, 11, 30, tzinfo=UTC)


class Listening:
    """An engine that keeps what it was asked."""

    def __init__(self):
        self.engine, self.asked = connect(NOW, threads=1), []

    def __getattr__(self, name):
        return getattr(self.engine, name)

    def run(self, sql):
        self.asked.append(sql)
        return self.engine.run(sql)


def opened(engine, folder, name, columns):
    pq.write_table(pa.table(columns), folder / f"{name}.parquet")
    return open_table(engine, folder, f"{name}.parquet", name)


def columns(chance, n):
    missing = chance.random(n) < 0.1
    number = chance.normal(size=n)
    number[::7], number[::11], number[::13], number[::17] = math.nan, math.inf, -0.0, -math.inf
    return {
        "number": pa.array(number, mask=missing),
        "whole": pa.array(chance.integers(0, 40, n), mask=missing),
        "often zero": pa.array(np.where(chance.random(n) < 0.5, 0.0, chance.random(n))),
        "twelve": pa.array(np.where(chance.random(n) < 0.9, 12.0, n / 100)),
        "flag": pa.array(chance.random(n) < 0.3, mask=missing),
        "it's text": pa.array([None if gone else f"v'{int(30 * chance.random() ** 3)}" for gone in missing]),
        "key": pa.array([f"k{place}" for place in range(n)]),
        "never": pa.array([None] * n, type=pa.float64()),
    }


def bin_of(bins, value):
    """Where a value falls, as the document says."""
    if value is None:
        return 0
    if bins.text:
        text = str(value).lower() if isinstance(value, bool) else value
        return 1 + bins.values.index(text) if text in bins.values else 1 + len(bins.values)
    value = float(value)
    if math.isnan(value):
        return 1
    if value in bins.points:
        return 2 + bins.points.index(value)
    ends = bins.edges
    last = max(1, len(ends) - 1)  # the bin that has its end, too
    above = (last + 1 if value > ends[-1] else min(bisect_right(ends, value), last)) if ends else 0
    return 2 + len(bins.points) + above


def test_rows_are_counted_where_the_document_says(tmp_path):
    chance, engine = np.random.default_rng(5), connect(NOW, threads=1)
    then = opened(engine, tmp_path, "then", columns(chance, 2_000))
    fresh = columns(chance, 700)
    live = opened(engine, tmp_path, "live", fresh)
    asked = [(column, "psi") for column in fresh] + [(column, "ks") for column in ("number", "whole")]
    profile = drift_bins.profile(engine, [then], asked)
    for bins, found in zip(profile.columns, drift_bins.count(engine, live, profile), strict=True):
        places = Counter(bin_of(bins, value) for value in fresh[bins.column].to_pylist())
        assert len(found.counts) == len(bins.counts)
        assert found.counts == tuple(places[place] for place in range(len(bins.counts))), bins.column
        assert sum(bins.counts) == 2_000


def test_a_window_in_which_a_column_is_missing_throughout_is_counted(tmp_path):
    engine = connect(NOW, threads=1)
    then = opened(engine, tmp_path, "then", {"x": pa.array([float(n) for n in range(100)])})
    live = opened(engine, tmp_path, "live", {"x": pa.array([None] * 30, type=pa.float64())})
    (found,) = drift_bins.count(engine, live, drift_bins.profile(engine, [then], [("x", "psi")]))
    assert (found.counts[0], sum(found.counts)) == (30, 30)


def test_a_column_of_another_kind_has_no_counts(tmp_path):
    engine = connect(NOW, threads=1)
    then = opened(engine, tmp_path, "then", {"x": [1.0, 2.0, 3.0], "t": ["a"] * 3})
    live = opened(engine, tmp_path, "live", {"x": ["a", "b", "c"]})
    profile = drift_bins.profile(engine, [then], [("x", "psi"), ("t", "psi")])
    assert [found.counts for found in drift_bins.count(engine, live, profile)] == [(), ()]


@pytest.mark.parametrize("values", [3, 150])
def test_text_takes_one_grouping_however_many_values_it_has(tmp_path, values):
    engine = Listening()
    words = [f"w{place % values}" for place in range(30 * values)]
    table = opened(engine, tmp_path, "table", {"a": words, "b": words[::-1]})
    profile = drift_bins.profile(engine, [table], [("a", "psi"), ("b", "psi")])
    engine.asked.clear()
    assert [len(found.counts) for found in drift_bins.count(engine, table, profile)] == [values + 2] * 2
    assert len(engine.asked) == 2
    assert sum(sql.count("count_if") for sql in engine.asked) == 0
