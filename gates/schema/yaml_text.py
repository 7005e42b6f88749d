"""Read YAML text as a plain value with the place of every key, and write plain values as YAML. Bounded and safe.

Scalars follow the YAML 1.2 core schema: ``yes`` and ``on`` are text, only ``true`` and ``false`` are booleans. Less
than it: octal and hexadecimal numbers, infinities and NaN stay text. Aliases, anchors, tags, several documents and
duplicate keys are refused.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from gates.errors import GatesError
from gates.schema.fields import Plain

MAX_BYTES = 256 * 1024
MAX_DEPTH = 24
MAX_NODES = 20_000
MAX_DIGITS = 40
KEY = 100  # characters of a key that may stand before its colon on one line; YAML itself draws a line at 128
_BREAKS = re.compile(r"[\n\r\x85\u2028\u2029]")

Path = tuple[str | int, ...]
Place = tuple[int, int]

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TWO_ESCAPES = re.compile(r"\\\\|(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})")  # none after \\
_SCALARS: tuple[tuple[re.Pattern[str], Callable[[str], Plain]], ...] = (
    (re.compile(r"(~|null|Null|NULL|)"), lambda _: None),
    (re.compile(r"(true|True|TRUE)"), lambda _: True),
    (re.compile(r"(false|False|FALSE)"), lambda _: False),
    (re.compile(r"[-+]?[0-9]+"), int),
    (re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"), float),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A parsed file: its name, its plain value, and the line and column (from 1) of every key and item."""

    name: str
    value: Plain
    places: dict[Path, Place]

    def where(self, path: Path) -> Place:
        """Return the place of a path, or of its nearest parent that has one."""
        while path not in self.places and path:
            path = path[:-1]
        return self.places.get(path, (1, 1))


def parse(data: bytes, name: str) -> Source:
    """Read YAML. Raises ``GatesError`` with file, line and column for anything refused."""
    if len(data) > MAX_BYTES:
        raise GatesError(f"{len(data):,} bytes are more than the {MAX_BYTES:,} a policy may have", where=name)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise GatesError(f"not UTF-8 text (byte {error.start})", where=name, hint="Save it as UTF-8.") from error
    text = _as_yaml(text)
    try:
        _refuse(yaml.parse(text, Loader=_LOADER), name)
        node = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
        raise GatesError(f"no YAML: {error.problem or error.context}", where=place) from error
    except yaml.YAMLError as error:
        raise GatesError(f"no YAML: {str(error).splitlines()[0]}", where=name) from error
    if node is None:
        raise GatesError("is empty", where=name, hint="The smallest policy is in docs/quick-start.md.")
    places: dict[Path, Place] = {(): (1, 1)}
    return Source(name=name, value=_value(node, (), places, name), places=places)


def _as_yaml(text: str) -> str:
    """Rewrite the two things of JSON that are not YAML: tabs between values, and characters written as two escapes.

    In a JSON text no tab stands inside a string.
    """
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return text
    return _TWO_ESCAPES.sub(_one_character, text.replace("\t", " "))


def _one_character(found: re.Match[str]) -> str:
    pair = found.group(1)
    return str(json.loads(f'"{pair}"')) if pair else found.group()


def _refuse(events: Iterator[Any], name: str) -> None:
    """Raise at the first thing that a policy may not hold; looks at events, so nothing is built yet."""
    depth = nodes = documents = 0
    for event in events:
        documents += isinstance(event, yaml.DocumentStartEvent)
        nodes += isinstance(event, yaml.NodeEvent)
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        refusals = (
            (isinstance(event, yaml.AliasEvent), "aliases (*name) are not allowed", "Write the value in full."),
            (getattr(event, "anchor", None), "anchors (&name) are not allowed", "Write the value in full."),
            (getattr(event, "tag", None), "tags (!name) are not allowed", "Remove the tag."),
            (documents > 1, "a second document starts here", "Put only one document in a file."),
            (depth > MAX_DEPTH, f"nested deeper than {MAX_DEPTH} levels", None),
            (nodes > MAX_NODES, f"more than {MAX_NODES:,} values", None),
        )
        for refused, what, hint in refusals:
            if refused:
                mark = event.start_mark
                raise GatesError(what, where=f"{name}:{mark.line + 1}:{mark.column + 1}", hint=hint)


def _place(node: Any) -> Place:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _value(node: Any, path: Path, places: dict[Path, Place], name: str) -> Plain:
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, places, name)
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            places[*path, index] = _place(item)
        return [_value(item, (*path, index), places, name) for index, item in enumerate(node.value)]
    return _scalar(node, name)


def _mapping(node: Any, path: Path, places: dict[Path, Place], name: str) -> dict[str, Plain]:
    mapping: dict[str, Plain] = {}
    for key_node, value_node in node.value:
        line, column = _place(key_node)
        where = f"{name}:{line}:{column}"
        if not isinstance(key_node, yaml.ScalarNode):
            raise GatesError("a key must be plain text", where=where)
        word = key_node.value
        if word in mapping:
            first = places[*path, word][0]
            raise GatesError(f"{word}: occurs twice (first on line {first})", where=where, hint="Keep one.")
        places[*path, word] = (line, column)
        mapping[word] = _value(value_node, (*path, word), places, name)
    return mapping


def _scalar(node: Any, name: str) -> Plain:
    text: str = node.value
    if node.style:  # quoted or block text
        return text
    for pattern, make in _SCALARS:
        if pattern.fullmatch(text):
            if len(text) > MAX_DIGITS:
                line, column = _place(node)
                raise GatesError(f"a number of {len(text)} characters", where=f"{name}:{line}:{column}")
            return _finite(make(text), text, node, name)
    return text


def _finite(value: Plain, text: str, node: Any, name: str) -> Plain:
    if isinstance(value, float) and not math.isfinite(value):
        line, column = _place(node)
        raise GatesError(f"{text} is too large for a number", where=f"{name}:{line}:{column}")
    return value


class _Dumper(yaml.SafeDumper):
    """Writes YAML that ``parse`` reads back as it was.

    PyYAML quotes what YAML 1.1 would take for something else (``yes``); the resolver added here quotes what YAML 1.2
    would (``1e5``, ``089``).
    """


def _text(dumper: _Dumper, text: str) -> yaml.Node:
    """Return text of several lines in double quotes, where a break is escaped and stays on one line."""
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"' if _BREAKS.search(text) else None)


def _number(dumper: _Dumper, value: float) -> yaml.Node:
    """Return a whole float as people write it: 500, not 500.0."""
    whole = value.is_integer() and abs(value) < 2**53
    return dumper.represent_int(int(value)) if whole else yaml.SafeDumper.represent_float(dumper, value)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(float, _number)
_Dumper.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$"),
    list("-+.0123456789"),
)


def dump(value: Plain, **layout: Any) -> str:
    """Return a plain value as YAML that ``parse`` reads back as it was."""
    return str(yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, **layout))


def flow(value: Plain) -> str:
    """Return a value on one line: ``{type: integer, minimum: 1}``."""
    return dump([value], default_flow_style=True, width=math.inf).rstrip("\n")[1:-1]


def entry(key: str, value: Plain, indent: str) -> str:
    """Write ``key: value`` on one line; a very long key on a line of its own."""
    name = flow(key)
    return f"{indent}{name}: {flow(value)}" if len(name) <= KEY else f"{indent}? {name}\n{indent}: {flow(value)}"
