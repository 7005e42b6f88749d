"""Open an experiment's log, and find each unit: its first exposure, its arm, and the outcomes of its window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path

from gates.contract.sql import Column, literal, quoted
from gates.errors import GatesError
from gates.measure.engines.duckdb import DuckDB, is_file
from gates.measure.holdout.tables import OpenTable, open_table
from gates.measure.live.live_tables import digest_sql, micros_of, timeless
from gates.measure.live.window_times import MONDAY, moment
from gates.metrics.expressions import double
from gates.policy.experiment_section import DAY, WEEK, Experiment, ExperimentGate
from gates.wording import plural

MICROS = 10**6
HASHED = 13  # hexadecimal digits of a hash that decide the arm: as many as a double holds exactly
SCALE, MOST = 60, 42  # sums of doubles are of 2**-60, of values below 2**42
EXPOSURES, OUTCOMES = "experiment exposures", "experiment outcomes"
UNITS, VALUES = "gates_units", "gates_values"  # a row a unit; the sums of each closed unit that has an outcome
ROWS = "outcomes"  # how many there are of a unit
NAMED = 20  # arms that the experiment does not have, of a log that may name anything
MEMORY = (640, 1024, None)  # MB a thread, each tried before the next; None: most of the machine's
SORTED = 20_000_000  # hashes at a time, of 8 bytes
NONE = 2  # the arm of a model that the experiment does not have


def threshold(share: float) -> str:
    """Return the hexadecimal digits below which the hash of a unit is in the first arm, whose share that is."""
    return f"{-int(-share * 16**HASHED // 1):0{HASHED}x}"


def first_arm_sql(salt: str, unit: str, share: float) -> str:
    """Write SQL that holds of units of the first arm. ``unit``: SQL of its text."""
    return f"(sha256({literal(f'{salt}:')} || {unit}) < {literal(threshold(share))})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """Of which experiment the log is: when it began, its salt, and the digests of champion and challenger."""

    started: str
    salt: str
    champion: str
    challenger: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SummedColumn:
    """A column of outcomes whose values are summed up. ``gaps``: it lacks values; ``odd``: it has some that can't be
    summed."""

    column: Column
    gaps: bool
    odd: bool


@dataclass(kw_only=True)
class ExperimentTables:
    """Exposures and outcomes, open in an engine of their own, up to a time.

    Raises ``GatesError`` where a file can't be read, a column is missing, or a row has no unit or no readable time.
    """

    experiment: Experiment
    root: Path
    until: datetime
    threads: int | None = None

    @cached_property
    def engine(self) -> DuckDB:
        """The engine with both tables open."""
        return DuckDB(self.until, self.threads, MEMORY)

    @cached_property
    def exposures(self) -> OpenTable:
        """Who was shown which arm."""
        opened = self._open(EXPOSURES, self.experiment.exposures, "experiment.exposures")
        opened.require(self.experiment.arm, "experiment.arm")
        return opened

    @cached_property
    def outcomes(self) -> OpenTable:
        """What came of it."""
        opened = self._open(OUTCOMES, self.experiment.outcomes, "experiment.outcomes")
        for gate in self.experiment.gates:
            for name in self.columns_of(gate):
                self.number(opened, name)
        return opened

    def _open(self, name: str, path: str, role: str) -> OpenTable:
        if not is_file(path):
            raise GatesError(f"{path} is not a file", where=role, hint="Name a file or a glob.")
        opened = open_table(self.engine, self.root, path, name)
        unit = opened.require(self.experiment.unit, "experiment.unit")
        column = opened.seen.get(self.experiment.unit)
        if column is None or not (column.category == "integer" or (column.category == "string" and not column.dated)):
            what = f"{path}: the column {self.experiment.unit} holds {opened.told(self.experiment.unit)}"
            hint = "A unit is a whole number or text, so that its hash is the same everywhere."
            raise GatesError(what, where="experiment.unit", hint=hint)
        micros = micros_of(opened, self.experiment.time, "experiment.time")
        asked = f"SELECT count(*) - count({unit}), count(*) - count({micros}) FROM {quoted(name)}"
        ((nobody, unread),) = self.engine.run(asked)
        if nobody:
            what = f"{path}: {plural(nobody, 'row has', 'rows have')} no {self.experiment.unit}"
            raise GatesError(what, where="experiment.unit", hint="A row without a unit is in no arm: fix the log.")
        if unread:
            raise timeless(opened, self.experiment.time, "experiment.time", unread)
        return opened

    def columns_of(self, gate: ExperimentGate) -> tuple[str, ...]:
        """Return the columns of outcomes that a gate looks at: units are counted without one."""
        return tuple(name for name in (gate.of, gate.per) if name is not None and not self.is_per_unit(gate, name))

    def is_per_unit(self, gate: ExperimentGate, name: str | None) -> bool:
        """Tell whether a gate's denominator is the units themselves."""
        return name == gate.per == self.experiment.unit

    def number(self, opened: OpenTable, name: str) -> Column:
        """Return a column of numbers, or of true and false. Raises ``GatesError`` where it is none."""
        opened.require(name, "experiment.gates")
        column = opened.seen.get(name)
        if column is None or not (column.is_number or column.category == "boolean"):
            what = f"{opened.path}: the column {name} holds {opened.told(name)}, not numbers"
            raise GatesError(what, where="experiment.gates")
        return column

    @cached_property
    def summed(self) -> Mapping[str, SummedColumn]:
        """The columns of outcomes that gates look at, by name."""
        opened = self.outcomes
        names = list(dict.fromkeys(name for gate in self.experiment.gates for name in self.columns_of(gate)))
        if not names:
            return {}
        columns = [self.number(opened, name) for name in names]
        asked = ", ".join(f"count(*) - count({column.sql}), count_if({unsummable(column)})" for column in columns)
        ((*counts,),) = self.engine.run(f"SELECT {asked} FROM {quoted(OUTCOMES)}")
        return {
            name: SummedColumn(
                column=replace(column, name=f"o{at}"), gaps=bool(counts[2 * at]), odd=bool(counts[2 * at + 1])
            )
            for at, (name, column) in enumerate(zip(names, columns, strict=True))
        }

    def unit_text(self, opened: OpenTable) -> str:
        """Write SQL of a unit as text: what is hashed."""
        return opened.seen[self.experiment.unit].text

    @cached_property
    def _until_look(self) -> tuple[int, int | None]:
        """How many outcomes there are up to the look, and the time of the last one in microseconds since 1970."""
        asked = f"SELECT count(*), max({self._seen_at}) FROM {quoted(OUTCOMES)}"
        ((rows, last),) = self.engine.run(f"{asked} WHERE {self._seen_at} < {micros(self.until)}")
        return rows, last

    @property
    def reach(self) -> int | None:
        """Until when the outcomes reach, in microseconds since 1970, of those up to the look; None: there are none."""
        _, last = self._until_look
        return None if last is None else min(last + 1, micros(self.until))

    def find_units(self, trial: Trial) -> None:
        """Make a table of the units that were exposed since the start: first exposure, arm, whether in both arms, and
        whether in another arm than their hash says."""
        opened, start = self.exposures, micros(moment(trial.started))
        at = micros_of(opened, self.experiment.time, "experiment.time")
        by = digest_sql(opened, self.experiment.arm, "experiment.arm")
        arm = f"CASE {by} WHEN {literal(trial.champion)} THEN 0 WHEN {literal(trial.challenger)} THEN 1 ELSE {NONE} END"
        unit = quoted(self.experiment.unit)
        rows = f"SELECT {unit} AS unit, {at} AS seen_at, CAST({arm} AS TINYINT) AS arm FROM {quoted(EXPOSURES)}"
        rows += f" WHERE {at} >= {start} AND {at} < {micros(self.until)}"
        each = "min(seen_at) AS first, min(arm) AS arm, min(arm) <> max(arm) AS crossed"
        units = f"SELECT unit, {each} FROM ({rows}) GROUP BY 1"
        first = first_arm_sql(trial.salt, "CAST(unit AS VARCHAR)", self.experiment.shares[0])
        other = f"arm <> CASE WHEN {first} THEN 0 ELSE 1 END"
        week = f"CAST((first - {start}) // {WEEK * DAY * MICROS} AS INTEGER)"
        made = f"SELECT *, NOT crossed AND {other} AS other, {week} AS week FROM ({units})"
        self.engine.run(f"CREATE OR REPLACE TEMP TABLE {UNITS} AS {made}")

    def invented(self, trial: Trial) -> list[tuple[str, int]]:
        """Count the units of arms that the log has and the experiment does not: the largest of them."""
        opened, start = self.exposures, micros(moment(trial.started))
        at = micros_of(opened, self.experiment.time, "experiment.time")
        by = digest_sql(opened, self.experiment.arm, "experiment.arm")
        known = f"{by} NOT IN ({literal(trial.champion)}, {literal(trial.challenger)})"
        inside = f"{at} >= {start} AND {at} < {micros(self.until)}"
        counted = f"SELECT {by}, count(DISTINCT {quoted(self.experiment.unit)}) FROM {quoted(EXPOSURES)}"
        rows = self.engine.run(f"{counted} WHERE {inside} AND {known} GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {NAMED}")
        return [(str(named), int(units)) for named, units in rows]

    def other_by(self, salt: str) -> int:
        """Count the units that are in another arm than a salt says."""
        first = first_arm_sql(salt, "CAST(unit AS VARCHAR)", self.experiment.shares[0])
        asked = f"SELECT count_if(arm <> CASE WHEN {first} THEN 0 ELSE 1 END) FROM {UNITS} WHERE NOT crossed"
        ((units,),) = self.engine.run(asked)
        return int(units)

    def find_values(self, columns: Sequence[tuple[str, str]]) -> None:
        """Make a table of closed units with what ``columns`` sum up of their outcomes: SQL of a row, and its name.

        Sums of whole numbers, and of doubles as such, so no order of rows changes them.
        """
        sums = "".join(f", sum(CASE WHEN seen_at >= first THEN {sql} END) AS {name}" for sql, name in columns)
        before = "bool_or(seen_at < first) AS just_before"
        after = f"bool_or(seen_at >= first AND seen_at < first + {DAY * MICROS}) AS just_after"
        counts = f"count_if(seen_at >= first) AS {ROWS}"
        joined = self._of_closed_units(self._summed_sql, DAY)
        made = f"SELECT unit, arm, week, {counts}, {before}, {after}{sums} FROM ({joined}) GROUP BY unit, arm, week"
        self.engine.run(f"CREATE OR REPLACE TEMP TABLE {VALUES} AS {made}")

    def find_spread(self, name: str, table: str) -> None:
        """Make a table of how often each value of a column occurs among the outcomes of closed units, by arm and week.

        Zero has one sign.
        """
        column = self.summed[name].column
        rows = f"SELECT arm, week, {column.double} + 0.0 AS value FROM ({self._of_closed_units(self._summed_sql, 0)})"
        made = f"SELECT arm, week, value, count(*) AS rows FROM ({rows}) WHERE value IS NOT NULL GROUP BY 1, 2, 3"
        self.engine.run(f"CREATE OR REPLACE TEMP TABLE {table} AS {made}")

    @property
    def _summed_sql(self) -> str:
        """SQL of the columns that gates look at, under names that no other column has."""
        return "".join(f", {quoted(name)} AS {quoted(one.column.name)}" for name, one in self.summed.items())

    def _of_closed_units(self, selected: str, sooner: int) -> str:
        """Write SQL of the outcomes in each closed unit's window, and in the seconds before it, which are ``sooner``.

        ``selected``: SQL of what is taken of a row of outcomes, after a comma.
        """
        rows = f"SELECT {self._joinable(self.outcomes)} AS key, {self._seen_at} AS seen_at{selected} "
        rows += f"FROM {quoted(OUTCOMES)} WHERE {self._seen_at} < {micros(self.until)}"
        closed = f"SELECT unit, {self._key_of_unit()} AS key, first, arm, week FROM {UNITS} WHERE {self.closed}"
        span = self.experiment.span * MICROS
        near = f"o.seen_at >= u.first - {sooner * MICROS} AND o.seen_at < u.first + {span}"
        return f"SELECT u.*, o.* EXCLUDE (key) FROM ({rows}) o JOIN ({closed}) u ON o.key = u.key WHERE {near}"

    def duplicates(self) -> int:
        """Count the rows of outcomes within a closed unit's window that repeat another one in every column.

        Rows of one unit at one time are looked for first: most logs have none, and this reads two columns alone.
        """
        if not self._simultaneous():
            return 0
        whole = ", ".join(quoted(name) for name in self.outcomes.columns)
        inside = self._of_closed_units(f", hash({whole}) AS content", 0)
        ((repeated,),) = self.engine.run(f"SELECT count(*) - count(DISTINCT content) FROM ({inside})")
        return int(repeated)

    def _simultaneous(self) -> bool:
        """Tell whether two outcomes may be of one unit at one time. Hashes are sorted, as many as memory holds at once:
        that is three times as fast as to count distinct ones."""
        import numpy as np

        alike = f"hash({self._joinable(self.outcomes)}, {self._seen_at})"
        rows = f"SELECT {alike} AS alike FROM {quoted(OUTCOMES)} WHERE {self._seen_at} < {micros(self.until)}"
        rounds = 1 + self._until_look[0] // SORTED
        for this in range(rounds):
            turn = f" WHERE alike % {rounds} = {this}" if rounds > 1 else ""
            hashes = np.sort(self.engine.hashes(f"SELECT alike FROM ({rows}){turn}"))
            if (hashes[1:] == hashes[:-1]).any():
                return True
        return False

    @cached_property
    def _seen_at(self) -> str:
        """SQL of the time of an outcome, in microseconds since 1970."""
        return micros_of(self.outcomes, self.experiment.time, "experiment.time")

    @property
    def closed(self) -> str:
        """SQL that holds of units of an arm whose window is over."""
        reach = self.reach
        over = "FALSE" if reach is None else f"first + {self.experiment.span * MICROS} <= {reach}"
        return f"arm < {NONE} AND NOT crossed AND NOT other AND {over}"

    def _alike(self) -> bool:
        """Whether both tables hold units in one type: joined as they are, they need no text."""
        kinds = {opened.seen[self.experiment.unit].is_number for opened in (self.exposures, self.outcomes)}
        return len(kinds) == 1

    def _joinable(self, opened: OpenTable) -> str:
        return quoted(self.experiment.unit) if self._alike() else self.unit_text(opened)

    def _key_of_unit(self) -> str:
        return "unit" if self._alike() else "CAST(unit AS VARCHAR)"


def unsummable(column: Column) -> str:
    """Write SQL that holds of a double that is no finite number, or too large to be summed."""
    if column.category != "number":
        return "FALSE"
    return f"NOT abs({column.double}) < {double(2.0**MOST)}"


def micros(time: datetime) -> int:
    """Return a moment in microseconds since 1970."""
    return (time - MONDAY) // timedelta(microseconds=1) + int(MONDAY.timestamp()) * MICROS
