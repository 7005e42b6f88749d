"""Units of an experiment that another machine has counted: whether they are of the next look, by the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from gates.documents.live.experiment_evidence import ExperimentEvidence
from gates.errors import GatesError
from gates.ledger.experiments.experiment_records import KnownExperiment
from gates.measure.live.window_times import text_of
from gates.schema.canonical import digest

FILE = "units.json"
_AGAIN = "Run gates experiment --measure-only again."


def came_late(evidence: ExperimentEvidence, known: Sequence[KnownExperiment]) -> bool:
    """Tell whether somebody else has looked at the newest experiment, or ended it, since the units were counted."""
    if not known or evidence.start != known[-1].start:
        return False
    newest = known[-1]
    followed = [None, *(digest(decision) for _, decision in newest.looks)]
    return evidence.previous in (followed if not newest.runs else followed[:-1])


def check(evidence: ExperimentEvidence, now: datetime, model: str) -> None:
    """Raise ``GatesError`` unless the look is of this model, and not in the future: whoever counted could end an
    experiment by a time that is still to come. All else the judge refuses."""
    if evidence.model != model:
        raise GatesError(f"the units are of the model {evidence.model}", where=FILE, hint=_AGAIN)
    if evidence.until > text_of(now):
        raise GatesError(f"the look at {evidence.until} is in the future", where=FILE, hint=_AGAIN)
