"""List and stop the jobs of a model: those that were launched by anybody, on whatever branch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gates.documents.printed.job_list import ListedJob
from gates.launch.filled import MODEL as MODEL_NOTE
from gates.launch.filled import REF as REF_NOTE
from gates.launch.job_kinds import JobKind
from gates.launch.job_state import state
from gates.launch.kubectl import Kubectl
from gates.launch.task import COMMIT, KEY, LABEL, about
from gates.schema.fields import Plain

STOPPING = ("--wait=false", "--ignore-not-found", "--cascade=background")


def found(kubectl: Kubectl, row: JobKind, selector: Mapping[str, str], but: Mapping[str, str]) -> list[Plain]:
    """Return the objects of a kind that bear these labels, and not those of ``but``."""
    terms = [f"{name}={value}" for name, value in selector.items()]
    terms += [f"{name}!={value}" for name, value in but.items()]
    items: list[Plain] = kubectl.json("get", row.resource, "-l", ",".join(terms)).get("items") or []
    return items


def listed(kubectl: Kubectl, row: JobKind, model: str, ref: str | None = None) -> Iterator[ListedJob]:
    """Yield the jobs of a model, or of one of its branches, the newest first."""
    things = found(kubectl, row, about(model, ref), {})
    for thing in sorted(things, key=lambda one: str(one["metadata"].get("creationTimestamp")), reverse=True):
        metadata = thing["metadata"]
        labels, notes = metadata.get("labels") or {}, metadata.get("annotations") or {}
        stands = state(row, thing)
        yield ListedJob(
            name=metadata["name"],
            kind=row.named,
            where=metadata.get("namespace") or "",
            model=notes.get(MODEL_NOTE),
            ref=notes.get(REF_NOTE),
            commit=labels.get(COMMIT),
            key=labels.get(KEY) or "",
            state=stands.phase.value,
            why=stands.why or None,
            since=metadata.get("creationTimestamp"),
        )


def stopping(row: JobKind, key: str) -> tuple[str, ...]:
    """Return the order to stop the job of a key: by its label, so that no job of somebody else's goes."""
    return ("delete", row.resource, "-l", f"{KEY}={key[:LABEL]}", *STOPPING)
