"""The table rule that compares a table's newest row with the time of measuring. See ``table_rules``."""

from __future__ import annotations

from dataclasses import dataclass

from gates.contract.rules.contract_rule import SEVERITY, ContractRule, Known, Severity
from gates.contract.rules.row_rules import counted
from gates.contract.sql import Columns, quoted
from gates.contract.text.timestamps import moment
from gates.documents.decision import Code
from gates.documents.evidence import Finding
from gates.errors import GatesError
from gates.schema.fields import declare

SECONDS = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}
NOW = "gates_now()"  # the time of measuring, which the engine is told
FURTHEST = 14 * 3600  # seconds that the clocks of a zone may be ahead of UTC
RECENT, OLD, AHEAD, UNREAD = "recent", "old", "ahead", "unread"  # what a row says of a table's freshness


@dataclass(frozen=True, slots=True, kw_only=True)
class Fresh:
    """How old the newest row may be when it is measured.

    Text is read as a day, `2026-02-28`, or as a day and a time, `2026-02-28T12:00:00Z`: as in RFC 3339, with `T`, `t`
    or a space, `Z` or `z`; as in ISO 8601, without seconds, with a comma, and with a zone of `+09:00`, `+0900` or
    `+09`. Digits beyond the microsecond are cut off. Without a zone it is UTC. A row more than 14 hours ahead of
    now, as no zone is, can't show that a table is fresh: it is reported, and not counted.

    A broken rule has the code `too_old`; `in_future` if all times are in the future; `unreadable` if none can be
    read.
    """

    EXAMPLE = "fresh: updated_at\nwithin: 36h"
    fresh: str = declare("A column of dates or timestamps, or of text that contains them.")
    within: str = declare("A time such as 30m, 36h, 7d or 2w.", pattern="^[1-9][0-9]{0,5}[mhdw]$")
    severity: Severity = declare(SEVERITY, default="error")

    def rule(self, known: Known, /) -> ContractRule:
        """Count rows that are fresh, old, or ahead of time, and those without a readable time."""
        return ContractRule(
            id=f"fresh({self.fresh})",
            asks=f"the newest of {self.fresh} within {self.within}",
            derive=lambda columns: {self._at: self._read(columns)[0]},
            count=lambda columns: counted(self._is(columns, UNREAD, quoted(self._at))),
            split=lambda columns: {
                state: counted(self._is(columns, state, quoted(self._at))) for state in (RECENT, OLD, AHEAD)
            },
            judge=self._judge,
            example=None
            if self.fresh in known.hidden
            else lambda columns: (columns[self.fresh], self._is(columns, UNREAD, self._read(columns)[0])),
            severity=self.severity,
            columns=(self.fresh,),
            clock=True,
        )

    @property
    def _at(self) -> str:
        """The moments, read once for all counts."""
        return f"gates fresh {self.fresh}"

    def _read(self, columns: Columns) -> tuple[str, bool]:
        column = columns[self.fresh]
        if column.category not in ("date", "timestamp", "string"):
            raise GatesError(f"contract, fresh({self.fresh}): it holds {column.words}, not dates or text")
        return moment(column)

    def _is(self, columns: Columns, state: str, at: str) -> str:
        """Write SQL that holds for the rows in one of the states, ``at`` being their moments; a missing value is in
        none."""
        _, in_micros = self._read(columns)
        seconds = int(self.within[:-1]) * SECONDS[self.within[-1]]
        oldest, newest = (_from_now(shift, in_micros=in_micros) for shift in (-seconds, FURTHEST))
        states = {
            UNREAD: f"{quoted(self.fresh)} IS NOT NULL AND ({at}) IS NULL",
            RECENT: f"{at} >= {oldest} AND {at} <= {newest}",
            OLD: f"{at} < {oldest}",
            AHEAD: f"{at} > {newest}",
        }
        return f"coalesce({states[state]}, FALSE)"

    def _judge(self, finding: Finding) -> tuple[Code, str]:
        """Return a row that can be read decides; of all others only the number is reported."""
        held = {part.label: part.here for part in finding.parts}
        recent, old, ahead = (held.get(state, 0) for state in (RECENT, OLD, AHEAD))
        notes = ""
        if finding.count:
            examples = f", such as {', '.join(finding.examples)}" if finding.examples else ""
            notes += f"; {_rows(finding.count)} can't be read as a time{examples}"
        if ahead:
            notes += f"; {_rows(ahead)} more than {FURTHEST // 3600} hours in the future, not counted"
        asks, whole = f"the newest of {self.fresh} within {self.within}", _rows(finding.rows)
        if recent:
            return Code.WITHIN_BAR, f"{asks}: {recent:,} of {whole} are{notes}"
        if old:
            return Code.TOO_OLD, f"{asks}: every readable time is older ({_rows(old)}){notes}"
        if ahead:
            return Code.IN_FUTURE, f"{asks}: it can't be determined: no row is in the past{notes}"
        return Code.UNREADABLE, f"{asks}: it can't be determined: none of {whole} has a readable time{notes}"


def _from_now(seconds: int, *, in_micros: bool) -> str:
    sign = "+" if seconds > 0 else "-"
    if in_micros:
        return f"epoch_us({NOW}) {sign} {abs(seconds) * 1_000_000}"
    return f"{NOW} {sign} INTERVAL {abs(seconds)} SECOND"


def _rows(number: int) -> str:
    return f"{number:,} {'row' if number == 1 else 'rows'}"
