"""Fill a job document in: name, labels, owner, image, command, limits. Pure."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from gates.launch import inside
from gates.launch.document import at, kind_of, replaced_images, trains
from gates.launch.job_kinds import DATA, NAME, OUT, SECONDS, SEED, JobKind
from gates.launch.task import Task
from gates.schema.fields import Plain

VARIABLE: Final = "GATES_JOB"
ENTRY: Final = "job"  # of the secret
SAID = "/dev/termination-log"
MODEL, REF = "gates/model", "gates/ref"  # annotations: in full what labels may have to shorten
PROGRAM = ("python3", "-I", "-c")
# two shells read it before Python does, and one of them knows double quotes alone
ENTRYPOINT = f"""python3 -I -c "import os; exec(os.environ['{inside.PROGRAM}'])\""""


def manifest(task: Task, uris: Mapping[str, str], instructions: str | None) -> Plain:
    """Return a task's document as it is sent. ``uris``: what a user's own pipeline is given. ``instructions``: what
    the program inside is told, where that is no secret."""
    row, document = kind_of(task.document), copy.deepcopy(task.document.value)
    if task.image:
        for path in replaced_images(task.document, row):
            _set(document, path, task.image)
    for dotted, value in row.filled.items():
        _fill(document, dotted.split("."), {SECONDS: task.seconds, NAME: task.name}.get(str(value), value))
    document["metadata"] = metadata = document.get("metadata") or {}
    metadata["name"] = task.name
    metadata["labels"] = {**(metadata.get("labels") or {}), **task.labels}
    metadata["annotations"] = {**(metadata.get("annotations") or {}), MODEL: task.model, REF: task.ref}
    if task.owner:
        metadata["ownerReferences"] = [dict(task.owner)]
    if row.given:
        _give(document, row.given, {DATA: uris[DATA], OUT: uris[OUT], SEED: str(task.seed)})
        return document
    _run(document, row, _variable(task, instructions))
    for template in row.templates:
        for _, held in at(document, template):
            held["metadata"] = held.get("metadata") or {}
            held["metadata"]["labels"] = {**(held["metadata"].get("labels") or {}), **task.labels}
    return document


def _variable(task: Task, instructions: str | None) -> Plain:
    if instructions is not None:
        return {"name": VARIABLE, "value": instructions}
    return {"name": VARIABLE, "valueFrom": {"secretKeyRef": {"name": task.name, "key": ENTRY}}}


def secret(task: Task, owner: Plain, instructions: str) -> Plain:
    """Return the secret with the signed addresses; it goes with the job, its owner."""
    reference = {"apiVersion": owner["apiVersion"], "kind": owner["kind"]}
    reference |= {"name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"]}
    metadata = {"name": task.name, "labels": task.labels, "ownerReferences": [reference]}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata,
        "immutable": True,
        "type": "Opaque",
        "stringData": {ENTRY: instructions},
    }


def said_at(task: Task) -> str:
    """Return where the program inside writes its last words: the container's own path."""
    for container in _trainers(task.document.value, kind_of(task.document)):
        return str(container.get("terminationMessagePath") or SAID)
    return SAID


def _trainers(document: Plain, row: JobKind) -> Iterator[Plain]:
    """Yield the containers that run the training."""
    for template in row.templates:
        for _, containers in at(document, f"{template}.spec.containers"):
            yield from (one for place, one in enumerate(containers) if trains(one, row, place))


def _run(document: Plain, row: JobKind, variable: Plain) -> None:
    """Set the command, and the variable that tells it what to do."""
    program = Path(inside.__file__).read_text(encoding="utf-8")
    command, variables = [*PROGRAM, program], [variable]
    if row.entrypoint:
        _set(document, row.entrypoint.split("."), ENTRYPOINT)
        variables.append({"name": inside.PROGRAM, "value": program})
    targets = list(_trainers(document, row))
    if row.trainer:
        _fill(document, row.trainer.split("."), {})
        targets = [held for _, held in at(document, row.trainer)]
    for target in targets:
        target["env"] = [*(target.get("env") or ()), *variables]
        if not row.entrypoint:
            target["command"] = command


def _set(document: Plain, path: Plain, value: Plain) -> None:
    for step in path[:-1]:
        document = document.setdefault(step, {}) if isinstance(document, dict) else document[step]
    document[path[-1]] = value


def _fill(document: Plain, path: list[str], value: Plain) -> None:
    """Set what lies at a path, where it is absent; ``*`` is any key that there is."""
    first, *rest = path
    if first == "*":
        for held in document.values() if isinstance(document, dict) else document:
            _fill(held, rest, value)
    elif not rest:
        if document.get(first) is None:
            document[first] = copy.deepcopy(value)
    else:
        if document.get(first) is None:
            document[first] = {}
        _fill(document[first], rest, value)


def _give(document: Plain, dotted: str, values: Mapping[str, str]) -> None:
    """Give a user's own pipeline its parameters: a mapping, a list of names and values, or words of a command."""
    for _, parameters in at(document, dotted):
        if isinstance(parameters, dict):
            parameters.update(values)
            continue
        for number, item in enumerate(parameters):
            if isinstance(item, dict) and item.get("name") in values:
                item["value"] = values[item["name"]]
            elif isinstance(item, str) and item in values:
                parameters[number] = values[item]


def instructions(
    task: Task, address: Callable[[str], str], out: str, headers: Mapping[str, str], limits: tuple[int, int]
) -> str:
    """Return what the program inside is told. ``address`` gives that of a parcel by its digest; ``limits``: the most
    files and bytes of one."""
    job = {
        "inputs": [{"name": name, "url": address(sha256), "sha256": sha256} for name, sha256 in task.inputs.items()],
        "out": out,
        "headers": dict(headers),
        "run": task.run,
        "folder": task.folder,
        "env": {**task.variables, "GATES_SEED": str(task.seed)},
        "paths": dict(task.paths),
        "seconds": task.seconds,
        "files": limits[0],
        "bytes": limits[1],
        "said": said_at(task),
    }
    return json.dumps(job, sort_keys=True)
