r"""Translate regular expressions of ECMA 262 into RE2's, which match in linear time. What RE2 can't express is refused.

`pattern` searches, in Unicode mode. Classes are ECMA's: `\d` and `\w` are ASCII, `\s` is not. RE2 refuses what grows
too large; as the engine is not asked here, the size is reckoned, with room to spare.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache

from gates.contract.text.character_sets import ALL, CATEGORIES, CONTROLS, SCRIPTS, SETS, char

LONGEST = 1000
MOST_REPEATS = 1000  # RE2 allows no more, repeats within repeats multiplied
LARGEST = 50_000  # of the sizes below; RE2 stops at about 120,000, and earlier with classes of Unicode
SMALL, MIDDLE, BIG = 5, 40, 300  # a character; a class; a class of Unicode
DEEPEST = 100

_LOOK = {"(?=": "look-ahead", "(?!": "look-ahead", "(?<=": "look-behind", "(?<!": "look-behind"}
_COUNT = re.compile(r"\{([0-9]+)(,([0-9]*))?\}")
_NAMED = re.compile(r"\(\?<([A-Za-z_$][A-Za-z0-9_$]*)>")
_PROPERTY = re.compile(r"\{(?:(General_Category|gc|Script|sc|Script_Extensions|scx)=)?([A-Za-z_]+)\}")
_ESCAPED = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|u\{([0-9A-Fa-f]{1,6})\}|c([A-Za-z])|(0)(?![0-9]))")


class UnsupportedError(ValueError):
    """The pattern uses something that can't be said in RE2, or is none."""


class NoExpressionError(UnsupportedError):
    """The pattern is not an ECMA 262 regular expression."""


@cache
def translate(pattern: str) -> str:
    """Return the RE2 form of a pattern. Raises ``UnsupportedError`` with what stands in the way."""
    if len(pattern) > LONGEST:
        raise UnsupportedError(f"it is longer than {LONGEST} characters")
    parser = _Parser(pattern)
    translated, size = parser.whole()
    if parser.unknown:
        raise UnsupportedError(f"{parser.unknown[0]} is not known")
    if parser.most > MOST_REPEATS:
        raise UnsupportedError(f"more than {MOST_REPEATS} repeats")
    if size > LARGEST:
        raise UnsupportedError("with its repeats expanded it is too large")
    return translated


def is_expression(text: str) -> bool:
    """Tell whether a text is a regular expression of ECMA 262, be there an equal in RE2 or not."""
    try:
        _Parser(text).whole()
    except NoExpressionError:
        return False
    return True


