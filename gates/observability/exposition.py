"""Hand samples to Prometheus: as text, as a file for node_exporter, or to a Pushgateway. Whole, or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit, urlunsplit

from gates.errors import Exit, GatesError
from gates.observability.gauges import GAUGES
from gates.observability.samples import GaugeSample
from gates.system import files
from gates.system.activity import ran
from gates.wording import printable

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

JOB = "gates"  # the first half of a group's key in a Pushgateway; the second is the model
SECONDS = 10  # that each answer of a Pushgateway may take


def text(samples: Sequence[GaugeSample]) -> bytes:
    """Return the samples as Prometheus reads them."""
    registry = _registry(samples)
    from prometheus_client import generate_latest

    return generate_latest(registry)


def write_textfile(path: Path, samples: Sequence[GaugeSample]) -> None:
    """Write a file for node_exporter's textfile collector: beside it first, then in its place.

    Raises ``GatesError`` where the folder is missing, or can't be written.
    """
    if not path.parent.is_dir():
        what = f"there is no folder {path.parent}"
        raise GatesError(what, where="--textfile", hint="Name one that node_exporter collects from.")
    data = text(samples)
    try:
        files.write(path, data)
    except OSError as error:
        what = f"can't be written: {error.strerror or error}"
        raise GatesError(what, where=str(path), exit_code=Exit.OUTSIDE) from error


def push(address: str, model: str, samples: Sequence[GaugeSample], *, patience: float = SECONDS) -> None:
    """Put the samples in the place of all that a Pushgateway has about the model. ``patience``: seconds for an answer.

    Raises ``GatesError`` for what is no address, and where the Pushgateway doesn't take them.
    """
    gateway, handler = _way(address)
    registry = _registry(samples)
    from prometheus_client import push_to_gateway

    where = f"the Pushgateway at {gateway}"
    try:
        with ran("command", f"PUT {gateway}"):
            push_to_gateway(
                gateway, job=JOB, registry=registry, grouping_key={"model": model}, timeout=patience, handler=handler
            )
    except HTTPError as error:
        what = f"did not take it: {error.code} {_first_line(error)}".rstrip()
        raise GatesError(what, where=where, exit_code=Exit.OUTSIDE) from error
    except (OSError, HTTPException, ValueError) as error:
        what = f"can't be reached: {printable(str(error))}"
        raise GatesError(what, where=where, exit_code=Exit.OUTSIDE) from error


def _first_line(error: HTTPError) -> str:
    try:
        body = error.read(1000).decode("utf-8", "replace")
    except (OSError, HTTPException):
        return ""
    return printable((body.strip().splitlines() or [""])[0])[:200]


def _way(address: str) -> tuple[str, Any]:
    """Return an address without its login, and how to reach it. Raises ``GatesError`` for what is none."""
    from prometheus_client import exposition

    wrong = GatesError("is no address of a Pushgateway", where="--pushgateway", hint="Write http://HOST:PORT.")
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise wrong from error
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment:
        raise wrong
    name = f"[{host}]" if ":" in host else host
    bare = urlunsplit((parts.scheme, f"{name}:{port}" if port else name, parts.path.rstrip("/"), "", ""))
    if parts.username is None:
        return bare, exposition.default_handler
    user, password = unquote(parts.username), unquote(parts.password or "")
    return bare, partial(exposition.basic_auth_handler, username=user, password=password)


class _Samples:
    """What ``prometheus_client`` asks for the samples."""

    def __init__(self, samples: Sequence[GaugeSample]) -> None:
        self._samples = samples

    def collect(self) -> Iterator[Any]:
        """Yield each gauge that has samples, in the table's order."""
        from prometheus_client.core import GaugeMetricFamily

        for gauge in GAUGES:
            own = [one for one in self._samples if one.gauge is gauge]
            family = GaugeMetricFamily(gauge.name, gauge.help, labels=gauge.labels)
            for sample in own:
                family.add_metric(sample.labels, sample.value)
            if own:
                yield family


def _registry(samples: Sequence[GaugeSample]) -> CollectorRegistry:
    """Return the samples as ``prometheus_client`` wants them. Raises ``GatesError`` where it is not installed."""
    try:
        from prometheus_client import CollectorRegistry
    except ImportError as error:
        hint = 'Install the extra: pip install "gates-ml[observe]".'
        raise GatesError("prometheus-client is not installed", where="gates observe", hint=hint) from error
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Samples(samples))
    return registry
