"""Counts that one machine hands to another: the parcels ``live`` and ``units``, a document each."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from gates.checkout.workspace import Workspace
from gates.documents.live.experiment_evidence import ExperimentEvidence
from gates.documents.live.live_evidence import LiveEvidence
from gates.schema.canonical import canonical
from gates.schema.validation import read_json
from gates.system import files

Counts = TypeVar("Counts", LiveEvidence, ExperimentEvidence)


def hand(work: Workspace, folder: Path, evidence: LiveEvidence | ExperimentEvidence) -> None:
    """Write a parcel; what lay there before goes."""
    work.prepare()
    files.remove(folder)
    folder.mkdir()
    files.write(_file(folder), canonical(evidence) + b"\n")


def handed(folder: Path, form: type[Counts]) -> Counts:
    """Read what was handed over. Raises ``GatesError`` where that is none, or not well-formed."""
    path = _file(folder)
    return read_json(form, files.read(path, "Hand over what --measure-only made."), str(path))


def _file(folder: Path) -> Path:
    return folder / f"{folder.name}.json"
