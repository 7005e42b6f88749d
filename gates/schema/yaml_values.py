"""Write values as YAML on one line, for text that people read and comment. Text reads back as text.

The other way is ``gates.schema.yaml_text``. PyYAML quotes what YAML 1.1 would take for something else (``yes``); the
resolvers added here quote what YAML 1.2 would (``1e5``).
"""

from __future__ import annotations

import re
from math import inf
from typing import Any

import yaml

from gates.schema.fields import Plain

KEY = 100  # characters of a key that may stand before its colon on one line; YAML itself draws a line at 128
_BREAKS = re.compile(r"[\n\r\x85\u2028\u2029]")


class _Dumper(yaml.SafeDumper):
    pass


def _text(dumper: _Dumper, value: str) -> yaml.Node:
    """Text of several lines in double quotes, where a break is escaped and stays on one line."""
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style='"' if _BREAKS.search(value) else None)


def _number(dumper: _Dumper, value: float) -> yaml.Node:
    """A whole float as people write it: 500, not 500.0."""
    whole = value.is_integer() and abs(value) < 2**53
    return dumper.represent_int(int(value)) if whole else yaml.SafeDumper.represent_float(dumper, value)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(float, _number)
_Dumper.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$"),
    list("-+.0123456789"),
)


def flow(value: Plain) -> str:
    """A value on one line: ``{type: integer, minimum: 1}``."""
    return _dump([value])[1:-1]


def entry(key: str, value: Plain, indent: str) -> str:
    """``key: value`` on one line; a very long key on a line of its own."""
    name = flow(key)
    return f"{indent}{name}: {flow(value)}" if len(name) <= KEY else f"{indent}? {name}\n{indent}: {flow(value)}"


def _dump(value: Any) -> str:
    text: str = yaml.dump(
        value, Dumper=_Dumper, default_flow_style=True, allow_unicode=True, sort_keys=False, width=inf
    )
    return text.rstrip("\n")
