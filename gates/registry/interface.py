"""What every registry does: keep versions of a model with their predictions, and let aliases name them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from gates.documents.record import RecordedModel, RecordedTable
from gates.errors import GatesError
from gates.measure.holdout.models import RegisteredModel
from gates.system.files import folder_digest

TAG_DIGEST = "gates.digest"
TAG_HOLDOUT = "gates.holdout"
TAG_DECISION = "gates.decision"
TAG_INTENT = "gates.intent"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRun:
    """Stored files that nothing serves yet: their id, the digest of the predictions, if there are any, and whether
    there is a model. ``logged_model``: MLflow's id of it, where it has one."""

    run_id: str
    predictions: str | None
    model: bool
    logged_model: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What people read of a judged model in a registry that they look at. Nothing in it counts.

    It says what was judged, never which alias names the model: so it is true whatever becomes of the promotion.
    ``version`` describes the version, ``model`` the registered model where nobody has described it.
    """

    metrics: Mapping[str, float]
    tables: tuple[RecordedTable, ...]
    tags: Mapping[str, str]
    version: str
    model: str


def bound_to(
    known: RecordedModel, name: str, version: str, files: Callable[[], Path], predictions: Callable[[], Path]
) -> RegisteredModel:
    """Return a version that must be what the ledger says: other bytes and other predictions are refused.

    ``files`` and ``predictions`` copy what the registry has, and give the folder that it is in.
    """
    uri = f"models:/{name}/{version}"

    def folder() -> Path:
        copied = files()
        if folder_digest(copied) != known.digest:
            raise GatesError(
                f"the bytes of version {version} are not those of the ledger's record",
                where=uri,
                hint="Promote again, or move the alias back to an intact version.",
            )
        return copied

    def kept(holdout: str) -> Path | None:
        if known.holdout != holdout or known.predictions is None:
            return None
        copied = predictions()
        if folder_digest(copied) != known.predictions:
            raise GatesError(
                f"the kept predictions of version {version} are not those that it was judged by", where=uri
            )
        return next(copied.iterdir())

    return RegisteredModel(version=version, digest=known.digest, predictions=kept, folder=folder)


def unbound(version: str, folder: Path) -> RegisteredModel:
    """Return a version of which the ledger says nothing: it is what it is now, and has no predictions."""
    return RegisteredModel(
        version=version, digest=folder_digest(folder), predictions=lambda _: None, folder=lambda: folder
    )


class Registry(Protocol):
    """One registry. Nothing in it counts by itself: the ledger says which bytes a version must have."""

    @property
    def kind(self) -> Literal["git", "mlflow"]:
        """What kind of registry it is, as records name it."""

    @property
    def lock(self) -> Path | None:
        """The file to lock while the registry is changed; None where the ledger's lock is enough."""

    def refresh(self) -> None:
        """Forget what was read, so that the next question is asked again: whoever acts on an answer does this first."""

    def served(self, name: str, version: str, known: RecordedModel | None, cache: Path) -> RegisteredModel | None:
        """Find a version by its number; None where there is none. ``cache`` is a folder to fetch into.

        ``known`` is what the ledger says of its model, and binds: other bytes and other predictions are refused.
        Without it the version is what it is now, and has no predictions.
        """

    def files(self, name: str, version: str, cache: Path) -> Path:
        """Copy a version's files. Raises ``GatesError`` where there is no such version."""

    def at(self, name: str, alias: str) -> str | None:
        """Find the version that an alias names, or None."""

    def keep(self, name: str, folder: Path, predictions: Path | None, label: str) -> StoredRun:
        """Store the files of a candidate, of which nothing serves yet. ``label``: what people call it."""

    def summarize(self, name: str, kept: StoredRun, summary: Summary) -> None:
        """Show with stored files what people read of them, where the registry shows such things."""

    def register(
        self, name: str, kept: StoredRun, tags: Mapping[str, str], wish: str = "", description: str = ""
    ) -> str:
        """Make a version of stored files, which no alias names yet; gives its number: the one wished for, where the
        registry can choose and it is free."""

    def attach(self, name: str, version: str, file: str, text: bytes) -> None:
        """Keep a text with a version, in the place of an older one."""

    def made_for(self, name: str, intent: str) -> str | None:
        """Find the version that was registered for an intent, or None."""

    def move(self, name: str, alias: str, version: str | None) -> None:
        """Let the alias name a version, or none."""

    def stored(self, name: str, version: str) -> str | None:
        """Digest the bytes that a version has now; None where they are gone."""

    def kept(self, name: str, stored: StoredRun) -> str | None:
        """Digest stored files; None where they are gone."""

    def parameters(self, run_id: str, during: tuple[int, int] | None) -> dict[str, str] | None:
        """Read what a training logged under that run ``during`` it; None where no such run is known."""
