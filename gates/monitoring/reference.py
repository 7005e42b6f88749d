"""What a serving model is compared with: all that is known of when it was promoted."""

from __future__ import annotations

from dataclasses import dataclass

from gates.documents.evidence import Evidence
from gates.documents.live.drift_profile import DriftProfile


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """The evidence on which a model was promoted, and the profile of its training table; None where there is none."""

    record: str  # digest of the record that promoted it
    evidence: Evidence | None
    profile: DriftProfile | None
