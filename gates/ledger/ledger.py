"""The ledger: an append-only git branch with one commit per record, which contains the record's documents.

It is read and written by plumbing alone, so the user's work tree and index are never touched. Git gives the chain,
the transport, and the compare-and-swap: a branch is moved only from the commit that was read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from gates.documents.evidence import Table
from gates.documents.record import FILE, LEDGER, TIME, Record, RecordedTable
from gates.errors import Exit, GatesError
from gates.ledger.record_names import names, not_one
from gates.schema.canonical import canonical, digest_bytes
from gates.schema.validation import read_json
from gates.system.git import Git, RemoteError, repository, shorn, upstream
from gates.system.git_commit import write_commit
from gates.system.retries import retried
from gates.wording import counted

HERE = f"refs/heads/{LEDGER}"
SEEN = f"refs/gates/{LEDGER}"  # the last state that was read from, or written to, the remote
ALONE = "gates-ledger.git"  # the repository beside a policy that stands in none
BATCH = 200  # commits read at once
NO_OBJECT = "0" * 40


class LostRaceError(GatesError):
    """Somebody else wrote first: what was to be written rests on a state that is no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """A commit of the branch."""

    id: str
    tree: str
    parents: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A record as it stands in the branch. ``digest`` is that of its bytes; ``documents`` are name to git blob."""

    commit: Commit
    record: Record
    digest: str
    documents: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """The branch in a repository, or in a remote of it (``remote``: a name or an address)."""

    git: Git
    remote: str | None

    @property
    def kept(self) -> str:
        """The ref that remembers the last state of this remote: another one's is no continuation of it."""
        own = self.remote in (None, "origin")
        return SEEN if own else f"{SEEN}-{digest_bytes(str(self.remote).encode())[7:19]}"

    @property
    def told(self) -> str:
        """Where it is, for people."""
        return f"{LEDGER} in {shorn(self.remote) if self.remote else self.git.folder}"

    def head(self) -> str | None:
        """Return the newest commit, fetched from the remote where there is one; None of an empty ledger.

        Raises ``GatesError`` where the remote can't be asked, or is no longer a continuation of what was seen of it.
        """
        if not self.git.folder.is_dir():
            return None
        if self.remote is None:
            return self.git.resolve(HERE)
        now, seen = self._remote_head(self.remote), self.git.resolve(self.kept)
        if now and self.git.resolve(f"{now}^{{commit}}") is None:
            self._retried("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", self.remote, HERE)
        if seen and (now is None or not self._descends(seen, now)):
            self.commits(now)  # a history that was cut off has its own error
            raise GatesError(
                f"the ledger was rewritten: its newest record was {seen[:12]} and is {(now or 'none')[:12]}",
                where=self.told,
                hint=f"Do not rewrite the ledger. If you did it on purpose: git update-ref -d {self.kept}",
                exit_code=Exit.STOP,
            )
        if now and now != seen:
            self.git.run("update-ref", self.kept, now)
        return now

    def seen(self) -> str | None:
        """Return the newest commit that this machine knows of, without asking anybody."""
        if not self.git.folder.is_dir():
            return None
        return self.git.resolve(self.kept if self.remote else HERE)

    def _remote_head(self, remote: str) -> str | None:
        lines = self._retried("ls-remote", remote, HERE).splitlines()
        return next((line.split()[0] for line in lines if line.split()[1:] == [HERE]), None)

    def _descends(self, older: str, newer: str) -> bool:
        return self.git.ask("merge-base", "--is-ancestor", older, newer).returncode == 0

    def _retried(self, *arguments: str) -> str:
        """Call the remote, and try again where that fails."""
        try:
            return self.git.retried(*arguments)
        except GatesError as error:  # another class: what has asked again itself is not to be asked again
            hint = "Can this remote be reached, and its branch be written? GATES_LEDGER names another, or local."
            raise GatesError(error.what, where=error.where, hint=hint, exit_code=error.exit_code) from error

    def commits(self, head: str | None) -> list[Commit]:
        """Return all commits, the newest first."""
        if head is None:
            return []
        lines = self.git.run("rev-list", "--first-parent", "--format=%H %T %P", head).splitlines()
        words = [line.split() for line in lines if not line.startswith("commit ")]
        history = [Commit(id=one, tree=tree, parents=tuple(rest)) for one, tree, *rest in words]
        if history[-1].id in self._cut:
            raise GatesError(
                f"this clone has only the newest {counted(len(history), 'commit')} of it: its history is cut off",
                where=self.told,
                hint="Fetch the rest: git fetch --unshallow (in a workflow, check out with fetch-depth: 0).",
            )
        return history

    @property
    def _cut(self) -> frozenset[str]:
        """The commits whose parents a shallow clone lacks."""
        file = (self.git.top or self.git.folder) / self.git.run("rev-parse", "--git-path", "shallow")
        return frozenset(file.read_text().split()) if file.is_file() else frozenset()

    def files(self, head: str | None) -> Iterator[tuple[Commit, Mapping[str, str], bytes | None]]:
        """Yield every commit, the newest first, with its files as name to blob, and the bytes of its record if there is
        one."""
        commits = self.commits(head)
        if not commits:
            return
        with self.git.objects() as objects:
            for start in range(0, len(commits), BATCH):
                some = commits[start : start + BATCH]
                trees = objects.all([commit.tree for commit in some])
                found = [listing(tree, len(commit.id) // 2) for commit, tree in zip(some, trees, strict=True)]
                records = objects.all([files.pop(FILE, NO_OBJECT) for files in found])
                yield from zip(some, found, records, strict=True)

    def entries(self, head: str | None) -> Iterator[Entry]:
        """Yield all records, the newest first.

        Raises ``GatesError`` for a commit that holds none, and where a record is not the one that the next one names:
        who acts on a ledger must not act on a part of it.
        """
        after: Record | None = None
        for commit, documents, data in self.files(head):
            record, sha256 = read_json(Record, data or b"", f"{LEDGER} {commit.id[:12]}"), digest_bytes(data or b"")
            if after is not None and (after.previous, after.sequence) != (sha256, record.sequence + 1):
                raise self._torn(after)
            after = record
            yield Entry(commit=commit, record=record, digest=sha256, documents=documents)
        if after is not None and (after.previous, after.sequence) != (None, 1):
            raise self._torn(after)

    def whole(self, head: str | None) -> None:
        """Read every record. Raises ``GatesError`` where one is missing, or is not the one that the next one names."""
        for _ in self.entries(head):
            pass

    def _torn(self, record: Record) -> GatesError:
        return GatesError(
            f"record {record.sequence} does not follow the record that it names as its predecessor",
            where=self.told,
            hint="gates verify --all shows what is wrong with the ledger.",
            exit_code=Exit.STOP,
        )

    def document(self, entry: Entry, name: str) -> bytes:
        """Read a document beside a record. Raises ``GatesError`` where it is not there or not the one that was
        named."""
        wanted = entry.record.documents.get(name)
        done = self.git.ask("cat-file", "blob", entry.documents.get(name, ""))
        if wanted is None or done.returncode or digest_bytes(done.stdout) != wanted:
            raise GatesError(f"{name} is missing or was changed", where=f"record {entry.record.sequence}")
        return done.stdout

    def append(self, draft: Record, documents: Mapping[str, bytes | str], *, after: str | None) -> Entry:
        """Write a record behind the commit ``after`` (None: as the first). Place, chain and time are filled in.

        ``documents`` are those that the record names: their bytes, or the blobs that hold them already. Raises
        ``LostRaceError`` where ``after`` is no longer the newest, ``GatesError`` where git fails.
        """
        last = next(self.entries(after), None)
        record = replace(
            draft,
            sequence=last.record.sequence + 1 if last else 1,
            previous=last.digest if last else None,
            at=datetime.now(UTC).strftime(TIME),
        )
        data = canonical(record)
        assert documents.keys() == record.documents.keys()  # noqa: S101 -- callers hand over what they name
        message = f"{record.kind} {record.sequence}: {record.name}\n\nrecord {digest_bytes(data)}\n"
        new = write_commit(self.git, {**documents, FILE: data}, message, after)
        self._swap(after, new.id)
        commit = Commit(id=new.id, tree=new.tree, parents=(after,) if after else ())
        blobs = {name: new.blobs[name] for name in documents}
        return Entry(commit=commit, record=record, digest=digest_bytes(data), documents=blobs)

    def append_last(self, draft: Record, documents: Mapping[str, bytes | str]) -> Entry:
        """Write a record behind whatever is the newest: for what is true whatever else was written in the meantime."""
        while True:
            try:
                return self.append(draft, documents, after=self.head())
            except LostRaceError:
                continue

    def _swap(self, old: str | None, new: str) -> None:
        """Move the branch from ``old`` to ``new``, or not at all."""
        remote = self.remote
        if remote is None:
            if self.git.ask("update-ref", HERE, new, old or "0" * len(new)).returncode and self._lost(new):
                raise self._outrun()
            return
        retried(lambda: self._push(remote, old, new), RemoteError)

    def _push(self, remote: str, old: str | None, new: str) -> None:
        """Push once. Raises ``RemoteError`` where the branch is still the one that it was."""
        try:
            self.git.remote("push", "--quiet", "--no-verify", remote, f"{new}:{HERE}")
        except RemoteError:
            if self._lost(new):
                if self._remote_head(remote) == old:
                    raise
                raise self._outrun() from None
        self.git.run("update-ref", self.kept, new)

    def _outrun(self) -> LostRaceError:
        return LostRaceError("somebody else wrote to the ledger first", where=self.told, exit_code=Exit.OUTSIDE)

    def _lost(self, new: str) -> bool:
        """Tell whether a commit is not part of the branch: an answer may be lost though the branch was moved."""
        now = self._remote_head(self.remote) if self.remote else self.git.resolve(HERE)
        if now and self.remote and self.git.resolve(f"{now}^{{commit}}") is None:
            self._retried("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", self.remote, HERE)
        return now is None or not self._descends(new, now)

    def find(self, named: str) -> Entry:
        """Find a record by its sequence number, or the beginning of its digest. Raises ``GatesError`` where that names
        none, or several."""
        found = [one for one in self.entries(self.head()) if names(named, one.record.sequence, one.digest)]
        if len(found) != 1:
            raise not_one(named, len(found), self.told)
        return found[0]

    def uses(self, head: str | None, name: str, holdout: Table, *, own: tuple[str, ...] = ()) -> int:
        """Count the decisions that rest on a holdout: on one of the same digest, or of the same model on one whose time
        range overlaps. A window that moves on by a day has another digest each day, though most of its rows are old.

        Those of digest ``own``, or about a model of that digest, are not counted.
        """
        records = (entry.record for entry in self.entries(head))
        decided = {
            one.decision
            for one in records
            if any(_is_again(table, holdout, of_model=one.name == name) for table in one.data)
            and one.decision not in own
            and (one.model is None or one.model.digest not in own)
        }
        return len(decided - {None})


def _is_again(table: RecordedTable, holdout: Table, *, of_model: bool) -> bool:
    """Tell whether a recorded table is the holdout, or has rows of the same time."""
    if table.name != "holdout":
        return False
    if table.digest == holdout.digest:
        return True
    if not (of_model and table.since and table.until and holdout.since and holdout.until):
        return False
    return table.since < holdout.until and holdout.since < table.until


def opened(folder: Path, environ: Mapping[str, str]) -> Ledger:
    """Open the ledger of the repository that holds a policy's folder; of one that stands in none, ``ALONE`` beside it.

    ``GATES_LEDGER`` names the remote, or says ``local``; a relative path starts at the repository's root. The default
    is the remote ``origin``, or the only one. Raises ``GatesError`` where there are several others.
    """
    found = repository(folder, environ)
    if found is None:
        return Ledger(git=Git(folder=folder / ALONE, environ=environ), remote=None)
    git, _ = found
    named = environ.get("GATES_LEDGER")
    if named:
        return Ledger(git=git, remote=None if named == "local" else named)
    return Ledger(git=git, remote=upstream(git))


def listing(tree: bytes | None, width: int) -> dict[str, str]:
    """Return a tree's entries, name to object, whose ids are ``width`` bytes long.

    What is not a plain file carries its mode, too, and so is never taken for a document.
    """
    objects: dict[str, str] = {}
    rest = tree or b""
    while rest:
        head, _, rest = rest.partition(b"\0")
        mode, _, name = head.partition(b" ")
        text = os.fsdecode(name if mode == b"100644" else head)
        objects[text], rest = rest[:width].hex(), rest[width:]
    return objects
