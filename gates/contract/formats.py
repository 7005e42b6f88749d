"""Formats of text, as the format checker of the jsonschema package takes them -> SQL over a text that is not null.

To add one, add a row to ``FORMATS``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gates.contract.columns import Category, Column, every, matches, some
from gates.contract.patterns import SPACE

_DATE = r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?(Z|z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])\n?\z"
_BYTE = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = rf"{_BYTE}(\.{_BYTE}){{3}}"


def _dated(pattern: str) -> Callable[[str], str]:
    """The day must exist, in a year from 1 on."""

    def kept(text: str) -> str:
        day = f"TRY_CAST(substr({text}, 1, 10) AS DATE)"
        return every([matches(text, pattern), f"coalesce(year({day}) >= 1, FALSE)"])

    return kept


def _uuid(text: str) -> str:
    """Besides the usual form, what Python's UUID lets pass: more hyphens, a prefix, digits as int() takes them."""
    bare = f"replace(trim(replace(replace({text}, 'urn:', ''), 'uuid:', ''), '{{}}'), '-', '')"
    hyphens = [f"substr({text}, {place}, 1) = '-'" for place in (9, 14, 19, 24)]
    digit = r"[0-9a-fA-F\p{Nd}]"
    number = rf"\A[{SPACE}]*\+?(0[xX]_?)?{digit}(_?{digit})*[{SPACE}]*\z"
    loose = every([*hyphens, f"length({bare}) = 32", matches(bare, number)])
    return some([matches(text, r"\A[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\z"), loose])


def _uri() -> str:
    """The grammar of RFC 3986, rule URI."""
    free, escaped = r"A-Za-z0-9._~!$&'()*+,;=\-", "%[0-9A-Fa-f]{2}"
    step = f"([{free}:@]|{escaped})"
    group, last = "[0-9A-Fa-f]{1,4}", rf"([0-9A-Fa-f]{{1,4}}:[0-9A-Fa-f]{{1,4}}|{_IPV4})"
    forms = [f"({group}:){{6}}{last}", f"::({group}:){{5}}{last}"]
    for before in range(7):  # how many groups may stand before the double colon
        tail = f"({group}:){{{4 - before}}}{last}" if before <= 4 else group if before == 5 else ""  # noqa: PLR2004
        forms.append(f"(({group}:){{0,{before}}}{group})?::{tail}")
    literal = rf"\[({'|'.join(forms)}|[vV][0-9A-Fa-f]+\.[{free}:]+)\]"
    authority = f"(([{free}:]|{escaped})*@)?({literal}|([{free}]|{escaped})*)(:[0-9]*)?"
    path = f"(//{authority}(/{step}*)*|/({step}+(/{step}*)*)?|{step}+(/{step}*)*|)"
    return rf"\A[A-Za-z][A-Za-z0-9+.-]*:{path}(\?({step}|[/?])*)?(#({step}|[/?])*)?\z"


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A format: SQL that holds where a text has it, and the columns of which the type tells, by ``typed``."""

    doc: str
    kept: Callable[[str], str]
    category: Category | None = None
    typed: Callable[[Column], str] = lambda _: "FALSE"


def _of_our_time(column: Column) -> str:
    return f"coalesce(year({column.sql}) BETWEEN 1 AND 9999, FALSE)"


_URI = _uri()

FORMATS: Mapping[str, Format] = {
    "date": Format(
        doc="A day that exists, from year 1 on: `2026-02-28`.",
        kept=_dated(rf"{_DATE}\z"),
        category="date",
        typed=_of_our_time,
    ),
    "date-time": Format(
        doc="A day, `T`, a time with its zone (RFC 3339): `2026-02-28T12:00:00Z`.",
        kept=_dated(rf"{_DATE}[Tt]{_CLOCK}"),
        category="timestamp",
        typed=_of_our_time,
    ),
    "time": Format(doc="A time with its zone: `12:00:00+02:00`.", kept=lambda text: matches(text, rf"\A{_CLOCK}")),
    "email": Format(doc="There is an `@` in it; jsonschema asks no more.", kept=lambda text: f"contains({text}, '@')"),
    "ipv4": Format(doc="Four numbers from 0 to 255.", kept=lambda text: matches(text, rf"\A{_IPV4}\z")),
    "uuid": Format(doc="32 hexadecimal digits in five groups.", kept=_uuid),
    "uri": Format(doc="A URI with its scheme (RFC 3986).", kept=lambda text: matches(text, _URI)),
}
