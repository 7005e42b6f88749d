"""Write SQL that reads JSON lines: columns are the keys of any line, typed by ``column_types``. Text stays text."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from gates.contract.sql import literal
from gates.errors import GatesError
from gates.measure.engines.column_types import (
    BOOL,
    INT,
    NESTED,
    NUM,
    WIDE,
    Asked,
    ReadColumns,
    classes,
    of_json,
    type_of,
)
from gates.measure.engines.reader_options import JSON, JSON_OBJECTS
from gates.measure.engines.written_names import Paths, refuse_twins

BOM = b"\xef\xbb\xbf"
OBJECT = 'Write one object a line, such as {"id": 1}.'
ONCE = "Give each key a unique name."
_SORTS = (BOOL, NESTED, INT | WIDE | NUM)  # of values; all others are text


def source(path: str, files: Sequence[Path], ask: Asked, paths: Paths) -> ReadColumns:
    """Write SQL that reads files. Raises ``GatesError`` for lines that are no objects, and for keys that are no
    names."""
    known = [_unmarked(file, paths) for file in files]
    names = _keys(path, files, JSON_OBJECTS.call(known), ask)
    if not names:
        raise GatesError(f"{path} has no keys", hint=OBJECT)
    bits, rows = classes(names, JSON.call(known, columns=_struct(dict.fromkeys(names, "JSON"))), ask, of_json)
    types = {name: type_of(one) for name, one in zip(names, bits, strict=True)}
    kinds = {name: "JSON" if _mixed(one) else types[name].kind for name, one in zip(names, bits, strict=True)}
    dated = {name: one.dated for name, one in types.items() if one.dated}
    return ReadColumns(sql=JSON.call(known, columns=_struct(kinds)), dated=dated, rows=rows)


def _struct(kinds: dict[str, str]) -> str:
    return f"{{{', '.join(f'{literal(name)}: {literal(kind)}' for name, kind in kinds.items())}}}"


def _mixed(bits: int) -> bool:
    """Tell whether values are nested, or of several sorts."""
    sorts = [bits & sort for sort in _SORTS] + [bits & ~(BOOL | NESTED | INT | WIDE | NUM)]
    return bool(bits & NESTED) or sum(map(bool, sorts)) > 1


def _keys(path: str, files: Sequence[Path], objects: str, ask: Asked) -> list[str]:
    """Return all keys, in the order in which most lines have them, whatever the order of the lines."""
    lists = f"SELECT json_keys(json) AS keys, min(json_type(json)) AS kind FROM {objects} GROUP BY ALL"  # few, mostly
    ask(f"CREATE OR REPLACE TEMP TABLE gates_keys AS {lists}")
    wrong = "count_if(kind <> 'OBJECT'), count_if(len(keys) <> len(list_distinct(keys)))"
    ((others, repeated),) = ask(f"SELECT {wrong} FROM gates_keys")
    if others or repeated:
        told, hint = next((one for file in files if (one := _told(file, len(files) > 1))), ("", OBJECT))
        raise GatesError(f"{path}: {told}", hint=hint)
    each = "SELECT unnest(keys) AS key, generate_subscripts(keys, 1) AS place FROM gates_keys"
    names = [str(row[0]) for row in ask(f"SELECT key, min(place) FROM ({each}) GROUP BY key ORDER BY 2, 1")]
    ask("DROP TABLE gates_keys")
    refuse_twins(path, names)
    return names


def _unmarked(file: Path, paths: Paths) -> str:
    """Return the path of a file, or of a copy without the byte order mark, which the engine takes for data."""
    with file.open("rb") as data:
        if data.read(len(BOM)) != BOM:
            return paths.of(file)
        known, copy = paths.copied(file)
        with copy.open("wb") as new:
            shutil.copyfileobj(data, new)
    return known


def _told(file: Path, named: bool) -> tuple[str, str] | None:
    found = fault(file)
    return (f"{file.name}: {found[0]}" if named else found[0], found[1]) if found else None


def fault(file: Path) -> tuple[str, str] | None:
    """Return what is wrong with a file, with its line and without its values, and how to fix it; None where nothing
    is."""
    with file.open("rb") as data:
        for number, line in enumerate(data, 1):
            told = _fault(line.removeprefix(BOM) if number == 1 else line)
            if told:
                return f"line {number} {told[0]}", told[1]
    return None


def _fault(line: bytes) -> tuple[str, str] | None:
    if not line.strip():
        return None
    repeated: list[str] = []

    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        repeated.extend(key for key, n in Counter(key for key, _ in pairs).items() if n > 1)
        return dict(pairs)

    try:
        value = json.loads(line.decode(), object_pairs_hook=once)
        json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair is not text
    except UnicodeEncodeError:
        return "holds half of a surrogate pair, which is not text", "Write the whole character."
    except UnicodeDecodeError:
        return "is not UTF-8 text", "Save the file as UTF-8."
    except json.JSONDecodeError as error:
        return f"is not valid JSON: {error.msg} (column {error.colno})", OBJECT
    except RecursionError:
        return "is nested too deeply", OBJECT
    if not isinstance(value, dict):
        return "is not an object", OBJECT
    return (f"holds the key {json.dumps(repeated[0])} twice", ONCE) if repeated else None
