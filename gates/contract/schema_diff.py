"""Compare two schemas of one value, keyword by keyword: what became stricter or looser. Pure.

Compares numbers by direction, lists of values and types by inclusion, and everything else by equality.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping

from gates.contract.rules.row_rules import NOTES
from gates.documents.printed.diff import ChangeKind, SchemaChange
from gates.schema.fields import Plain

Schema = Mapping[str, Plain]


Judge = Callable[[Schema, Schema], ChangeKind | None]  # of what both say; None where it is the same


def _numbers(pick: Callable[[list[tuple[Plain, bool]]], Plain], *words: str) -> Callable[[Schema], Plain]:
    """Return the bound that decides, of one that includes its end and one that excludes it; larger is stricter."""
    inclusive, exclusive = words
    return lambda said: pick([(said[word], word == exclusive) for word in (inclusive, exclusive) if word in said])


def _highest(ends: list[tuple[Plain, bool]]) -> Plain:
    return max(ends)


def _lowest(ends: list[tuple[Plain, bool]]) -> Plain:
    return max((-end, excluded) for end, excluded in ends)


def _by_size(size: Callable[[Schema], Plain]) -> Judge:
    """Compare two schemas by a size, of which the larger is the stricter one."""

    def judge(before: Schema, after: Schema) -> ChangeKind | None:
        a, b = size(before), size(after)
        return None if a == b else ChangeKind.STRICTER if b > a else ChangeKind.LOOSER

    return judge


def by_inclusion(taken: Callable[[Schema], frozenset[str]]) -> Judge:
    """Compare two schemas by the set of what they accept. The smaller is the stricter one, if the other contains it."""

    def judge(before: Schema, after: Schema) -> ChangeKind | None:
        a, b = taken(before), taken(after)
        if a == b:
            return None
        return ChangeKind.STRICTER if b < a else ChangeKind.LOOSER if a < b else ChangeKind.INCOMPATIBLE

    return judge


def same(before: Schema, after: Schema) -> ChangeKind | None:
    """Return nothing where both say the same; of all else it can't be determined."""
    return None if _text(before) == _text(after) else ChangeKind.UNKNOWN


def _text(value: Plain) -> str:
    """Return a text that is equal for values that are equal in JSON: 1 and 1.0 are, 1 and true are not."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, list):
        return f"[{','.join(map(_text, value))}]"
    if isinstance(value, Mapping):
        return f"{{{','.join(f'{json.dumps(key)}:{_text(value[key])}' for key in sorted(value))}}}"
    return json.dumps(value)


def _values(said: Schema) -> frozenset[str]:
    lists = [said["enum"]] if "enum" in said else []
    lists += [[said["const"]]] if "const" in said else []
    first, *rest = (frozenset(map(_text, one)) for one in lists)
    return first.intersection(*rest)


def _types(said: Schema) -> frozenset[str]:
    """Return the types that are taken, a number being whole or a fraction; without ``type``, those of the listed
    values."""
    if "type" in said:
        names = [said["type"]] if isinstance(said["type"], str) else said["type"]
        return frozenset(part for name in names for part in {"number": ("integer", "fraction")}.get(name, (name,)))
    return frozenset(map(_type, [said["const"]] if "const" in said else said["enum"]))


def _type(value: Plain) -> str:
    if isinstance(value, float):
        return "integer" if value.is_integer() else "fraction"
    names = {bool: "boolean", int: "integer", str: "string", type(None): "null", list: "array"}
    return names.get(type(value), "object")


def _multiple(before: Schema, after: Schema) -> ChangeKind | None:
    a, b = before["multipleOf"], after["multipleOf"]
    if a == b:
        return None
    if not (isinstance(a, int) and isinstance(b, int)):
        return ChangeKind.UNKNOWN
    return ChangeKind.STRICTER if b % a == 0 else ChangeKind.LOOSER if a % b == 0 else ChangeKind.INCOMPATIBLE


TOGETHER: tuple[tuple[tuple[str, ...], Judge], ...] = (  # keywords that are understood together, and how
    (("enum", "const"), by_inclusion(_values)),
    (("minimum", "exclusiveMinimum"), _by_size(_numbers(_highest, "minimum", "exclusiveMinimum"))),
    (("maximum", "exclusiveMaximum"), _by_size(_numbers(_lowest, "maximum", "exclusiveMaximum"))),
    (("minLength",), _by_size(lambda said: said["minLength"])),
    (("maxLength",), _by_size(lambda said: -said["maxLength"])),
    (("multipleOf",), _multiple),
    (("if", "then", "else"), same),
)
SEVERITIES = ("warn", "error")
APART = ("type", "properties", "required", "additionalProperties", *NOTES)  # told in ways of their own


def keywords(name: str, before: Schema, after: Schema) -> Iterator[SchemaChange]:
    """Yield what two schemas say about one value, or of a row as a whole."""
    yield from _type_change(name, before, after)
    known = {word for words, _ in TOGETHER for word in words} | set(APART)
    others = [((word,), same) for word in dict.fromkeys((*before, *after)) if word not in known]
    for words, judge in (*TOGETHER, *others):
        a, b = ({word: said[word] for word in words if word in said} for said in (before, after))
        yield from told(name, a, b, judge)
    yield from _notes(name, before, after)


def told(name: str, before: Schema, after: Schema, judge: Judge) -> Iterator[SchemaChange]:
    """Yield a rule that both, one or none of them has; its name is that of the first keyword."""
    if not before and not after:
        return
    change = judge(before, after) if before and after else ChangeKind.GONE if before else ChangeKind.NEW
    if change:
        word = next(iter(after or before))
        yield SchemaChange(rule=f"{name}.{word}", kind=change, before=dict(before) or None, after=dict(after) or None)


def _type_change(name: str, before: Schema, after: Schema) -> Iterator[SchemaChange]:
    """Compare the types of two schemas. Listed values count as their types, so that an enum can replace a type."""
    if "type" not in before and "type" not in after:
        return
    a, b = ({word: said[word] for word in ("type", "enum", "const") if word in said} for said in (before, after))
    for change in told(name, a, b, by_inclusion(_types)):
        first, second = ({"type": said["type"]} if "type" in said else dict(said) for said in (a, b))
        yield SchemaChange(rule=f"{name}.type", kind=change.kind, before=first or None, after=second or None)


def _notes(name: str, before: Schema, after: Schema) -> Iterator[SchemaChange]:
    """Tell how a broken rule is taken, and whether values are shown."""
    grades: tuple[tuple[str, Plain, Judge], ...] = (
        ("x-severity", "error", _by_size(lambda said: SEVERITIES.index(said["x-severity"]))),
        ("x-tolerance", 0, _tolerance),
    )
    for word, default, judge in grades:
        a, b = ({word: said.get(word, default)} for said in (before, after))
        yield from told(name, a, b, judge)
    a, b = ({"x-sensitive": True} if said.get("x-sensitive") else {} for said in (before, after))
    yield from told(name, a, b, same)


def _tolerance(before: Schema, after: Schema) -> ChangeKind | None:
    """Compare two tolerances. Below 1 one is a share of the rows, from 1 on a number of them; 0 is both."""
    a, b = before["x-tolerance"], after["x-tolerance"]
    if a and b and (a < 1) != (b < 1):
        return ChangeKind.UNKNOWN
    return None if a == b else ChangeKind.STRICTER if b < a else ChangeKind.LOOSER
