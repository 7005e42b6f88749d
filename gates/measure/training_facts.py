"""Read what the training says about its model, ``facts.json`` in its folder, and what its launcher does. Claims, not
measurements."""

from __future__ import annotations

from math import isfinite
from pathlib import Path
from typing import NoReturn

from gates.documents.evidence import LaunchedTraining, TrainingFacts
from gates.errors import GatesError
from gates.schema.canonical import EXACT
from gates.schema.fields import build, schema_of
from gates.schema.json_text import json_value
from gates.schema.validation import problems, read_json
from gates.schema.yaml_text import Source
from gates.system import files

NAME = "facts.json"
LAUNCHED = "launched.json"  # written by gates beside what a job left
LARGEST = 2**18  # bytes
SCHEMA = schema_of(TrainingFacts) | {"required": []}  # people leave out what they have nothing to say of
HINT = 'Write {"parameters": {"name": value}, "tags": {"name": "text"}} there, or nothing.'


def read(folder: Path) -> TrainingFacts | None:
    """Return the facts of a model's folder; None where the training wrote none. Raises ``GatesError`` for anything
    else."""
    path = folder / NAME
    if not path.exists() and not path.is_symlink():
        return None
    data = files.read(path, HINT)
    if len(data) > LARGEST:
        raise GatesError(f"is larger than {LARGEST // 1024} KiB", where=str(path), hint=HINT)
    value = json_value(data, str(path), HINT, parse_constant=_no_number, parse_float=_finite)
    found = list(problems(Source(name=str(path), value=value, places={}), (), value, SCHEMA))
    if found:
        raise GatesError(found[0].text, where=str(path), hint=HINT)
    facts: TrainingFacts = build(TrainingFacts, {"parameters": {}, "tags": {}} | value)
    for name, held in facts.parameters.items():
        if isinstance(held, int) and abs(held) > EXACT:
            raise GatesError(
                f"{name}: JSON readers can't represent this number", where=str(path), hint="Write it as text."
            )
    return facts


def launched(folder: Path, *, as_job: bool) -> LaunchedTraining | None:
    """Return what is known of the job that trained a model; None where a command did. Raises ``GatesError`` where the
    policy has it trained otherwise."""
    path = folder / LAUNCHED
    if not path.exists() and not path.is_symlink():
        return None
    if not as_job:
        raise GatesError("is there, but the policy has no train.job", where=str(path), hint="Write facts.json instead.")
    return read_json(LaunchedTraining, files.read(path, "Run gates train again."), str(path))


def _finite(digits: str) -> float:
    return float(digits) if isfinite(float(digits)) else _no_number(digits)


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a number")
