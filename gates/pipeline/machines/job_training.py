"""Train as a job: hand over code and data, launch one job a seed, follow each, and take what it left."""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from gates.checkout import pointers
from gates.checkout.workspace import Workspace
from gates.documents.evidence import LaunchedTraining
from gates.errors import Exit, GatesError
from gates.launch import document
from gates.launch.follow import Ended, Follower, Patience
from gates.launch.job_kinds import BY_NAME
from gates.launch.kubectl import Kubectl, UnreachableError
from gates.launch.kubernetes import ENGINE, Kubernetes
from gates.launch.parcel import packed
from gates.launch.store import opened
from gates.launch.task import LaunchedJob, Task
from gates.measure.training_facts import LAUNCHED
from gates.pipeline.machines.handover import split
from gates.pipeline.session import Session
from gates.policy import Policy
from gates.schema.canonical import canonical, digest
from gates.schema.yaml_text import Source
from gates.system import files, sandbox
from gates.system.git import Git

OWNER = "GATES_OWNER"
_OWNER_HINT = "Write APIVERSION/KIND/NAME/UID, such as batch/v1/Job/gates-churn/1f0c…"
_MERGE = "A job document counts once it is merged: what a pull request changes of it is not run."
_OWNER_PARTS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """Where the tables are that a training gets: the holdout without its label, and training tables, a file or a
    glob."""

    holdout: Path
    train: Path | None

    def contents(self) -> Iterator[tuple[str, Path]]:
        """Yield the files with their names in the parcel ``data``."""
        yield self.holdout.name, self.holdout
        if self.train:
            base, rest = split(self.train.parent, str(self.train))
            for path in pointers.named(base, rest):
                yield f"train/{path.relative_to(base).as_posix()}", path.resolve()

    def paths(self) -> dict[str, str]:
        """Return the variables that say where they lie there."""
        rest = split(self.train.parent, str(self.train))[1] if self.train else None
        told = {"GATES_HOLDOUT": f"data/{self.holdout.name}"}
        return told | ({"GATES_TRAIN": f"data/train/{rest}"} if rest else {})


@dataclass(kw_only=True)
class JobTraining:
    """The jobs of one candidate's trainings. ``patience``: how long is waited for what."""

    session: Session
    patience: Patience = field(default_factory=Patience)

    def run(self, handed: Handed, folders: Sequence[Path], log: Path) -> None:
        """Fill the fresh folders, one a seed. Raises ``GatesError`` where a job does not end well; then all are
        stopped."""
        session = self.session
        with session.steps.step("launch", session.resolved.policy.train.job or ""):
            store = opened(session.environ)
            launcher = Kubernetes(kubectl=Kubectl(environ=session.environ, seconds=self.patience.answer), store=store)
            source = self._document()
            with self._parcels(handed, document.kind_of(source).given is None) as parcels:
                inputs = {name: sha256 for name, (_, sha256) in parcels.items()}
                tasks = [self._task(source, inputs, handed, seed) for seed in range(len(folders))]
                for task in tasks:
                    launcher.ready(task)
                for tar, sha256 in parcels.values():
                    store.keep(tar, sha256)
            followers = [
                Follower(launcher=launcher, store=store, task=task, patience=self.patience, say=session.steps.say)
                for task in tasks
            ]
            with _stopped(followers):
                for follower in followers:
                    run = follower.start()
                    session.steps.say(f"{run.name} {_started(run)}")
        with _stopped(followers):
            for follower, folder in zip(followers, folders, strict=True):
                self._finish(follower, folder, log)

    def _finish(self, follower: Follower, folder: Path, log: Path) -> None:
        session, seeds = self.session, self.session.resolved.policy.train.seeds
        which = f" (seed {follower.task.seed}, {follower.task.seed + 1} of {seeds})" if seeds > 1 else ""
        with session.steps.step("train", f"{follower.task.name}{which}"):
            log.unlink(missing_ok=True)
            log.touch()
            with session.steps.follow(log):
                ended = follower.end(log)
        with session.steps.step("take", str(folder)):
            folder.parent.mkdir(parents=True, exist_ok=True)
            follower.fetch(ended, folder)
            if (folder / LAUNCHED).exists():
                raise GatesError(f"left {LAUNCHED}, which gates itself writes", where=f"train: {follower.task.run}")
            files.write(folder / LAUNCHED, canonical(_facts(follower, ended, log)) + b"\n")

    def _document(self) -> Source:
        """Return the job document that counts: in a pull request the base commit's."""
        session, policy = self.session, self.session.resolved.policy.train
        if session.base_commit:
            name, data = _of_base(session, session.base_commit)
        else:
            name, data = str(policy.job), files.read(session.workspace.root / str(policy.job), "Check train.job.")
        return document.read(data, name, policy.image)

    @contextmanager
    def _parcels(self, handed: Handed, with_code: bool) -> Iterator[dict[str, tuple[Path, str]]]:
        """Give each parcel: the file, and its SHA-256."""
        work = self.session.workspace.work
        with packed(handed.contents(), work) as data:
            if not with_code:  # a user's own pipeline brings its own
                yield {"data": data}
                return
            with packed(code(self.session), work) as checkout:
                yield {"code": checkout, "data": data}

    def _task(self, source: Source, inputs: Mapping[str, str], handed: Handed, seed: int) -> Task:
        session, policy = self.session, self.session.resolved.policy
        checkout = session.checkout
        return Task(
            model=policy.model,
            ref=ref_of(session),
            seed=seed,
            run=policy.train.run,
            folder=_folder(session.workspace, checkout),
            inputs=inputs,
            paths=handed.paths(),
            variables=_variables(policy, session.environ),
            document=source,
            document_digest=digest(source.value),
            image=policy.train.image,
            seconds=policy.train.seconds,
            wait=policy.train.waits,
            commit=checkout[0].resolve("HEAD^{commit}") if checkout else None,
            nonce=session.fresh,
            owner=owner(session.environ),
        )


