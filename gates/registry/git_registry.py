"""A registry that needs no server: versions and aliases in a branch of the repository, which has no history.

| path | holds |
| --- | --- |
| `MODEL/registered.json` | versions and aliases |
| `MODEL/ID/manifest.json` | every file of a candidate: path, size, SHA-256 |
| `MODEL/ID/candidate/...` | those files, where they fit |
| `MODEL/ID/predictions/predictions.*` | the predictions that it was judged by |
"""

from __future__ import annotations

import re
import shutil
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

from gates.documents.record import REGISTRY, RecordedModel
from gates.documents.registered import SCHEMA, RegisteredVersion, RegisteredVersions
from gates.errors import GatesError
from gates.measure.holdout.models import RegisteredModel
from gates.registry.interface import TAG_INTENT, StoredRun, Summary, bound_to, unbound
from gates.registry.sqlite import logged
from gates.schema.canonical import canonical, digest, digest_bytes
from gates.schema.validation import read_json
from gates.system.activity import ran
from gates.system.files import entry, manifest
from gates.system.git import Git
from gates.system.orphan_branch import Blob, OrphanBranch

LIMIT = 50 * 10**6  # bytes of the whole branch, unless somebody says otherwise
STATE, MANIFEST, CANDIDATE, PREDICTIONS, MODEL = "registered.json", "manifest.json", "candidate", "predictions", "model"
Files = dict[str, Blob]


