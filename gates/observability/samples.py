"""Turn what was observed of a model into samples of gauges. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gates.errors import GatesError
from gates.observability import gauges
from gates.observability.gauges import GaugeRow
from gates.observability.observed_bars import folded
from gates.observability.observed_model import ObservedBar, ObservedModel
from gates.wording import counted

MOST_BARS = 50  # rules of one model: each is nine series
_NUMBERS = (  # gauge -> the field of a rule
    (gauges.VALUE, "value"),
    (gauges.LOW, "low"),
    (gauges.HIGH, "high"),
    (gauges.LIMIT, "limit"),
    (gauges.EVIDENCE, "evidence"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GaugeSample:
    """One number with the values of its gauge's labels, in their order."""

    gauge: GaugeRow
    labels: tuple[str, ...]
    value: float


def samples(model: ObservedModel, *, slices: bool = False) -> list[GaugeSample]:
    """Return all samples of one model. ``slices``: each slice by itself, and not all of a rule together.

    Raises ``GatesError`` where there would be more rules than a Prometheus should be given.
    """
    bars = model.bars if slices else folded(model.bars)
    if len(bars) > MOST_BARS:
        raise GatesError(
            f"has {counted(len(bars), 'rule')}, of at most {MOST_BARS}: each would be nine series",
            where=model.name,
            hint="Leave out --slices." if slices else "Watch fewer columns, or ask for fewer limits, in the policy.",
        )
    return [*(one for bar in bars for one in _of_bar(model.name, bar)), *_of_model(model)]


def _of_bar(name: str, bar: ObservedBar) -> Iterator[GaugeSample]:
    labels = (name, bar.name)
    for verdict in gauges.VERDICTS:
        yield GaugeSample(gauge=gauges.VERDICT, labels=(*labels, verdict), value=float(bar.verdict == verdict))
    for gauge, field in _NUMBERS:
        value = getattr(bar, field)
        if value is not None:
            yield GaugeSample(gauge=gauge, labels=labels, value=value)


def _of_model(model: ObservedModel) -> Iterator[GaugeSample]:
    numbers: Sequence[tuple[GaugeRow, float | None]] = (
        (gauges.WINDOW_ROWS, model.rows),
        (gauges.WINDOW_LABELLED, model.labelled),
        (gauges.WINDOW_END, model.until),
        (gauges.BUDGET, model.budget),
    )
    for gauge, value in numbers:
        if value is not None:
            yield GaugeSample(gauge=gauge, labels=(model.name,), value=value)
    for kind, at in sorted(model.records.items()):
        yield GaugeSample(gauge=gauges.RECORD_TIME, labels=(model.name, kind), value=at)
    for arm, units in model.units.items():
        yield GaugeSample(gauge=gauges.UNITS, labels=(model.name, arm), value=float(units))
    for one in model.serving:
        labels = (model.name, one.alias, one.version, one.digest)
        yield GaugeSample(gauge=gauges.SERVING, labels=labels, value=1.0)
