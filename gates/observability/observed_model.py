"""What Prometheus learns of one model: its rules, its newest window, what serves, and what is doubtful about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingVersion:
    """A version that an alias names, by ledger and registry alike."""

    alias: str
    version: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedBar:
    """One rule as its newest window has it. Numbers are None where none was compared with the limit.

    ``family``: of a rule on a slice, what it and its siblings on other slices have in common.
    """

    name: str
    verdict: str
    family: str = ""
    value: float | None = None
    low: float | None = None
    high: float | None = None
    limit: float | None = None
    evidence: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedModel:
    """One model. Times are in seconds since 1970. ``units``: closed ones of each arm of an experiment. ``doubts``: why
    nobody knows what serves, in sentences."""

    name: str
    serving: tuple[ServingVersion, ...] = ()
    bars: tuple[ObservedBar, ...] = ()
    rows: int | None = None
    labelled: int | None = None
    until: float | None = None
    records: Mapping[str, float] = field(default_factory=dict)
    budget: int | None = None
    units: Mapping[str, int] = field(default_factory=dict)
    doubts: tuple[str, ...] = ()
