"""Snapshot: which span of time the training table and the holdout are of. Whatever writes the tables writes it, too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gates.schema.fields import TIME_PATTERN, declare

FILE = "snapshot.json"  # in the folder of the holdout


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotTable:
    """The time range of one table, and the files that it is about."""

    since: str = declare("The first second that its rows may be of, UTC.", pattern=TIME_PATTERN)
    until: str = declare("The second after the last one, UTC.", pattern=TIME_PATTERN)
    files: dict[str, str] = declare(
        "Each file of the table, by its path from the policy's folder; sha256: and the hex SHA-256 of its bytes."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The time ranges of the tables."""

    schema: Literal["gates/snapshot/v1"] = declare("Format of this document.")
    train: SnapshotTable | None = declare("The training table; leave it out where there is none.", default=None)
    holdout: SnapshotTable = declare("The holdout.")
