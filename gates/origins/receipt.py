"""What was copied, from where and when: a receipt beside the table, which a record keeps in short."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gates.schema.canonical import canonical, digest
from gates.system import files

FOLDER = "fetched"  # in .gates/
MANY = 4  # objects that are recorded one by one
NONE = "no receipt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """One copy. ``source`` is what the policy asked for; ``parts`` are its objects, or the query; ``files`` the SHA-256
    of each file, by its path from the policy's folder; ``at`` when that was, in UTC."""

    source: Mapping[str, Any]
    parts: Sequence[Mapping[str, Any]]
    files: Mapping[str, str]
    at: str

    def whole(self, root: Path) -> bool:
        """Tell whether the files are still the ones that were copied."""
        paths = {name: root / name for name in self.files}
        return all(path.is_file() and files.sha256(path) == self.files[name] for name, path in paths.items())

    @property
    def pointer(self) -> str:
        """What a record says of it."""
        if len(self.parts) > MANY:
            return f"fetched:{digest(list(self.parts))}:of-{len(self.parts)}"
        return " ".join(f"fetched:{_told(part)}" for part in self.parts)


def _told(part: Mapping[str, Any]) -> str:
    if "sql" in part:
        return f"{part['driver']}:{part['sql']}:{part['rows']}-rows:{part['at']}"
    version = part.get("version") or part.get("etag") or "no-version"
    return f"{part['name']}:{str(version).strip(chr(34))}:{part['size']}"


def path(work: Path, table: str) -> Path:
    """Return where the receipt of a table lies."""
    return work / FOLDER / f"{table}.json"


def read(work: Path, table: str) -> Receipt | None:
    """Return the receipt of a table; None where there is none that can be read."""
    try:
        value = json.loads(path(work, table).read_bytes())
        return Receipt(**value)
    except (OSError, ValueError, TypeError):
        return None


def write(work: Path, table: str, receipt: Receipt) -> None:
    """Keep the receipt of a table."""
    place = path(work, table)
    place.parent.mkdir(parents=True, exist_ok=True)
    files.write(place, canonical(asdict(receipt)) + b"\n")
