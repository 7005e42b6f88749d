"""Read JSON that somebody else has written: a value, or an error that says what is wrong and where."""

from __future__ import annotations

import json
from typing import Any

from gates.errors import GatesError
from gates.schema.fields import Plain


def json_value(data: bytes | str, name: str, hint: str | None = None, **hooks: Any) -> Plain:
    """Return any value; ``hooks`` are those of ``json.loads``.

    Raises ``GatesError`` for what is not valid JSON, nests too deep, or holds text that is none.
    """
    try:
        value = json.loads(data, **hooks)
        json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair is not text
    except (ValueError, RecursionError) as error:
        raise GatesError(f"is not valid JSON: {error}", where=name, hint=hint) from error
    return value


def json_object(data: bytes | str, name: str, hint: str | None = None) -> dict[str, Plain]:
    """Return the value, where it is an object. Raises ``GatesError`` for every other one."""
    value = json_value(data, name, hint)
    if not isinstance(value, dict):
        raise GatesError("is not a JSON object", where=name, hint=hint)
    return value
