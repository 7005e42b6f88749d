"""What ``gates.yaml`` says, as typed, frozen objects: one class per section, one declared field per key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from gates.documents.printed.diff import Named
from gates.documents.slices import Dimension
from gates.kinds import KINDS
from gates.kinds.protocol import GateKind
from gates.metrics import Task
from gates.policy.experiment_section import Experiment
from gates.policy.monitor_section import Monitor
from gates.policy.origins.data_origins import Origins
from gates.policy.promotion_section import Promotion
from gates.policy.retrain_section import Retrain
from gates.schema.fields import DATE, Plain, build, declare, plain, schema_of

EngineName = Literal["duckdb", "spark"]  # each is a module of gates/measure/engines
_GATES: dict[str, Plain] = {"anyOf": [schema_of(kind.RULE) for kind in KINDS.values()]}


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSection:
    """The tables, and which columns mean what."""

    holdout: str = declare(
        "Labelled rows on which both models are judged: a file, a glob, or a table of the engine.", minLength=1
    )
    label: str | None = declare(
        "The column with the truth: a class, or a number. Only task: score works without.",
        default=None,
        minLength=1,
    )
    train: str | None = declare(
        "Rows to train on: a file, a glob, or a table of the engine. The training gets it as GATES_TRAIN.",
        default=None,
    )
    positive: str | float | bool | None = declare(
        "The label value that counts as positive; needed unless labels are 0 and 1 or booleans.", default=None
    )
    classes: tuple[str | float | bool, ...] = declare(
        "All classes; needed if the holdout may lack one. Any other label is refused.",
        default=(),
        minItems=2,
        maxItems=100,
        uniqueItems=True,
    )
    key: str | None = declare(
        "Column that matches predictions with rows; without it they must be in the holdout's order.", default=None
    )
    unit: str | None = declare(
        "Column of the independent unit, if several rows belong together: a customer, a patient.", default=None
    )
    weight: str | None = declare("Column with each row's weight, 0 and up.", default=None)
    query: str | None = declare("Column of the query that rows are ranked for; task: ranking.", default=None)
    contract: str | None = declare("File with the data contract.", default=None, stricter="free")
    from_: Origins | None = declare(
        "Where `gates fetch` copies the tables from. What a pull request changes of it counts once it is merged.",
        default=None,
        late=True,
        stricter="free",
    )
    reuse: int | None = declare(
        "How many decisions this holdout is good for. Each is charged for all of them; after that nothing passes. With "
        "`retrain`, holdouts whose time ranges overlap count as one.",
        default=None,
        stricter="set",
        minimum=1,
    )
    engine: EngineName = declare(
        "What checks the tables against the contract: duckdb, in the process, or spark, found by Spark's own settings "
        "(SPARK_REMOTE, spark.master). Both find the same.",
        default="duckdb",
        stricter="free",
    )

    @property
    def tables(self) -> tuple[Literal["train", "holdout"], ...]:
        """The tables there are."""
        return ("train", "holdout") if self.train else ("holdout",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Train:
    """How the candidate is made."""

    run: str = declare(
        "A shell command, run in the policy's folder. It writes into the folder GATES_OUT.",
        stricter="free",
        minLength=1,
    )
    timeout: str = declare(
        "A training, or a model that scores, is stopped after this long: 90s, 30m, 2h.",
        default="60m",
        stricter="free",
        pattern="^[0-9]+[smh]$",
    )
    environment: tuple[str, ...] = declare(
        "Names of environment variables that the training gets as well as the usual ones; never a credential.",
        default=(),
        stricter="fewer",
        items={"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]{0,99}$"},
        uniqueItems=True,
    )
    seeds: int = declare(
        "How many times to train, each with its own GATES_SEED: training noise becomes part of the interval.",
        default=1,
        stricter="larger",
        minimum=1,
        maximum=100,
    )

    job: str | None = declare(
        "A job document: the command runs on a cluster, as this says, and not on this machine.",
        default=None,
        late=True,
        stricter="free",
        minLength=1,
    )
    image: str | None = declare(
        "The image, by digest, that takes the place of the one in the job document.",
        default=None,
        late=True,
        stricter="free",
        pattern="^\\S+@sha256:[0-9a-f]{64}$",
    )
    wait: str = declare(
        "A job that was queued for this long is stopped: 90s, 30m, 2h.",
        default="2h",
        late=True,
        stricter="free",
        pattern="^[0-9]+[smh]$",
    )

    @property
    def seconds(self) -> int:
        """The time-out in seconds."""
        return _seconds(self.timeout)

    @property
    def waits(self) -> int:
        """How long a job may be queued, in seconds."""
        return _seconds(self.wait)


def _seconds(text: str) -> int:
    return int(text[:-1]) * {"s": 1, "m": 60, "h": 3600}[text[-1]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Predict:
    """How scores become calls."""

    threshold: float = declare("A score of at least this is called positive.", default=0.5, minimum=0, maximum=1)
    returns: Literal["score", "prediction"] | None = declare(
        "What an unnamed number means that a model returns for each row: score, the probability of the positive "
        "class, or prediction, the class. Needed where it could be both.",
        default=None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Observe:
    """The policy reports and doesn't block, up to and including a day."""

    FORM: ClassVar[str] = "observe until "
    SCHEMA: ClassVar[Mapping[str, Plain]] = {"type": "string", "pattern": f"^{FORM}{DATE[1:]}"}
    until: str

    @classmethod
    def read(cls, value: Plain) -> Observe:
        """Read ``observe until 2027-03-01``."""
        return cls(until=value.removeprefix(cls.FORM))

    def plain(self) -> Plain:
        """Return the value as it is written."""
        return f"{self.FORM}{self.until}"