def _of_base(session: Session, commit: str) -> tuple[str, bytes]:
    """Return name and bytes of the job document of the base commit, by that commit's own policy."""
    policies = session.base.policies if session.base else ()
    named = next((held for held in policies if held.resolved.policy.train.job), None)
    checkout = session.checkout
    if named is None or checkout is None:
        what = f"the base commit {commit[:7]} has no policy of this model with train.job"
        raise GatesError(what, where="train.job", hint=_MERGE)
    git, top = checkout
    path = Path(os.path.normpath(named.root / str(named.resolved.policy.train.job)))
    if not path.is_relative_to(top.resolve()):
        raise GatesError("is outside the repository", where="train.job", hint=_MERGE)
    name = path.relative_to(top.resolve()).as_posix()
    listed = git.run("ls-tree", "--full-tree", commit, "--", f":(literal){name}" if ":" in name else name, fails=False)
    done = git.ask("cat-file", "blob", f"{commit}:{name}")
    if done.returncode or not listed.startswith("100"):
        raise GatesError(f"is not a file of the base commit {commit[:7]}", where=name, hint=_MERGE)
    return f"{name} at {commit[:7]}", done.stdout


def unmerged(session: Session) -> tuple[str, ...]:
    """Say that a job document here is not the base commit's, where that is so: a sentence for the comment."""
    job = str(session.resolved.policy.train.job)
    try:
        same = _of_base(session, session.base_commit or "")[1] == files.read(session.workspace.root / job, "")
    except GatesError:
        same = False
    return () if same else (f"train.job: {job} is not the base commit's document, and counts once it is merged",)


def code(session: Session) -> Iterator[tuple[str, Path]]:
    """Yield the checkout's files with their names, without the holdout and what gates itself wrote: what git tracks,
    and what it does not ignore. A link to a file inside is that file."""
    work, checkout = session.workspace, session.checkout
    top = (checkout[1] if checkout else work.root).resolve()
    holdouts = [(work.root, session.resolved.policy.data.holdout)]
    holdouts += [
        (base.root, base.resolved.policy.data.holdout) for base in (session.base.policies if session.base else ())
    ]
    hidden = {path.resolve() for root, holdout in holdouts for path in pointers.named(root, holdout)}
    for name in sorted(_listed(checkout[0], top) if checkout else _below(top, top)):
        path = top / name
        real = path.resolve()
        if real in hidden or not path.exists() or ".gates" in Path(name).parts:
            continue
        if not real.is_relative_to(top) or real.is_relative_to(top / ".git"):
            raise GatesError("leads out of the repository; a job can't have it", where=ascii(name))
        if not real.is_file():
            raise GatesError("is not a plain file, nor a link to one; a job can't have it", where=ascii(name))
        yield name, real


