"""Write canonical bytes and digests (RFC 8785, SHA-256): the same content gives the same bytes on every machine."""

from __future__ import annotations

import hashlib
import json
import math
import re
import secrets
from typing import Any

from gates.errors import GatesError
from gates.schema.fields import Plain, plain

EXACT = 2**53 - 1  # the largest whole number that every reader of JSON keeps
SIGNIFICANT = 12  # digits kept of a computed number: well inside what every libm agrees on


def canonical(value: Any) -> bytes:
    """Return canonical JSON of a plain value or a declared dataclass (RFC 8785).

    Raises ``rfc8785.CanonicalizationError`` for numbers that JSON can't hold: none may reach a record. Raises
    ``GatesError`` for text that is no Unicode, such as the name of a file that somebody wrote in another encoding.
    """
    plain_value, numbers = plain(value), list[float]()
    try:
        try:
            quick = _quick(plain_value, numbers)
        except _SlowError:
            return _slow(_spelt(plain_value))
        text = json.dumps(quick, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))
        return (_STANDING_IN.sub(lambda at: _slow(numbers[int(at[1])]).decode(), text) if numbers else text).encode()
    except UnicodeEncodeError as error:
        raise _no_unicode(error) from error


def _slow(value: Plain) -> bytes:
    import rfc8785

    try:
        return rfc8785.dumps(value)
    except rfc8785.CanonicalizationError:
        json.dumps(value, ensure_ascii=False).encode()  # raises where that is the reason
        raise


def _no_unicode(error: UnicodeEncodeError) -> GatesError:
    around = error.object[max(0, error.start - 20) : error.end + 20]
    return GatesError(
        f"this is not valid Unicode and can't be recorded: {around!a}",
        where="text",
        hint="Give the file or folder a name in UTF-8.",
    )


class _SlowError(Exception):
    """The standard library would write this otherwise than RFC 8785 says."""


_SAME = frozenset({type(None), str, bool})  # written as they are
_NONCE = secrets.token_hex(16)  # nobody can know it, so no text of a document is taken for a number's stand-in
_STANDING_IN = re.compile(f'"{_NONCE}-([0-9]+)"')


def _quick(value: Plain, numbers: list[float]) -> Plain:
    """Return the value as the standard library, ten times as fast, writes it by RFC 8785, too.

    That is so but for whole numbers beyond ``EXACT`` and the order of keys that are not ASCII, which raise
    ``_SlowError``, and for numbers with an exponent: those are added to ``numbers``, and a text stands in for each.
    """
    value_type = type(value)
    if value_type is dict:
        if not "".join(value).isascii():
            raise _SlowError
        return {name: item if type(item) in _SAME else _quick(item, numbers) for name, item in value.items()}
    if value_type is list:
        return value if all(type(item) in _SAME for item in value) else [_quick(item, numbers) for item in value]
    if value_type is float:
        if "e" not in repr(value) and math.isfinite(value):
            return int(value) if value.is_integer() else value
        numbers.append(value)
        return f"{_NONCE}-{len(numbers) - 1}"
    if value_type is int and not -EXACT <= value <= EXACT:
        raise _SlowError
    return value


def _spelt(value: Plain) -> Plain:
    """Return whole numbers that JSON's readers would round, as text that says what it is."""
    if isinstance(value, dict):
        return {name: _spelt(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_spelt(item) for item in value]
    return {"integer": str(value)} if isinstance(value, int) and abs(value) > EXACT else value


def digest(value: Any) -> str:
    """Return ``sha256:`` and the hex SHA-256 of the canonical bytes."""
    return digest_bytes(canonical(value))


def digest_bytes(data: bytes) -> str:
    """Return ``sha256:`` and the hex SHA-256 of the bytes."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def settled(number: float) -> float:
    """Return the number at ``SIGNIFICANT`` digits, so that what is judged is what is written. Not-finite stays so."""
    return float(f"{number:.{SIGNIFICANT}g}") + 0.0 if math.isfinite(number) else number
