"""Turn a JSON Schema of one row into conditions on columns, and its keywords into rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from gates.contract.rules.contract_rule import AllowedRange, ContractRule
from gates.contract.rules.keywords import KEYWORDS
from gates.contract.sql import Category, Column, Columns, every, literal, negated, some
from gates.schema.fields import Plain

Target = Column | None  # a column, or None: the whole row
NOTES = (
    "title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "$comment", "$schema", "$id",
    "$defs", "definitions", "$anchor", "contentEncoding", "contentMediaType", "contentSchema",
    "x-sensitive", "x-severity", "x-tolerance",
)  # fmt: skip
SHOWN = 60  # characters of a keyword's parameter in words


def kept(schema: Plain, target: Target, columns: Columns) -> str:
    """Write SQL that holds for the rows in which the target keeps the schema; never null."""
    if isinstance(schema, bool):
        return "TRUE" if schema else "FALSE"
    return every([keyword_kept(word, schema, target, columns) for word in schema if word not in NOTES])


def keyword_kept(word: str, schema: Mapping[str, Plain], target: Target, columns: Columns) -> str:
    """Write SQL that holds for the rows in which the target keeps one keyword of a schema."""
    if word in _COMBINE:
        return _COMBINE[word](schema, target, columns)
    if target is None:
        return ROW[word](schema, columns) if word in ROW else _row_keeps(word, schema[word])
    return KEYWORDS[word].kept(target, schema[word]) if word in KEYWORDS else "TRUE"  # says nothing of scalars


def _row_keeps(word: str, parameter: Plain) -> str:
    """Return the SQL of what a schema asks of a whole row.

    A row is an object: of its type, equal to no scalar, and what is said of numbers and text does not touch it.
    """
    if word == "type":
        return "TRUE" if "object" in ([parameter] if isinstance(parameter, str) else parameter) else "FALSE"
    return "TRUE"


def _one_of(schema: Mapping[str, Plain], target: Target, columns: Columns) -> str:
    branches = [kept(branch, target, columns) for branch in schema["oneOf"]]
    return " + ".join(f"CAST(({branch}) AS INTEGER)" for branch in branches) + " = 1"


def _conditional(schema: Mapping[str, Plain], target: Target, columns: Columns) -> str:
    """Return the SQL of ``if``, ``then`` and ``else``.

    The condition is written once: conditions within conditions would double at every step.
    """
    then, otherwise = (kept(schema.get(word, True), target, columns) for word in ("then", "else"))
    if then == otherwise:
        return then
    return f"CASE WHEN {kept(schema['if'], target, columns)} THEN {then} ELSE {otherwise} END"


_COMBINE: Mapping[str, Callable[[Mapping[str, Plain], Target, Columns], str]] = {
    "allOf": lambda schema, target, columns: every([kept(one, target, columns) for one in schema["allOf"]]),
    "anyOf": lambda schema, target, columns: some([kept(one, target, columns) for one in schema["anyOf"]]),
    "oneOf": _one_of,
    "not": lambda schema, target, columns: negated(kept(schema["not"], target, columns)),
    "if": _conditional,
    "then": lambda *_: "TRUE",  # told with their if
    "else": lambda *_: "TRUE",
}


def _properties(schema: Mapping[str, Plain], columns: Columns) -> str:
    named = schema["properties"].items()
    return every([kept(inner, columns[name], columns) for name, inner in named if name in columns])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Name(Column):
    """The name of a column as a text of its own."""

    category: Category = "string"

    @property
    def sql(self) -> str:
        """The name as a literal."""
        return f"CAST({literal(self.name)} AS VARCHAR)"


def _matched(name: str, schema: Mapping[str, Plain]) -> str:
    """Write SQL that holds where a pattern of ``patternProperties`` is found in a name. Names stand in SQL, too, so
    that the engine alone says what a pattern finds."""
    return some([_finds(pattern, name) for pattern in schema.get("patternProperties", {})])


def _finds(pattern: str, name: str) -> str:
    return KEYWORDS["pattern"].kept(_Name(name=name), pattern)


def _patterns(schema: Mapping[str, Plain], columns: Columns) -> str:
    patterns = schema["patternProperties"].items()
    return every(
        [
            some([negated(_finds(pattern, name)), kept(inner, column, columns)])
            for pattern, inner in patterns
            for name, column in columns.items()
        ]
    )


def _further(schema: Mapping[str, Plain], columns: Columns) -> str:
    """Check the columns that a schema does not name. Every row has every column, so a column too many is in all of
    them."""
    known, inner = schema.get("properties", {}), schema["additionalProperties"]
    others = {name: column for name, column in columns.items() if name not in known}
    return every([some([_matched(name, schema), kept(inner, column, columns)]) for name, column in others.items()])


def _unevaluated(schema: Mapping[str, Plain], columns: Columns) -> str:
    """Return what no keyword beside this one has looked at, in whatever schema that holds."""
    inner = schema["unevaluatedProperties"]
    beside = {word: one for word, one in schema.items() if word != "unevaluatedProperties"}
    return every(
        [some([_looked_at(name, beside, columns), kept(inner, column, columns)]) for name, column in columns.items()]
    )


def _looked_at(name: str, schema: Plain, columns: Columns) -> str:
    """Write SQL that holds for the rows in which a schema that they keep looks at a column."""
    if not isinstance(schema, dict):
        return "FALSE"
    if name in schema.get("properties", {}) or {"additionalProperties", "unevaluatedProperties"} & schema.keys():
        return "TRUE"
    conditions = [_matched(name, schema)]
    conditions += [_looked_at(name, inner, columns) for inner in schema.get("allOf", ())]
    for inner in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        conditions.append(every([kept(inner, None, columns), _looked_at(name, inner, columns)]))
    dependent = {**schema.get("dependencies", {}), **schema.get("dependentSchemas", {})}
    conditions += [_looked_at(name, inner, columns) for trigger, inner in dependent.items() if trigger in columns]
    if "if" in schema:
        holds = kept(schema["if"], None, columns)
        then = some([_looked_at(name, schema["if"], columns), _looked_at(name, schema.get("then"), columns)])
        conditions.append(every([holds, then]))
        conditions.append(every([negated(holds), _looked_at(name, schema.get("else"), columns)]))
    return some(conditions)


def _dependent(needs: Mapping[str, Plain], columns: Columns) -> str:
    """Check what a column's presence requires.

    Every row has every column, a null being a value. So lists of names are a question about columns, and a schema holds
    only where its column exists.
    """
    told = [(one, needed) for one, needed in needs.items() if one in columns]
    return every(
        [_all_there(needed, columns) if isinstance(needed, list) else kept(needed, None, columns) for _, needed in told]
    )


def _all_there(names: Plain, columns: Columns) -> str:
    return "TRUE" if set(names) <= columns.keys() else "FALSE"


def _equal(value: Plain, columns: Columns) -> str:
    """Tell whether a row is this object: its columns, no others, with its values."""
    if not isinstance(value, dict) or value.keys() != columns.keys():
        return "FALSE"
    return every([KEYWORDS["const"].kept(columns[name], one) for name, one in value.items()])


def _sized(holds: bool) -> str:
    return "TRUE" if holds else "FALSE"


ROW: Mapping[str, Callable[[Mapping[str, Plain], Columns], str]] = {
    "properties": _properties,
    "required": lambda schema, columns: _all_there(schema["required"], columns),
    "dependentRequired": lambda schema, columns: _dependent(schema["dependentRequired"], columns),
    "dependentSchemas": lambda schema, columns: _dependent(schema["dependentSchemas"], columns),
    "dependencies": lambda schema, columns: _dependent(schema["dependencies"], columns),
    "patternProperties": _patterns,
    "additionalProperties": _further,
    "unevaluatedProperties": _unevaluated,
    "propertyNames": lambda schema, columns: every(
        [kept(schema["propertyNames"], _Name(name=name), columns) for name in columns]
    ),
    "minProperties": lambda schema, columns: _sized(len(columns) >= schema["minProperties"]),
    "maxProperties": lambda schema, columns: _sized(len(columns) <= schema["maxProperties"]),
    "const": lambda schema, columns: _equal(schema["const"], columns),
    "enum": lambda schema, columns: some([_equal(one, columns) for one in schema["enum"]]),
}
_ASKS = {
    "additionalProperties": "no further columns",
    "dependentRequired": "columns that need others",
    "maxProperties": "no more columns",
    "minProperties": "so many columns",
    "propertyNames": "names of columns",
    "type": "a row is an object",
}


def rules(schema: Mapping[str, Plain], hidden: frozenset[str] = frozenset()) -> Iterator[ContractRule]:
    """Yield a rule for every keyword of every property, and for every keyword of the row itself.

    The id of the first sort is ``property.keyword``, that of the second the keyword alone. ``hidden`` are the
    columns whose values may be shown nowhere.
    """
    named = schema.get("properties", {})
    for word, parameter in schema.items():
        if word == "properties":
            for name, inner in parameter.items():
                yield from _property_rules(name, inner, hidden=name in hidden)
        elif word == "required":
            for name in dict.fromkeys(parameter):
                notes = named.get(name) if isinstance(named.get(name), dict) else {}
                yield _required(name, notes)
        elif _asks_of_rows(word, parameter):
            yield _rule(word, _ASKS.get(word, "a rule of the whole row"), schema, word, None, hidden=True)


def _asks_of_rows(word: str, parameter: Plain) -> bool:
    """Tell whether a keyword beside ``properties`` asks anything at all."""
    further = word in ("additionalProperties", "unevaluatedProperties")
    if word in ("then", "else") or (further and (parameter is True or parameter == {})):
        return False
    return word in ROW or word in _COMBINE or _row_keeps(word, parameter) == "FALSE"


def _property_rules(name: str, schema: Plain, *, hidden: bool) -> Iterator[ContractRule]:
    if isinstance(schema, bool):
        schema = {} if schema else {"not": {}}
    for word in schema:
        if word in (*KEYWORDS, *_COMBINE) and word not in ("then", "else"):
            asks = word if hidden else _asks(word, schema[word])
            yield _rule(f"{name}.{word}", asks, schema, word, name, hidden=hidden)


def _asks(word: str, value: Plain) -> str:
    """Return the keyword in words, with its parameter where that is a value or a list of values."""
    items = value if isinstance(value, list) else [value]
    if any(isinstance(item, dict) for item in items):
        return word
    text = f"{word} {', '.join(str(item) for item in items)}"
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def _rule(
    id_: str, asks: str, schema: Mapping[str, Plain], word: str, name: str | None, *, hidden: bool
) -> ContractRule:
    """Return one keyword of a schema, about the column ``name``, or None: about the row."""

    def breaking(columns: Columns) -> str | None:
        if name is not None and name not in columns:
            return None  # JSON Schema says nothing of a property that is not there; ``required`` does
        return negated(keyword_kept(word, schema, columns[name] if name is not None else None, columns))

    def example(columns: Columns) -> tuple[Column, str] | None:
        condition = breaking(columns)
        return None if name is None or condition is None or hidden else (columns[name], condition)

    return ContractRule(
        id=id_,
        asks=asks,
        count=lambda columns: None if (condition := breaking(columns)) is None else counted(condition),
        example=example,
        bounds=_tolerated(schema.get("x-tolerance", 0)),
        severity=schema.get("x-severity", "error"),
    )


def _required(name: str, notes: Mapping[str, Plain]) -> ContractRule:
    """Return the rule that a column must exist. A column is in all rows or in none, so there is nothing to tolerate."""
    return ContractRule(
        id=f"{name}.required",
        asks="the column must be there",
        count=lambda columns: "0" if name in columns else "count(*)",
        severity=notes.get("x-severity", "error"),
    )


def _tolerated(most: float) -> AllowedRange:
    """Return how many rows may break a rule: below 1 the limit is a share of the rows, from 1 on a number of them."""
    return AllowedRange(high=most, share=0 < most < 1)


def counted(condition: str) -> str:
    """Return an aggregate that counts the rows in which a condition holds."""
    return {"FALSE": "0", "TRUE": "count(*)"}.get(condition, f"count_if({condition})")
