"""gates init keeps its promise: what it writes holds for the data that it was made from, and is a policy."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from edge_project import call

N = 40
UTC = "UTC"


def column(*cells: str, name: str = "a") -> bytes:
    """A CSV of a key and one column, whose cells come round."""
    rows = "".join(f"{n},{cells[n % len(cells)]}\n" for n in range(N))
    return f"id,{name}\n{rows}".encode()


def lines(*values: str) -> bytes:
    """JSON lines of a key and one value."""
    return "".join(f'{{"id": {n}, "a": {values[n % len(values)]}}}\n' for n in range(N)).encode()


def parquet(kind: pa.DataType, *values: object) -> pa.Table:
    """A key and one column."""
    return pa.table({"id": list(range(N)), "a": pa.array([values[n % len(values)] for n in range(N)], kind)})


MOMENT = dt.datetime(2026, 2, 28, 12)
FILES: dict[str, tuple[str, bytes | pa.Table]] = {
    "dates beyond 9999": ("t.csv", column("10000-01-01", "2026-01-01")),
    "dates before Christ": ("t.csv", column("0044-03-15 (BC)", "2026-01-01")),
    "the year 0": ("t.csv", column("0000-01-01", "2026-01-01")),
    "dates": ("t.csv", column("2026-01-01", "2024-02-29", "")),
    "moments": ("t.csv", column("2026-01-01T10:00:00Z", "2026-01-01T10:00:00.123456789+14:00")),
    "dates and moments": ("t.csv", column("2026-01-01", "2026-01-01T10:00:00Z")),
    "infinity": ("t.csv", column("infinity", "2026-01-01")),
    "nan and inf": ("t.csv", column("nan", "inf", "1.5")),
    "hexadecimal": ("t.csv", column("0x1F", "0xA0")),
    "exponents": ("t.csv", column("1e5", "-1E-300", "1.7976931348623157e308")),
    "leading zeros": ("t.csv", column("00123", "4")),
    "clock times": ("t.csv", column("09:30", "24:00")),
    "38 digits": ("t.csv", column("9" * 38, "-" + "9" * 38)),
    "40 digits": ("t.csv", column("9" * 40, "1")),
    "true and 1": ("t.csv", column("true", "1")),
    "booleans": ("t.csv", column("True", "FALSE", "")),
    "nothing": ("t.csv", column("")),
    "blanks": ("t.csv", column(" ", "  x ")),
    "quotes": ("t.csv", column('"a, ""b"""', '"\n"')),
    "a name of odd characters": ("t.csv", column("1", "2", name='"a: #[x]"')),
    "a name of a folder's form": ("id=7/t.csv", column("1", "2")),
    "a name that is a pattern": ("t[1].csv", column("1", "2")),
    "numbers of JSON": ("t.jsonl", lines("1", "1e400", "null")),
    "rare keys": ("t.jsonl", lines("1") + b'{"id": 99, "b": "x"}\n'),
    "text like numbers": ("t.jsonl", lines('"1"', '"007"', '"\\u0000"', '"😀"')),
    "dates in JSON": ("t.jsonl", lines('"2026-02-28"', '"2026-02-30"')),
    "NaN and infinities": ("t.parquet", parquet(pa.float64(), float("nan"), float("inf"), -0.0, None)),
    "singles": ("t.parquet", parquet(pa.float32(), 0.1, 3.4e38)),
    "uint64": ("t.parquet", parquet(pa.uint64(), 2**64 - 1, 0)),
    "decimals": ("t.parquet", parquet(pa.decimal128(38, 10), Decimal("0.1"), Decimal("9999999999999999999999999999"))),
    "decimals without places": ("t.parquet", parquet(pa.decimal128(38, 0), Decimal(10**37), None)),
    "nanoseconds of a zone": ("t.parquet", parquet(pa.timestamp("ns", "Asia/Tokyo"), 10**18 + 1, 1)),
    "seconds": ("t.parquet", parquet(pa.timestamp("s"), MOMENT, None)),
    "moments before Christ": ("t.parquet", parquet(pa.timestamp("us"), -(10**17), 0)),
    "moments beyond 9999": ("t.parquet", parquet(pa.timestamp("us", UTC), 3 * 10**17, 0)),
    "days beyond 9999": ("t.parquet", parquet(pa.date32(), 3_000_000, 0)),
    "times": ("t.parquet", parquet(pa.time64("ns"), 1, None)),
    "dictionaries": ("t.parquet", parquet(pa.dictionary(pa.int8(), pa.string()), "x", "y")),
    "nulls": ("t.parquet", parquet(pa.null(), None)),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("name", "data"), FILES.values(), ids=FILES)
def test_what_init_writes_holds_for_its_data(folder, name, data):
    file = folder / name
    file.parent.mkdir(exist_ok=True)
    if isinstance(data, bytes):
        file.write_bytes(data)
    else:
        pq.write_table(data, file)
    begun = call("init", name)
    assert begun.code == 0, begun.err
    for command in (("check",), ("data", name)):
        done = call(*command)
        assert done.code == 0, (command, done.out, done.err, (folder / "contract.yaml").read_text())


def test_a_contract_of_other_data_does_not_hold(folder):
    """The command that the others end with 0 by can end with 1."""
    (folder / "t.csv").write_bytes(column("2026-01-01"))
    assert call("init", "t.csv").code == 0
    (folder / "t.csv").write_bytes(column("2026-01-01", "10000-01-01"))
    assert call("data", "t.csv").code == 1
