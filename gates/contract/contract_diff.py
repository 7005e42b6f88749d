"""Compare two contracts rule by rule: what became stricter, looser, new or gone. Pure.

Rules are looked at one by one, so that a contract may be called looser than it is, never stricter.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gates.contract.contract_file import PARTS
from gates.contract.references import resolved
from gates.contract.rules.contract_rule import Contract, ContractRule
from gates.contract.rules.freshness import SECONDS
from gates.contract.rules.table_rules import TABLE_RULES, written
from gates.contract.schema_diff import SEVERITIES, Schema, by_inclusion, keywords, same, told
from gates.documents.printed.diff import CONTRACT_DIFF, ChangeKind, ContractDiff, SchemaChange
from gates.schema.fields import Plain, build, plain


def compare(before: Contract, after: Contract) -> ContractDiff:
    """Return what changed from the first contract to the second."""
    changes = (*_record(_schema(before), _schema(after)), *_tables(before, after), *_shown(before, after))
    return ContractDiff(schema=CONTRACT_DIFF, looser=any(change.kind.loosens for change in changes), changes=changes)


def _whole(contract: Contract) -> Plain:
    """Return the file's value in its long form."""
    value = contract.written
    return value if isinstance(value, dict) and set(PARTS) & value.keys() else {"record": value}


def _schema(contract: Contract) -> Schema:
    return _plain_schema(resolved(_whole(contract).get("record", {})))


def _plain_schema(schema: Plain) -> Schema:
    return ({} if schema else {"not": {}}) if isinstance(schema, bool) else schema


def _record(before: Schema, after: Schema) -> Iterator[SchemaChange]:
    sides = (before, after)
    first, second = ({name: _plain_schema(one) for name, one in side.get("properties", {}).items()} for side in sides)
    for name in dict.fromkeys((*first, *second)):
        if not any(_is_closed(side) and name not in side.get("properties", {}) for side in sides):
            yield from keywords(name, first.get(name, {}), second.get(name, {}))
    needed = [set(side.get("required", ())) for side in sides]
    for name in sorted(needed[0] ^ needed[1]):
        a, b = ({"required": [name]} if name in side else {} for side in needed)
        yield from told(name, a, b, same)
    yield from _further(before, after)
    yield from keywords("record", *({word: side[word] for word in side if not _says_row(word, side)} for side in sides))


def _says_row(word: str, schema: Schema) -> bool:
    """Tell whether it only says that a row is an object, which every row is."""
    return word == "type" and "object" in schema[word]


def _is_closed(schema: Schema) -> bool:
    """Tell whether a row may have no column but those named; what is said of others then means nothing."""
    return schema.get("additionalProperties") is False


def _further(before: Schema, after: Schema) -> Iterator[SchemaChange]:
    """Yield columns that are not named. For their schema, only equality can be determined."""
    word = "additionalProperties"
    a, b = ({word: side[word]} if side.get(word, True) is not True else {} for side in (before, after))

    def judge(*_: Schema) -> ChangeKind | None:
        names = [frozenset(side.get("properties", {})) for side in (before, after)]
        if _is_closed(before) and _is_closed(after):
            return by_inclusion(lambda side: frozenset(side.get("properties", {})))(before, after)
        return same(a, b) or (None if names[0] == names[1] else ChangeKind.UNKNOWN)

    yield from told("record", a, b, judge)


def _tables(before: Contract, after: Contract) -> Iterator[SchemaChange]:
    first, second = _entries(before), _entries(after)
    for id_ in dict.fromkeys((*first, *second)):
        a, b = first.get(id_), second.get(id_)
        if a and b:
            yield from _entry_changes(id_, a, b)
        else:
            kind = ChangeKind.GONE if a else ChangeKind.NEW
            yield SchemaChange(rule=id_, kind=kind, before=a.written if a else None, after=b.written if b else None)


def _shown(before: Contract, after: Contract) -> Iterator[SchemaChange]:
    """Compare how much of the data two contracts let reports show. To show less is stricter."""
    a, b = before.shown, after.shown
    for kind in (_moved(-a.values, -b.values), _moved(a.min_cell, b.min_cell)):
        if kind:
            yield SchemaChange(rule="shown", kind=kind, before=plain(a), after=plain(b))


@dataclass(frozen=True, slots=True)
class _Entry:
    """An entry of ``table`` as it is written and with every default, and the rule that it makes."""

    written: dict[str, Plain]
    said: dict[str, Plain]
    rule: ContractRule
    columns: tuple[str, ...]  # that the record names


def _entries(contract: Contract) -> dict[str, _Entry]:
    entries = _whole(contract).get("table", [])
    columns = tuple(_schema(contract).get("properties", {}))
    rules = contract.rules[len(contract.rules) - len(entries) :]  # they stand last, in the file's order
    said = [plain(build(TABLE_RULES[str(written(entry))], entry)) for entry in entries]
    made = (_Entry(*parts, columns) for parts in zip(entries, said, rules, strict=True))
    return {one.rule.id: one for one in made}


def _entry_changes(id_: str, before: _Entry, after: _Entry) -> Iterator[SchemaChange]:
    a, b = before.rule, after.rule
    facets = (
        _moved(a.bounds.low, b.bounds.low),
        _moved(-a.bounds.high, -b.bounds.high),
        _moved(SEVERITIES.index(a.severity), SEVERITIES.index(b.severity)),
        _moved(-_seconds(before), -_seconds(after)),
        _column_set(before, after),
        _rest(before, after),
    )
    for kind in facets:
        if kind:
            yield SchemaChange(rule=id_, kind=kind, before=before.written, after=after.written)


def _moved(before: float, after: float) -> ChangeKind | None:
    """Compare two numbers of which the larger is stricter."""
    return None if before == after else ChangeKind.STRICTER if after > before else ChangeKind.LOOSER


def _seconds(entry: _Entry) -> int:
    text = entry.said.get("within", "0m")
    return int(text[:-1]) * SECONDS[text[-1]]


def _column_set(before: _Entry, after: _Entry) -> ChangeKind | None:
    a, b = before.said.get("columns"), after.said.get("columns")
    if a is None:
        return None
    ordered = a == b == "ordered"
    if before.columns != after.columns and (ordered or set(before.columns) != set(after.columns)):
        return ChangeKind.INCOMPATIBLE
    return None if a == b else ChangeKind.STRICTER if b == "ordered" else ChangeKind.LOOSER


def _rest(before: _Entry, after: _Entry) -> ChangeKind | None:
    """Return what has no direction, such as another reference."""
    directed = ("rows", "min", "max", "severity", "within", "columns")
    a, b = ({key: value for key, value in one.said.items() if key not in directed} for one in (before, after))
    return same(a, b)
