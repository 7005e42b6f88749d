"""A branch without history that keeps the predictions of the default branch's newest models, for pull requests to be
compared with. Nothing is promoted by it.

| path | holds |
| --- | --- |
| `MODEL/COMMIT/base.json` | which model it is, and on which rows it was scored |
| `MODEL/COMMIT/predictions.*` | its predictions |
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from gates.documents.base_model import BaseModel
from gates.documents.record import BASES
from gates.errors import GatesError
from gates.measure.holdout.models import RegisteredModel
from gates.registry.git_registry import folder_of, refuse_odd
from gates.schema.canonical import canonical
from gates.schema.validation import read_json
from gates.system.git import Git
from gates.system.orphan_branch import Blob, OrphanBranch

MOST = 20  # commits of one model
LIMIT = 25 * 10**6  # bytes of the whole branch
ABOUT = "base.json"
SHORT = 7  # digits of a commit that people read
BACK = 1_000  # commits before the base commit that are looked at


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseBranch:
    """The branch ``gates-base`` of one repository; ``remote`` is None where it stays on this machine."""

    git: Git
    remote: str | None
    say: Callable[[str], None]

    def keep(self, name: str, base: BaseModel, predictions: Path) -> bool:
        """Keep a model's predictions; the oldest go where there is no room. Gives whether there was room at all."""
        data = predictions.read_bytes()
        if hashlib.sha256(data).hexdigest() != base.predictions:
            raise GatesError("are not the predictions that were judged", where=str(predictions))
        if len(data) > LIMIT:
            self.say(f"the predictions do not fit into {LIMIT // 10**6} MB of {BASES}: nothing is kept")
            return False
        branch, home = self._branch, f"{folder_of(name)}/{base.commit}"
        fresh = {
            f"{home}/{ABOUT}": Blob.fresh(canonical(base)),
            f"{home}/predictions{predictions.suffix}": Blob.fresh(data),
        }

        def changed(files: Mapping[str, Blob]) -> dict[str, Blob]:
            refuse_odd(files)
            left = {path: blob for path, blob in files.items() if not path.startswith(f"{home}/")}
            return self._fitting(left, fresh, base.commit)

        branch.change(changed, f"{name} at {base.commit[:SHORT]}")
        return True

    def find(self, name: str, commit: str, cache: Path) -> RegisteredModel | None:
        """Find the model of a commit, or of the newest one before it that was kept; None where there is none."""
        branch = self._branch
        files = branch.files(branch.newest())
        refuse_odd(files)
        home = folder_of(name)
        kept = {path.split("/")[1] for path in files if path.startswith(f"{home}/") and path.endswith(f"/{ABOUT}")}
        found = next((one for one in self._before(commit) if one in kept), None) if kept else None
        return self._model(files, f"{home}/{found}", found, cache) if found else None

    def _model(self, files: Mapping[str, Blob], home: str, commit: str, cache: Path) -> RegisteredModel:
        (data,) = self._branch.read([files[f"{home}/{ABOUT}"]])
        base = read_json(BaseModel, data, f"{BASES}: {home}/{ABOUT}")

        def predictions(holdout: str) -> Path | None:
            if holdout != base.holdout:
                return None
            path = next((path for path in files if path.startswith(f"{home}/predictions.")), "")
            (kept,) = self._branch.read([files[path]]) if path else (b"",)
            if not path or hashlib.sha256(kept).hexdigest() != base.predictions:
                raise GatesError("the kept predictions are not those that were judged", where=f"{BASES}: {home}")
            cache.mkdir(parents=True, exist_ok=True)
            target = cache / path.rpartition("/")[2]
            target.write_bytes(kept)
            return target

        def nothing() -> Path:
            raise GatesError("its predictions are on another holdout, and its model is not kept")

        return RegisteredModel(version=commit[:SHORT], digest=base.digest, predictions=predictions, folder=nothing)

    @property
    def _branch(self) -> OrphanBranch:
        return OrphanBranch(git=self.git, remote=self.remote, name=BASES)

    def _before(self, commit: str) -> list[str]:
        """List a commit and those before it, the newest first."""
        told = self.git.run("rev-list", f"--max-count={BACK}", "--end-of-options", commit, fails=False)
        return told.split()

    def _fitting(self, files: Mapping[str, Blob], fresh: Mapping[str, Blob], commit: str) -> dict[str, Blob]:
        """Return the files with the fresh ones, without the model's oldest where they are too many, and without the
        oldest of all where they are too large. What is no ancestor counts as oldest."""
        age = {one: place for place, one in enumerate(self._before(commit))}
        model = next(iter(fresh)).split("/")[0]
        homes = sorted({path.rpartition("/")[0] for path in files}, key=lambda one: age.get(one.split("/")[-1], BACK))
        own = [one for one in homes if one.startswith(f"{model}/")][: MOST - 1]
        kept = [one for one in homes if one in own or not one.startswith(f"{model}/")]
        while True:
            room = {path: blob for path, blob in files.items() if path.rpartition("/")[0] in kept} | dict(fresh)
            if sum(blob.size for blob in room.values()) <= LIMIT or not kept:
                return room
            kept.pop()