@dataclass
class _Parser:
    """One pass over a pattern; each method reads what its name says, and gives RE2's form with its size."""

    text: str
    at: int = 0
    depth: int = 0
    most: int = 1  # repeats within repeats
    inner: int = 1  # those of what was read last
    groups: int = 0
    back: int = 0  # the highest group that is referred to
    names: set[str] = field(default_factory=set)
    called: set[str] = field(default_factory=set)
    unknown: list[str] = field(default_factory=list)  # what is an expression, but has no equal

    def whole(self) -> tuple[str, int]:
        translated = self.choice()
        if self.at < len(self.text):
            raise NoExpressionError("it is not a regular expression: a closing parenthesis has no match")
        if not self.called <= self.names or self.back > self.groups:
            raise NoExpressionError("it is not a regular expression: it refers to a group that is not there")
        return translated

    def choice(self) -> tuple[str, int]:
        """Translate the branches up to the end of the group."""
        branches, size, repeats = [""], 0, 1
        outside, inside = frozenset(self.names), set(self.names)  # two branches may call a group by one name
        while self.at < len(self.text) and self.text[self.at] != ")":
            if self.text[self.at] == "|":
                self.at += 1
                branches.append("")
                inside |= self.names
                self.names = set(outside)
                continue
            one, of = self.repeated()
            branches[-1] += one
            size += of
            repeats = max(repeats, self.inner)
        self.inner = repeats
        self.names |= inside
        return (branches[0] if len(branches) == 1 else f"(?:{'|'.join(branches)})"), size

    def repeated(self) -> tuple[str, int]:
        """Return an atom with how often it may stand."""
        start = self.at
        self.inner = 1
        atom, size = self.atom()
        fixed = self.text[start] in "^$" or self.text.startswith((r"\b", r"\B", *_LOOK), start)
        low, high = self.count()
        if (low, high) == (1, 1):
            return atom, size
        if fixed:
            raise NoExpressionError("it is not a regular expression: a repeat has nothing to repeat")
        if self.text.startswith("?", self.at):  # greedy or not: what is searched for is only whether it matches
            self.at += 1
        if self.count() != (1, 1):
            raise NoExpressionError("it is not a regular expression: a repeat of a repeat")
        times = max(1, low if high is None else high)
        self.inner *= times
        self.most = max(self.most, self.inner)
        return f"(?:{atom}){{{low},{'' if high is None else high}}}", size * times

    def count(self) -> tuple[int, int | None]:
        sign = self.text[self.at : self.at + 1]
        if sign and sign in "*+?":
            self.at += 1
            return {"*": (0, None), "+": (1, None), "?": (0, 1)}[sign]
        match = _COUNT.match(self.text, self.at)
        if not match:
            return 1, 1
        self.at = match.end()
        low = int(match[1][:9])
        high = low if match[2] is None else int(match[3][:9]) if match[3] else None
        if high is not None and high < low:
            raise NoExpressionError("it is not a regular expression: a repeat whose ends are reversed")
        return (low, high) if (low, high) != (1, 1) else (1, 1)

    def atom(self) -> tuple[str, int]:
        sign = self.text[self.at]
        if sign == "(":
            return self.group()
        if sign == "[":
            return self.brackets()
        if sign == "\\":
            return self.escape()
        if sign in "*+?" or _COUNT.match(self.text, self.at):
            raise NoExpressionError("it is not a regular expression: a repeat has nothing to repeat")
        self.at += 1
        if sign in "^$.":
            return {"^": (r"\A", SMALL), "$": (r"\z", SMALL), ".": (r"[^\x{a}\x{d}\x{2028}\x{2029}]", MIDDLE)}[sign]
        return self.literal(ord(sign)), SMALL

    def literal(self, code: int) -> str:
        if 0xD800 <= code <= 0xDFFF:  # half a surrogate pair
            self.unknown.append("half a surrogate pair")
        return char(code)

    def group(self) -> tuple[str, int]:
        look = next((word for word in sorted(_LOOK, key=len, reverse=True) if self.text.startswith(word, self.at)), "")
        named = _NAMED.match(self.text, self.at)
        if look:
            self.unknown.append(_LOOK[look])
            self.at += len(look)
        elif named:
            if named[1] in self.names:
                raise NoExpressionError(f"it is not a regular expression: two groups are called {named[1]}")
            self.names.add(named[1])
            self.groups += 1
            self.at = named.end()
        elif self.text.startswith("(?:", self.at):
            self.at += 3
        elif self.text.startswith("(?", self.at):
            raise NoExpressionError("it is not an ECMA 262 regular expression: flags and groups of other languages")
        else:
            self.groups += 1
            self.at += 1
        self.depth += 1
        if self.depth > DEEPEST:
            raise NoExpressionError("its groups are nested too deep")
        choice, size = self.choice()
        self.depth -= 1
        if not self.text.startswith(")", self.at):
            raise NoExpressionError("it is not a regular expression: a parenthesis is not closed")
        self.at += 1
        return f"(?:{choice})", size

    def escape(self) -> tuple[str, int]:
        """Return what stands for one of several characters, for a place, or for itself."""
        sign = self.text[self.at + 1 : self.at + 2]
        if sign and sign in "bB":
            self.at += 2
            return f"\\{sign}", SMALL
        if (sign and sign in "123456789") or sign == "k":
            return self.reference()
        made, size, _ = self.escaped()
        return (made if size == SMALL else f"[{made}]"), size

    def reference(self) -> tuple[str, int]:
        match = re.compile(r"\\(?:([1-9][0-9]*)|k<([A-Za-z_$][A-Za-z0-9_$]*)>)").match(self.text, self.at)
        if not match:
            raise NoExpressionError(r"it is not a regular expression: \k without a name")
        self.at = match.end()
        self.unknown.append("a back reference")
        self.back = max(self.back, int((match[1] or "0")[:9]))
        self.called |= {match[2]} if match[2] else set()
        return "", 0

    def escaped(self) -> tuple[str, int, int | None]:
        """Return a character or a set, as it stands in brackets; its size; the character's code."""
        sign = self.text[self.at + 1 : self.at + 2]
        if sign and sign in SETS:
            self.at += 2
            return SETS[sign], MIDDLE, None
        if sign and sign in "pP":
            return self.property(sign)
        match = _ESCAPED.match(self.text, self.at)
        if match:
            self.at = match.end()
            code = ord(match[4]) % 32 if match[4] else int(next(one for one in match.groups() if one), 16)
            return self.char(self.paired(code) if match[2] else code)
        if not sign or sign.isalnum():
            written = f"\\{sign}" if sign else "a backslash at its end"
            if sign and sign in CONTROLS:
                self.at += 2
                return self.char(CONTROLS[sign])
            raise NoExpressionError(f"it is not an ECMA 262 regular expression: {written}")
        self.at += 2
        return self.char(ord(sign))

    def char(self, code: int) -> tuple[str, int, int]:
        if code > 0x10FFFF:  # the last of Unicode
            raise NoExpressionError("it is not a regular expression: a character beyond Unicode")
        return self.literal(code), SMALL, code

    def paired(self, high: int) -> int:
        """Return the character of two surrogates."""
        low = re.compile(r"\\u([dD][c-fC-F][0-9A-Fa-f]{2})").match(self.text, self.at)
        if not (low and 0xD800 <= high < 0xDC00):  # the first half of a pair
            return high
        self.at = low.end()
        return 0x10000 + (high - 0xD800) * 0x400 + int(low[1], 16) - 0xDC00

    def property(self, sign: str) -> tuple[str, int, None]:
        match = _PROPERTY.match(self.text, self.at + 2)
        if not match:
            raise NoExpressionError(f"it is not an ECMA 262 regular expression: \\{sign} without a property")
        self.at = match.end()
        property_name, name = match[1] or "", match[2]
        short = CATEGORIES.get(name, name)
        if property_name.startswith(("S", "s")):
            short = name if name in SCRIPTS else ""
        elif short == "Any" and not property_name:
            return (ALL if sign == "p" else rf"^{ALL}"[1:]), BIG, None
        elif short == "LC":
            self.unknown.append(f"\\p{{{name}}}")
        elif short not in CATEGORIES.values():
            short = ""
        if not short:
            self.unknown.append(f"\\{sign}{match[0]}")
        return f"\\{sign}{{{short}}}", BIG, None

    def brackets(self) -> tuple[str, int]:
        self.at += 1
        negated = self.text.startswith("^", self.at)
        self.at += negated
        inside, size = "", MIDDLE
        while not self.text.startswith("]", self.at):
            low, of, first = self.member()
            size += of if of == BIG else MIDDLE
            if self.text.startswith("-", self.at) and self.text[self.at + 1 : self.at + 2] not in ("]", ""):
                self.at += 1
                high, _, last = self.member()
                if first is None or last is None:  # beside a set it is only a hyphen
                    low = f"{low}{char(ord('-'))}{high}"
                elif last < first:
                    raise NoExpressionError("it is not a regular expression: a range whose ends are reversed")
                else:
                    low = f"{low}-{high}"
            inside += low
        self.at += 1
        if not inside:
            return (f"[{ALL}]" if negated else rf"[^{ALL}]"), MIDDLE
        return f"[{'^' if negated else ''}{inside}]", size

    def member(self) -> tuple[str, int, int | None]:
        if self.at >= len(self.text):
            raise NoExpressionError("it is not a regular expression: a bracket is not closed")
        if self.text[self.at] != "\\":
            self.at += 1
            return self.char(ord(self.text[self.at - 1]))
        if self.text.startswith(r"\b", self.at):
            self.at += 2
            return self.char(0x08)
        return self.escaped()