class GitRegistry:
    """The branch ``gates-registry`` of one repository; ``remote`` is None where it stays on this machine."""

    kind: Literal["git", "mlflow"] = "git"
    lock: Path | None = None  # the ledger's, which is in the same repository, is enough

    def __init__(
        self,
        git: Git,
        remote: str | None,
        say: Callable[[str], None],
        limit: int = LIMIT,
        logs: Path | None = None,
    ) -> None:
        """Open the branch; nothing is fetched yet. ``logs``: the file into which MLflow logs a training that names no
        other place."""
        self._branch = OrphanBranch(git=git, remote=remote, name=REGISTRY)
        self._say = say
        self._limit = limit
        self._logs = logs
        self._seen: Files | None = None  # what was fetched last

    def refresh(self) -> None:
        """See ``Registry``."""
        self._seen = None

    # -- reading --

    def served(self, name: str, version: str, known: RecordedModel | None, cache: Path) -> RegisteredModel | None:
        """See ``Registry``."""
        files, state = self._look(name)
        found = state.version(version)
        if found is None:
            return None
        place, into = f"{folder_of(name)}/{found.stored}", cache / f"v{version}"

        def copied(part: str) -> Path:
            return self._copied(files, f"{place}/{part}/", into / part)

        if known is None:
            return unbound(version, copied(CANDIDATE))
        return bound_to(known, name, version, lambda: copied(CANDIDATE), lambda: copied(PREDICTIONS))

    def files(self, name: str, version: str, cache: Path) -> Path:
        """See ``Registry``."""
        files, state = self._look(name)
        found = state.version(version)
        if found is None:
            raise GatesError(f"there is no version {version} of {name}", where="registry")
        return self._copied(files, f"{folder_of(name)}/{found.stored}/{CANDIDATE}/", cache / f"v{version}")

    def at(self, name: str, alias: str) -> str | None:
        """See ``Registry``."""
        return self._look(name)[1].aliases.get(alias)

    def made_for(self, name: str, intent: str) -> str | None:
        """See ``Registry``."""
        versions = reversed(self._look(name)[1].versions)
        return next((one.version for one in versions if one.tags.get(TAG_INTENT) == intent), None)

    def stored(self, name: str, version: str) -> str | None:
        """See ``Registry``."""
        files, state = self._look(name)
        found = state.version(version)
        return self._digest(files, f"{folder_of(name)}/{found.stored}") if found else None

    def kept(self, name: str, stored: StoredRun) -> str | None:
        """See ``Registry``."""
        return self._digest(self._look(name)[0], f"{folder_of(name)}/{stored.run_id}")

    def parameters(self, run_id: str, during: tuple[int, int] | None) -> dict[str, str] | None:
        """See ``Registry``: no training logs to this one, but MLflow may have logged it beside the policy."""
        return logged(self._logs, run_id, during) if self._logs else None

    def _digest(self, files: Files, folder: str) -> str | None:
        """Return the digest of a candidate's files; where they are kept elsewhere, that of their manifest."""
        listed = files.get(f"{folder}/{MANIFEST}")
        if listed is None:
            return None
        here = {path: blob for path, blob in files.items() if path.startswith(f"{folder}/{CANDIDATE}/")}
        if not here:
            return digest_bytes(*self._branch.read([listed]))
        start, paths = len(f"{folder}/{CANDIDATE}/"), sorted(here)
        read = self._branch.read([here[path] for path in paths])
        return digest([entry(path[start:], data) for path, data in zip(paths, read, strict=True)])

    def _look(self, name: str) -> tuple[Files, RegisteredVersions]:
        with ran("registry", f"look up {name} in {REGISTRY}"):
            if self._seen is None:
                files = self._branch.files(self._branch.newest())
                refuse_odd(files)
                self._seen = files
            return self._seen, self._state(self._seen, name)

    def _state(self, files: Files, name: str) -> RegisteredVersions:
        blob = files.get(f"{folder_of(name)}/{STATE}")
        if blob is None:
            return RegisteredVersions(schema=SCHEMA, name=name, versions=(), aliases={})
        return self._read(blob, folder_of(name))

    def _read(self, blob: Blob, folder: str) -> RegisteredVersions:
        (data,) = self._branch.read([blob])
        return read_json(RegisteredVersions, data, f"{REGISTRY}: {folder}/{STATE}")

    def _copied(self, files: Files, prefix: str, into: Path) -> Path:
        """Copy the files below a place into a fresh folder."""
        here = {path.removeprefix(prefix): blob for path, blob in files.items() if path.startswith(prefix)}
        if not here:
            raise GatesError(
                "its files are not kept in the repository: there was no room for them",
                where=prefix,
                hint="Raise GATES_REGISTRY_MB, or name an MLflow registry by MLFLOW_TRACKING_URI.",
            )
        shutil.rmtree(into, ignore_errors=True)
        for path, data in zip(here, self._branch.read(list(here.values())), strict=True):
            (into / path).parent.mkdir(parents=True, exist_ok=True)
            (into / path).write_bytes(data)
        return into

    # -- changing --

    def keep(self, name: str, folder: Path, predictions: Path | None, label: str) -> StoredRun:
        """See ``Registry``. Files for which there is no room are not kept: their manifest and the predictions are."""
        del label
        run_id, home = uuid.uuid4().hex, folder_of(name)
        read = {str(entry["path"]): (folder / str(entry["path"])).read_bytes() for entry in manifest(folder)}
        judged = {f"predictions{predictions.suffix}": predictions.read_bytes()} if predictions else {}
        listed = canonical([entry(*one) for one in sorted(read.items())])
        always = {f"{home}/{run_id}/{MANIFEST}": Blob.fresh(listed)}
        always |= {f"{home}/{run_id}/{PREDICTIONS}/{file}": Blob.fresh(data) for file, data in judged.items()}
        model = {f"{home}/{run_id}/{CANDIDATE}/{path}": Blob.fresh(data) for path, data in read.items()}

        def add(files: Files) -> Files:
            return self._fitting(files, name, always, model)

        self._change(add, f"files of a candidate of {name}")
        has_model = any(path.startswith(f"{MODEL}/") for path in read)
        judged_digest = digest([entry(*one) for one in judged.items()]) if judged else None
        return StoredRun(run_id=run_id, predictions=judged_digest, model=has_model)

    def summarize(self, name: str, kept: StoredRun, summary: Summary) -> None:
        """See ``Registry``: people read the card, which is stored with the version."""

    def register(
        self, name: str, kept: StoredRun, tags: Mapping[str, str], wish: str = "", description: str = ""
    ) -> str:
        """See ``Registry``."""
        del description
        numbers: list[str] = []

        def add(state: RegisteredVersions) -> RegisteredVersions:
            free = str(max((int(one.version) for one in state.versions), default=0) + 1)
            wished = wish.isdecimal() and int(wish) >= int(free)
            numbers.append(wish if wished else free)
            made = RegisteredVersion(version=numbers[-1], stored=kept.run_id, tags=dict(tags))
            return replace(state, versions=(*state.versions, made))

        self._restate(name, add, f"a version of {name}")
        return numbers[-1]

    def attach(self, name: str, version: str, file: str, text: bytes) -> None:
        """See ``Registry``."""
        blob = Blob.fresh(text)

        def add(files: Files) -> Files:
            found = self._state(files, name).version(version)
            return files | {f"{folder_of(name)}/{found.stored}/{file}": blob} if found else files

        self._change(add, f"{file} of {name} version {version}")

    def move(self, name: str, alias: str, version: str | None) -> None:
        """See ``Registry``."""

        def moved(state: RegisteredVersions) -> RegisteredVersions:
            if version is not None and state.version(version) is None:
                raise GatesError(f"there is no version {version} of {name}", where="registry")
            left = {key: value for key, value in state.aliases.items() if key != alias}
            return replace(state, aliases=left | ({alias: version} if version is not None else {}))

        self._restate(name, moved, f"{alias} of {name}")

    def _restate(self, name: str, change: Callable[[RegisteredVersions], RegisteredVersions], what: str) -> None:
        def changed(files: Files) -> Files:
            data = canonical(change(self._state(files, name)))
            return files | {f"{folder_of(name)}/{STATE}": Blob.fresh(data)}

        self._change(changed, what)

    def _change(self, change: Callable[[Files], Files], what: str) -> None:
        def plain(files: Files) -> Files:
            refuse_odd(files)
            return change(files)

        with ran("registry", f"write {what} to {REGISTRY}"):
            try:
                self._branch.change(plain, what)
            finally:
                self.refresh()

    def _fitting(self, files: Files, name: str, always: Files, model: Files) -> Files:
        """Return the files with the new ones, as far as there is room.

        The files of versions that no alias names go first, the oldest first; then the new model's own.
        """
        room = files | always | model
        for place in self._forgettable(files, folder_of(name)):
            if _bytes(room) <= self._limit:
                return room
            room = {path: blob for path, blob in room.items() if not path.startswith(place)}
        if _bytes(room) <= self._limit:
            return room
        room = {path: blob for path, blob in room.items() if path not in model}
        limit = f"{self._limit / 10**6:.10g} MB"
        if _bytes(room) > self._limit:
            raise GatesError(
                f"the predictions do not fit into {limit} of {REGISTRY}",
                where="registry",
                hint="Raise GATES_REGISTRY_MB, or name an MLflow registry by MLFLOW_TRACKING_URI.",
            )
        self._say(f"the model's files do not fit into {limit} of {REGISTRY}: its predictions and digests are kept")
        return room

    def _forgettable(self, files: Files, own: str) -> list[str]:
        """Return the folders that may go, in the order in which they go.

        What a promotion that ended early left without a version goes first; then models, then predictions, of versions
        that no alias names, those of the model's ``own`` folder first.
        """
        folders = sorted(
            (path.removesuffix(f"/{STATE}") for path in files if path.endswith(f"/{STATE}")), key=own.__ne__
        )
        kept, old = set[str](), list[str]()
        for folder in folders:
            state = self._read(files[f"{folder}/{STATE}"], folder)
            named = set(state.aliases.values())
            kept |= {f"{folder}/{one.stored}/" for one in state.versions}
            old += [f"{folder}/{one.stored}/" for one in state.versions if one.version not in named]
        stored = {"/".join(path.split("/")[:2]) + "/" for path in files if path.count("/") > 1}
        left = sorted(stored - kept)
        return left + [f"{place}{CANDIDATE}/" for place in old] + [f"{place}{PREDICTIONS}/" for place in old]


