"""Turn rows into evidence. Nothing else reads rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path

from gates.documents.changed_rows import ChangedRows
from gates.documents.evidence import SCHEMA, Evidence, Finding, MeasuredModel, TrainingRun
from gates.errors import Exit, GatesError
from gates.measure import shards, training_facts
from gates.measure.holdout.joined import ScoredRows, join
from gates.measure.holdout.labels import MAX_CLASSES
from gates.measure.holdout.models import ModelOutput, RegisteredModel, Rivals, output_of
from gates.measure.holdout.predictions import Predicted, place, scored_classes
from gates.measure.holdout.scoring import ScoringRequest, scored
from gates.measure.holdout.tables import (
    columns_told,
    content_lanes,
)
from gates.measure.pairings import Counting, Pairings, counted
from gates.measure.policy_tables import PolicyTables
from gates.measure.row_changes import RowsAsked, changed_rows
from gates.measure.shards import Measured, Shard
from gates.measure.statistics.function_calls import GuestMetric, is_foreign, taken
from gates.metrics.functions import is_general
from gates.policy import ResolvedPolicy
from gates.schema.canonical import digest
from gates.wording import plural

RIVALS, ALONE = ("champion", "anchor", "base"), Rivals()


def _inside(error: GatesError) -> str:
    """Tell why a model can't be compared with; what failed outside is no finding."""
    if error.exit_code is Exit.OUTSIDE:
        raise error
    return error.what


