"""A real Prometheus over series of the past, which promtool makes from OpenMetrics text."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)  # a Monday; all series end here or before
LONG = 120  # minutes of series
Samples = Iterable[tuple[int, float]]  # (minutes before the end, value)
PATIENCE = 60  # seconds for a server to be ready
TRIES = 3


def minutes(value: Callable[[int], float], *, until: int = 0, but: range = range(0)) -> Samples:
    """A sample a minute: value(minutes since the beginning), but for those of a gap."""
    return [(ago, value(LONG - ago)) for ago in range(LONG, until - 1, -1) if ago not in but]


def counter(a_minute: float, **named: int | range) -> Samples:
    return minutes(lambda minute: a_minute * minute, **named)


SERIES: dict[str, dict[str, Samples]] = {
    "requests_total": {
        'model="churn",code="200"': counter(60),
        'model="churn",code="500"': counter(0.05),
        'model="bad",code="200"': counter(60),
        'model="bad",code="500"': counter(6),
        'model="few",code="200"': counter(0.5),
        'model="few",code="500"': counter(0.01),
        'model="clean",code="200"': counter(60),
        'model="idle",code="200"': counter(0),
        'model="dead",code="200"': counter(60, until=10),
        'model="holes",code="200"': counter(60, but=range(20, 36)),
        'model="odd\\"\\\\",code="200"': counter(60),
    },
    "latency": {
        'model="churn"': minutes(lambda _: 0.2),
        'model="slow"': minutes(lambda _: 0.4),
        'model="mixed"': minutes(lambda minute: 0.4 if minute > LONG - 10 else 0.2),
        'model="dead"': minutes(lambda _: 0.2, until=10),
        'model="holes"': minutes(lambda _: 0.2, but=range(20, 36)),
        'model="broken"': minutes(lambda _: float("nan")),
    },
    "http_requests_total": {
        'model="churn",code="200"': counter(60),
        'model="churn",code="500"': counter(0.05),
    },
    "model_request_duration_seconds_bucket": {
        'model="churn",le="0.1"': counter(50),
        'model="churn",le="0.25"': counter(60),
        'model="churn",le="+Inf"': counter(60),
    },
    "model_queue_depth": {'model="churn"': minutes(lambda minute: minute % 7)},
    "clicks_total": {'model="churn"': counter(1)},
    "impressions_total": {'model="churn"': counter(0)},
}


def open_metrics(end: datetime) -> str:
    """The series as OpenMetrics text."""
    last = int(end.timestamp())
    lines = []
    for name, some in SERIES.items():
        form = "counter" if name.endswith("_total") else "histogram" if name.endswith("_bucket") else "gauge"
        lines.append(f"# TYPE {name.removesuffix('_total').removesuffix('_bucket')} {form}")
        for labels, samples in some.items():
            lines += [f"{name}{{{labels}}} {value:g} {last - 60 * ago}" for ago, value in samples]
    return "\n".join([*lines, "# EOF", ""])


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def asked(address: str) -> str:
    with urllib.request.urlopen(address, timeout=PATIENCE) as answer:  # noqa: S310 -- of this machine
        return str(answer.read().decode())


def ready(url: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until a server answers. Raises where it ended instead."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        try:
            asked(url)
            return
        except (OSError, http.client.HTTPException):
            time.sleep(0.05)
    raise RuntimeError(f"{url} does not answer; the server ended with {process.poll()}")


@contextmanager
def serving(command: Sequence[str], folder: Path) -> Iterator[str]:
    """A program with `--web.listen-address` while the block runs, once it is ready: its address."""
    for _ in range(TRIES):  # somebody else may take the port first
        url = f"http://127.0.0.1:{free_port()}"
        whole = [*command, f"--web.listen-address={url.removeprefix('http://')}"]
        with subprocess.Popen(whole, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                ready(f"{url}/-/ready", process)
            except RuntimeError:
                process.kill()
                continue
            try:
                yield url
                return
            finally:
                process.terminate()
    raise RuntimeError(f"{command[0]} did not start")


def stored(folder: Path, text: str) -> None:
    """Lay metrics with times (OpenMetrics) down as blocks of a Prometheus."""
    (folder / "metrics.txt").write_text(text)
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "metrics.txt", "data"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def prometheus(folder: Path, scraped: str = "scrape_configs: []\n") -> Iterator[str]:
    """One over the blocks that lie in the folder: its address. ``scraped``: its configuration; by default it scrapes
    nothing."""
    (folder / "prometheus.yml").write_text(scraped)
    command = ["prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data", "--log.level=error"]
    with serving([*command, "--storage.tsdb.retention.time=100y"], folder) as url:
        yield url


def rows(address: str, way: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the API answers to a query. An error is one."""
    words = urllib.parse.urlencode(parameters)
    try:
        told = json.loads(asked(f"{address}/api/v1/{way}?{words}"))
    except urllib.error.HTTPError as error:
        raise AssertionError(error.read().decode()) from error
    found: list[dict[str, Any]] = told["data"]["result"]
    return found


def query(address: str, expression: str, at: float | None = None) -> list[dict[str, Any]]:
    """The rows that a query returns: at a time, or now."""
    return rows(address, "query", {"query": expression} | ({} if at is None else {"time": at}))


@contextmanager
def served(folder: Path, end: datetime = NOON) -> Iterator[str]:
    """A Prometheus whose series end at a time: its address. Skips the test where there is none on this machine."""
    if not (shutil.which("prometheus") and shutil.which("promtool")):
        pytest.skip("no prometheus found: scripts/prometheus .prometheus gets one; put that folder on the PATH")
    folder.mkdir(parents=True, exist_ok=True)
    stored(folder, open_metrics(end))
    with prometheus(folder) as url:
        yield url
