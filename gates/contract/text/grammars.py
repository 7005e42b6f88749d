"""Grammars of the RFCs as RE2 expressions over a whole text. To add one, build it here and name it in ``formats``."""

from __future__ import annotations

BYTE = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
IPV4 = rf"{BYTE}(\.{BYTE}){{3}}"
_ALPHA, _DIGIT, _HEX = "A-Za-z", "0-9", "0-9A-Fa-f"
_ESCAPED = f"%[{_HEX}]{{2}}"
_UNICODE = (  # ucschar of RFC 3987
    r"\x{a0}-\x{d7ff}\x{f900}-\x{fdcf}\x{fdf0}-\x{ffef}"
    + "".join(rf"\x{{{plane:x}0000}}-\x{{{plane:x}fffd}}" for plane in range(1, 14))
    + r"\x{e1000}-\x{efffd}"
)
_PRIVATE = r"\x{e000}-\x{f8ff}\x{f0000}-\x{ffffd}\x{100000}-\x{10fffd}"  # iprivate of RFC 3987
_BEYOND = r"\x{80}-\x{10ffff}"  # UTF8-non-ascii of RFC 6532


def whole(expression: str) -> str:
    """Return the expression of a whole text."""
    return rf"\A(?:{expression})\z"


def _ipv6() -> str:
    """Return the pattern of an IPv6address of RFC 3986."""
    group, last = f"[{_HEX}]{{1,4}}", rf"([{_HEX}]{{1,4}}:[{_HEX}]{{1,4}}|{IPV4})"
    forms = [f"({group}:){{6}}{last}", f"::({group}:){{5}}{last}"]
    for before in range(7):  # how many groups may stand before the double colon
        tail = f"({group}:){{{4 - before}}}{last}" if before <= 4 else group if before == 5 else ""
        forms.append(f"(({group}:){{0,{before}}}{group})?::{tail}")
    return "|".join(forms)


IPV6 = _ipv6()


def resource(*, absolute: bool, more: str = "", private: str = "") -> str:
    """Return the pattern of a URI or URI-reference of RFC 3986.

    With ``more`` characters it is that of RFC 3987, which allows ``private`` ones in queries.
    """
    free = rf"{_ALPHA}{_DIGIT}._~!$&'()*+,;=\-{more}"
    step = f"([{free}:@]|{_ESCAPED})"
    literal = rf"\[({IPV6}|[vV][{_HEX}]+\.[A-Za-z0-9._~!$&'()*+,;=\-:]+)\]"
    authority = f"(([{free}:]|{_ESCAPED})*@)?({literal}|([{free}]|{_ESCAPED})*)(:[0-9]*)?"
    rooted = f"//{authority}(/{step}*)*|/({step}+(/{step}*)*)?"
    tail = rf"(\?({step}|[/?{private}])*)?(#({step}|[/?])*)?" if private else rf"(\?({step}|[/?])*)?(#({step}|[/?])*)?"
    full = rf"[{_ALPHA}][{_ALPHA}{_DIGIT}+.\-]*:({rooted}|{step}+(/{step}*)*|){tail}"
    if absolute:
        return full
    first = f"([{free}@]|{_ESCAPED})+"  # of a relative path: without a colon, or it would be a scheme
    return f"{full}|({rooted}|{first}(/{step}*)*|){tail}"


URI, URI_REFERENCE = resource(absolute=True), resource(absolute=False)
IRI = resource(absolute=True, more=_UNICODE, private=_PRIVATE)
IRI_REFERENCE = resource(absolute=False, more=_UNICODE, private=_PRIVATE)

_LABEL = f"[{_ALPHA}{_DIGIT}]([{_ALPHA}{_DIGIT}-]{{0,61}}[{_ALPHA}{_DIGIT}])?"
HOSTNAME = rf"{_LABEL}(\.{_LABEL})*"  # RFC 1123; its 253 characters are counted apart
MAYBE_IDN = r"(?i)(\A|\.)[a-z0-9]{2}--"  # a label that may be written in punycode


def _mailbox(more: str) -> str:
    """Return the pattern of a Mailbox of RFC 5321; with ``more`` characters that of RFC 6531.

    The lengths of its parts are counted apart.
    """
    atom = rf"[{_ALPHA}{_DIGIT}!#$%&'*+/=?^_`{{|}}~\-{more}]+"
    quoted = rf'"([\x20\x21\x23-\x5b\x5d-\x7e{more}]|\\[\x20-\x7e])*"'
    ends = f"[{_ALPHA}{_DIGIT}{more}]"
    label = f"{ends}([{_ALPHA}{_DIGIT}{more}-]{{0,61}}{ends})?"
    domain = rf"{label}(\.{label})*|\[({IPV4}|IPv6:({IPV6}))\]"
    return rf"({atom}(\.{atom})*|{quoted})@({domain})"


EMAIL, IDN_EMAIL = _mailbox(""), _mailbox(_BEYOND)

_STEP = "([^/~]|~[01])"
JSON_POINTER = f"(/{_STEP}*)*"  # RFC 6901
RELATIVE_JSON_POINTER = f"(0|[1-9][0-9]*)(#|(/{_STEP}*)*)"

_N = "[0-9]+"
_CLOCK = f"T({_N}H({_N}M({_N}S)?)?|{_N}M({_N}S)?|{_N}S)"
_DAYS = f"({_N}D|{_N}M({_N}D)?|{_N}Y({_N}M({_N}D)?)?)"
DURATION = f"P({_DAYS}({_CLOCK})?|{_CLOCK}|{_N}W)"  # RFC 3339, appendix A

_NAME = f"([A-Za-z0-9_]|{_ESCAPED})"
_VARIABLE = rf"{_NAME}(\.?{_NAME})*(:[1-9][0-9]{{0,3}}|\*)?"
_LITERAL = rf"[\x21\x23\x24\x26-\x3b\x3d\x3f-\x5b\x5d\x5f\x61-\x7a\x7e{_UNICODE}{_PRIVATE}]|{_ESCAPED}"
URI_TEMPLATE = rf"({_LITERAL}|\{{[+#./;?&=,!@|]?{_VARIABLE}(,{_VARIABLE})*\}})*"  # RFC 6570

UUID = f"[{_HEX}]{{8}}(-[{_HEX}]{{4}}){{3}}-[{_HEX}]{{12}}"  # RFC 4122
DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_ZONE = r"(\.[0-9]+)?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
TIME = f"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]{_ZONE}"  # RFC 3339
LEAP_SECOND = f"([01][0-9]|2[0-3]):[0-5][0-9]:60{_ZONE}"
