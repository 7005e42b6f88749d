"""Turn moments in text (ISO 8601 as people write it) into SQL that every engine reads alike."""

from __future__ import annotations

from gates.contract.sql import Column, matches

_CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9](:([0-5][0-9]|60)([.,][0-9]+)?)?"
_ZONE = r"([Zz]|[+-]([01][0-9]|2[0-3])(:?[0-5][0-9])?)"
_READABLE = rf"\A[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}([Tt ]{_CLOCK}{_ZONE}?)?\z"
MICROSECOND = 15  # characters of a time of day up to it
SECOND = 8


def micros(text: str) -> str:
    """Return the SQL of the microseconds since 1970 of a day, alone or with a time, in UTC where no zone is named.

    It is null for anything else. Engines read zones and long fractions each in its own way, so a day and a time to the
    microsecond is all that they are given to read; the leap second is the second before it.
    """
    clock = f"replace(replace(replace(substr({text}, 12), 'Z', ''), 'z', ''), ',', '.')"
    bare = f"split_part(split_part({clock}, '+', 1), '-', 1)"
    whole = f"CASE length({bare}) WHEN 0 THEN '00:00:00' WHEN 5 THEN {bare} || ':00' ELSE {bare} END"
    exact = f"substr(replace({whole}, ':60', ':59'), 1, {MICROSECOND})"
    moment = f"epoch_us(TRY_CAST(substr({text}, 1, 10) || ' ' || {exact} AS TIMESTAMP))"
    east, west = (f"replace(split_part({clock}, '{sign}', 2), ':', '')" for sign in "+-")
    # not within the CASE: an engine would not see there that parts are the same, and make each of them again
    return f"{moment} - {_shift(east)} + {_shift(west)} + CASE WHEN {matches(text, _READABLE)} THEN 0 END"


def _shift(digits: str) -> str:
    """Return the SQL of the microseconds of a zone's hours and minutes; 0 without digits."""
    hours, minutes = (f"TRY_CAST('0' || substr({digits}, {start}, 2) AS BIGINT)" for start in (1, 3))
    return f"({hours} * 3600 + {minutes} * 60) * 1000000"


def moment(column: Column) -> tuple[str, bool]:
    """Return a column's moments as SQL, null where there is none; and whether they are microseconds rather than
    timestamps."""
    if column.category == "string":
        return micros(column.text), True
    return f"timezone('UTC', TRY_CAST({column.sql} AS TIMESTAMPTZ))", False
