"""Ledgers made by hand: read into files, changed, and written again with one `git fast-import`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from gates.documents.printed.audit import Audit
from gates.ledger.ledger import HERE, Ledger
from gates.ledger.verify import audit
from gates.schema.canonical import canonical, digest_bytes
from gates.system.git import Git

sys.path.insert(0, str(Path(__file__).parent.parent.parent / "docs" / "verify"))

import verify_ledger

Files = dict[str, bytes]  # of one commit
History = list[Files]  # the oldest first


def ledger_of(repository: Path) -> Ledger:
    return Ledger(git=Git(folder=repository, environ=os.environ), remote=None)


def load(repository: Path) -> History:
    ledger = ledger_of(repository)
    with ledger.git.objects() as objects:
        return [
            {"record.json": data or b""} | {name: objects.get(blob) or b"" for name, blob in files.items()}
            for _, files, data in ledger.files(ledger.head())
        ][::-1]


def store(repository: Path, history: Sequence[Files], *, merge: bool = False) -> Path:
    """A bare repository with that history; ``merge``: its last commit has a second parent."""
    subprocess.run(["git", "init", "-q", "--bare", str(repository)], check=True)
    stream = []
    for place, files in enumerate(history, 1):
        stream.append(f"commit {HERE}\nmark :{place}\ncommitter x <x@x> {1700000000 + place} +0000\ndata 0\n".encode())
        if place > 1:
            stream.append(f"from :{place - 1}\n".encode())
        if merge and place == len(history):
            stream.append(b"merge :1\n")
        stream.append(b"deleteall\n")
        for name, data in files.items():
            stream.append(f"M 100644 inline {name}\ndata {len(data)}\n".encode() + data + b"\n")
    subprocess.run(
        ["git", f"--git-dir={repository}", "fast-import", "--quiet"],
        input=b"".join(stream),
        check=True,
        capture_output=True,
    )
    return repository


def record(files: Files) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(files["record.json"])
    return found


def with_record(files: Files, change: Callable[[dict[str, Any]], Any]) -> Files:
    changed = record(files)
    change(changed)
    return files | {"record.json": canonical(changed)}


def chained(history: History, before: History | None = None) -> History:
    """Whoever can write the branch can make the chain whole again: places, digests, and what names them. ``before``:
    the same records as they were, whose digests others name."""
    made: History = []
    names: dict[str, str] = {}
    for place, files in enumerate(history, 1):

        def rewrite(one: dict[str, Any], place: int = place) -> None:
            one["sequence"] = place
            one["previous"] = digest_bytes(made[-1]["record.json"]) if made else None
            one["intent"] = names.get(one["intent"], one["intent"])
            one["target"] = names.get(one["target"], one["target"])

        made.append(with_record(files, rewrite))
        names[digest_bytes((before or history)[place - 1]["record.json"])] = digest_bytes(made[-1]["record.json"])
    return made


def audited(repository: Path, expected: str | None = None) -> tuple[Audit, list[tuple[int, str]]]:
    """What gates finds, and what the verifier finds that shares no code with it."""
    found, _ = verify_ledger.verify(str(repository), expected=expected)
    return audit(ledger_of(repository), expected=expected), found
