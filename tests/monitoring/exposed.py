"""What Prometheus reads: metrics as text, and a Pushgateway."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families
from prometheus_server import serving

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


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


@contextmanager
def pushgateway(folder: Path) -> Iterator[str]:
    with serving(["prometheus-pushgateway"], folder) as address:
        yield address
