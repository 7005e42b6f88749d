"""Keep pictures for comments and READMEs in a branch without history, which drops old pull requests.

It has its own branch, because the ledger keeps everything forever, and every commit there is a
record. Written by plumbing alone, as the ledger is.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from gates.documents.record import PICTURES
from gates.schema.canonical import digest_bytes
from gates.system.git import Git, RemoteError, failed
from gates.system.retries import retried

HERE = f"refs/heads/{PICTURES}"
SEEN = f"refs/gates/{PICTURES}"
BADGES = "badges"  # the folder of those that a README shows
MOST = 100  # pull requests, the newest, whose pictures are kept
DIGITS = 12  # of a digest, in a file's name
HINT = (
    "Give the job, and the job that calls it, `contents: write`, and let no rule of the repository protect the branch."
)


def store(git: Git, remote: str, pr: int, key: str, pictures: Mapping[str, str]) -> dict[str, str]:
    """Keep pictures of a pull request in the place of those that it had for the same key (the policy's path).

    Gives each one's path in the branch. A changed picture has another path, as GitHub keeps what it has shown for a
    while. Raises ``GatesError`` where the branch can't be written.
    """
    start = _short(key.encode())
    named = {name: f"{start}-{name}-{_short(_bytes(text))}.svg" for name, text in pictures.items()}
    keep(git, remote, str(pr), {named[name]: text for name, text in pictures.items()}, replacing=f"{start}-")
    return {name: f"{pr}/{file}" for name, file in named.items()}


def keep(git: Git, remote: str, folder: str, texts: Mapping[str, str], *, replacing: str | None = None) -> None:
    """Keep files in a folder of the branch, in the place of those of the same name, or whose names begin so."""
    written = {name: f"100644 blob {_blob(git, text)}" for name, text in texts.items()}

    def push() -> None:
        old = _newest(git, remote)
        before = _listed(git, f"{old}:{folder}") if old else {}
        left = {name: entry for name, entry in before.items() if replacing is None or not name.startswith(replacing)}
        new = _commit(git, old, folder, left | written)
        lease = f"--force-with-lease={HERE}:{old or ''}"  # of two that write at once, one looks again
        git.remote("push", "--quiet", "--no-verify", lease, remote, f"{new}:{HERE}")

    try:
        retried(push, RemoteError)
    except RemoteError as error:
        error.hint = HINT
        raise


def address(server: str, repository: str, path: str) -> str:
    """Where a browser finds a picture: through the page of the file, which lets in whoever may see the repository.

    The host of raw files asks for a token of its own where the repository is private.
    """
    return f"{server}/{repository}/blob/{PICTURES}/{quote(path)}?raw=true"


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _blob(git: Git, text: str) -> str:
    return git.run("hash-object", "-w", "--stdin", data=_bytes(text))


def _short(data: bytes) -> str:
    return digest_bytes(data).removeprefix("sha256:")[:DIGITS]


def _newest(git: Git, remote: str) -> str | None:
    """The branch's commit, fetched; None where there is none."""
    fetch = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", remote, f"+{HERE}:{SEEN}")
    done = git.ask(*fetch, network=True)
    if done.returncode and b"couldn't find remote ref" in done.stderr:
        return None
    if done.returncode:
        raise failed(fetch, done.stderr)
    return git.resolve(SEEN)


def _listed(git: Git, tree: str) -> dict[str, str]:
    """A tree's entries: name to mode, type and object. Empty where there is no such tree."""
    lines = git.run("ls-tree", "-z", tree, fails=False).split("\0")
    return {name: told for told, _, name in (line.partition("\t") for line in lines) if name}


def _commit(git: Git, old: str | None, folder: str, files: Mapping[str, str]) -> str:
    """A commit without a parent: what it no longer holds, nothing holds."""
    trees = _listed(git, f"{old}:") if old else {}
    trees |= {folder: f"040000 tree {_tree(git, files)}"}
    newest = sorted(filter(str.isdecimal, trees), key=int)[-MOST:]
    tree = _tree(git, {name: trees[name] for name in {*newest, folder, *({BADGES} & trees.keys())}})
    return git.run("commit-tree", tree, data=b"pictures and badges; those of old pull requests are removed\n")


def _tree(git: Git, entries: Mapping[str, str]) -> str:
    return git.run("mktree", "-z", data="".join(f"{told}\t{name}\0" for name, told in entries.items()).encode())
