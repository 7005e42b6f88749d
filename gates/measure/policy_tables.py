"""Open the policy's tables in its engine, and make the rows that models are measured on."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from functools import cached_property
from pathlib import Path

from gates.contract.sql import literal, quoted
from gates.documents.evidence import Finding, Table
from gates.documents.live.drift_profile import DriftProfile
from gates.documents.record import TIME
from gates.documents.slices import Dimension
from gates.documents.snapshot import FILE as SNAPSHOT
from gates.documents.snapshot import Snapshot, SnapshotTable
from gates.errors import GatesError
from gates.measure import verbatim
from gates.measure.contract_check import findings
from gates.measure.engines import Engine, connect, unordered
from gates.measure.engines.duckdb import is_file
from gates.measure.engines.written_names import found
from gates.measure.holdout.apart import refuse_shared
from gates.measure.holdout.hidden import Hidden
from gates.measure.holdout.labels import Labels, read_labels
from gates.measure.holdout.predictions import is_predicted
from gates.measure.holdout.rows import Parts, make_rows, parts_of, told_apart, weight_places
from gates.measure.holdout.tables import OpenTable, content_digest, open_table, sequence_digest, table_of
from gates.measure.live import drift_bins
from gates.measure.shards import Shard
from gates.measure.worst_slices import edges_of, searched
from gates.policy import Policy, ResolvedPolicy
from gates.schema.validation import read_json
from gates.system import files as system_files

LABEL_BINS = 10  # of a regression, for its picture
WRITE_AGAIN = "retrain.snapshot writes it together with the tables: docs/retraining.md."


def _snapshot_path(root: Path, holdout: str) -> Path:
    """Return where the snapshot is: in the folder of the holdout; beside the policy, if it is in none, as a table of a
    warehouse."""
    folder = (root / holdout).parent
    return (folder if folder.is_dir() else root) / SNAPSHOT


def _snapshot(policy: Policy, path: Path) -> Snapshot | None:
    """Read the snapshot; None where the policy never trains again, or there is none and nothing is counted by it."""
    if policy.retrain is None or (policy.data.reuse is None and not path.exists()):
        return None
    return read_json(Snapshot, system_files.read(path, f"data.reuse is counted by it. {WRITE_AGAIN}"), str(path))


def _same_files(span: SnapshotTable | None, table: OpenTable, root: Path, where: str) -> None:
    """Check that the snapshot is about the files that were read. A table of a warehouse has none here."""
    if span is None:
        raise GatesError(f"says nothing of the table {table.name}", where=where, hint=WRITE_AGAIN)
    files = found(root, table.path)
    paths = {(file.relative_to(root) if file.is_relative_to(root) else file).as_posix(): file for file in files}
    if foreign := sorted(span.files.keys() ^ paths.keys()):
        raise GatesError(f"{foreign[0]} is not in both snapshot and {table.name} table", where=where, hint=WRITE_AGAIN)
    for name, file in paths.items():
        if span.files[name] != f"sha256:{system_files.sha256(file)}":
            raise GatesError(f"{name} was changed after the snapshot", where=where, hint=WRITE_AGAIN)


def _in_order(snapshot: Snapshot, where: str) -> None:
    """Check that each range ends after it begins, and the training before the holdout."""
    for name, span in (("train", snapshot.train), ("holdout", snapshot.holdout)):
        if span is not None and _moment(span.since, where) >= _moment(span.until, where):
            what = f"the time range of {name} runs backwards: from {span.since} to {span.until}"
            raise GatesError(what, where=where, hint=WRITE_AGAIN)
    train, holdout = snapshot.train, snapshot.holdout
    if train is not None and train.until > holdout.since:
        what = f"train ends at {train.until}, after the holdout begins at {holdout.since}"
        raise GatesError(what, where=where, hint="End the training table where the holdout begins, or before.")


def _moment(text: str, where: str) -> datetime:
    try:
        return datetime.strptime(text, TIME)
    except ValueError as error:
        raise GatesError(f"{text} is no time of the calendar", where=where) from error


class PolicyTables:
    """The policy's tables, open in its engine: the rows of the holdout, and what the contract's rules count in each.

    ``now`` is what freshness is held against, the clock's time if not given. ``shard``: the part of the holdout's rows
    that is looked at, if not all. Raises ``GatesError`` at the first table that can't be read.
    """

    def __init__(
        self, resolved: ResolvedPolicy, root: Path, now: datetime | None, threads: int | None, shard: Shard | None
    ) -> None:
        self.resolved = resolved
        self.root = root
        self.shard = shard
        data = resolved.policy.data
        self.engine = connect(now, threads, data.engine)
        named = [("train", data.train), ("holdout", data.holdout)]
        self.opened = {name: open_table(self.engine, root, path, name) for name, path in named if path}

    @property
    def holdout(self) -> OpenTable:
        """The holdout's table."""
        return self.opened["holdout"]

    def tables(self) -> tuple[Table, ...]:
        """Count and digest all tables. Where the policy trains again, each has the time range that the snapshot says.

        Raises ``GatesError`` where the snapshot is not about these tables, or the training ends after the holdout
        begins.
        """
        counted = tuple(table_of(self.engine, one) for one in self.opened.values())
        spans = self.spans()
        return tuple(
            replace(table, since=span.since, until=span.until) if (span := spans.get(table.name)) else table
            for table in counted
        )

    @property
    def snapshot(self) -> Path:
        """Where the snapshot lies, or would lie."""
        return _snapshot_path(self.root, self.resolved.policy.data.holdout)

    def spans(self) -> dict[str, SnapshotTable]:
        """Return the time range of each table by its name; of none where there is no snapshot.

        Raises ``GatesError`` where the snapshot is not about these tables, or the training ends after the holdout
        begins.
        """
        snapshot = _snapshot(self.resolved.policy, self.snapshot)
        if snapshot is None:
            return {}
        where = str(self.snapshot)
        named = {"train": snapshot.train, "holdout": snapshot.holdout}
        for table in self.opened.values():
            _same_files(named[table.name], table, self.root, where)
        _in_order(snapshot, where)
        return {name: span for name, span in named.items() if span is not None and name in self.opened}

    def files(self, name: str) -> list[Path]:
        """Return the files that a table is made of."""
        path = literal(str(self.root / self.opened[name].path))
        return [Path(row[0]) for row in self.engine.run(f"SELECT file FROM glob({path}) ORDER BY file")]

    @cached_property
    def counter(self) -> Engine:
        """What rows are counted in. Without a key they are distinguished by their order, which files have alone."""
        data = self.resolved.policy.data
        if data.key is None and not is_file(data.holdout):
            raise unordered()
        return self.engine if data.key else self.engine.embedded("holdout")

    @cached_property
    def holdout_identity(self) -> str:
        """Which rows predictions belong to: the multiset of rows where a key finds them, else their sequence."""
        if self.resolved.policy.data.key is None:
            return sequence_digest(self.engine, self.holdout)
        return content_digest(self.engine, self.holdout)[0]

    def check(self) -> tuple[Finding, ...]:
        """Return what the contract's rules count in every table. Raises ``GatesError`` where training and holdout are
        the same rows."""
        contract = self.resolved.contract
        if "train" in self.opened:
            refuse_shared(self.engine, self.opened["train"], self.holdout, self.resolved.policy, contract)
        self._require_watched()
        if contract is None:
            return ()
        tables = list(self.opened.values())
        return tuple(one for table in tables for one in findings(self.engine, table, contract, self._beside))

    def _require_watched(self) -> None:
        """Raise ``GatesError`` for a column that is watched for drift and that neither tables nor predictions can
        have."""
        monitor, needed = self.resolved.policy.monitor, self.resolved.needs.columns
        table = self.opened.get("train", self.holdout)
        for column in (column for rule in monitor.drifts for column in rule.columns) if monitor else ():
            if not is_predicted(column, needed) and column not in self.holdout.columns:
                table.require(column, "monitor.gates, drift")

    def profile(self, predictions: Path) -> DriftProfile:
        """Return how the columns that are watched for drift are distributed: in the training table, or where there is
        none the holdout, or in the predictions. Raises ``GatesError`` for one that none of them has."""
        monitor = self.resolved.policy.monitor
        asked = [(column, rule.drift) for rule in monitor.drifts for column in rule.columns] if monitor else []
        tables = [self.opened.get("train", self.holdout), self.holdout]
        engine = self.engine
        beside = open_table(engine, predictions.parent, predictions.name, "predictions")
        cell = self.resolved.contract.shown.min_cell if self.resolved.contract else 1
        return drift_bins.profile(engine, [*tables, beside], asked, cell)

    def _beside(self, name: str) -> OpenTable | None:
        """Return a second table for a rule that looks at one."""
        if name == "train":
            return self.opened.get("train")
        return open_table(self.engine, self.root, name, f"beside {name}")

    def unlabelled(self, folder: Path) -> Path:
        """Return the holdout without its label, in its own order and format, as a file in ``folder``."""
        path = self.resolved.policy.data.holdout
        return self.features(folder, "holdout", Path(path).suffix.lower() if is_file(path) else ".parquet")

    def asked_about(self, folder: Path, name: str = "features") -> Path:
        """Return the rows that a model is asked about: as Parquet, or of a CSV file as they are written there."""
        suffix = Path(self.resolved.policy.data.holdout).suffix.lower()
        return self.features(folder, name, suffix if suffix in verbatim.SUFFIXES else ".parquet")

    def features(self, folder: Path, name: str, suffix: str) -> Path:
        """Return the holdout without its label, in its own order, as a file of that format."""
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
    def hidden(self) -> Hidden:
        """The columns of which no value is shown."""
        return Hidden.of(self.resolved.contract)

    @cached_property
    def searched_columns(self) -> tuple[Dimension, ...]:
        """What a search for slices looks at."""
        return searched(self.counter, self.holdout, self.resolved)

    @cached_property
    def label_edges(self) -> tuple[float, ...]:
        """Where bins of a regression's labels begin: tenths of the holdout; none of labels that are sensitive."""
        label = self.resolved.policy.data.label
        if self.resolved.policy.task != "regression" or label is None or label in self.hidden.columns:
            return ()
        return edges_of(self.counter, self.holdout, self.holdout.seen[label].double, LABEL_BINS)

    @cached_property
    def rows(self) -> tuple[Labels, Parts]:
        """The labels and the slices' columns, with the table of rows made from them."""
        policy = self.resolved.policy
        labels = read_labels(self.counter, self.holdout, policy)
        parts = parts_of([*self.resolved.needs.dimensions, *self.searched_columns])
        values = make_rows(
            self.counter, self.holdout, policy, labels, parts, self.where,
            told_apart=self.told_apart, hidden=self.hidden, places=self.weight_places,
        )  # fmt: skip
        self.hidden.refuse_small(self.counter, self.resolved.needs.dimensions, values, quoted(self.holdout.name))
        return labels, parts

    @property
    def first_part(self) -> bool:
        """Whether this is the whole, or the part that looks at the whole tables."""
        return self.shard is None or self.shard.index == 1

    @property
    def where(self) -> str:
        """SQL that holds of the rows that are measured."""
        key = self.resolved.policy.data.key
        return self.shard.where(key) if self.shard and key else "TRUE"

    @cached_property
    def weight_places(self) -> int:
        """How many binary places a weight is kept to."""
        return weight_places(self.counter, self.holdout, self.resolved.policy.data.weight)

    @property
    def told_apart(self) -> bool:
        """Whether anything needs units, or buckets of rows."""
        return told_apart(self.resolved.policy, self.resolved.needs)