_HUB = "^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?$"  # the id of a data set on the Hugging Face hub
_TAG = "^[a-z0-9][a-z0-9-]{0,99}$"


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """The benchmark of the Hugging Face hub that the holdout is."""

    dataset: str = declare("The id of its data set: OWNER/NAME.", pattern=_HUB)
    task: str = declare("Its task, by the name that the data set's eval.yaml has.", default="default", minLength=1)
    metric: str = declare("The metric of this policy whose value it shows, by the gate's name.", minLength=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What the model's card says that nothing else does."""

    intended_use: str | None = declare("What the model is for, and who uses it.", default=None)
    limits: str | None = declare("What it is not for, and where it is known to fail.", default=None)
    license: str | None = declare("Its licence, by the name that the Hugging Face hub knows.", default=None)
    pipeline_tag: str | None = declare(
        "Its task, by the name that the hub knows, such as text-generation. The default follows `task`: "
        "tabular-classification or tabular-regression; ranking and score have none.",
        default=None,
        late=True,
        pattern=_TAG,
    )
    library_name: str | None = declare(
        "Its library, by the name that the hub knows, such as sklearn. The default is the promoted model's.",
        default=None,
        late=True,
        pattern=_TAG,
    )
    datasets: tuple[str, ...] = declare(
        "Data sets of the hub that it was trained or measured on.",
        default=(),
        late=True,
        items={"type": "string", "pattern": _HUB},
        uniqueItems=True,
    )
    benchmark: Benchmark | None = declare(
        "The benchmark of the hub that the holdout is; `gates card --to` then writes its result.",
        default=None,
        late=True,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Which rows of the holdout reports show: those that got worse and better against the champion, by key."""

    rows: int = declare("How many that got worse, and as many that got better.", default=10, minimum=1, maximum=50)
    columns: tuple[str, ...] = declare(
        "Columns to show beside each row's key, label and predictions; never one that is x-sensitive.",
        default=(),
        items={"type": "string", "minLength": 1},
        maxItems=10,
        uniqueItems=True,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """A kind and its rule."""

    SCHEMA: ClassVar[Mapping[str, Plain]] = _GATES
    kind: str
    rule: Any

    @classmethod
    def read(cls, value: Plain) -> Gate:
        """Return the kind is the one whose key the mapping has."""
        kind = next(key for key in KINDS if key in value)
        return cls(kind=kind, rule=build(KINDS[kind].RULE, value))

    def plain(self) -> Plain:
        """Return the rule alone: its keys name its kind."""
        return plain(self.rule)

    def asks(self, _: str) -> Iterator[Named]:
        """Return what its kind says that it asks for; a gate is known by its own name."""
        return self.module.asks(self.rule)

    @property
    def module(self) -> GateKind:
        """The kind's module."""
        return KINDS[self.kind]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What must hold before a model may ship."""

    version: Literal[1] = declare("Version of this format.", stricter="free")
    model: str = declare(
        "Name of the model, in the registry too: letters, digits, . _ - (in Unity Catalog: catalog.schema.name)",
        pattern="^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$",
    )
    task: Task = declare("What the model predicts.", default="binary")
    data: DataSection = declare("The tables.")
    train: Train = declare("The training command.", short="run")
    predict: Predict = declare("From scores to calls.", default=Predict())
    champion: str | None = declare(
        "The model that serves now: models:/NAME@ALIAS. The default is this model's alias champion.",
        default=None,
        pattern="^models:/[^/@]+@[^/@]+$",
    )
    anchor: int | None = declare(
        "A champion's version that candidates may not drift away from: max_worsening applies to it, too.",
        default=None,
        stricter="set",
        minimum=1,
    )
    min_rows: int = declare(
        "A slice, or a group of `by`, with fewer rows is not judged: reports count it, and it blocks nothing.",
        default=0,
        stricter="smaller",
        minimum=0,
    )
    slices: tuple[Dimension, ...] = declare(
        "Subsets of the holdout: a column, bins of one ({age: [25, 40]}), a crossing (sex * region), or auto: the "
        "worst slices are found.",
        default=(),
        single=True,
        stricter="each",
    )
    confidence: float = declare(
        "The confidence of each bound, one-sided.",
        default=0.95,
        stricter="larger",
        exclusiveMinimum=0.5,
        maximum=0.999999,
    )
    on_inconclusive: Literal["warn", "fail"] = declare(
        "What an inconclusive verdict does to the exit code: warn (0) or fail (1). A promotion never accepts it.",
        default="warn",
        stricter=("warn", "fail"),
    )
    mode: Observe | None = declare(
        "`observe until YYYY-MM-DD` reports but doesn't block, up to and including that day (UTC). What could not be "
        "judged is still an error, and a promotion ignores this key.",
        default=None,
        stricter="earlier",
    )
    gates: tuple[Gate, ...] = declare("What must hold.", stricter="each", minItems=1)
    promotion: Promotion = declare("How a judged model gets to production.", default=Promotion())
    monitor: Monitor | None = declare("What is watched of a model that serves.", default=None)
    retrain: Retrain | None = declare("When it is trained again, and on which rows.", default=None)
    experiment: Experiment | None = declare("How a challenger is compared with the champion on users.", default=None)
    report: Report | None = declare(
        "Which rows reports show. On a pull request the base commit's policy must ask for them, too; a fork's report "
        "shows none.",
        default=None,
        stricter="free",
    )
    card: Card | None = declare("What the model's card says.", default=None, stricter="free")

    @property
    def dimensions(self) -> tuple[Dimension, ...]:
        """The slices' dimensions; a crossing takes the bins that its columns have where they are declared alone."""
        return tuple(one.binned(self.slices) if len(one.columns) > 1 else one for one in self.slices)
