"""What ``gates.yaml`` says about a model that serves: where its live rows are, and what must hold of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from gates.documents.printed.diff import Named
from gates.documents.printed.diff import asks as fields_ask
from gates.kinds.live_gates import LIVE_KINDS, DriftRule, LiveMetricRule
from gates.kinds.promql.promql_rule import PromqlRule
from gates.kinds.protocol import PromqlQuestion
from gates.schema.fields import Plain, build, declare, plain, schema_of

_SECONDS: Mapping[str, int] = {"m": 60, "h": 3600, "d": 86400}
_SPAN = "^[1-9][0-9]{0,4}[mhd]$"
_DELAY = "^[0-9]{1,5}[mhd]$"


def seconds(span: str) -> int:
    """Return how long ``90m``, ``2h`` or ``14d`` is, in seconds."""
    return int(span[:-1]) * _SECONDS[span[-1]]


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveGate:
    """A kind and its rule."""

    SCHEMA: ClassVar[Mapping[str, Plain]] = {"anyOf": [schema_of(kind.rule) for kind in LIVE_KINDS.values()]}
    kind: str
    rule: Any

    @classmethod
    def read(cls, value: Plain) -> LiveGate:
        """Read a gate: its kind is the one whose key it has."""
        kind = next(key for key in LIVE_KINDS if key in value)
        return cls(kind=kind, rule=build(LIVE_KINDS[kind].rule, value))

    def plain(self) -> Plain:
        """Return the rule alone: its keys name its kind."""
        return plain(self.rule)

    @property
    def name(self) -> str:
        """What distinguishes it from the other gates."""
        return LIVE_KINDS[self.kind].name(self.rule)

    def asks(self, _: str) -> Iterator[Named]:
        """Return what it asks for; it is known by its name."""
        return fields_ask(self.rule, f"monitor.{self.name}")


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSection:
    """What alarms may start."""

    retrain: tuple[str, ...] = declare(
        "Names of metrics under `gates` whose alarms may start a retraining. Drift alone starts none.",
        default=(),
        stricter="fewer",
        items={"type": "string", "minLength": 1},
        uniqueItems=True,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitor:
    """What is watched of a model that serves."""

    live: str = declare(
        "What the model was asked and answered, a row a prediction: a file or a glob. It has the features, the columns "
        "of predictions, and those named here.",
        stricter="free",
        minLength=1,
    )
    labels: str | None = declare(
        "Labels by key, whenever they arrive: a file or a glob with the key and data.label. Without it live rows may "
        "have the label themselves.",
        default=None,
        stricter="free",
        minLength=1,
    )
    key: str = declare(
        "The column that tells predictions apart, in live rows and labels.", stricter="free", minLength=1
    )
    time: str = declare(
        "The column with the time of a prediction; without a zone it is UTC.", stricter="free", minLength=1
    )
    model: str | None = declare(
        "The column with the digest of the model that answered. Without it all rows are taken for the champion's.",
        default=None,
        stricter="free",
        minLength=1,
    )
    window: str = declare(
        "How long a window is: 30m, 6h, 1d, 7d. Windows don't overlap; weeks begin on Monday (UTC).",
        stricter="free",
        pattern=_SPAN,
    )
    delay: str = declare(
        "A window is judged so long after its end, when its rows have arrived.",
        default="0h",
        stricter="free",
        pattern=_DELAY,
    )
    label_delay: str | None = declare(
        "Its labels are judged so long after its end. The default is `delay`.",
        default=None,
        stricter="free",
        pattern=_DELAY,
    )
    min_labelled: float = declare(
        "The smallest share of a window's rows that must have a label.",
        default=0.9,
        stricter="larger",
        exclusiveMinimum=0,
        maximum=1,
    )
    false_alarm_every: int = declare(
        "In how many windows all rules together may raise one false alarm, on average at most.",
        default=365,
        stricter="free",
        minimum=2,
        maximum=1_000_000,
    )
    gates: tuple[LiveGate, ...] = declare("What must hold of live rows.", stricter="each", minItems=1)
    alert: AlertSection | None = declare("What alarms may start.", default=None)

    def wait(self, part: str) -> int:
        """Return how many seconds after its end a part of a window is judged."""
        return seconds(self.delay if part == "rows" or self.label_delay is None else self.label_delay)

    @property
    def retraining(self) -> tuple[str, ...]:
        """The gates whose alarms may start a retraining."""
        return self.alert.retrain if self.alert else ()

    @property
    def drifts(self) -> tuple[DriftRule, ...]:
        """The gates of the kind `drift`."""
        return tuple(gate.rule for gate in self.gates if gate.kind == "drift")

    @property
    def promqls(self) -> tuple[PromqlRule, ...]:
        """The gates of the kind `promql`."""
        return tuple(gate.rule for gate in self.gates if gate.kind == "promql")

    @property
    def questions(self) -> frozenset[PromqlQuestion]:
        """What a Prometheus is asked about the end of each window."""
        return frozenset(question for rule in self.promqls for question in rule.questions)

    @property
    def metrics(self) -> tuple[LiveMetricRule, ...]:
        """The gates of the kind `metric`."""
        return tuple(gate.rule for gate in self.gates if gate.kind == "metric")

    @property
    def estimates(self) -> tuple[LiveMetricRule, ...]:
        """The metrics that are estimated without labels, and of which nothing is watched."""
        return tuple(rule for rule in self.metrics if rule.estimate)

    @property
    def checks_data(self) -> bool:
        """Whether live rows are held to the contract."""
        return any(gate.kind == "data" for gate in self.gates)
