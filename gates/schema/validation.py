"""Check a plain value against its JSON Schema: every mistake at once, each with place, nearest word and hint."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, cast

from gates.errors import GatesError
from gates.schema.fields import Plain, build, schema_of
from gates.schema.json_text import json_value
from gates.schema.yaml_text import Path, Source

if TYPE_CHECKING:
    import jsonschema_rs

T = TypeVar("T")
SHOWN = 60  # characters of a value that a message repeats


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Problem:
    """One mistake and its place."""

    file: str
    line: int
    column: int
    text: str

    @classmethod
    def at(cls, source: Source, path: Path, text: str) -> Problem:
        """Return a mistake at a path of a source; the message names the key, or the path to an item of a list."""
        line, column = source.where(path)
        return cls(file=source.name, line=line, column=column, text=f"{_name(path)}: {text}" if path else text)

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.text}"


class PolicyError(GatesError):
    """All mistakes in a policy and its contract at once, sorted by place."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


def raise_all(problems: Iterable[Problem]) -> None:
    """Raise ``PolicyError`` with all problems, sorted by place, if there are any."""
    every = sorted(set(problems))
    if every:
        raise PolicyError(every)


def nearest(word: str, words: Iterable[str]) -> str:
    """Return ``; did you mean X?`` where a known word is near, else nothing."""
    found = difflib.get_close_matches(word, list(words), n=1, cutoff=0.6)
    return f"; did you mean {found[0]}?" if found else ""


def shown(value: Plain) -> str:
    """Return a value for a message, cut short."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def problems(source: Source, path: Path, value: Plain, schema: Mapping[str, Plain]) -> Iterator[Problem]:
    """Yield every way in which the value at ``path`` breaks its schema."""
    import jsonschema_rs

    errors = list(jsonschema_rs.Draft202012Validator(dict(schema)).iter_errors(value))
    mistyped = {tuple(error.instance_path) for error in errors if error.kind.name == "type"}
    for error in errors:  # of a value of the wrong type nothing else is worth saying
        if error.kind.name == "type" or tuple(error.instance_path) not in mistyped:
            yield from _told(source, path, value, schema, error)


@cache
def _validator(cls: Any) -> jsonschema_rs.Draft202012Validator:
    import jsonschema_rs

    return jsonschema_rs.Draft202012Validator(schema_of(cls))


def read_json(cls: type[T], data: bytes, name: str) -> T:
    """Return JSON bytes -> a declared dataclass. Raises ``GatesError`` where it is not valid JSON or of another
    form."""
    value = json_value(data, name, "Create it again.")
    if not _validator(cast(Any, cls)).is_valid(value):
        found = list(problems(Source(name=name, value=value, places={}), (), value, schema_of(cls)))
        raise GatesError(found[0].text, where=name, hint="Create it again with this version of gates.")
    try:
        made: T = build(cls, value)
    except (ValueError, OverflowError) as error:
        raise GatesError(f"contains an invalid number: {error}", where=name, hint="Create it again.") from error
    return made


_TYPES = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "null": "nothing",
    "number": "a number",
    "object": "keys with values",
    "string": "text",
}


def _name(path: Path) -> str:
    """Return the last key; for an item of a list the key of the list with the item's number."""
    *rest, last = path
    if isinstance(last, str) or not rest:
        return str(last)
    return f"{_name(tuple(rest))}[{last}]"


def _told(
    source: Source, base: Path, value: Plain, schema: Mapping[str, Plain], error: jsonschema_rs.ValidationError
) -> Iterator[Problem]:
    path: Path = (*base, *error.instance_path)
    violation: Any = error.kind
    known = _schema_at(schema, error.schema_path)
    match violation.name:
        case "additionalProperties":
            present = error.instance if isinstance(error.instance, dict) else {}
            free = [word for word in known.get("properties", {}) if word not in present]
            for word in violation.unexpected:
                yield Problem.at(source, (*path, word), f"unknown key{nearest(word, free)}")
        case "required":
            doc = known.get("properties", {}).get(violation.property, {}).get("description", "")
            yield Problem.at(source, path, f"the key {violation.property} is missing{f' ({doc})' if doc else ''}")
        case "anyOf":
            yield from _nearest_branch(source, base, value, schema, error)
        case "enum":
            options = ", ".join(str(option) for option in violation.options)
            hint = nearest(str(error.instance), map(str, violation.options))
            text = f"{shown(error.instance)} is not one of {options}{hint}"
            yield Problem.at(source, path, text)
        case "type":
            wanted = " or ".join(_TYPES[name] for name in violation.types)
            yield Problem.at(source, path, f"expected {wanted}, found {shown(error.instance)}")
        case "pattern":
            hint = known.get("description", "")
            yield Problem.at(
                source, path, f"{shown(error.instance)} has the wrong format{f' ({hint})' if hint else ''}"
            )
        case _:
            yield Problem.at(source, path, error.message)


def _nearest_branch(
    source: Source, base: Path, value: Plain, schema: Mapping[str, Plain], error: jsonschema_rs.ValidationError
) -> Iterator[Problem]:
    """Report the mistakes of that one of several allowed forms which fits the value's type."""
    kind: Any = error.kind
    branches: Sequence[Sequence[Any]] = kind.context
    for branch in branches:
        if not any(inner.kind.name == "type" and list(inner.instance_path) == error.instance_path for inner in branch):
            for inner in branch:
                yield from _told(source, base, value, schema, inner)
            return
    names = {name for branch in branches for inner in branch for name in getattr(inner.kind, "types", [])}
    wanted = " or ".join(sorted(_TYPES[name] for name in names))
    yield Problem.at(source, (*base, *error.instance_path), f"expected {wanted}, found {shown(error.instance)}")


def _schema_at(schema: Mapping[str, Plain], path: Sequence[str | int]) -> dict[str, Plain]:
    """Return the schema that holds the failed keyword; empty where the path leads outside."""
    here: Any = schema
    for step in path[:-1]:
        try:
            here = here[step]
        except (KeyError, IndexError, TypeError):
            return {}
    return here if isinstance(here, dict) else {}
