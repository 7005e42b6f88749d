"""Check a job document before anything is sent: what is refused, with the line where it stands."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gates.errors import GatesError
from gates.launch.job_kinds import BY_NAME, DATA, OUT, SEED, JobKind
from gates.launch.task import KEY
from gates.schema.fields import Plain
from gates.schema.validation import Problem, nearest, raise_all
from gates.schema.yaml_text import Path, Source, parse

IMAGES = ("image", "Image")  # how the names of fields end that name one: trainingImage, spark….container.image
OURS = re.compile("GATES_", re.IGNORECASE)
ACCOUNTS = ("serviceAccountName", "serviceAccount", "roleARN")
_DIGEST = re.compile(r"\S+@sha256:[0-9a-f]{64}")
_NOT_YET = {
    "AlgorithmSpecification": "a request to SageMaker",
    "pipelineInfo": "a pipeline of Kubeflow Pipelines",
    "Steps": "a pipeline of SageMaker",
}


def read(data: bytes, name: str, image: str | None = None) -> Source:
    """Return a document that may be launched. ``image`` takes the place of its first image.

    Raises ``GatesError`` with every mistake, each with its line.
    """
    source = parse(data, name)
    row = kind_of(source)
    raise_all(_mistakes(source, row, image))
    return source


def kind_of(source: Source) -> JobKind:
    """Return the row of a document's kind. Raises ``GatesError`` where there is none."""
    top = source.value if isinstance(source.value, dict) else {}
    for key, what in _NOT_YET.items():
        if key in top and "kind" not in top:
            raise GatesError(f"is {what}, which gates can't launch yet", where=source.name, hint=_hint())
    named = f"{top.get('apiVersion')} {top.get('kind')}"
    if named not in BY_NAME:
        what = f"{named!r} is no kind that gates launches{nearest(named, BY_NAME)}"
        raise GatesError(what, where=source.name, hint=_hint())
    return BY_NAME[named]


def _hint() -> str:
    return f"Write one of: {', '.join(BY_NAME)}."


def walked(value: Plain, path: Path = ()) -> Iterator[tuple[Path, Plain]]:
    """Yield everything in a plain value with its path, the outer before the inner."""
    yield path, value
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield from walked(item, (*path, key))


def at(value: Plain, dotted: str) -> Iterator[tuple[Path, Plain]]:
    """Yield what lies at a path with dots, where there is something; ``*`` is any key or item."""
    found: list[tuple[Path, Plain]] = [((), value)]
    for step in dotted.split("."):
        found = [((*path, key), item) for path, held in found for key, item in _steps(held, step)]
    yield from found


def _steps(held: Plain, step: str) -> Iterator[tuple[str | int, Plain]]:
    if isinstance(held, list):
        yield from (pair for pair in enumerate(held) if step in ("*", str(pair[0])))
    elif isinstance(held, dict):
        yield from (pair for pair in held.items() if step in ("*", pair[0]))


def trains(container: Plain, row: JobKind, place: int) -> bool:
    """Tell whether a container of a pod template is the one that runs the training."""
    return container.get("name") == row.container if row.container else place == 0


def with_identity(document: Plain) -> bool:
    """Tell whether the pods have an identity of their own, by which they reach the store."""
    return any(path and path[-1] in ACCOUNTS and bool(value) for path, value in walked(document))


def replaced_images(source: Source, row: JobKind) -> Iterator[Path]:
    """Yield the places of the images that ``train.image`` takes the place of: those that run the training."""
    if row.trainer:
        yield (*row.trainer.split("."), "image")
        return
    for template in row.templates:
        for path, containers in at(source.value, f"{template}.spec.containers"):
            for place, container in enumerate(containers if isinstance(containers, list) else ()):
                if isinstance(container, dict) and trains(container, row, place):
                    yield (*path, place, "image")
    if not row.templates:
        yield from [path for path, value in _images(source.value)][:1]


def image_of(source: Source, row: JobKind, image: str | None) -> str | None:
    """Return the image that the training asks for; None where the document names none."""
    named = dict(_images(source.value))
    return image or next((str(named[path]) for path in replaced_images(source, row) if path in named), None)


def _images(document: Plain) -> Iterator[tuple[Path, Plain]]:
    for path, value in walked(document):
        named = path[-1:] == ("reference",) and path[-2:-1] == ("image",)  # a volume that is an image
        if isinstance(value, str) and (named or (path and str(path[-1]).endswith(IMAGES))):
            yield path, value


