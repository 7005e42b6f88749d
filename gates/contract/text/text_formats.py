"""Turn formats of text, as their RFCs define them, into SQL over a text that is not null.

To add one, add a row to ``FORMATS``. What no expression of RE2 can check, ``CHECKS`` does: the engine calls it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gates.contract.sql import Category, Column, every, literal, matches, negated, some
from gates.contract.text import grammars
from gates.contract.text.grammars import whole
from gates.contract.text.hosts import is_idn_hostname
from gates.contract.text.patterns import is_expression

CHECK = "gates_has_format"  # the engine's function of a text and one of these
CHECKS: Mapping[str, Callable[[str], bool]] = {"idn-hostname": is_idn_hostname, "regex": is_expression}
_LAST = 23 * 60 + 59  # the minute of a day at whose end a second may be put in
_DAY = 24 * 60


def _checked(name: str) -> Callable[[str], str]:
    return lambda text: f"{CHECK}({text}, {literal(name)})"


def _is(expression: str) -> Callable[[str], str]:
    matched = whole(expression)
    return lambda text: matches(text, matched)


def _date(text: str) -> str:
    """Return the SQL of whether a text is a day that exists, in a year from 0 on."""
    exists = f"TRY_CAST(substr({text}, 1, 10) AS DATE) IS NOT NULL"
    return every([matches(text, rf"\A{grammars.DATE}"), exists])


def _time(text: str) -> str:
    """Return a minute of 61 seconds ends a day in UTC."""
    minutes = _minutes(text, 1)
    shift = f"CASE WHEN {matches(text, '[Zz]')} THEN 0 ELSE {_minutes(text, -5)} END"
    east = f"CASE WHEN substr({text}, -6, 1) = '+' THEN -1 ELSE 1 END"
    last = f"coalesce(({minutes} + {east} * {shift} + {_DAY}) % {_DAY} = {_LAST}, FALSE)"
    return some([_is(grammars.TIME)(text), every([_is(grammars.LEAP_SECOND)(text), last])])


def _minutes(text: str, start: int) -> str:
    """Return the SQL of the minutes of ``hh:mm`` at a place of a text."""
    hours, minutes = (f"TRY_CAST(substr({text}, {at}, 2) AS INTEGER)" for at in (start, start + 3))
    return f"({hours} * 60 + {minutes})"


def _moment(text: str) -> str:
    return every([_date(text), f"substr({text}, 11, 1) IN ('T', 't')", _time(f"substr({text}, 12)")])


def _hostname(text: str) -> str:
    """Return a label that looks like punycode must be that of a name."""
    decoded = some([negated(matches(text, grammars.MAYBE_IDN)), _checked("idn-hostname")(text)])
    return every([_is(grammars.HOSTNAME)(text), f"length({text}) <= 253", decoded])


def _mailbox(expression: str) -> Callable[[str], str]:
    def kept(text: str) -> str:
        domain = f"strlen(split_part({text}, '@', -1))"
        return every([_is(expression)(text), f"strlen({text}) - {domain} <= 65", f"{domain} <= 255"])

    return kept


@dataclass(frozen=True, slots=True, kw_only=True)
class TextFormat:
    """A format: SQL that holds where a text has it, and the columns of which the type tells, by ``typed``."""

    doc: str
    kept: Callable[[str], str]
    category: Category | None = None
    typed: Callable[[Column], str] = lambda _: "FALSE"


def _of_our_time(column: Column) -> str:
    return f"coalesce(year({column.sql}) BETWEEN 0 AND 9999, FALSE)"


FORMATS: Mapping[str, TextFormat] = {
    "date": TextFormat(
        doc="A day that exists (RFC 3339): `2026-02-28`.",
        kept=lambda text: every([_date(text), f"length({text}) = 10"]),
        category="date",
        typed=_of_our_time,
    ),
    "date-time": TextFormat(
        doc="A day, `T`, a time with its zone (RFC 3339): `2026-02-28T12:00:00Z`.",
        kept=_moment,
        category="timestamp",
        typed=_of_our_time,
    ),
    "time": TextFormat(
        doc="A time with its zone (RFC 3339): `12:00:00+02:00`. A leap second ends a day in UTC.", kept=_time
    ),
    "duration": TextFormat(doc="A duration (RFC 3339, appendix A): `P3DT4H`, `P2W`.", kept=_is(grammars.DURATION)),
    "email": TextFormat(doc="A mailbox (RFC 5321): `joe.bloggs@example.com`.", kept=_mailbox(grammars.EMAIL)),
    "idn-email": TextFormat(doc="A mailbox in any script (RFC 6531).", kept=_mailbox(grammars.IDN_EMAIL)),
    "hostname": TextFormat(doc="A host name (RFC 1123); punycode must decode (RFC 5891).", kept=_hostname),
    "idn-hostname": TextFormat(doc="A host name in any script (RFC 5890 to 5893).", kept=_checked("idn-hostname")),
    "ipv4": TextFormat(doc="Four numbers from 0 to 255 (RFC 2673).", kept=_is(grammars.IPV4)),
    "ipv6": TextFormat(doc="An IPv6 address (RFC 4291), without zone or prefix: `::1`.", kept=_is(grammars.IPV6)),
    "uuid": TextFormat(doc="32 hexadecimal digits in five groups (RFC 4122).", kept=_is(grammars.UUID)),
    "uri": TextFormat(doc="A URI with its scheme (RFC 3986).", kept=_is(grammars.URI)),
    "uri-reference": TextFormat(doc="A URI, or what is relative to one (RFC 3986).", kept=_is(grammars.URI_REFERENCE)),
    "iri": TextFormat(doc="A URI in any script (RFC 3987).", kept=_is(grammars.IRI)),
    "iri-reference": TextFormat(doc="An IRI, or what is relative to one (RFC 3987).", kept=_is(grammars.IRI_REFERENCE)),
    "uri-template": TextFormat(doc="A template of URIs (RFC 6570): `/users/{id}`.", kept=_is(grammars.URI_TEMPLATE)),
    "json-pointer": TextFormat(doc="A JSON pointer (RFC 6901): `/a/0`.", kept=_is(grammars.JSON_POINTER)),
    "relative-json-pointer": TextFormat(
        doc="A relative JSON pointer: `1/a`.", kept=_is(grammars.RELATIVE_JSON_POINTER)
    ),
    "regex": TextFormat(doc="A regular expression of ECMA 262.", kept=_checked("regex")),
}
