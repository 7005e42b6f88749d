"""The ledger of a user's repository: its records, and the same as if all had been written some days earlier."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from harness import World

from gates.documents.record import FILE, TIME
from gates.ledger.ledger import HERE, opened
from gates.schema.canonical import canonical, digest_bytes
from gates.system.git_commit import write_commit


def records(world: World) -> list[dict[str, Any]]:
    """Every record, the oldest first, with its digest."""
    found = []
    for commit in world.git("rev-list", "--reverse", "gates-ledger").split():
        text = subprocess.run(
            ["git", "show", f"{commit}:record.json"], cwd=world.repository, capture_output=True, check=True
        ).stdout
        found.append(json.loads(text) | {"digest": digest_bytes(text)})
    return found


def age(repository: Path, by: timedelta) -> None:
    """Write the ledger anew as if all of it had been written earlier."""
    ledger = opened(repository, {**os.environ, "GATES_LEDGER": "local"})
    head: str | None = None
    before: str | None = None
    known: dict[str | None, str] = {}
    for entry in [*ledger.entries(ledger.head())][::-1]:
        at = (datetime.strptime(entry.record.at, TIME) - by).strftime(TIME)
        data = canonical(replace(entry.record, at=at, previous=before, intent=known.get(entry.record.intent)))
        head = write_commit(ledger.git, {**entry.documents, FILE: data}, "earlier", head).id
        before = known[entry.digest] = digest_bytes(data)
    assert head is not None
    ledger.git.run("update-ref", HERE, head)
