"""The models that are measured, and where their output is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gates.errors import GatesError
from gates.system.files import folder_digest


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOutput:
    """Where a model's output lies: its folder, which is digested, with ``model/`` or ``predictions.*`` in it."""

    digest: str
    folder: Path

    @classmethod
    def of(cls, folder: Path) -> ModelOutput:
        """Return a folder as it lies there. Raises ``GatesError`` for links in it."""
        return cls(digest=folder_digest(folder), folder=folder)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredModel:
    """The champion. ``predictions(holdout)`` gives its kept predictions on a holdout of that identity, if any;
    ``folder()`` fetches its files."""

    version: str
    digest: str
    predictions: Callable[[str], Path | None]
    folder: Callable[[], Path]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rivals:
    """The models that a candidate is compared with: the champion, the anchor, and a pull request's base commit's."""

    champion: RegisteredModel | None = None
    anchor: RegisteredModel | None = None
    base: RegisteredModel | None = None
    unbased: str | None = None  # why there is no base commit's model, where a pull request should have one


def output_of(folder: Path) -> Path:
    """Return what a training wrote: a file of predictions, or the folder of a model. Raises ``GatesError`` where it
    wrote neither, or more than one."""
    outputs = [path for path in (folder / "predictions.parquet", folder / "predictions.csv") if path.is_file()]
    outputs += [folder / "model"] if (folder / "model").is_dir() else []
    if len(outputs) > 1:
        names = ", ".join(f"{path.name}/" if path.is_dir() else path.name for path in outputs)
        raise GatesError(f"{names} are both there: which one should be judged?", where=str(folder), hint="Keep one.")
    if not outputs:
        raise GatesError(
            "the training wrote neither model/ nor predictions.parquet nor predictions.csv",
            where=str(folder),
            hint="Write an MLflow model folder to $GATES_OUT/model, or predictions to $GATES_OUT.",
        )
    return outputs[0]
