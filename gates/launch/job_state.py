"""Read from a job's object and its pods how it stands. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime

from gates.launch.document import at
from gates.launch.job_kinds import CONDITIONS, JobKind
from gates.launch.task import LastWords, Phase, State
from gates.schema.fields import Plain

# reasons of a container that waits for what will not come by itself
NEVER = (
    "ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "ImageInspectError",
    "RegistryUnavailable", "CreateContainerConfigError", "CreateContainerError", "RunContainerError",
)  # fmt: skip
DEFAULT = "kubectl.kubernetes.io/default-container"  # an annotation, which names it where an operator made the pod
LONGEST = 300  # characters of what a cluster says
_ACTIVE = ("Pending", "Running", "Unknown")


def state(row: JobKind, job: Plain, seen: Sequence[Plain] | None = None) -> State:
    """Return how a job stands, by its own words; its pods, where they were asked for, say why, and what ran."""
    phase, why = _phase(row, job)
    pods = sorted(seen or (), key=lambda pod: _order(row, pod))
    pod = pods[-1] if pods else None
    container = _training(row, pod)
    began = _began(container)
    if (
        phase is Phase.RUNNING
        and not row.queued
        and began is None
        and (seen is not None or _condition(job, "Suspended"))
    ):
        phase = Phase.QUEUED
    return State(
        phase=phase,
        why=_why(phase, why, _waiting(job, pods), _ended(container))[:LONGEST],
        stuck=next(filter(None, map(_stuck, pods)), None) if not phase.final else None,
        image=_text(container, "imageID"),
        interrupted=frozenset(
            str(_text(one, "metadata.uid")) for one in pods if _condition(one, "DisruptionTarget") is not None
        ),
        queued=_seconds(_text(job, "metadata.creationTimestamp"), began),
        pod=_text(pod, "metadata.name") if began else None,
        said=_said(container),
    )


def _why(phase: Phase, said: str, waiting: str, ended: str) -> str:
    """Return what is said of a phase: why it waits, or how it failed."""
    if phase is Phase.QUEUED:
        return waiting
    return "; ".join(filter(None, (ended, said))) if phase is Phase.FAILED else ""


def _phase(row: JobKind, job: Plain) -> tuple[Phase, str]:
    """Return the phase by the job's own words, and why."""
    if terminal := _condition(job, "ACK.Terminal"):
        return Phase.FAILED, str(terminal.get("message") or terminal.get("reason") or "")
    if row.state == CONDITIONS:
        for word, phase in row.words.items():
            if (item := _condition(job, word)) is not None:
                return phase, str(item.get("message") or item.get("reason") or "") if phase is Phase.FAILED else ""
        return Phase.RUNNING, ""
    word = str(_text(job, row.state) or "")
    phase = row.words.get(word, Phase.QUEUED if word in row.queued else Phase.RUNNING)
    if phase.final and any(_text(job, path) in words for path, words in row.failed.items()):
        phase = Phase.FAILED
    why = str(_text(job, row.why) or word) if phase is Phase.FAILED else ""
    return phase, why


def _condition(thing: Plain, name: str) -> Plain:
    """Return a condition that is true; None where there is none."""
    for _, conditions in at(thing, CONDITIONS):
        for item in conditions or ():
            if item.get("type") == name and item.get("status") == "True":
                return item
    return None


def _text(thing: Plain, dotted: str) -> str | None:
    return next((str(item) for _, item in at(thing, dotted) if item not in (None, "")), None)


def _order(row: JobKind, pod: Plain) -> tuple[bool, bool, str]:
    """Put the pod that counts last: it leads, was not taken away, and is the newest."""
    taken = _condition(pod, "DisruptionTarget") is not None
    return _leads(row, pod), not taken, str(_text(pod, "metadata.creationTimestamp"))


def _leads(row: JobKind, pod: Plain) -> bool:
    if row.leader is None:
        return True
    label, value = row.leader
    return bool(((pod.get("metadata") or {}).get("labels") or {}).get(label) == value)


def _container_states(pod: Plain) -> Iterator[Plain]:
    for statuses_of in ("initContainerStatuses", "containerStatuses"):
        for _, statuses in at(pod, f"status.{statuses_of}"):
            yield from statuses or ()


def _training(row: JobKind, pod: Plain) -> Plain:
    """Return the status of the container that trains; a node lists them by name, not as the pod does."""
    statuses = next((listed for _, listed in at(pod, "status.containerStatuses")), None) or ()
    named = next((listed for path, listed in at(pod, "metadata.annotations.*") if path[-1] == DEFAULT), None)
    name = row.container or named or _text(pod, "spec.containers.0.name")
    return next((one for one in statuses if one.get("name") == name), statuses[0] if statuses else {})


def _began(container: Plain) -> str | None:
    """Return when a container began; None where it did not."""
    for moment in ("running.startedAt", "terminated.startedAt"):
        if text := _text(container, f"state.{moment}"):
            return text
    return None


def _stuck(pod: Plain) -> str | None:
    """Return why a pod will never start, where that is so."""
    if _text(pod, "status.phase") not in _ACTIVE:
        return None
    for item in _container_states(pod):
        waiting = (item.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") in NEVER:
            said = " ".join(str(waiting.get("message") or "").split())
            return f"{waiting['reason']}: {item.get('image')}" + (f" ({said[:LONGEST]})" if said else "")
    return None


def _waiting(job: Plain, pods: Sequence[Plain]) -> str:
    """Return why a job has not begun, in the words of its queue or the scheduler."""
    if item := _condition(job, "Suspended"):
        return str(item.get("message") or item.get("reason") or "suspended")
    for pod in pods:
        for _, conditions in at(pod, CONDITIONS):
            for item in conditions or ():
                if item.get("type") == "PodScheduled" and item.get("status") == "False":
                    return str(item.get("message") or item.get("reason") or "")
    return ""


def _ended(container: Plain) -> str:
    """Return how a container ended, where it did and not well."""
    for _, item in at(container, "state.terminated"):
        if item.get("exitCode"):
            return f"{item.get('reason') or 'Error'}, exit code {item['exitCode']}"
    return ""


def _said(container: Plain) -> LastWords | None:
    """Return the last words of the program inside; None where there are none. They are a claim of the pod's."""
    for _, text in at(container, "state.terminated.message"):
        try:
            words = json.loads(str(text))
            return LastWords(
                digest=_kept(words, "digest", str),
                seconds=_kept(words, "seconds", int),
                code=_kept(words, "exit", int),
                memory=_kept(words, "memory", int),
                error=_kept(words, "error", str),
            )
        except (ValueError, AttributeError, RecursionError):
            return None
    return None


def _kept(words: Plain, key: str, form: type) -> Plain:
    item = words.get(key)
    return item if isinstance(item, form) and not isinstance(item, bool) else None


def _seconds(first: str | None, last: str | None) -> int | None:
    """Return the seconds between two moments; None where one is unknown."""
    try:
        return max(0, round((_moment(last) - _moment(first)).total_seconds()))
    except (ValueError, TypeError):
        return None


def _moment(text: str | None) -> datetime:
    if text is None:
        raise ValueError(text)
    return datetime.fromisoformat(text)