def _listed(git: Git, top: Path) -> Iterator[str]:
    asked = ("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--full-name", "--", ":(top)")
    listed = git.ask(f"--work-tree={top}", *asked)
    if listed.returncode:
        raise GatesError("git can't list the checkout's files", where=str(top), exit_code=Exit.OUTSIDE)
    for name in dict.fromkeys(os.fsdecode(listed.stdout).split("\0")[:-1]):
        whole = top / name
        yield from _below(whole, top) if whole.is_dir() and not whole.is_symlink() else (name,)  # a submodule


def _below(folder: Path, top: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        name = path.relative_to(top)
        if not {".git", ".gates"} & set(name.parts) and (path.is_symlink() or not path.is_dir()):
            yield name.as_posix()


def _folder(work: Workspace, checkout: tuple[Git, Path] | None) -> str:
    top = (checkout[1] if checkout else work.root).resolve()
    return work.root.relative_to(top).as_posix()


def _variables(policy: Policy, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that the policy names: the image and the document have the usual ones."""
    seen = sandbox.without_secrets(environ, policy.train.environment)
    return {name: seen[name] for name in policy.train.environment if name in seen}


def ref_of(session: Session) -> str:
    """Return whose jobs these are: a branch's or a pull request's on GitHub, elsewhere somebody's own."""
    environ = session.environ
    if environ.get("GITHUB_ACTIONS") == "true":
        return f"{environ.get('GITHUB_REPOSITORY', '')}@{environ.get('GITHUB_REF', '')}"
    branch = session.checkout[0].run("rev-parse", "--abbrev-ref", "HEAD", fails=False) if session.checkout else ""
    try:
        who = getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no name
        who = str(os.getuid())
    return f"{who}@{branch or session.workspace.root.name}"


def owner(environ: Mapping[str, str]) -> Mapping[str, str] | None:
    """Return the object that the jobs go with, as a reference; None where the environment names none."""
    text = environ.get(OWNER)
    if not text:
        return None
    parts = text.rsplit("/", _OWNER_PARTS - 1)
    if len(parts) != _OWNER_PARTS or not all(parts):
        raise GatesError("is not a reference to an object", where=OWNER, hint=_OWNER_HINT)
    return dict(zip(("apiVersion", "kind", "name", "uid"), parts, strict=True))


def _started(run: LaunchedJob) -> str:
    if not run.where:
        return "was done before; what it left is taken"
    return f"{'was there already' if run.adopted else 'started'} in {run.where}"


@contextmanager
def _stopped(followers: Sequence[Follower]) -> Iterator[None]:
    """Stop every job where one of them, or somebody, ends the block early. One that nobody reaches goes on."""
    try:
        yield
    except UnreachableError:
        raise
    except GatesError:
        for follower in followers:
            with suppress(GatesError):
                follower.stop()
        raise
    except BaseException:  # a signal: an order each, and no answer is waited for
        for follower in followers:
            follower.abandon()
        raise


def _facts(follower: Follower, ended: Ended, log: Path) -> LaunchedTraining:
    """Return what is recorded of a job that ended well."""
    run, task, state = follower.run, follower.task, ended.state
    assert run  # noqa: S101 -- it ended
    said = state.said
    return LaunchedTraining(
        engine=ENGINE,
        kind=run.kind,
        name=run.name,
        where=run.where or None,
        document=task.document_digest,
        image=document.image_of(task.document, BY_NAME[run.kind], task.image),
        ran=state.image,
        queued=state.queued,
        seconds=said.seconds if said else None,
        memory=said.memory if said else None,
        interruptions=ended.interruptions,
        adopted=run.adopted,
        log=f"sha256:{files.sha256(log)}",
    )
