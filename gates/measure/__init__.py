"""Rows -> evidence. The only place where rows are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

from gates.contract.columns import literal, quoted
from gates.errors import Exit, GatesError
from gates.evidence import SCHEMA, Evidence, Finding, Model, Slice, Table
from gates.measure import facts
from gates.measure.contract import findings
from gates.measure.counts import Parts, count
from gates.measure.labels import Labels, make_rows, parts_of, read_labels
from gates.measure.predictions import Predicted, place
from gates.measure.scoring import Asked, scored
from gates.measure.tables import Opened, connect, content_digest, open_table, run, suffix_of, table_of
from gates.policy import Bound


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """Where a model's output lies: its folder, which is digested, with ``model/`` or ``predictions.*`` in it."""

    digest: str
    folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """The champion. ``predictions(holdout)`` gives its kept predictions on a holdout of that identity, if any;
    ``folder()`` fetches its files."""

    version: str
    digest: str
    predictions: Callable[[str], Path | None]
    folder: Callable[[], Path]


class Bench:
    """One engine with the policy's tables open, to check data and measure models on.

    ``work`` is the folder for what is made on the way (``.gates``), ``environ`` what a model that is scored gets to
    see, less its credentials; ``now`` is what freshness is held against, the clock's time if not given.
    ``elsewhere(name)`` gives the scores that a model gave on another machine; with it no model is loaded here.
    Raises ``GatesError`` at the first table that can't be read.
    """

    def __init__(
        self,
        bound: Bound,
        root: Path,
        work: Path,
        *,
        environ: Mapping[str, str] | None = None,
        now: datetime | None = None,
        threads: int | None = None,
        elsewhere: Callable[[str], Path] | None = None,
    ) -> None:
        self.bound = bound
        self.root = root
        self.work = work
        self.environ = environ or {}
        self.elsewhere = elsewhere
        self.connection = connect(now, threads)
        data = bound.policy.data
        named = [("train", data.train), ("holdout", data.holdout)]
        self.opened = {name: open_table(self.connection, root, path, name) for name, path in named if path}

    def check(self) -> tuple[Finding, ...]:
        """What the contract's rules count in every table."""
        contract = self.bound.contract
        if contract is None:
            return ()
        tables = list(self.opened.values())
        return tuple(one for table in tables for one in findings(self.connection, table, contract, self._beside))

    def _beside(self, name: str) -> Opened | None:
        """A second table for a rule that looks at one."""
        if name == "train":
            return self.opened.get("train")
        return open_table(self.connection, self.root, name, f"beside {name}")

    def unlabelled(self, folder: Path) -> Path:
        """The holdout without its label, in its own order and format, as a file in ``folder``."""
        return self.features(folder / f"holdout{suffix_of(self.bound.policy.data.holdout)}")

    def features(self, target: Path) -> Path:
        """The holdout without its label, in its own order, in the format that the file's name says."""
        data = self.bound.policy.data
        self.holdout.require(data.label, "data.label")
        options = " (FORMAT csv, HEADER, DELIMITER '\t')" if target.suffix == ".tsv" else ""
        rest = f"SELECT * EXCLUDE ({quoted(data.label)}) FROM {quoted('holdout')}"
        run(self.connection, f"COPY ({rest}) TO {literal(str(target))}{options}")
        return target

    @property
    def asked(self) -> Asked:
        """What a model is asked about the holdout's rows."""
        policy = self.bound.policy
        return Asked(labels=self.rows[0], key=policy.data.key, seconds=policy.train.seconds)

    def evidence(
        self, checked: tuple[Finding, ...], candidate: Files | None = None, served: Served | None = None
    ) -> Evidence:
        """Everything that the policy's gates need, counted. Without a candidate: the data's part alone."""
        tables = tuple(table_of(self.connection, one) for one in self.opened.values())
        if candidate is None:
            return self._evidence(tables, checked, (), None, None, ())
        labels = self.rows[0]
        ours = self._placed(self.predictions(candidate.folder, "candidate"), "candidate")
        theirs, champion = self._champion(served)
        model = Model(digest=candidate.digest, version=None, unscored=None, facts=facts.read(candidate.folder))
        return self._evidence(tables, checked, labels.classes, model, champion, self._counted(ours, theirs))

    @cached_property
    def rows(self) -> tuple[Labels, Parts]:
        """The labels and the slices' columns, with the table of rows made from them."""
        policy, needs = self.bound.policy, self.bound.needs
        labels = read_labels(self.connection, self.holdout, policy.data)
        parts = parts_of(sorted(needs.cells | needs.ranks, key=lambda one: one.id))
        make_rows(self.connection, self.holdout, policy, labels, parts)
        return labels, parts

    def recounted(self, predictions: Path) -> tuple[Slice, ...]:
        """The slices as they would be counted from a candidate's predictions file, without a champion."""
        return self._counted(self._placed(predictions, "candidate"), None)

    def _placed(self, file: Path, name: str) -> Predicted:
        return place(self.connection, file, name, self.bound.policy, self.rows[0])

    def _counted(self, ours: Predicted, theirs: Predicted | None) -> tuple[Slice, ...]:
        return count(self.connection, self.bound.needs, self.rows[1], ours, theirs)

    def _evidence(
        self,
        tables: tuple[Table, ...],
        checked: tuple[Finding, ...],
        classes: tuple[str, ...],
        candidate: Model | None,
        champion: Model | None,
        slices: tuple[Slice, ...],
    ) -> Evidence:
        return Evidence(
            schema=SCHEMA,
            model=self.bound.policy.model,
            measured=self.bound.measured,
            classes=classes,
            tables=tables,
            findings=checked,
            candidate=candidate,
            champion=champion,
            slices=slices,
        )

    def files(self, name: str) -> list[Path]:
        """The files that a table is made of."""
        path = literal(str(self.root / self.opened[name].path))
        return [Path(row[0]) for row in run(self.connection, f"SELECT file FROM glob({path}) ORDER BY file")]

    @property
    def holdout(self) -> Opened:
        """The holdout's table."""
        return self.opened["holdout"]

    @property
    def holdout_identity(self) -> str:
        """Which rows predictions belong to: the multiset of rows where a key finds them, else their sequence."""
        return content_digest(self.connection, self.holdout, ordered=self.bound.policy.data.key is None)[0]

    def _champion(self, served: Served | None) -> tuple[Predicted | None, Model | None]:
        """Its predictions on these very rows: the kept ones, or its model's. Any other are not about these rows."""
        if served is None:
            return None, None
        why: str | None = None
        predicted: Predicted | None = None
        try:
            kept = served.predictions(self.holdout_identity)
            predicted = self._placed(kept or self._scored_champion(served.folder()), "champion")
        except GatesError as error:
            if error.exit_code is Exit.OUTSIDE:
                raise
            why = error.what
        return predicted, Model(digest=served.digest, version=served.version, unscored=why)

    def _scored_champion(self, folder: Path) -> Path:
        if not (folder / "model").is_dir():
            raise GatesError("it came as predictions on another holdout, and there is no model to score this one")
        return self._scored(folder / "model", "champion")

    def predictions(self, folder: Path, name: str) -> Path:
        """The predictions file of a model's folder; scores the holdout first where there is only a model."""
        found = [path for path in (folder / "predictions.parquet", folder / "predictions.csv") if path.is_file()]
        model = folder / "model"
        if len(found) + model.is_dir() > 1:
            names = ", ".join([path.name for path in found] + (["model/"] if model.is_dir() else []))
            raise GatesError(f"{names} stand side by side: which one is judged?", where=str(folder), mend="Keep one.")
        if found:
            return found[0]
        if not model.is_dir():
            raise GatesError(
                "the training wrote neither model/ nor predictions.parquet nor predictions.csv",
                where=str(folder),
                mend="Write an MLflow model folder to $GATES_OUT/model, or predictions to $GATES_OUT.",
            )
        return self._scored(model, name)

    def _scored(self, model: Path, name: str) -> Path:
        """Let the model score the rows, and put the key beside what it gives."""
        if self.elsewhere is not None:
            return self.elsewhere(name)
        folder = self.work / "scored"
        folder.mkdir(parents=True, exist_ok=True)
        features = self.features(folder / f"{name}-features.parquet")
        try:
            return scored(model, features, folder / f"{name}.parquet", self.asked, self.environ)
        finally:
            features.unlink()