def held(git: Git, remote: str | None) -> int | None:
    """Return how many bytes the branch holds, as far as this clone knows; None where it has not seen it."""
    branch = OrphanBranch(git=git, remote=remote, name=REGISTRY)
    commit = branch.seen()
    return _bytes(branch.files(commit)) if commit else None


def limit(environ: Mapping[str, str]) -> int:
    """Return how many bytes the branch may hold: ``GATES_REGISTRY_MB``, or 50 MB."""
    text = environ.get("GATES_REGISTRY_MB") or ""
    if text and not re.fullmatch(r"[0-9]{1,6}", text):
        raise GatesError(
            f"{text[:40]!r} is not a whole number", where="GATES_REGISTRY_MB", hint="Say how many MB: 200."
        )
    return int(text) * 10**6 if text else LIMIT


def refuse_odd(files: Mapping[str, Blob]) -> None:
    """Raise ``GatesError`` for a path that leads elsewhere: whoever may push can write any."""
    for path in files:
        if not path.isprintable() or {"..", ".", ""} & set(path.split("/")) or "\\" in path:
            raise GatesError(f"{path!r} is not a path that gates writes", where=REGISTRY)


def folder_of(name: str) -> str:
    """Name a model's folder: by its name, with a hash where that is no name for a folder."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".-")
    return plain if plain == name else f"{plain}-{digest_bytes(name.encode())[-12:]}"


def _bytes(files: Files) -> int:
    return sum(blob.size for blob in files.values())
