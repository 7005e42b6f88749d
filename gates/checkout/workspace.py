"""The policy's folder and ``.gates/`` in it, where each step finds the results of the one before."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gates.contract import contract_file
from gates.contract.rules.contract_rule import Contract
from gates.documents.base_model import BaseModel
from gates.documents.changed_rows import ChangedRows
from gates.documents.decision import Decision
from gates.documents.evidence import Evidence
from gates.errors import GatesError
from gates.policy import ResolvedPolicy
from gates.policy.policy_file import read as read_policy
from gates.schema.canonical import canonical
from gates.schema.json_text import json_object
from gates.schema.validation import raise_all, read_json
from gates.schema.yaml_text import Source, parse
from gates.system import files


def read_contract(source: Source) -> Contract:
    """Return a contract that stands alone. Raises ``PolicyError`` with every mistake."""
    raise_all(contract_file.mistakes(source))
    return contract_file.read(source)


def load_contract(path: Path) -> Contract:
    """Return a contract's file, without a policy. Raises ``GatesError`` with every mistake."""
    data = files.read(path, "Name a contract; gates init writes a first one.")
    return read_contract(parse(data, str(path)))


_SHARD = "Run gates measure --shard I/N for every I."
PART = "part.json"
STEPS = ("data", "train", "measure", "judge", "report")


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """The place of one policy. Paths in the policy are relative to its folder."""

    policy: Path
    root: Path = field(init=False)
    """The policy's folder, found once: hundreds of paths begin with it."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "root", self.policy.resolve().parent)

    @property
    def work(self) -> Path:
        """The folder for what the steps write."""
        return self.root / ".gates"

    def within(self, checkout: str | None) -> str:
        """Return the policy's path inside a checkout: what tells the policies of one repository apart. Outside of the
        checkout it is the whole path; without a checkout the file's name, which distinguishes nothing."""
        path = self.policy.resolve()
        if not checkout:
            return path.name
        top = Path(checkout).resolve()  # a runner may give it by a link
        return path.relative_to(top).as_posix() if path.is_relative_to(top) else path.as_posix()

    @property
    def data(self) -> Path:
        """What the training may see: the holdout without its label, and on another machine the training tables."""
        return self.work / "data"

    @property
    def served(self) -> Path:
        """The champion, as one machine hands it to another."""
        return self.work / "served"

    @property
    def live(self) -> Path:
        """The counts of live windows, as one machine hands them to another."""
        return self.work / "live"

    @property
    def units(self) -> Path:
        """The counts of an experiment's units, as one machine hands them to another."""
        return self.work / "units"

    @property
    def snapshot(self) -> Path:
        """The tables of a retraining, as one machine hands them to another."""
        return self.work / "snapshot"

    @property
    def scored(self) -> Path:
        """What models gave for the holdout's rows."""
        return self.work / "scored"

    @property
    def candidate(self) -> Path:
        """What the training wrote."""
        return self.work / "candidate"

    def trainings(self, seeds: int) -> tuple[Path, ...]:
        """Return what each training wrote: the candidate, and further ones of its recipe."""
        return (self.candidate, *(self.others / str(seed) for seed in range(1, seeds)))

    def handed_trainings(self) -> tuple[Path, ...]:
        """Return the folders of all trainings that were handed over."""
        return self.trainings(1 + sum(1 for folder in self.others.glob("*") if folder.is_dir()))

    @property
    def others(self) -> Path:
        """What the further trainings of the candidate's recipe wrote, a folder each."""
        return self.work / "seeds"

    @property
    def evidence(self) -> Path:
        """The evidence: evidence.json."""
        return self.work / "evidence.json"

    @property
    def _shards(self) -> Path:
        return self.work / "shards"

    def shard(self, index: int, of: int) -> Path:
        """Return what was measured of one part of the holdout: a folder."""
        return self._shards / f"{index}-of-{of}"

    def shards(self) -> list[Path]:
        """Return every part that was measured: ``part.json`` of each. Raises ``GatesError`` where there is none."""
        found = sorted(self._shards.glob(f"*-of-*/{PART}"))
        if not found:
            raise GatesError("no part of the holdout was measured yet", where=str(self._shards), hint=_SHARD)
        return found

    @property
    def rows(self) -> Path:
        """The rows that got worse and better, where the policy asks for them."""
        return self.work / "rows.json"

    @property
    def base_model(self) -> Path:
        """What later pull requests have to know of this candidate, if it is one of the default branch."""
        return self.work / "base.json"

    @property
    def decision(self) -> Path:
        """The decision: decision.json."""
        return self.work / "decision.json"

    @property
    def rules(self) -> Path:
        """The decision's rules by the names that commands take: bars.json."""
        return self.work / "bars.json"

    @property
    def report(self) -> Path:
        """The report: report.md."""
        return self.work / "report.md"

    @property
    def html(self) -> Path:
        """The same with its plots: report.html."""
        return self.work / "report.html"

    @property
    def rendered(self) -> tuple[Path, ...]:
        """Every report there is, by its name: ``report.*``, and the two whose names other tools expect."""
        return (*sorted(self.work.glob("report.*")), self.work / "junit.xml", self.work / "gates.sarif")

    @property
    def when(self) -> Path:
        """When the training on this machine began and ended, and of which commit; absent where it ran on another
        one."""
        return self.work / "trained.json"

    def save_training(self, during: tuple[int, int], commit: str | None, *, clean: bool) -> None:
        """Keep the first and last millisecond of the training, its commit, and whether the files were that commit's."""
        told = {"during": during, "commit": commit, "clean": clean}
        files.write(self.when, json.dumps(told).encode())

    def during(self) -> tuple[int, int] | None:
        """Return the first and last millisecond of the training, since 1970; None where it ran on another machine."""
        try:
            first, last = self._training()["during"]
        except (GatesError, ValueError, TypeError, KeyError):
            return None
        return int(first), int(last)

    def trained_commit(self) -> tuple[str, bool] | None:
        """Return the commit of the training on this machine, and whether the files were that commit's."""
        try:
            training = self._training()
        except (GatesError, ValueError, TypeError):
            return None
        commit = training.get("commit")
        return (commit, training.get("clean") is True) if isinstance(commit, str) else None

    def _training(self) -> dict[str, Any]:
        return json_object(files.read(self.when, ""), self.when.name)

    @property
    def took(self) -> Path:
        """How long each step took, for the next time."""
        return self.work / "took.json"

    @property
    def base(self) -> Path:
        """What was measured for the policy of a pull request's base commit, where that asks for other things."""
        return self.of_base(0)

    def of_base(self, place: int, work: Path | None = None) -> Path:
        """Return the same for the one of that place, where several policies move one alias there."""
        base = (work or self.work) / "base"
        return base / str(place) if place else base

    @property
    def base_files(self) -> list[Path]:
        """The documents of all of them."""
        return sorted((*self.base.glob("*.json"), *self.base.glob("[0-9]*/*.json")))

    def load(self) -> ResolvedPolicy:
        """Return the policy with its contract. Raises ``GatesError`` with every mistake, and where it lies in a folder
        whose name can't be passed to an engine."""
        try:
            str(self.root).encode()
        except UnicodeEncodeError as error:
            where = ascii(os.fsencode(self.root))
            raise GatesError("the folder's name is not UTF-8", where=where, hint="Rename the folder.") from error
        data = files.read(self.policy, "Write one, or name it with --policy. The smallest is in docs/quick-start.md.")
        return read_policy(data, str(self.policy), lambda path: files.read(self.root / path, "Check data.contract."))

    def source(self) -> Source:
        """Return the policy's text with the place of every key."""
        return parse(files.read(self.policy, "Name it with --policy."), str(self.policy))

    def forget(self, step: str) -> None:
        """Take away what a step is about to write, and all that was made from it: nothing older than its own
        input can then be taken for a later step's. Raises ``GatesError`` where ``.gates/`` can't be made."""
        self.prepare()
        measured = (self.base,) if STEPS.index(step) <= STEPS.index("measure") else ()
        for path in (*measured, *(path for made in self._made[STEPS.index(step) :] for path in made)):
            files.remove(path)

    @property
    def _made(self) -> tuple[tuple[Path, ...], ...]:
        """What each of ``STEPS`` writes."""
        return (
            (self.data, self.served, self.live, self.units, self.snapshot),
            (self.candidate, self.others, self.when, self.scored, self._shards),
            (self.evidence, self.rows, self.base_model),
            (self.decision, self.rules),
            self.rendered,
        )

    def prepare(self) -> None:
        """Create ``.gates/``. Raises ``GatesError`` if a link is there instead: it could lead anywhere."""
        if not self.root.is_dir():
            raise GatesError("there is no such folder", where=str(self.policy))
        if self.work.is_symlink() or (self.work.exists() and not self.work.is_dir()):
            what = "a link" if self.work.is_symlink() else "a file"
            raise GatesError(f"is {what}", where=str(self.work), hint="Remove it; gates creates a folder there.")
        try:
            self.work.mkdir(exist_ok=True)
            files.write(self.work / ".gitignore", b"*\n")
        except OSError as error:
            hint = "gates writes its results there: make it writable, or work on a copy."
            raise GatesError(f"can't be written: {error.strerror}", where=str(self.work), hint=hint) from error

    def load_evidence(self, folder: Path | None = None) -> Evidence:
        """Return the evidence of ``gates measure``, or one that was handed over in ``folder``."""
        path = (folder or self.work) / self.evidence.name
        return read_json(Evidence, files.read(path, "Run gates measure first."), str(path))

    def load_decision(self, path: Path | None = None) -> Decision:
        """Return the decision of ``gates judge``, or another one."""
        path = path or self.decision
        return read_json(Decision, files.read(path, "Run gates judge first."), str(path))

    def trained(self, seeds: int = 1) -> tuple[Path, ...]:
        """Return the folder of each training. Raises ``GatesError`` where one is missing."""
        folders = self.trainings(seeds)
        for folder in folders:
            if not folder.is_dir():
                raise GatesError("no candidate yet", where=str(folder), hint="Run gates train first.")
        return folders

    def save(self, path: Path, value: Evidence | Decision | ChangedRows | BaseModel) -> None:
        """Return canonical JSON, whole or not at all."""
        files.write(path, canonical(value) + b"\n")
