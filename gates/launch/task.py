"""What is launched, and what a launcher says of it: the socket that every engine fits."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from gates.schema.canonical import digest
from gates.schema.yaml_text import Source

LABEL = 63  # characters of a label's value, and of a name
KEY, RECIPE, MODEL, REF, COMMIT = (f"gates-{name}" for name in ("key", "recipe", "model", "ref", "commit"))
_NAMED = 26  # characters of a model's name within a job's: some operators add to it, and allow 47


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A training to launch. ``inputs``: the SHA-256 of each parcel by its name. ``paths``: variables whose values are
    places within the parcels. ``variables``: others. ``folder``: where the command runs, within ``code``. ``wait`` and
    ``seconds``: how long it may queue, and run. ``nonce``: what makes it another job than one of the same inputs."""

    model: str
    ref: str
    seed: int
    run: str
    folder: str
    inputs: Mapping[str, str]
    paths: Mapping[str, str]
    variables: Mapping[str, str]
    document: Source
    document_digest: str
    image: str | None
    seconds: int
    wait: int
    commit: str | None = None
    nonce: str = ""
    owner: Mapping[str, str] | None = None
    step: str = "train"

    @property
    def recipe(self) -> str:
        """The digest of all that makes it what it is, but for the seed: trainings of one candidate share it."""
        return self._digest(None)

    @property
    def key(self) -> str:
        """The digest of all that makes it what it is."""
        return self._digest(self.seed)

    def _digest(self, seed: int | None) -> str:
        content = {
            "step": self.step,
            "model": self.model,
            "ref": self.ref,
            "seed": seed,
            "run": self.run,
            "folder": self.folder,
            "inputs": dict(self.inputs),
            "paths": dict(self.paths),
            "variables": dict(self.variables),
            "document": self.document_digest,
            "image": self.image,
            "limits": [self.seconds, self.wait],
            "nonce": self.nonce,
        }
        return digest(content).removeprefix("sha256:")

    @property
    def name(self) -> str:
        """The job's name: the model's, and the key's first digits."""
        model = re.sub("[^a-z0-9]+", "-", self.model.lower()).strip("-")[:_NAMED].strip("-")
        return f"gates-{model}-{self.key[:12]}"

    @property
    def expected(self) -> LaunchedJob:
        """Its job as one that nobody has seen: it ended before, or it is not known whether it began."""
        kind = f"{self.document.value['apiVersion']} {self.document.value['kind']}"
        return LaunchedJob(kind=kind, name=self.name, key=self.key, uid="", where="", adopted=True)

    @property
    def out(self) -> str:
        """Where in the store it leaves what it made."""
        return f"runs/{slot(self.ref)}/{self.key}/out.tar"

    @property
    def labels(self) -> dict[str, str]:
        """What a job of it is known by."""
        return {
            KEY: self.key[:LABEL],
            RECIPE: self.recipe[:LABEL],
            **about(self.model, self.ref),
            **({COMMIT: self.commit[:LABEL]} if self.commit else {}),
        }


def about(model: str, ref: str | None = None) -> dict[str, str]:
    """Return the labels of all jobs of a model, or of those of one of its branches."""
    return {MODEL: slot(model)} | ({REF: slot(ref)} if ref else {})


def slot(text: str) -> str:
    """Return a text as a name that a label and a path may have; what does not fit is content apart by its digest."""
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", text).strip("-_.")
    return plain if plain == text and len(text) <= LABEL else f"{plain[:40]}-{digest(text)[7:19]}".lstrip("-_.")


class Phase(StrEnum):
    """How far a job is."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    GONE = "gone"  # deleted, or another one has its name

    @property
    def final(self) -> bool:
        """Whether it stays so."""
        return self not in (Phase.QUEUED, Phase.RUNNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchedJob:
    """A job that was started. ``where``: its namespace; empty where only what it left is there.
    ``adopted``: it was there already."""

    kind: str
    name: str
    key: str
    uid: str
    where: str
    created: str | None = None
    adopted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LastWords:
    """What the program inside left as its last words: the parcel's digest, seconds, exit code, bytes of memory."""

    digest: str | None = None
    seconds: int | None = None
    code: int | None = None
    memory: int | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """How a job stands. ``stuck``: why it will never start as it is. ``image``: what the node says that it ran.
    ``interrupted``: the pods that the cluster took away. ``pod``: where its log is."""

    phase: Phase
    why: str = ""
    stuck: str | None = None
    image: str | None = None
    interrupted: frozenset[str] = field(default_factory=frozenset)
    queued: int | None = None
    pod: str | None = None
    said: LastWords | None = None


class Lines(Protocol):
    """Lines that come, until the stream ends or somebody closes it."""

    def __iter__(self) -> Iterator[bytes]:
        """Yield them."""

    def close(self) -> None:
        """End them."""


class Launcher(Protocol):
    """An engine that runs jobs. ``start`` and ``stop`` may be called again: the second call changes nothing."""

    def start(self, task: Task) -> LaunchedJob:
        """Start the task's job, or find the one that was started."""

    def look(self, run: LaunchedJob) -> State:
        """Ask how it stands."""

    def log(self, run: LaunchedJob, pod: str, since: str | None, *, follow: bool = True) -> Lines:
        """Follow the log of a pod, each line after its time, from a time on; or give all that it holds by now."""

    def stop(self, run: LaunchedJob, *, wait: bool = True) -> None:
        """Order it to stop; without ``wait`` nobody looks at the answer."""
