"""Hand folders from one machine to the next, each checked by a digest that travels separately, in the job's outputs.

| parcel | made by | holds |
| --- | --- | --- |
| `data` | `gates check-data` | what training may see: training tables, the holdout without its labels |
| `served` | `gates check-data` | champion, anchor, base commit's model: kept predictions, or the model |
| `candidate`, `seeds` | `gates train` | what the training wrote, and what further trainings of its recipe did |
| `scores`, `champion-scores` | `gates score` | what their models gave for the holdout's rows |
| `evidence` | `gates run` | the evidence, with decision and report |
| `live` | `gates monitor --measure-only` | the counts of live windows |
| `units` | `gates experiment --measure-only` | the counts of an experiment's units |

Whoever made a parcel may have been hostile: it is looked at as plain files, within limits, before it is read.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from gates.checkout.workspace import Workspace
from gates.errors import Exit, GatesError
from gates.launch.parcel import LARGEST, MOST_FILES
from gates.measure.holdout.models import RegisteredModel, Rivals
from gates.measure.holdout.scoring import ScoringRequest, scored
from gates.measure.measurement import Measurement
from gates.schema.fields import Plain
from gates.schema.json_text import json_object
from gates.system import files

SCORING = "scoring.json"
FEATURES = "features"  # with the suffix of their format
SERVED = "served.json"
SERVING = ("champion", "anchor", "base")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_GLOB = re.compile(r"[*?\[{]")
_AGAIN = "Hand over what gates check-data made."


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """Where in ``.gates/`` a parcel lies, and how the files are called that it may hold, where those are known."""

    place: str
    names: str | None = None


PARCELS: Mapping[str, Parcel] = {
    "data": Parcel(place="data"),
    "served": Parcel(place="served"),
    "candidate": Parcel(place="candidate"),
    "seeds": Parcel(place="seeds"),
    "scores": Parcel(place="scored", names=r"candidate\d*\.parquet"),
    "evidence": Parcel(place=".", names=r"(evidence|decision|rows|base)\.json|report\.md"),
    "live": Parcel(place="live", names=r"live\.json"),
    "units": Parcel(place="units", names=r"units\.json"),
    "champion-scores": Parcel(place="scored", names=rf"({'|'.join(SERVING)})\.(parquet|json)"),
}


# -- receiving --


def receive(work: Workspace, handed: Path, digests: str, wanted: Collection[str]) -> None:
    """Lay the parcels that lie in ``handed``, a folder each, into ``.gates/``, and nothing else there.

    ``digests`` has a line ``NAME sha256:...`` a parcel; a name alone was not handed over. ``wanted`` are the names that
    this step takes. Raises ``GatesError``, with ``.gates/`` empty of parcels, where one is not what its line says.
    """
    expected = read_digests(digests, wanted)
    work.forget("data")
    found = {path.name for path in handed.iterdir()} if handed.is_dir() and not handed.is_symlink() else set()
    for name in sorted(found - expected.keys()):
        raise GatesError(f"{name!r} was handed over, but without a digest", where=str(handed))
    try:
        for name, digest in expected.items():
            _take(work.work, handed / name, PARCELS[name], digest)
    except BaseException:
        work.forget("data")
        raise


def read_digests(text: str, wanted: Collection[str]) -> dict[str, str]:
    """Read lines ``NAME DIGEST``, each name once: a job that was hostile wrote some of them."""
    digests: dict[str, str] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        name, _, digest = line.partition(" ")
        if name not in wanted:
            known = ", ".join(wanted)
            raise GatesError(f"{name[:40]!r} can't be handed to this step; known are: {known}", where="digests")
        if name in digests:
            raise GatesError(f"{name} occurs twice", where="digests")
        if digest and not _DIGEST.fullmatch(digest):
            raise GatesError(
                f"{name}: {digest[:80]!r} is not a digest", where="digests", hint="sha256: and 64 hex digits"
            )
        digests[name] = digest
    return {name: digest for name, digest in digests.items() if digest}


def _take(work: Path, folder: Path, parcel: Parcel, digest: str) -> None:
    entries = plain_files(folder)
    strange = [name for name in entries if parcel.names and not re.fullmatch(parcel.names, name)]
    if strange:
        raise GatesError(f"holds {min(strange)!r}, which does not belong there", where=str(folder))
    if files.folder_digest(folder) != digest:
        raise GatesError(
            "is not what the job before handed over: its digest differs",
            where=str(folder),
            hint="Run the workflow again; if it happens again, somebody changed the files on the way.",
        )
    for name in entries:
        target = work / parcel.place / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / name, target)


def plain_files(folder: Path) -> dict[str, int]:
    """Return the size of each file below a folder. Raises ``GatesError`` for links, special files, and too much."""
    if folder.is_symlink() or not folder.is_dir():
        raise GatesError("there is no such folder", where=str(folder), exit_code=Exit.INPUT)
    sizes: dict[str, int] = {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if not name.isprintable():
            raise GatesError(f"{name!r} is not a valid file name", where=str(folder))
        if not (files.is_plain(path) or (path.is_dir() and not path.is_symlink())):
            raise GatesError(f"{name} is a link or a special file; only plain files are accepted", where=str(folder))
        if path.is_file():
            sizes[name] = path.stat().st_size
        if len(sizes) > MOST_FILES or sum(sizes.values()) > LARGEST:
            most = f"{MOST_FILES:,} files and {LARGEST // 2**30} GiB"
            raise GatesError(f"is larger than {most}, the limit", where=str(folder))
    return sizes


# -- what training may see --


def hand_data(measurement: Measurement, folder: Path) -> None:
    """Write the parcel ``data``: the training tables, the holdout without its label, and what a model will be asked."""
    folder.mkdir(parents=True)
    measurement.unlabelled(folder)
    measurement.asked_about(folder, FEATURES)
    files.write(folder / SCORING, measurement.asked.dump().encode())
    if measurement.resolved.policy.data.train:
        base, _ = split(measurement.root, measurement.resolved.policy.data.train)
        for file in measurement.files("train"):
            target = folder / "train" / file.relative_to(base)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)


def split(root: Path, pattern: str) -> tuple[Path, str]:
    """Split a file or a glob into the folder where it starts, and the rest."""
    parts = (root / pattern).parts
    fixed = next((index for index, part in enumerate(parts[:-1]) if _GLOB.search(part)), len(parts) - 1)
    return Path(*parts[:fixed]), "/".join(parts[fixed:])


def handed_tables(work: Workspace, train: str | None) -> tuple[Path, Path | None]:
    """Return where the holdout without its label lies that was handed over, and the training tables, which may be a
    glob."""
    folder = work.data
    holdout = next(iter(sorted(folder.glob("holdout.*"))), None)
    if holdout is None:
        raise GatesError("no holdout was handed over", where=str(folder), hint="Hand over what gates check-data made.")
    return holdout, folder / "train" / split(work.root, train)[1] if train else None


def without_holdout(measurement: Measurement, checkout: Path) -> str:
    """Return patterns for a sparse checkout without the files that hold the holdout's labels."""
    lines = ["/*"]
    for file in measurement.files("holdout"):
        path = file.resolve()
        if path.is_relative_to(checkout.resolve()):
            name = path.relative_to(checkout.resolve()).as_posix()
            if not name.isprintable():
                raise GatesError(f"{name!r} is not a valid file name", where="data.holdout")
            lines.append("!/" + re.sub(r"([\\*?\[ ])", r"\\\1", name))
    return "\n".join(lines)


