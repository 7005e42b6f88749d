"""Python's regular expressions -> RE2's, which match in linear time; what RE2 has no equal for is refused.

jsonschema's ``pattern`` is ``re.search``. RE2's classes are ASCII and its ``$`` is strict, so these are spelt out.
RE2 refuses what grows too large; as the engine is not asked here, the size is reckoned, with room to spare.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from functools import cache
from re import _constants as c  # type: ignore[attr-defined] # the parser of re is the only one that agrees with re
from re import _parser  # type: ignore[attr-defined]
from typing import Any

LONGEST = 1000
MOST_REPEATS = 1000  # RE2 allows no more, repeats within repeats multiplied
LARGEST = 50_000  # of the sizes below; RE2 stops at about 120,000, and earlier with classes of Unicode
SMALL, MIDDLE = 5, 40  # a character; anything of a class that is not below

SPACE = (  # all that Python takes for white space
    r"\x{09}-\x{0d}\x{1c}-\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}"
)
_CATEGORIES = {
    c.CATEGORY_DIGIT: r"\p{Nd}",
    c.CATEGORY_SPACE: SPACE,
    c.CATEGORY_WORD: r"\p{L}\p{N}_",
    c.CATEGORY_NOT_DIGIT: r"\P{Nd}",
}
_SIZES: Mapping[Any, int] = {c.CATEGORY_WORD: 300, c.CATEGORY_NOT_WORD: 300}
_NEGATED = {c.CATEGORY_NOT_SPACE: f"[^{SPACE}]", c.CATEGORY_NOT_WORD: r"[^\p{L}\p{N}_]"}


class UnsupportedError(ValueError):
    """The pattern uses something that can't be said in RE2."""


@cache
def translate(pattern: str) -> str:
    """The RE2 form of a Python pattern. Raises ``UnsupportedError`` with what stands in the way."""
    if len(pattern) > LONGEST:
        raise UnsupportedError(f"it is longer than {LONGEST} characters")
    try:
        return _translated(pattern)
    except RecursionError as error:
        raise UnsupportedError("its groups are nested too deep") from error


def within_ascii(translated: str) -> str:
    """The same for text that is ASCII alone. RE2 is fast with few characters, and slow with all of Unicode."""
    return translated.replace(r"\p{L}\p{N}_", "0-9A-Za-z_").replace(r"\p{Nd}", "0-9").replace(r"\P{Nd}", r"\D")


def _translated(pattern: str) -> str:
    try:
        with warnings.catch_warnings(action="ignore"):  # of what a later Python may read otherwise
            parsed = _parser.parse(pattern)
    except (re.error, OverflowError) as error:
        raise UnsupportedError(f"it is no regular expression: {error}") from error
    if parsed.state.flags & ~re.UNICODE:
        raise UnsupportedError("flags are not known")
    if _size(list(parsed), repeats=1) > LARGEST:
        raise UnsupportedError("with its repeats written out it is too large")
    return "".join(_sequence(list(parsed), last=True))


def _size(items: list[Any], *, repeats: int) -> int:
    """About how large the pattern becomes with its repeats written out. Raises where too many stand in another."""
    if repeats > MOST_REPEATS:
        raise UnsupportedError(f"more than {MOST_REPEATS} repeats")
    total = 0
    for op, argument in items:
        if op in (c.MAX_REPEAT, c.MIN_REPEAT):
            low, high, inner = argument
            times = max(1, low if high == c.MAXREPEAT else high)
            total += times * _size(list(inner), repeats=repeats * times)
        elif op is c.SUBPATTERN:
            total += _size(list(argument[-1]), repeats=repeats)
        elif op is c.BRANCH:
            total += sum(_size(list(branch), repeats=repeats) for branch in argument[1])
        elif op is c.IN:
            total += sum(_SIZES.get(value, MIDDLE) if kind is c.CATEGORY else MIDDLE for kind, value in argument)
        else:
            total += SMALL
    return total


def _char(code: int) -> str:
    return rf"\x{{{code:x}}}"


def _sequence(items: list[Any], *, last: bool) -> Iterator[str]:
    """``last``: whether nothing follows, so that ``$`` may eat the newline that it allows."""
    for index, (op, argument) in enumerate(items):
        yield _one(op, argument, last=last and index == len(items) - 1)


def _one(op: Any, argument: Any, *, last: bool) -> str:
    if op is c.LITERAL:
        return _char(argument)
    if op is c.NOT_LITERAL:
        return f"[^{_char(argument)}]"
    if op is c.ANY:
        return r"[^\x{a}]"
    if op is c.IN:
        return _class(argument)
    if op is c.AT:
        return _anchor(argument, last=last)
    if op is c.BRANCH:
        return "(?:" + "|".join("".join(_sequence(list(branch), last=last)) for branch in argument[1]) + ")"
    if op is c.SUBPATTERN:
        _, added, removed, inner = argument
        if added or removed:
            raise UnsupportedError("flags are not known")
        return "(?:" + "".join(_sequence(list(inner), last=last)) + ")"
    if op in (c.MAX_REPEAT, c.MIN_REPEAT):  # greedy or not: what is searched for is only whether it matches
        return _repeat(*argument)
    raise UnsupportedError(f"{str(op).lower().replace('_', ' ')} is not known")


def _repeat(low: int, high: int, inner: Any) -> str:
    most = "" if high == c.MAXREPEAT else str(high)
    return f"(?:{''.join(_sequence(list(inner), last=False))}){{{low},{most}}}"


def _anchor(kind: Any, *, last: bool) -> str:
    if kind in (c.AT_BEGINNING, c.AT_BEGINNING_STRING):
        return r"\A"
    if kind is c.AT_END_STRING:
        return r"\z"
    if kind is c.AT_END and last:
        return r"(?:\x{a}?\z)"
    raise UnsupportedError("an anchor stands where it can't be told in RE2")


def _class(items: list[Any]) -> str:
    inside, outside = [], []
    negate = bool(items) and items[0][0] is c.NEGATE
    for op, argument in items[1:] if negate else items:
        if op is c.LITERAL:
            inside.append(_char(argument))
        elif op is c.RANGE:
            inside.append(f"{_char(argument[0])}-{_char(argument[1])}")
        elif op is c.CATEGORY and argument in _CATEGORIES:
            inside.append(_CATEGORIES[argument])
        elif op is c.CATEGORY and argument in _NEGATED:
            outside.append(_NEGATED[argument])
        else:
            raise UnsupportedError("this class of characters is not known")
    if outside and negate:
        raise UnsupportedError("a negated class inside a negated class is not known")
    if outside:
        return "(?:" + "|".join([*outside, *([f"[{''.join(inside)}]"] if inside else [])]) + ")"
    return f"[{'^' if negate else ''}{''.join(inside)}]"
