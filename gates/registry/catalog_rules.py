"""What differs between MLflow's own registry and Unity Catalog, behind the same client.

Databricks documents it; nothing here was tried against Databricks itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gates.registry.interface import TAG_INTENT

PAGE = 100  # versions that are asked for at once


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogRules:
    """How to tag versions, find them by a tag, and where the bytes lie that are served."""

    unity: bool

    def tag(self, name: str) -> str:
        """Return the key of a tag: Unity Catalog allows no dot in one."""
        return name.replace(".", "_") if self.unity else name

    def made_for(self, client: Any, name: str, intent: str) -> str | None:
        """Find the version that was registered for an intent: Unity Catalog searches by name alone, and shows tags only
        of a version that is asked for."""
        if not self.unity:
            found = client.search_model_versions(f"name = '{name}' and tags.`{TAG_INTENT}` = '{intent}'")
            return str(found[0].version) if found else None
        for number in sorted(map(int, _numbers(client, name)), reverse=True):
            if client.get_model_version(name, str(number)).tags.get(self.tag(TAG_INTENT)) == intent:
                return str(number)
        return None

    def served_from(self, client: Any, name: str, version: str) -> str:
        """Return the URI of the bytes that a version serves: Unity Catalog has a copy of its own."""
        return f"models:/{name}/{version}" if self.unity else str(client.get_model_version_download_uri(name, version))


def rules_of(registry: str) -> CatalogRules:
    """Return the rules of the registry at an address."""
    return CatalogRules(unity=registry.startswith(("databricks-uc", "uc:")))


def _numbers(client: Any, name: str) -> Iterator[str]:
    token = None
    while True:
        page = client.search_model_versions(f"name = '{name}'", max_results=PAGE, page_token=token)
        yield from (str(version.version) for version in page)
        token = page.token
        if not token:
            return
