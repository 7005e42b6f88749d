"""What a registry in git says of one model: its versions, and which of them each alias names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gates.schema.fields import declare

SCHEMA: Literal["gates/registered/v1"] = "gates/registered/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredVersion:
    """A version: stored files that have a number."""

    WRITTEN = "whole"
    version: str = declare("Its number.")
    stored: str = declare("The folder of its files, below the model's.")
    tags: dict[str, str] = declare("Pointers for people; the ledger says what counts.")


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredVersions:
    """All versions of one model, the oldest first."""

    WRITTEN = "whole"
    schema: Literal["gates/registered/v1"] = declare("Format of this document.")
    name: str = declare("The model's name.")
    versions: tuple[RegisteredVersion, ...] = declare("The oldest first.")
    aliases: dict[str, str] = declare("Alias to version.")

    def version(self, number: str) -> RegisteredVersion | None:
        """Find a version by its number."""
        return next((one for one in self.versions if one.version == number), None)