# -- champion, anchor and the base commit's model --


def hand_served(rivals: Rivals, identity: str, folder: Path) -> bool:
    """Write the parcel ``served``, a folder a model by its role; gives whether one of them must be scored first.

    ``identity`` is that of the holdout, on which kept predictions must be.
    """
    handed = [_hand_one(getattr(rivals, name), identity, folder / name) for name in SERVING]
    if rivals.unbased:
        files.write(folder / "base" / SERVED, json.dumps({"unbased": rivals.unbased}).encode())
    return any(handed)


def _hand_one(served: RegisteredModel | None, identity: str, folder: Path) -> bool:
    """Hand a model over with what is known of it, and why it can't be compared where that is so; gives whether it must
    be scored."""
    folder.mkdir(parents=True)
    handed: dict[str, str | None] = {}
    scored = False
    if served is not None:
        handed = {"version": served.version, "digest": served.digest, "why": None}
        try:
            scored = _hand_model(served, identity, folder)
        except GatesError as error:
            if error.exit_code is Exit.OUTSIDE:
                raise
            handed["why"] = error.what
    files.write(folder / SERVED, json.dumps(handed).encode())
    return scored


def _hand_model(served: RegisteredModel, identity: str, folder: Path) -> bool:
    """Hand over a model's predictions, or the model itself where there are none on this holdout; gives whether it is
    the model."""
    if kept := served.predictions(identity):
        shutil.copyfile(kept, folder / f"predictions{kept.suffix}")
        return False
    model = served.folder() / "model"
    if not model.is_dir():
        raise GatesError("it came as predictions on another holdout, and there is no model to score this one")
    shutil.copytree(model, folder / "model")
    return True


