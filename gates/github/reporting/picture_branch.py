"""Keep pictures for comments and READMEs in a branch without history, which drops old pull requests.

It has its own branch, because the ledger keeps everything forever, and every commit there is a
record. Written by plumbing alone, as the ledger is.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from gates.documents.record import PICTURES
from gates.schema.canonical import digest_bytes
from gates.system.git import Git
from gates.system.orphan_branch import Blob, OrphanBranch

BADGES = "badges"  # the folder of those that a README shows
MOST = 100  # pull requests, the newest, whose pictures are kept
DIGITS = 12  # of a digest, in a file's name


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
    branch = OrphanBranch(git=git, remote=remote, name=PICTURES)
    written = {f"{folder}/{name}": Blob.fresh(_bytes(text)) for name, text in texts.items()}

    def changed(files: Mapping[str, Blob]) -> dict[str, Blob]:
        gone = None if replacing is None else f"{folder}/{replacing}"
        left = {path: blob for path, blob in files.items() if "/" in path and not (gone and path.startswith(gone))}
        folders = {path.partition("/")[0] for path in left} | {folder}
        kept = {*sorted(filter(str.isdecimal, folders), key=int)[-MOST:], folder, BADGES}
        return {path: blob for path, blob in (left | written).items() if path.partition("/")[0] in kept}

    branch.change(changed, "pictures and badges; those of earlier pull requests are removed")


def address(server: str, repository: str, path: str) -> str:
    """Return where a browser finds a picture: through the file's page, which lets in whoever may see the repository.

    The host of raw files asks for a token of its own where the repository is private.
    """
    return f"{server}/{repository}/blob/{PICTURES}/{quote(path)}?raw=true"


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _short(data: bytes) -> str:
    return digest_bytes(data).removeprefix("sha256:")[:DIGITS]
