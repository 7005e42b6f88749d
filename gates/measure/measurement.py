"""Turn rows into evidence. Nothing else reads rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import cached_property, partial
from pathlib import Path

from gates.contract.sql import literal, quoted
from gates.documents.evidence import SCHEMA, Evidence, Finding, MeasuredModel, TrainingRun
from gates.documents.slices import Dimension
from gates.errors import Exit, GatesError
from gates.measure import shards, training_facts, verbatim
from gates.measure.contract_check import findings
from gates.measure.engines import Engine, connect, unordered
from gates.measure.engines.duckdb import is_file
from gates.measure.holdout.apart import refuse_shared
from gates.measure.holdout.hidden import Hidden
from gates.measure.holdout.joined import ScoredRows, join
from gates.measure.holdout.labels import MAX_CLASSES, Labels, read_labels
from gates.measure.holdout.models import ModelOutput, RegisteredModel, output_of
from gates.measure.holdout.predictions import Predicted, place, scored_classes
from gates.measure.holdout.rows import Parts, make_rows, parts_of, told_apart, weight_places
from gates.measure.holdout.scoring import ScoringRequest, scored
from gates.measure.holdout.tables import (
    OpenTable,
    columns_told,
    content_digest,
    content_lanes,
    open_table,
    sequence_digest,
    table_of,
)
from gates.measure.pairings import Counting, Pairings, counted
from gates.measure.shards import Measured, Shard
from gates.measure.statistics.function_calls import GuestMetric, is_foreign, taken
from gates.measure.worst_slices import searched
from gates.metrics.functions import is_general
from gates.policy import ResolvedPolicy
from gates.wording import plural


def _inside(error: GatesError) -> str:
    """Why a model can't be compared with; what failed outside is no finding."""
    if error.exit_code is Exit.OUTSIDE:
        raise error
    return error.what


