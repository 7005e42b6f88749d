"""Spark counts what DuckDB counts: every keyword, table rule and digest, on tables of every type."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from contract_bench import NOW
from contract_tables import KINDS, Sample
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from test_record_properties import KEYWORDS, VALUE

from gates.canonical import canonical
from gates.contract import record
from gates.contract.columns import quoted
from gates.contract.formats import FORMATS
from gates.fields import plain
from gates.measure.contract import findings
from gates.measure.engines import connect
from gates.measure.tables import content_digest, content_lanes, digest_of, open_table
from gates.source import Source
from gates.workspace import read_contract

SEEN = [kind for kind in KINDS if kind not in ("hugeint", "uuid")]  # a file has no such column, or Spark can't see it


@pytest.fixture(scope="module")
def duck():
    return connect(NOW, threads=1)


def both(duck, spark, folder: Path, table: pa.Table, name: str = "t"):
    pq.write_table(table, folder / "t.parquet")
    return [(engine, open_table(engine, folder, "t.parquet", name)) for engine in (duck, spark)]


ROWS = st.fixed_dictionaries({kind: st.none() | KINDS[kind].values for kind in SEEN})
WHOLE_YEARS = {"date", "timestamp", "zoned"}


@settings(max_examples=6, phases=[Phase.explicit, Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(ROWS, min_size=4, max_size=12),
    st.lists(st.one_of(*(KEYWORDS[word].map(lambda value, word=word: {word: value}) for word in KEYWORDS), VALUE), min_size=25, max_size=25),
)
def test_any_keyword_of_any_column_row_for_row(duck, spark, tmp_path, rows, schemas):
    sample = Sample({kind: kind for kind in SEEN}, rows)
    table = sample.arrow().append_column("#", pa.array(range(len(rows))))
    answers = []
    for engine, opened in both(duck, spark, tmp_path, table):
        conditions = [
            record.kept(schema, column, opened.seen)
            for schema in schemas
            for name, column in opened.seen.items()
            if name != "#"
        ]
        asked = ", ".join(f"CAST({condition} AS INTEGER)" for condition in conditions)
        answers.append(engine.run(f'SELECT "#", {asked} FROM t ORDER BY 1'))
        answers.append(content_digest(engine, opened))
    assert answers[:2] == answers[2:]
