"""Where a registry is, whatever folder a command was started in."""

from __future__ import annotations

import re
from pathlib import Path

SQLITE = "sqlite:///"
_OTHER = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|databricks$")  # an address that no folder has a part in


def rooted(uri: str, root: Path) -> str:
    """The address, with a relative path in it made to start at ``root``: MLflow would take the current folder."""
    if uri.startswith(SQLITE) and uri != SQLITE and not uri.startswith(f"{SQLITE}/"):
        name = uri.removeprefix(SQLITE)
        return uri if name.startswith((":memory:", "file:")) else f"{SQLITE}{root / name}"
    if uri.startswith("file:") and not uri.startswith("file:/"):
        return str(root / uri.removeprefix("file:"))
    return uri if _OTHER.match(uri) else str(root / uri)
