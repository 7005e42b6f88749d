"""Open live rows and their labels, and take the rows of one window from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

from gates.contract.sql import literal, quoted
from gates.contract.text.timestamps import moment as moment_sql
from gates.errors import GatesError
from gates.measure.engines import Engine, connect
from gates.measure.engines.duckdb import is_file
from gates.measure.holdout.predictions import is_predicted
from gates.measure.holdout.tables import OpenTable, open_table
from gates.measure.live.window_times import MONDAY, WindowTime
from gates.policy import Policy, ResolvedPolicy
from gates.policy.live_policies import WINDOW
from gates.policy.monitor_section import Monitor
from gates.wording import plural

TIMED = "live with times"  # the view of live rows with microseconds since 1970 beside them
AT, BY = "gates_at", "gates_by"  # its further columns: when, and by which model
LIVE, SERVED = "live", "monitor.live"  # the rows of one window, and all rows
PREDICTIONS = "predictions.parquet"
MOMENTS = ("TIMESTAMP", "TIMESTAMP WITH TIME ZONE")  # types of columns that are moments, in microseconds


def micros_of(opened: OpenTable, name: str, role: str) -> str:
    """Write SQL of a column's moments, in microseconds since 1970; null where one can't be read.

    Raises ``GatesError`` where the column is missing, or holds no moments.
    """
    opened.require(name, role)
    column = opened.seen.get(name)
    if column is None or column.line != "timestamp":
        raise GatesError(
            f"{opened.path}: the column {name} holds {opened.told(name)}, not moments",
            where=role,
            hint="Write moments: 2026-11-30T12:00:00Z, or a timestamp of Parquet.",
        )
    sql, whole = moment_sql(column)
    if opened.columns[name] in MOMENTS:
        sql = column.sql  # is a moment already; making one of it takes longer than all that is counted
    return sql if whole else f"epoch_us({sql})"


def digest_sql(opened: OpenTable, name: str, role: str) -> str:
    """Write SQL of a column with the digests of models, which may lack ``sha256:``; empty where there is none."""
    opened.require(name, role)
    named = opened.seen[name].text
    return f"coalesce(CASE WHEN {named} LIKE 'sha256:%' THEN {named} ELSE 'sha256:' || {named} END, '')"


def timeless(opened: OpenTable, name: str, role: str, unread: int) -> GatesError:
    """Return the error of rows without a readable time."""
    what = f"{opened.path}: {plural(unread, 'row has', 'rows have')} no readable {quoted(name)}"
    return GatesError(what, where=role, hint="A row without a time belongs to no window: fix the log.")


@dataclass(kw_only=True)
class LiveTables:
    """The live rows and labels of a policy, open in an engine of their own.

    Raises ``GatesError`` where a file can't be read, a column that the section names is missing, a row has no readable
    time, or two labels of one key contradict each other.
    """

    resolved: ResolvedPolicy
    monitor: Monitor
    root: Path
    now: datetime
    threads: int | None = None

    @cached_property
    def engine(self) -> Engine:
        """The engine with both tables open."""
        return connect(self.now, self.threads, "duckdb")

    @property
    def policy(self) -> Policy:
        """The policy."""
        return self.resolved.policy

    @cached_property
    def live(self) -> OpenTable:
        """The live rows, each with its time and its model."""
        opened = self._open(SERVED, self.monitor.live)
        opened.require(self.monitor.key, "monitor.key")
        micros, model = micros_of(opened, self.monitor.time, "monitor.time"), "''"
        if self.monitor.model is not None:
            model = digest_sql(opened, self.monitor.model, "monitor.model")
        more = f"{micros} AS {AT}, {model} AS {BY}"
        self.engine.run(f"CREATE VIEW {quoted(TIMED)} AS SELECT *, {more} FROM {quoted(SERVED)}")
        ((unread,),) = self.engine.run(f"SELECT count(*) FROM {quoted(TIMED)} WHERE {AT} IS NULL")
        if unread:
            raise timeless(opened, self.monitor.time, "monitor.time", unread)
        return opened

    def _open(self, name: str, path: str) -> OpenTable:
        if not is_file(path):
            raise GatesError(f"{path} is not a file", where=name, hint="Name a file or a glob.")
        return open_table(self.engine, self.root, path, name)

    @cached_property
    def labels(self) -> OpenTable | None:
        """The labels by key; None where live rows have them, or nothing needs them."""
        if self.monitor.labels is None or self.policy.data.label is None:
            return None
        opened = self._open("monitor.labels", self.monitor.labels)
        key = opened.require(self.monitor.key, "monitor.key")
        label = opened.require(self.policy.data.label, "data.label")
        twice = f"SELECT {key} FROM {quoted('monitor.labels')} GROUP BY {key} HAVING count(DISTINCT {label}) > 1"
        ((wrong,),) = self.engine.run(f"SELECT count(*) FROM ({twice})")
        if wrong:
            raise GatesError(
                f"{opened.path}: {plural(wrong, 'key has', 'keys have')} labels that contradict each other",
                where="monitor.labels",
                hint="Keep one label a key.",
            )
        return opened

    def open(self) -> None:
        """Open both tables now: what is wrong with a whole table is no finding about one window."""
        _ = self.live, self.labels

    @property
    def first(self) -> int:
        """When the first live row was answered, in microseconds since 1970."""
        self.open()
        ((first,),) = self.engine.run(f"SELECT min({AT}) FROM {quoted(TIMED)}")
        return int(first)

    def answered(self, window: WindowTime) -> list[tuple[str, int]]:
        """Count the window's rows by the digest of the model that answered."""
        self.open()
        asked = f"SELECT {BY}, count(*) FROM {quoted(TIMED)} WHERE {self._inside(window)} GROUP BY 1 ORDER BY 1"
        return [(str(digest), int(rows)) for digest, rows in self.engine.run(asked)]

    def take(self, window: WindowTime, model: str) -> OpenTable:
        """Open the rows of one window that a model answered, as a view, with their label where they have one."""
        self.open()
        theirs = f"{BY} = {literal(model)}" if self.monitor.model is not None else "TRUE"
        source = f"SELECT * EXCLUDE ({AT}, {BY}) FROM {quoted(TIMED)} WHERE {self._inside(window)} AND {theirs}"
        columns = dict(self.live.columns)
        if self.labels is not None:
            source, columns = self._with_label(source, columns)
        self.engine.run(f"CREATE OR REPLACE VIEW {quoted(LIVE)} AS {source}")
        dated = {name: what for name, what in self.live.dated.items() if name in columns}
        return OpenTable(name=LIVE, path=self.monitor.live, columns=columns, dated=dated)

    def _with_label(self, source: str, columns: dict[str, str]) -> tuple[str, dict[str, str]]:
        assert self.labels is not None  # noqa: S101 -- the caller has looked
        assert self.policy.data.label is not None  # noqa: S101
        name = self.policy.data.label
        key, label = quoted(self.monitor.key), quoted(name)
        once = (
            f"SELECT {key} AS gates_key, any_value({label}) AS gates_label FROM {quoted('monitor.labels')} GROUP BY 1"
        )
        own = f"* EXCLUDE ({label})" if name in columns else "*"
        same = f"CAST(l.{key} AS VARCHAR) = CAST(t.gates_key AS VARCHAR)"
        joined = f"SELECT l.{own}, t.gates_label AS {label} FROM ({source}) l LEFT JOIN ({once}) t ON {same}"
        return joined, columns | {name: self.labels.columns[name]}

    def write(self, derived: ResolvedPolicy, folder: Path, table: OpenTable, *, labelled: bool) -> None:
        """Write the rows of a window as a holdout, and beside it what the model answered. Raises ``GatesError`` for a
        column that is missing."""
        data, needs = derived.policy.data, derived.needs
        roles = {"data.label": data.label, "data.unit": data.unit, "data.weight": data.weight, "data.query": data.query}
        wanted = {name: role for role, name in roles.items() if name is not None}
        wanted |= {column: "slices" for dimension in needs.dimensions for column in dimension.columns}
        for column, role in wanted.items():
            table.require(column, role)
        key = quoted(self.monitor.key)
        label = f" WHERE {quoted(data.label)} IS NOT NULL" if labelled and data.label else ""
        rows = f"FROM {quoted(table.name)}{label}"
        self.engine.write(f"SELECT {self._listed([self.monitor.key, *wanted])} {rows}", folder / WINDOW)
        calls = self._calls(table, needs.columns)
        self.engine.write(f"SELECT {key}{self._listed(calls, before=', ')} {rows}", folder / PREDICTIONS)

    def _calls(self, table: OpenTable, further: Sequence[str]) -> list[str]:
        """Return the columns of predictions that live rows have."""
        found = [one for one in table.columns if is_predicted(one, further)]
        for column in further:
            table.require(column, "of")
        return [one for one in found if one != self.monitor.key]

    @staticmethod
    def _listed(columns: Sequence[str], before: str = "") -> str:
        return before + ", ".join(map(quoted, dict.fromkeys(columns))) if columns else ""

    def labelled(self, table: OpenTable) -> int:
        """Count the rows of a window that have a label."""
        label = self.policy.data.label
        if label is None:
            return 0
        name = table.require(label, "data.label")
        ((rows,),) = self.engine.run(f"SELECT count({name}) FROM {quoted(table.name)}")
        return int(rows)

    def _inside(self, window: WindowTime) -> str:
        """Write SQL that holds of the rows of a window.

        Of what is a moment itself, a Parquet file says where it lies: only the window's part of the file is read.
        """
        kind = self.live.columns[self.monitor.time]
        if kind in MOMENTS:
            start, end = (
                f"CAST({literal(f'{one:%Y-%m-%d %H:%M:%S}+00')} AS {kind})" for one in (window.start, window.end)
            )
            return f"{quoted(self.monitor.time)} >= {start} AND {quoted(self.monitor.time)} < {end}"
        start_second = window.number * window.length + int(MONDAY.timestamp())
        return f"{AT} >= {start_second * 10**6} AND {AT} < {(start_second + window.length) * 10**6}"