def _mistakes(source: Source, row: JobKind, image: str | None) -> Iterator[Problem]:
    """Yield what must not be sent."""
    for path, text in (*_about_names(source), *_about_pods(source, row), *_about_images(source, row, image)):
        yield Problem.at(source, path, text)
    if not row.braces:
        for path, value in walked(source.value):
            if isinstance(value, str) and "{{" in value:
                yield Problem.at(source, path, "{{ is left over: a template that nobody filled in")
    for path, text in _about_parameters(source, row):
        yield Problem.at(source, path, text)


def _about_names(source: Source) -> Iterator[tuple[Path, str]]:
    metadata = source.value.get("metadata") or {}
    for key, why in (
        ("name", "gates names the job; take it out"),
        ("generateName", "gates names the job; take it out"),
        ("namespace", "the namespace is that of kubectl's context; take it out"),
        ("finalizers", "they would hold a job that is to be stopped; take them out"),
        ("ownerReferences", "GATES_OWNER names the owner; take them out"),
    ):
        if key in metadata:
            yield ("metadata", key), why
    ours = KEY.partition("-")[0] + "-"
    for path, value in walked(source.value):
        if path[-1:] == ("labels",) and isinstance(value, dict):
            yield from (((*path, name), "gates sets it; take it out") for name in value if str(name).startswith(ours))
        if path[-1:] == ("trainingJobName",):
            yield path, "gates names the job; take it out"


def _about_pods(source: Source, row: JobKind) -> Iterator[tuple[Path, str]]:
    for dotted in row.alone:
        yield from ((path, "must be 1, or absent") for path, value in at(source.value, dotted) if value != 1)
    for template in row.templates[:1]:
        if not any(isinstance(one, dict) for _, one in at(source.value, f"{template}.spec.containers.*")):
            yield (), f"has no container at {template}.spec.containers"
    for path, value in walked(source.value):
        if path[-1:] == ("restartPolicy",) and "initContainers" not in path:
            policy = value.get("type") if isinstance(value, dict) else value
            if policy != "Never":
                yield path, "must be Never: a training that failed is not run again in silence"
    for path, name in _variables(source.value):
        if OURS.match(name):
            yield path, "GATES_… is what gates itself tells the job; take it out"
    for path, value in _commands(source.value, row):
        if value:
            yield path, "the command is train.run; take it out"


def _variables(document: Plain) -> Iterator[tuple[Path, str]]:
    """Yield the names of environment variables, each with its place."""
    for path, value in walked(document):
        if path[-1:] == ("env",) and isinstance(value, list):
            for place, item in enumerate(value):
                if isinstance(item, dict):
                    yield (*path, place), str(item.get("name"))
        elif path[-1:] in (("environment",), ("envVars",)) and isinstance(value, dict):
            yield from (((*path, name), str(name)) for name in value)


def _commands(document: Plain, row: JobKind) -> Iterator[tuple[Path, Plain]]:
    """Yield the commands that stand where gates sets its own."""
    if row.entrypoint:
        yield from at(document, row.entrypoint)
        return
    for key in ("command", "args"):
        if row.trainer:
            yield from at(document, f"{row.trainer}.{key}")
        for template in row.templates:
            for path, container in at(document, f"{template}.spec.containers.*"):
                place = path[-1]
                if isinstance(container, dict) and trains(container, row, int(place)) and key in container:
                    yield (*path, key), container[key]


def _about_images(source: Source, row: JobKind, image: str | None) -> Iterator[tuple[Path, str]]:
    replaced = set(replaced_images(source, row)) if image else set()
    if image and not _DIGEST.fullmatch(image):
        yield (), f"train.image {image!r} has no digest: write IMAGE@sha256:…"
    named = list(_images(source.value))
    for path, value in named:
        if path not in replaced and not _DIGEST.fullmatch(value):
            yield path, f"{value!r} has no digest: write IMAGE@sha256:…, or gates can't say what ran"
    missing = [path for path in replaced_images(source, row) if path not in dict(named)] if not image else []
    yield from ((path[:-1], "names no image, and the policy has no train.image") for path in missing)


def _about_parameters(source: Source, row: JobKind) -> Iterator[tuple[Path, str]]:
    if row.given is None:
        return
    known = set(parameters(source.value, row.given))
    for name in (DATA, OUT, SEED):
        if name not in known:
            yield tuple(row.given.split(".")), f"has no {name}, by which gates hands over; declare it"
    if not with_identity(source.value) and row.kind != "PipelineExecution":
        yield ("spec",), "names no service account, by which its steps reach the store"


def parameters(document: Plain, dotted: str) -> Iterator[str]:
    """Yield the names of the parameters that a user's own pipeline takes."""
    for _, held in at(document, dotted):
        for item in held if isinstance(held, list | dict) else ():
            yield str(item.get("name") if isinstance(item, dict) else item)
