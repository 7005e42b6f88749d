"""Spark as its users meet it: the command, frames and tables of their own session, and what can be missing."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gates.api import check_data
from gates.errors import Exit, GatesError
from gates.measure.engines import connect

CONTRACT = {"record": {"properties": {"a": {"type": "integer", "maximum": 2}, "b": {"pattern": "^x+$"}}}}
TABLE = pa.table({"a": [1, 2, 3], "b": ["x", "y", None]})


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pq.write_table(TABLE, "t.parquet")
    (tmp_path / "contract.yaml").write_text(json.dumps(CONTRACT))
    return tmp_path


def gates_data(*arguments, **environment):
    """(exit code, standard output, standard error) of a process of its own."""
    command = [sys.executable, "-m", "gates", "data", *arguments]
    inherited = {name: value for name, value in os.environ.items() if name not in ("JAVA_HOME", "SPARK_HOME")}
    done = subprocess.run(command, env=inherited | environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.slow
def test_the_command_says_the_same_through_spark(folder, spark_settings):
    """No Java is found but the one that the settings name."""
    through = gates_data("t.parquet", "--engine", "spark", "--json", **spark_settings, PATH=hidden_java(folder))
    assert through[:2] == gates_data("t.parquet", "--json")[:2]
    assert (through[0], json.loads(through[1])["verdict"]) == (1, "fail")
    assert "Traceback" not in through[2]
    assert {path.name for path in folder.iterdir()} == {"t.parquet", "contract.yaml", "tools"}


def hidden_java(folder):
    """A PATH on which programs of the system are found, but no Java."""
    tools = folder / "tools"
    tools.mkdir()
    for name in ("bash", "sh", "dirname", "uname", "ps", "env", "python3", "basename", "cat"):
        found = next((f"{place}/{name}" for place in ("/usr/bin", "/bin") if os.path.exists(f"{place}/{name}")), None)
        if found:
            (tools / name).symlink_to(found)
    return str(tools)


def test_without_java(folder):
    code, out, err = gates_data("t.parquet", "--engine", "spark", PATH=hidden_java(folder))
    assert (code, out) == (3, "")
    assert "Spark did not start" in err
    assert "Java 17" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("missing", ["pyspark", "sqlglot"])
def test_without_the_extra(monkeypatch, missing):
    for name in (missing, f"{missing}.errors"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(GatesError) as caught:
        connect(engine="spark")
    assert caught.value.exit_code is Exit.INPUT
    assert "pip install 'gates-ml[spark]'" in str(caught.value)


def test_a_frame_of_sparks_and_its_session(spark):
    """The session keeps its settings and its views."""
    session = spark.session.newSession()
    session.conf.set("spark.sql.session.timeZone", "Asia/Tokyo")
    session.sql("SELECT 7 AS seven").createOrReplaceTempView("table")
    frame = session.createDataFrame([(1, "x"), (2, "y"), (3, None)], "a bigint, b string")
    checked = check_data(frame, CONTRACT)
    assert checked == check_data(TABLE, CONTRACT)
    assert session.conf.get("spark.sql.session.timeZone") == "Asia/Tokyo"
    assert session.conf.get("spark.sql.parquet.filterPushdown") == "true"
    assert [row.seven for row in session.table("`table`").collect()] == [7]
    assert [view.name for view in session.catalog.listTables() if view.name.startswith("gates")] == []


@pytest.mark.parametrize(
    ("select", "told"),
    [
        ("SELECT 1 AS a, 2 AS A", "column names are not unique"),
        ("SELECT array(1) AS a", "the column a holds lists"),
        ("SELECT 1 AS a WHERE false", "has no rows"),
    ],
)
def test_frames_that_no_contract_can_see(spark, select, told):
    with pytest.raises(GatesError, match=told):
        check_data(spark.session.sql(select), CONTRACT)


def test_a_table_of_the_session_by_its_name(spark):
    spark.session.createDataFrame([(1, "x"), (2, "y"), (3, None)], "a bigint, b string").createOrReplaceTempView("mine")
    columns, rows, _ = spark.open(None, "mine", "holdout")
    assert (columns, rows) == ({"a": "BIGINT", "b": "VARCHAR"}, 3)
    assert sorted(spark.embedded("holdout").run('SELECT a, b FROM "holdout"')) == [(1, "x"), (2, "y"), (3, None)]
    spark.session.sql("CREATE OR REPLACE TEMP VIEW shop_orders AS SELECT 'GATES_NOW()' AS a")
    assert spark.open(None, "shop_orders", "holdout")[:2] == ({"a": "VARCHAR"}, 1)
    assert spark.run("""SELECT count_if("a" = 'GATES_NOW()') FROM holdout""") == [(1,)]
    with pytest.raises(GatesError, match=r"nowhere can't be read: .*TABLE_OR_VIEW_NOT_FOUND"):
        spark.open(None, "nowhere", "holdout")


def test_a_table_of_a_database(spark, tmp_path):
    pq.write_table(TABLE, tmp_path / "t.parquet")
    session = spark.session
    session.sql("CREATE DATABASE IF NOT EXISTS shop")
    session.sql(f"CREATE TABLE IF NOT EXISTS shop.orders USING parquet LOCATION '{tmp_path}/t.parquet'")
    try:
        assert check_data(session.table("shop.orders"), CONTRACT) == check_data(TABLE, CONTRACT)
        assert spark.open(tmp_path, "shop.orders", "t")[:2] == ({"a": "BIGINT", "b": "VARCHAR"}, 3)
        assert spark.open(tmp_path, (tmp_path / "t.parquet").as_uri(), "t")[:2] == ({"a": "BIGINT", "b": "VARCHAR"}, 3)
    finally:
        session.sql("DROP DATABASE shop CASCADE")
