"""gates fetch: objects of a real store's interface, rows of a real PostgreSQL, and all that can be wrong with both."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pyarrow.parquet as pq
import pytest
from edge_project import Done
from moto.server import ThreadedMotoServer
from postgres import programs, running
from worlds import World, git

from gates.errors import GatesError
from gates.origins.query import ordered

KEYS = {"AWS_ACCESS_KEY_ID": "an-id", "AWS_SECRET_ACCESS_KEY": "a-secret", "AWS_REGION": "eu-central-1"}


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    server = ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    client = boto3.client(
        "s3",
        endpoint_url=url,
        region_name="eu-central-1",
        aws_access_key_id="x",
        aws_secret_access_key="x",  # noqa: S106 -- of no account
    )
    client.create_bucket(Bucket="lake", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    client.url = url
    yield client
    server.stop()


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "world", None)


def put(s3: Any, key: str, data: bytes) -> None:
    s3.put_object(Bucket="lake", Key=key, Body=data)


def fetch(world: World, *arguments: str, s3: Any = None, **env: str) -> Done:
    cloud = {**KEYS, "AWS_ENDPOINT_URL": s3.url} if s3 else {}
    return world.run("fetch", *arguments, **cloud, **env)


def begin(world: World, source: Any, **data: Any) -> bytes:
    """A project whose holdout lies elsewhere; gives its bytes."""
    world.begin(data={"from": {"holdout": source}, **data})
    path = world.root / "holdout.csv"
    content = path.read_bytes()
    path.unlink()
    return content


def test_an_object_is_copied_once_and_the_record_says_which(world: World, s3: Any) -> None:
    put(s3, "churn/holdout.csv", begin(world, "s3://lake/churn/holdout.csv"))
    done = fetch(world, s3=s3)
    assert (done.code, done.out) == (0, "holdout copied: holdout.csv\n"), done.err
    assert fetch(world, s3=s3).out == "holdout is there already: holdout.csv\n"
    told = json.loads(fetch(world, "--fresh", "--json", s3=s3).out)
    etag = s3.head_object(Bucket="lake", Key="churn/holdout.csv")["ETag"].strip('"')
    (table,) = told["tables"]
    assert (table["copied"], etag in table["pointer"]) == (True, True)
    assert "a-secret" not in json.dumps(told)
    world.sound(["run"], ["promote"])
    (data,) = [one for one in world.records()[-1]["data"] if one["name"] == "holdout"]
    assert data["pointer"] == table["pointer"]


def test_what_this_machine_did_not_copy_is_said_to_have_no_receipt(world: World) -> None:
    content = begin(world, "s3://lake/churn/holdout.csv")
    (world.root / "holdout.csv").write_bytes(content)
    world.sound(["run"], ["promote"])
    assert world.records()[-1]["data"][0]["pointer"] == "fetched:no-receipt"


def test_what_was_changed_since_is_not_promoted(world: World, s3: Any) -> None:
    put(s3, "churn/holdout.csv", begin(world, "s3://lake/churn/holdout.csv"))
    assert fetch(world, s3=s3).code == 0
    path = world.root / "holdout.csv"
    path.write_bytes(path.read_bytes() + b"\n")
    assert world.run("run").code == 0
    refused = world.run("promote")
    assert refused.code == 2
    assert "is not what gates fetch copied" in refused.err
    assert fetch(world, s3=s3).out == "holdout copied: holdout.csv\n"


def test_a_glob_is_copied_file_by_file(world: World, s3: Any) -> None:
    rows = begin(world, "s3://lake/parts/2026-*/part-*.csv", holdout="holdout/*.csv").decode().splitlines()
    half = len(rows) // 2
    for number, some in enumerate((rows[1:half], rows[half:])):
        put(s3, f"parts/2026-11/part-{number}.csv", "\n".join([rows[0], *some, ""]).encode())
    put(s3, "parts/2026-11/other.csv", b"no")
    put(s3, "parts/2026-11/deeper/part-9.csv", b"no")
    done = fetch(world, s3=s3)
    assert done.out == "holdout copied: holdout/part-0.csv, holdout/part-1.csv\n", done.err
    assert world.run("run").code == 0


WRONG: dict[str, tuple[Any, dict[str, Any], int, str]] = {
    "no such object": ("s3://lake/nothing.csv", {}, 2, "names no object"),
    "no object of a glob": ("s3://lake/nothing-*.csv", {"holdout": "h/*.csv"}, 2, "names no object"),
    "no such bucket": ("s3://ocean/holdout.csv", {}, 2, "ocean"),
    "a glob into a file": ("s3://lake/*.csv", {}, 2, "is a glob, and holdout.csv is one file"),
    "an address with a login": ("s3://user:word@lake/x.csv", {}, 2, "has the wrong format"),
    "neither": ({"driver": "postgresql"}, {}, 2, "is neither a url nor a query"),
    "no variable": ({"sql": "q.sql", "driver": "postgresql"}, {}, 2, "is neither a url nor a query"),
    "not set": (
        {"sql": "q.sql", "driver": "postgresql", "variable": "GATES_WAREHOUSE"}, {"holdout": "h.parquet"}, 2,
        "GATES_WAREHOUSE: is not set",
    ),
    "rows into a CSV file": (
        {"sql": "q.sql", "driver": "postgresql", "variable": "GATES_WAREHOUSE"}, {}, 2, "is not a Parquet file",
    ),
    "a driver that is not there": (
        {"sql": "q.sql", "driver": "snowflake", "variable": "SNOW"}, {"holdout": "h.parquet"}, 2,
        "adbc-driver-snowflake is not installed",
    ),
    "somewhere else": ("s3://lake/churn/x.csv", {"holdout": "../x.csv"}, 2, "lies elsewhere"),
    "into git": ("s3://lake/churn/x.csv", {"holdout": ".git/x.csv"}, 2, "lies elsewhere"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_told_and_nothing_is_half_written(world: World, s3: Any, name: str) -> None:
    source, data, code, words = WRONG[name]
    begin(world, source, **data)
    (world.root / "q.sql").write_text("SELECT 1 AS id")
    done = fetch(world, s3=s3, SNOW="x")
    assert done.code == code, done.out + done.err
    assert words in done.err
    assert "Traceback" not in done.err
    assert [path.name for path in world.root.iterdir() if path.name.startswith(".fetched")] == []
    assert not (world.root / "holdout.csv").exists()


def test_a_folder_that_all_see_is_a_store_too(world: World, tmp_path: Path) -> None:
    content = begin(world, f"file://{tmp_path}/lake/holdout.csv")
    (tmp_path / "lake").mkdir()
    (tmp_path / "lake/holdout.csv").write_bytes(content)
    assert fetch(world).out == "holdout copied: holdout.csv\n"
    assert (world.root / "holdout.csv").read_bytes() == content


def test_a_store_that_is_away_is_something_outside(world: World) -> None:
    begin(world, "s3://lake/holdout.csv")
    done = world.run("fetch", **KEYS, AWS_ENDPOINT_URL="http://127.0.0.1:9")
    assert done.code == 3, done.err
    assert "a-secret" not in done.err


def test_a_pull_request_fetches_what_its_base_names(world: World, s3: Any) -> None:
    put(s3, "churn/holdout.csv", begin(world, "s3://lake/churn/holdout.csv"))
    put(s3, "secrets/all.csv", b"secret")
    git(world.root, "checkout", "-q", "-b", "hostile")
    policy = world.root / "gates.yaml"
    policy.write_text(policy.read_text().replace("churn/holdout.csv", "secrets/all.csv"))
    git(world.root, "commit", "-qam", "reads more")
    done = fetch(world, "--base", "main", s3=s3)
    assert done.code == 2, done.out
    assert "is not what the base commit" in done.err
    git(world.root, "checkout", "-q", "main")
    assert fetch(world, "--base", "main", s3=s3).code == 0
    assert fetch(world, "--base", "f" * 40, s3=s3).code != 0, "nobody knows what the base says"


# -- a query --


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    binaries = programs()
    if binaries is None:
        pytest.skip("no PostgreSQL found: apt-get install postgresql")
    with running(tmp_path_factory.mktemp("postgres"), binaries) as address:
        from adbc_driver_postgresql import dbapi

        with dbapi.connect(address) as connection, connection.cursor() as cursor:
            cursor.execute(
                "CREATE TABLE customers AS SELECT i AS id, i % 60 AS tenure, "
                "CASE WHEN i % 3 = 0 THEN 'left' ELSE 'stayed' END AS churn FROM generate_series(400, 1, -1) AS t(i)"
            )
            connection.commit()
        yield address


QUERY = {"sql": "q.sql", "driver": "postgresql", "variable": "GATES_WAREHOUSE"}


def asked(world: World, text: str, address: str) -> Done:
    begin(world, QUERY, holdout="holdout.parquet", key="id")
    (world.root / "q.sql").write_text(text)
    return fetch(world, GATES_WAREHOUSE=address)


@pytest.mark.parametrize(
    "text", ["SELECT * FROM customers", "WITH c AS (SELECT * FROM customers)\nSELECT * FROM c; -- all"]
)
def test_rows_come_in_the_order_of_the_key(world: World, postgres: str, text: str) -> None:
    done = asked(world, text, postgres)
    assert done.code == 0, done.err
    table = pq.read_table(world.root / "holdout.parquet")
    assert table["id"].to_pylist() == list(range(1, 401))
    receipt = json.loads((world.root / ".gates/fetched/holdout.json").read_text())
    assert receipt["parts"][0]["rows"] == 400
    assert "a-password" not in json.dumps(receipt)
    first = (world.root / "holdout.parquet").read_bytes()
    assert fetch(world, "--fresh", GATES_WAREHOUSE=postgres).code == 0
    assert (world.root / "holdout.parquet").read_bytes() == first, "the same rows are the same file"


REFUSED = {
    "DROP TABLE customers": "is not one SELECT",
    "SELECT 1; SELECT 2": "is not one SELECT",
    ";SELECT 1 AS id": "is not one SELECT",
    "": "is not one SELECT",
    "SELECT * FROM": "is not SQL",
    "WITH gone AS (DELETE FROM customers RETURNING *) SELECT * FROM gone": "does more than read",
    "SELECT * INTO copied FROM customers": "does more than read",
    "SELECT id FROM customers FOR UPDATE": "does more than read",
    "SELECT id FROM nowhere": "nowhere",
    "SELECT tenure FROM customers": "id",
    "SELECT id FROM customers WHERE id < 0": "gives no rows",
}


@pytest.mark.parametrize("text", REFUSED)
def test_a_query_that_is_none_is_refused(world: World, postgres: str, text: str) -> None:
    done = asked(world, text, postgres)
    assert done.code in (2, 3), done.out
    assert REFUSED[text] in done.err
    assert "a-password" not in done.err
    assert not (world.root / "holdout.parquet").exists()


def test_a_session_may_only_read(postgres: str, tmp_path: Path) -> None:
    from gates.origins.query import copied

    with pytest.raises(GatesError, match="read-only transaction"):
        copied("postgresql", "CREATE TABLE written (i int)", postgres, tmp_path / "x.parquet", "q.sql")
    assert list(tmp_path.iterdir()) == []


def test_a_semicolon_in_a_text_or_a_comment_ends_nothing() -> None:
    text = "SELECT ';' AS id -- ; not here\n/* ; nor here */"
    assert ordered(text, "postgres", None, "q.sql") == text
    assert ordered(text, "postgres", 'a"b', "q.sql").endswith('ORDER BY "a""b"')


def test_a_database_that_is_away_is_something_outside(world: World) -> None:
    done = asked(world, "SELECT 1 AS id", "postgresql://gates:a-password@127.0.0.1:9/postgres")
    assert done.code == 3, done.err
    assert "a-password" not in done.err
    assert os.environ.get("GATES_WAREHOUSE") is None
