"""What Prometheus reads: metrics as text, a Pushgateway and a Prometheus of one's own."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]
LONGEST = 60  # seconds that a program may take to answer first


def series(text: str) -> Series:
    """Each number by its name and labels; no two may share these."""
    found: Series = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            name = (sample.name, frozenset(sample.labels.items()))
            assert name not in found, name
            assert sample.timestamp is None, "node_exporter skips a file whose samples have times"
            found[name] = sample.value
    return found


def value(found: Series, name: str, **labels: str) -> float | None:
    return found.get((name, frozenset({"model": "churn", **labels}.items())))


def verdicts(found: Series, model: str = "churn") -> dict[str, str]:
    """Each bar's verdict; exactly one is 1."""
    every: dict[str, list[str]] = {}
    for (name, labels), number in found.items():
        told = dict(labels)
        if name == "gates_verdict" and told["model"] == model:
            every.setdefault(told["bar"], []).extend([told["verdict"]] * int(number))
    assert all(len(one) == 1 for one in every.values()), every
    return {bar: one[0] for bar, one in every.items()}


def linted(text: str) -> None:
    """What promtool says of metrics: nothing."""
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@contextmanager
def serving(command: list[str], port: int, folder: Path) -> Iterator[str]:
    """A program while the block runs, once it answers; gives its address."""
    address = f"http://127.0.0.1:{port}"
    with (folder / "program.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        until = time.monotonic() + LONGEST
        while True:
            try:
                asked(f"{address}/-/ready")
                break
            except (OSError, http.client.HTTPException):
                ended = process.poll() is not None or time.monotonic() > until
                assert not ended, (folder / "program.log").read_text()
                time.sleep(0.02)
        yield address
    finally:
        process.terminate()
        process.wait(LONGEST)


def asked(address: str) -> str:
    with urllib.request.urlopen(address, timeout=LONGEST) as answer:  # noqa: S310
        return str(answer.read().decode())


@contextmanager
def pushgateway(folder: Path) -> Iterator[str]:
    port = free_port()
    command = ["prometheus-pushgateway", f"--web.listen-address=127.0.0.1:{port}"]
    with serving(command, port, folder) as address:
        yield address


@contextmanager
def prometheus(folder: Path) -> Iterator[str]:
    """One over the blocks that lie in the folder; it scrapes nothing."""
    (folder / "prometheus.yml").write_text("scrape_configs: []\n")
    port = free_port()
    command = [
        "prometheus", "--config.file=prometheus.yml", f"--web.listen-address=127.0.0.1:{port}",
        "--storage.tsdb.path=data", "--storage.tsdb.retention.time=100y",
    ]  # fmt: skip
    with serving(command, port, folder) as address:
        yield address


def query(address: str, expression: str, at: float) -> list[dict[str, Any]]:
    """The rows that a query returns at a time. An error is one."""
    return rows(address, "query", {"query": expression, "time": at})


def rows(address: str, way: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
    words = urllib.parse.urlencode(parameters)
    try:
        told = json.loads(asked(f"{address}/api/v1/{way}?{words}"))
    except urllib.error.HTTPError as error:
        raise AssertionError(error.read().decode()) from error
    found: list[dict[str, Any]] = told["data"]["result"]
    return found


def stored(folder: Path, text: str) -> None:
    """Lay metrics with times (OpenMetrics) down as blocks of a Prometheus."""
    (folder / "metrics.txt").write_text(text)
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "metrics.txt", "data"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
