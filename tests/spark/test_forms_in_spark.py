"""A table in any form is the same to Spark as to DuckDB: verdicts, examples and digest."""

from __future__ import annotations

import pytest
from contract_bench import NOW
from forms import CONTRACT, FILES, FIXED, TABLE, written

from gates.checkout.workspace import read_contract
from gates.measure.contract_check import findings
from gates.measure.engines import connect
from gates.measure.holdout.tables import content_digest, open_table
from gates.schema.yaml_text import Source

DRIFT = [{"drift": name, "max": 0, "against": "holdout"} for name in ("i", "d", "m")]
RULES = read_contract(Source(name="c", value={"record": CONTRACT, "table": [*TABLE, *DRIFT]}, places={}))


def answer(engine, folder, path, rules):
    opened = open_table(engine, folder, path, "holdout")
    return findings(engine, opened, rules, lambda _: opened), content_digest(engine, opened)


ALWAYS = (".csv", ".parquet")  # the others differ in how DuckDB opens them, not in what Spark does


@pytest.mark.parametrize("end", [pytest.param(end, marks=[] if end in ALWAYS else [pytest.mark.slow]) for end in FILES])
def test_every_form_gives_the_same_in_spark(spark, tmp_path, end):
    path = written(tmp_path, end, FIXED, 5)
    assert answer(spark, tmp_path, path, RULES) == answer(connect(NOW, threads=1), tmp_path, path, RULES)


CELLS = {
    "20 digits": "a\n18446744073709551616\n-1\n",
    "40 digits": f"a\n{'1' * 40}\n",
    "zeros in front": "a\n007\n8\n",
    "spellings": "a\nTrue\nFALSE\n",
    "dates": "a\n2026-02-28\n9999-12-31\n0001-01-01\n",
    "moments": "a\n2026-02-28T12:00:00.5+02:00\n2026-02-28T12:00:00Z\n",
    "clocks": "a\n10:00\n",
}


@pytest.mark.parametrize("text", CELLS.values(), ids=CELLS)
def test_cells_of_a_csv_are_the_same_in_spark(spark, tmp_path, text):
    (tmp_path / "id=5").mkdir()
    (tmp_path / "id=5/t.csv").write_text(text)
    record = {"a": {"type": "integer", "maximum": 3, "maxLength": 1, "pattern": "^x", "format": "date"}}
    rules = read_contract(Source(name="c", value={"record": {"properties": record}}, places={}))
    assert answer(spark, tmp_path, "id=5/t.csv", rules) == answer(connect(NOW), tmp_path, "id=5/t.csv", rules)