class Measurement(PolicyTables):
    """The policy's tables with models: their predictions beside the rows, counted into evidence.

    ``work`` is the folder for what is made on the way (``.gates``), ``environ`` what a model that is scored gets to
    see, less its credentials. ``elsewhere(name)`` gives the scores that a model gave on another machine; with it no
    model is loaded here.
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
        super().__init__(resolved, root, now, threads, shard)
        self.work = work
        self.environ = environ or {}
        self.elsewhere = elsewhere
        self._compared: tuple[Predicted, Predicted] | None = None  # candidate and champion, as they were measured
        self.judged: Evidence | None = None  # what has the repository's own metrics, where its code may not run

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
        rivals: Rivals = ALONE,
        used: int = 0,
    ) -> Evidence:
        """Measure everything that the policy's gates need. Without a candidate that is the data's part alone.

        ``candidates``: the model to be judged, then further trainings of its recipe. ``used``: how many decisions the
        holdout has made before.
        """
        evidence = Evidence(
            schema=SCHEMA,
            model=self.resolved.policy.model,
            measured=self.resolved.measured,
            tables=self.tables() if self.first_part else (),
            findings=checked,
            used=used,
        )
        if not candidates:
            return evidence
        evidence, sides = self._sides(evidence, candidates, rivals)
        evidence = counted(evidence, sides, self._counting)
        foreign = (one.id for one, _ in self.resolved.needs.wanted if is_general(one) and is_foreign(one.name))
        return taken(evidence, self.judged, foreign) if self.judged else evidence

    def changed_rows(self, asked: RowsAsked, evidence: Evidence) -> ChangedRows | None:
        """Return the rows that got worse and better, after the evidence; None where nothing was compared."""
        if self._compared is None:
            return None
        policy, labels = self.resolved.policy, self._known
        return changed_rows(self.counter, self.holdout, policy.task, labels, self._compared, asked, digest(evidence))

    def part(
        self,
        candidates: Sequence[ModelOutput],
        rivals: Rivals,
        folder: Path,
    ) -> Measured:
        """Return what a merge needs to know of this part; the rows that it counts go to files in ``folder``."""
        assert self.shard  # noqa: S101 -- callers made it for a part
        evidence = self.evidence(self.check() if self.first_part else ())
        evidence, sides = self._sides(evidence, candidates, rivals)
        adds = shards.adds_up(self.resolved)
        lanes, rows = content_lanes(self.counter, self.holdout, where=self.where)
        return Measured(
            shard=self.shard,
            evidence=counted(evidence, sides, self._counting) if adds else evidence,
            rows=rows,
            columns=tuple(columns_told(self.holdout)),
            lanes=lanes,
            kind=self.rows[0].kind,
            searched=tuple((one.columns[0], one.parts[0][1]) for one in self.searched_columns),
            edges=tuple(map(repr, self.label_edges)),
            sides=() if adds else shards.keep(sides, folder),
        )

    def _sides(
        self,
        evidence: Evidence,
        candidates: Sequence[ModelOutput],
        rivals: Rivals,
    ) -> tuple[Evidence, Pairings]:
        """Return the evidence with the models that it is about, and their predictions beside the rows."""
        first, *others = candidates
        files = [self.predictions(one.folder, f"candidate{place or ''}") for place, one in enumerate(candidates)]
        as_job = self.resolved.policy.train.job is not None
        jobs = [training_facts.launched(one.folder, as_job=as_job) for one in candidates]
        every = {name: getattr(rivals, name) for name in RIVALS}
        serving = {name: self._serving(model, name) for name, model in every.items()}
        self._know([*files, *(file for file, _ in serving.values() if file)])
        ours = self._placed(files[0], "candidate")
        beside = {name: self._beside_it(model, *serving[name], name) for name, model in every.items()}
        theirs = beside["champion"][0]
        self._compared = (ours, theirs) if theirs else None

        def side(name: str) -> Callable[[], ScoredRows] | None:
            return partial(self._joined, ours, beside[name][0]) if beside[name][0] else None

        def again(file: Path, name: str) -> ScoredRows:
            return self._joined(self._placed(file, name), theirs)

        return replace(
            evidence,
            classes=self._known.classes,
            candidate=MeasuredModel(
                digest=first.digest,
                version=None,
                unscored=None,
                facts=training_facts.read(first.folder),
                training=jobs[0],
            ),
            champion=beside["champion"][1],
            anchor=beside["anchor"][1],
            base=beside["base"][1],
            runs=tuple(
                TrainingRun(digest=one.digest, slices=(), training=job)
                for one, job in zip(others, jobs[1:], strict=True)
            ),
        ), Pairings(
            candidate=lambda: self._joined(ours, theirs),
            anchor=side("anchor"),
            base=side("base"),
            runs=tuple(partial(again, file, f"candidate{place}") for place, file in enumerate(files[1:], 1)),
        )

    @property
    def _counting(self) -> Counting:
        called = self.judged is None
        guest = GuestMetric(
            folder=self.work / "metrics",
            root=self.root,
            environ=self.environ,
            called=called,
            apart=self.elsewhere is not None,
        )
        return Counting(
            resolved=self.resolved,
            labels=self._known,
            columns=self.searched_columns,
            edges=self.label_edges,
            guest=guest,
        )

    def _placed(self, file: Path, name: str) -> Predicted:
        further, must = self.resolved.needs.columns, name not in RIVALS
        secret = self.resolved.policy.data.key in self.hidden.columns
        return place(
            self.counter,
            file,
            name,
            self.resolved.policy,
            self._known,
            further,
            must=must,
            where=self.where,
            secret=secret,
        )

    def _know(self, files: Sequence[Path]) -> None:
        """Return the labels' classes, and those that only the models' predictions have, by their columns of scores."""
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
        apart, places = self.told_apart, self.weight_places
        return join(self.counter, policy, parts, ours, theirs, told_apart=apart, places=places)

    def _serving(self, served: RegisteredModel | None, name: str) -> tuple[Path | None, str | None]:
        """Return its predictions on these very rows, the kept ones or its model's, or why there are none. Any other are
        not about these rows."""
        if served is None:
            return None, None
        try:
            return served.predictions(self.holdout_identity) or self._scored_again(served.folder(), name), None
        except GatesError as error:
            return None, _inside(error)

    def _beside_it(
        self, served: RegisteredModel | None, file: Path | None, why: str | None, name: str
    ) -> tuple[Predicted | None, MeasuredModel | None]:
        """Return its predictions joined with the rows, and what the evidence says about it."""
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
        """Return the predictions file of a model's folder; scores the holdout first where there is only a model."""
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
