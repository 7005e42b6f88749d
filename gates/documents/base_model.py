"""The model of a commit on the default branch, of which the predictions are kept for later pull requests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gates.schema.fields import declare

SCHEMA: Literal["gates/base/v1"] = "gates/base/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseModel:
    """A candidate that was judged, the commit that it was trained at, and the rows that it was scored on."""

    WRITTEN = "whole"
    schema: Literal["gates/base/v1"] = declare("Format of this document.")
    commit: str = declare("The commit.", pattern="^[0-9a-f]{40,64}$")
    digest: str = declare("Digest of the candidate's files.")
    holdout: str = declare("Which rows it was scored on.")
    predictions: str = declare("SHA-256 of the file with its predictions.")
