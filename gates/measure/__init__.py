"""Rows -> evidence. The only place where rows are read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from gates.contract.columns import literal, quoted
from gates.errors import GatesError
from gates.evidence import SCHEMA, Evidence, Finding, Model, Slice, Table
from gates.measure.contract import findings
from gates.measure.counts import count
from gates.measure.labels import Labels, make_rows, parts_of, read_labels
from gates.measure.predictions import Predicted, place
from gates.measure.scoring import score
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

    ``work`` is the folder for what is made on the way (``.gates``); ``now`` is what freshness is held against, the
    clock's time if not given. Raises ``GatesError`` at the first
    table that can't be read.
    """

    def __init__(
        self, bound: Bound, root: Path, work: Path, *, now: datetime | None = None, threads: int | None = None
    ) -> None:
        self.bound = bound
        self.root = root
        self.work = work
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

    def unlabelled(self) -> Path:
        """The holdout without its label, in its own order and format, for training and scoring."""
        data = self.bound.policy.data
        self.holdout.require(data.label, "data.label")
        target = self.work / f"holdout{suffix_of(data.holdout)}"
        run(
            self.connection,
            f"COPY (SELECT * EXCLUDE ({quoted(data.label)}) FROM {quoted('holdout')}) TO {literal(str(target))}",
        )
        return target

    def evidence(
        self, checked: tuple[Finding, ...], candidate: Files | None = None, served: Served | None = None
    ) -> Evidence:
        """Everything that the policy's gates need, counted. Without a candidate: the data's part alone."""
        tables = tuple(table_of(self.connection, one) for one in self.opened.values())
        if candidate is None:
            return self._evidence(tables, checked, (), None, None, ())
        policy, needs = self.bound.policy, self.bound.needs
        labels = read_labels(self.connection, self.holdout, policy.data)
        parts = parts_of(sorted(needs.cells | needs.ranks, key=lambda one: one.id))
        make_rows(self.connection, self.holdout, policy.data, labels, parts)
        ours = place(self.connection, self.predictions(candidate.folder, labels), "candidate", policy, labels)
        theirs, champion = self._champion(served, labels)
        slices = count(self.connection, needs, parts, ours, theirs)
        model = Model(digest=candidate.digest, version=None, unscored=None)
        return self._evidence(tables, checked, labels.classes, model, champion, slices)

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

    @property
    def holdout(self) -> Opened:
        """The holdout's table."""
        return self.opened["holdout"]

    @property
    def holdout_identity(self) -> str:
        """Which rows predictions belong to: the multiset of rows where a key finds them, else their sequence."""
        return content_digest(self.connection, self.holdout, ordered=self.bound.policy.data.key is None)[0]

    def _champion(self, served: Served | None, labels: Labels) -> tuple[Predicted | None, Model | None]:
        if served is None:
            return None, None
        why: str | None = None
        predicted: Predicted | None = None
        try:
            kept = served.predictions(self.holdout_identity) or self.predictions(served.folder(), labels)
            predicted = place(self.connection, kept, "champion", self.bound.policy, labels)
        except GatesError as error:
            why = error.what
        return predicted, Model(digest=served.digest, version=served.version, unscored=why)

    def predictions(self, folder: Path, labels: Labels) -> Path:
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
        return self._scored(model, labels)

    def _scored(self, model: Path, labels: Labels) -> Path:
        policy = self.bound.policy
        holdout: Any = self.connection.table("holdout").df()
        features = holdout.drop(columns=[policy.data.label])
        frame = score(model, features, labels)
        if len(frame) != len(features):
            raise GatesError(f"the model returned {len(frame):,} values for {len(features):,} rows", where=str(model))
        if policy.data.key:
            frame.insert(0, policy.data.key, holdout[policy.data.key].to_numpy())
        target = self.work / "scored" / f"{model.parent.name}.parquet"
        target.parent.mkdir(parents=True, exist_ok=True)
        frame.to_parquet(target, index=False)
        return target
