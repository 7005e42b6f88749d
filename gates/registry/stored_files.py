"""Where a version's files lie in MLflow's store of artifacts, and the digest of their bytes.

A candidate is one folder. Its ``model/`` lies with the logged model, where MLflow looks for it; the rest of it, and a
candidate without a model, is the artifact ``candidate`` of the run.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from gates.errors import Exit, GatesError
from gates.registry.mlflow_calls import calling
from gates.schema.canonical import digest
from gates.system.files import manifest

MODEL = "model"  # where an MLflow model lies in a candidate's folder
KEPT = "candidate"  # artifact path of the candidate's folder
LOCAL = "file:///"
META = "registered_model_meta"  # which MLflow adds to each copy that it makes of a registered model

Parts = Mapping[str, str]  # a folder of the candidate, "" or "model/" -> the URI where its files lie


def parts_of(source: str, kept: str, beside: str | None) -> Parts:
    """Return where a version's files lie, by its ``source``.

    ``kept``: where its run keeps a candidate. ``beside``: the same, if it keeps one. A version that was registered
    without gates is a model alone.
    """
    if source in (kept, f"{kept}/{MODEL}"):  # no model, or one of a server that knows no logged models
        return {"": kept}
    return ({"": beside} if beside else {}) | {f"{MODEL}/": source}


def hashed(parts: Mapping[str, Path]) -> str | None:
    """Digest a candidate of which each folder lies somewhere on this machine; None where one of them is gone."""
    if not all(folder.is_dir() for folder in parts.values()):
        return None
    entries = [
        entry | {"path": f"{below}{entry['path']}"} for below, folder in parts.items() for entry in manifest(folder)
    ]
    return digest(sorted(entries, key=lambda entry: str(entry["path"])))


def on_this_machine(uri: str) -> Path:
    """Return the folder that a file URI names, which may be gone.

    Raises ``GatesError`` where all of the store is: that is a disk that is not there, not a model that somebody
    removed.
    """
    folder = Path(url2pathname(urlsplit(uri).path))
    store = folder.parent.parent.parent  # STORE/RUN/artifacts/candidate, STORE/models/MODEL/artifacts
    if not store.is_dir():
        hint = "Is its disk mounted, and is MLFLOW_TRACKING_URI the right registry?"
        raise GatesError(f"there is no folder {store}", where="registry", hint=hint, exit_code=Exit.OUTSIDE)
    return folder


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactStore:
    """The store of one MLflow, and the two addresses by which MLflow finds its way there."""

    tracking: str
    registry: str

    def digest(self, parts: Parts) -> str | None:
        """Digest the files that lie there, in place where they are on this machine; None where they are gone."""
        if all(uri.startswith(LOCAL) for uri in parts.values()):
            return hashed({below: on_this_machine(uri) for below, uri in parts.items()})
        with tempfile.TemporaryDirectory() as beside:
            return hashed({"": self.candidate(parts, Path(beside) / "stored")})

    def candidate(self, parts: Parts, into: Path) -> Path:
        """Copy a candidate into a fresh folder."""
        shutil.rmtree(into, ignore_errors=True)
        whole = into / "whole"
        for place, (below, uri) in enumerate(sorted(parts.items())):  # all that lies beside the model comes first
            part = self.copy(uri, into / f"part-{place}")
            (whole / below).parent.mkdir(parents=True, exist_ok=True)
            part.rename(whole / below)
        (whole / MODEL / META).unlink(missing_ok=True)
        return whole

    def copy(self, uri: str, into: Path) -> Path:
        """Copy what lies at a URI into a fresh folder; gives the copy."""
        shutil.rmtree(into, ignore_errors=True)
        into.mkdir(parents=True)
        with calling(f"fetch {uri}"):
            from mlflow.artifacts import download_artifacts

            return Path(
                download_artifacts(uri, dst_path=str(into), tracking_uri=self.tracking, registry_uri=self.registry)
            )