class Measurement:
    """The policy's tables, open in its engine, to check data and measure models on.

    ``work`` is the folder for what is made on the way (``.gates``), ``environ`` what a model that is scored gets to
    see, less its credentials; ``now`` is what freshness is held against, the clock's time if not given.
    ``shard``: the part of the holdout's rows that models are measured on, if not on all.
    ``elsewhere(name)`` gives the scores that a model gave on another machine; with it no model is loaded here.
    Raises ``GatesError`` at the first table that can't be read.
    """

    def __init__(
        self,
        resolved: ResolvedPolicy,
        root: Path,
        work: Path,
        *,
        environ: Mapping[str, str] | None = None,
        now: datetime | None = None,
        threads: int | None = None,
        elsewhere: Callable[[str], Path] | None = None,
        shard: Shard | None = None,
    ) -> None:
        if shard:
            shards.refuse(resolved)
        self.resolved = resolved
        self.shard = shard
        self.root = root
        self.work = work
        self.environ = environ or {}
        self.elsewhere = elsewhere
        self.judged: Evidence | None = None  # what has the repository's own metrics, where its code may not run
        data = resolved.policy.data
        self.engine = connect(now, threads, data.engine)
        named = [("train", data.train), ("holdout", data.holdout)]
        self.opened = {name: open_table(self.engine, root, path, name) for name, path in named if path}

    @cached_property
    def counter(self) -> Engine:
        """What rows are counted in. Without a key they are distinguished by their order, which files have alone."""
        data = self.resolved.policy.data
        if data.key is None and not is_file(data.holdout):
            raise unordered()
        return self.engine if data.key else self.engine.embedded("holdout")

    def check(self) -> tuple[Finding, ...]:
        """What the contract's rules count in every table. Raises ``GatesError`` where training and holdout are the same
        rows."""
        contract = self.resolved.contract
        if "train" in self.opened:
            refuse_shared(self.engine, self.opened["train"], self.holdout, self.resolved.policy, contract)
        if contract is None:
            return ()
        tables = list(self.opened.values())
        return tuple(one for table in tables for one in findings(self.engine, table, contract, self._beside))

    def _beside(self, name: str) -> OpenTable | None:
        """A second table for a rule that looks at one."""
        if name == "train":
            return self.opened.get("train")
        return open_table(self.engine, self.root, name, f"beside {name}")

    def unlabelled(self, folder: Path) -> Path:
        """The holdout without its label, in its own order and format, as a file in ``folder``."""
        path = self.resolved.policy.data.holdout
        return self.features(folder, "holdout", Path(path).suffix.lower() if is_file(path) else ".parquet")

    def asked_about(self, folder: Path, name: str = "features") -> Path:
        """The rows that a model is asked about: as Parquet, or of a CSV file as they are written there."""
        suffix = Path(self.resolved.policy.data.holdout).suffix.lower()
        return self.features(folder, name, suffix if suffix in verbatim.SUFFIXES else ".parquet")

    def features(self, folder: Path, name: str, suffix: str) -> Path:
        """The holdout without its label, in its own order, as a file of that format."""
        data, target = self.resolved.policy.data, folder / f"{name}{suffix}"
        if data.label is not None:
            self.holdout.require(data.label, "data.label")
        if suffix in verbatim.SUFFIXES:
            return verbatim.without(self.files("holdout"), data.label, target)
        self.engine.embedded("holdout").write(self._features, target)
        return target

    @property
    def _features(self) -> str:
        """SQL of the holdout without its label."""
        label = self.resolved.policy.data.label
        but = f" EXCLUDE ({quoted(label)})" if label is not None else ""
        return f"SELECT *{but} FROM {quoted('holdout')}"

    @property
    def asked(self) -> ScoringRequest:
        """What a model is asked about the holdout's rows."""
        policy = self.resolved.policy
        return ScoringRequest(
            task=policy.task,
            labels=self.rows[0],
            key=policy.data.key,
            seconds=policy.train.seconds,
            further=self.resolved.needs.columns,
            returns=policy.predict.returns,
        )

    def evidence(
        self,
        checked: tuple[Finding, ...],
        candidates: Sequence[ModelOutput] = (),
        served: RegisteredModel | None = None,
        anchor: RegisteredModel | None = None,
        used: int = 0,
    ) -> Evidence:
        """Everything that the policy's gates need, counted. Without a candidate: the data's part alone.

        ``candidates``: the model to be judged, then further trainings of its recipe. ``used``: how many decisions the
        holdout has made before.
        """
        evidence = Evidence(
            schema=SCHEMA,
            model=self.resolved.policy.model,
            measured=self.resolved.measured,
            tables=tuple(table_of(self.engine, one) for one in self.opened.values()) if self._first else (),
            findings=checked,
            used=used,
        )
        if not candidates:
            return evidence
        evidence, sides = self._sides(evidence, candidates, served, anchor)
        evidence = counted(evidence, sides, self._counting)
        foreign = (one.id for one, _ in self.resolved.needs.wanted if is_general(one) and is_foreign(one.name))
        return taken(evidence, self.judged, foreign) if self.judged else evidence

    @property
    def _first(self) -> bool:
        """Whether this is the whole, or the part that looks at the whole tables."""
        return self.shard is None or self.shard.index == 1

    @property
    def _where(self) -> str:
        """SQL that holds of the rows that are measured."""
        key = self.resolved.policy.data.key
        return self.shard.where(key) if self.shard and key else "TRUE"

    def part(
        self,
        candidates: Sequence[ModelOutput],
        served: RegisteredModel | None,
        anchor: RegisteredModel | None,
        folder: Path,
    ) -> Measured:
        """What a merge needs to know of this part; the rows that it counts go to files in ``folder``."""
        assert self.shard  # noqa: S101 -- callers made it for a part
        evidence = self.evidence(self.check() if self._first else ())
        evidence, sides = self._sides(evidence, candidates, served, anchor)
        adds = shards.adds_up(self.resolved)
        lanes, rows = content_lanes(self.counter, self.holdout, where=self._where)
        return Measured(
            shard=self.shard,
            evidence=counted(evidence, sides, self._counting) if adds else evidence,
            rows=rows,
            columns=tuple(columns_told(self.holdout)),
            lanes=lanes,
            kind=self.rows[0].kind,
            searched=tuple((one.columns[0], one.parts[0][1]) for one in self._columns),
            sides=() if adds else shards.keep(sides, folder),
        )

    def _sides(
        self,
        found: Evidence,
        candidates: Sequence[ModelOutput],
        served: RegisteredModel | None,
        anchor: RegisteredModel | None,
    ) -> tuple[Evidence, Pairings]:
        """The evidence with the models that it is about, and their predictions beside the rows."""
        first, *others = candidates
        files = [self.predictions(one.folder, f"candidate{place or ''}") for place, one in enumerate(candidates)]
        champion_file, champion_why = self._serving(served, "champion")
        anchor_file, anchor_why = self._serving(anchor, "anchor")
        self._know([*files, *(file for file in (champion_file, anchor_file) if file)])
        ours = self._placed(files[0], "candidate")
        theirs, champion = self._beside_it(served, champion_file, champion_why, "champion")
        fixed, anchored = self._beside_it(anchor, anchor_file, anchor_why, "anchor")

        def again(file: Path, name: str) -> ScoredRows:
            return self._joined(self._placed(file, name), theirs)

        return replace(
            found,
            classes=self._known.classes,
            candidate=MeasuredModel(
                digest=first.digest, version=None, unscored=None, facts=training_facts.read(first.folder)
            ),
            champion=champion,
            anchor=anchored,
            runs=tuple(TrainingRun(digest=one.digest, slices=()) for one in others),
        ), Pairings(
            candidate=lambda: self._joined(ours, theirs),
            anchor=(lambda: self._joined(ours, fixed)) if fixed else None,
            runs=tuple(partial(again, file, f"candidate{place}") for place, file in enumerate(files[1:], 1)),
        )

    @property
    def _counting(self) -> Counting:
        called = self.judged is None
        guest = GuestMetric(folder=self.work / "metrics", root=self.root, environ=self.environ, called=called)
        return Counting(resolved=self.resolved, labels=self._known, columns=self._columns, guest=guest)

    @property
    def hidden(self) -> Hidden:
        """The columns of which no value is shown."""
        return Hidden.of(self.resolved.contract)

    @cached_property
    def _columns(self) -> tuple[Dimension, ...]:
        """What a search for slices looks at."""
        return searched(self.counter, self.holdout, self.resolved)

    @cached_property
    def rows(self) -> tuple[Labels, Parts]:
        """The labels and the slices' columns, with the table of rows made from them."""
        policy = self.resolved.policy
        labels = read_labels(self.counter, self.holdout, policy)
        parts = parts_of([*self.resolved.needs.dimensions, *self._columns])
        values = make_rows(
            self.counter, self.holdout, policy, labels, parts, self._where,
            told_apart=self._told_apart, hidden=self.hidden, places=self._places,
        )  # fmt: skip
        self.hidden.refuse_small(self.counter, self.resolved.needs.dimensions, values, quoted(self.holdout.name))
        return labels, parts

    def _placed(self, file: Path, name: str) -> Predicted:
        further, must = self.resolved.needs.columns, name not in ("champion", "anchor")
        secret = self.resolved.policy.data.key in self.hidden.columns
        return place(
            self.counter,
            file,
            name,
            self.resolved.policy,
            self._known,
            further,
            must=must,
            where=self._where,
            secret=secret,
        )

    def _know(self, files: Sequence[Path]) -> None:
        """The labels' classes, and those that only the models' predictions have, by their columns of scores."""
        known = self.rows[0]
        for file in files:
            with suppress(GatesError):  # told where it is placed
                known = known.also(
                    [
                        name
                        for name in scored_classes(self.counter, file, "the", self.resolved.policy)
                        if f"score_{name}" not in self.resolved.needs.columns
                    ]
                )
        if len(known.classes) > MAX_CLASSES:
            raise GatesError(
                f"the models know {plural(len(known.classes), 'class', 'classes')}; at most {MAX_CLASSES} are counted"
            )
        self._known = known

    def _joined(self, ours: Predicted, theirs: Predicted | None) -> ScoredRows:
        policy, parts = self.resolved.policy, self.rows[1]
        apart, places = self._told_apart, self._places
        return join(self.counter, policy, parts, ours, theirs, told_apart=apart, places=places)

    @cached_property
    def _places(self) -> int:
        return weight_places(self.counter, self.holdout, self.resolved.policy.data.weight)

    @property
    def _told_apart(self) -> bool:
        return told_apart(self.resolved.policy, self.resolved.needs)

    def files(self, name: str) -> list[Path]:
        """The files that a table is made of."""
        path = literal(str(self.root / self.opened[name].path))
        return [Path(row[0]) for row in self.engine.run(f"SELECT file FROM glob({path}) ORDER BY file")]

    @property
    def holdout(self) -> OpenTable:
        """The holdout's table."""
        return self.opened["holdout"]

    @cached_property
    def holdout_identity(self) -> str:
        """Which rows predictions belong to: the multiset of rows where a key finds them, else their sequence."""
        if self.resolved.policy.data.key is None:
            return sequence_digest(self.engine, self.holdout)
        return content_digest(self.engine, self.holdout)[0]

    def _serving(self, served: RegisteredModel | None, name: str) -> tuple[Path | None, str | None]:
        """Its predictions on these very rows, the kept ones or its model's, or why there are none. Any other are not
        about these rows."""
        if served is None:
            return None, None
        try:
            return served.predictions(self.holdout_identity) or self._scored_again(served.folder(), name), None
        except GatesError as error:
            return None, _inside(error)

    def _beside_it(
        self, served: RegisteredModel | None, file: Path | None, why: str | None, name: str
    ) -> tuple[Predicted | None, MeasuredModel | None]:
        """Its predictions joined with the rows, and what the evidence says about it."""
        if served is None:
            return None, None
        predicted: Predicted | None = None
        try:
            predicted = self._placed(file, name) if file else None
        except GatesError as error:
            why = _inside(error)
        return predicted, MeasuredModel(digest=served.digest, version=served.version, unscored=why)

    def _scored_again(self, folder: Path, name: str) -> Path:
        if not (folder / "model").is_dir():
            raise GatesError("it came as predictions on another holdout, and there is no model to score this one")
        return self._scored(folder / "model", name)

    def predictions(self, folder: Path, name: str) -> Path:
        """The predictions file of a model's folder; scores the holdout first where there is only a model."""
        found = output_of(folder)
        return self._scored(found, name) if found.is_dir() else found

    def _scored(self, model: Path, name: str) -> Path:
        """Let the model score the rows, and put the key beside what it gives."""
        if self.elsewhere is not None:
            return self.elsewhere(name)
        folder = self.work / "scored"
        folder.mkdir(parents=True, exist_ok=True)
        features = self.asked_about(folder, f"{name}-features")
        try:
            return scored(model, features, folder / f"{name}.parquet", self.asked, self.environ)
        finally:
            features.unlink()