def handed_rivals(work: Workspace) -> Rivals:
    """Return all that was handed over to be compared with."""
    why = _object(work.served / "base" / SERVED).get("unbased")
    models = {name: handed_served(work, name) for name in SERVING}
    return Rivals(**models, unbased=None if why is None else str(why))


def handed_served(work: Workspace, name: str) -> RegisteredModel | None:
    """Return a model that was handed over.

    Its predictions are the kept ones, or those of the parcel with its scores.
    """
    folder, scores = work.served / name, work.scored
    handed = _object(folder / SERVED)
    if "version" not in handed:
        return None

    def predictions(_: str) -> Path:
        unscored = scores / f"{name}.json"
        why = handed["why"] or (_object(unscored).get("why") if unscored.exists() else None)
        if why:
            raise GatesError(str(why))
        places = (*sorted(folder.glob("predictions.*")), scores / f"{name}.parquet")
        found = next((path for path in places if path.is_file()), None)
        if found is None:
            raise GatesError("its scores were not handed over")
        return found

    return RegisteredModel(
        version=str(handed["version"]), digest=str(handed["digest"]), predictions=predictions, folder=lambda: folder
    )


def _object(path: Path) -> dict[str, Plain]:
    return json_object(files.read(path, _AGAIN), str(path))


# -- scores --


def score(work: Workspace, name: str, environ: Mapping[str, str]) -> Path:
    """Let the models of ``name`` score the rows that were handed over, without their labels: those of the candidate's
    trainings, or those of champion and anchor.

    A champion that can't says why, in place of its scores: that is a finding about the comparison, not a failure.
    """
    data, folder = work.data, work.scored
    asked = ScoringRequest.load(files.read(data / SCORING, _AGAIN))
    features = next(iter(sorted(data.glob(f"{FEATURES}.*"))), None)
    if features is None:
        raise GatesError("no rows were handed over", where=str(data), hint=_AGAIN)
    folder.mkdir(parents=True, exist_ok=True)
    scores = set()
    for of, model in _models(work, name):
        try:
            scores.add(scored(model, features, folder / f"{of}.parquet", asked, environ))
        except GatesError as error:
            if name == "candidate":
                raise
            scores.add(folder / f"{of}.json")
            files.write(folder / f"{of}.json", json.dumps({"why": error.what}).encode())
    for left in folder.iterdir():  # what a model was asked through is not handed on
        if left not in scores:
            left.unlink()
    return folder


def _models(work: Workspace, name: str) -> list[tuple[str, Path]]:
    """Return the models that were handed over, each with its name. What came as predictions needs no scores."""
    if name == "champion":
        found = [(of, work.served / of / "model") for of in SERVING]
    else:
        found = [(f"candidate{place or ''}", folder / "model") for place, folder in enumerate(work.handed_trainings())]
    models = [(of, model) for of, model in found if model.is_dir()]
    if not models:
        raise GatesError(f"no model of the {name} was handed over", where=str(work.work))
    return models


def handed_scores(work: Workspace, name: str) -> Path:
    """Return the scores that came from another machine."""
    path = work.scored / f"{name}.parquet"
    if not path.is_file():
        raise GatesError(
            f"the {name} is a model, and its scores were not handed over",
            where=str(path),
            hint="Run gates score in a job that has neither labels nor credentials.",
        )
    return path
