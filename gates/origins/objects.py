"""Copy objects of a store into files, and say which ones they were."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

from gates.errors import Exit, GatesError
from gates.origins.object_client import first_words, options
from gates.system import files
from gates.system.activity import ran

EXTRA = "Install gates-ml[store]."
LOGIN = "Check the address, the region and the login; docs/credentials.md names their variables."
_GLOB = re.compile(r"[*?\[]")
_BLOCK = 8 * 2**20


def copied(url: str, target: str, root: Path, environ: Mapping[str, str]) -> Iterator[tuple[dict[str, Any], Path]]:
    """Copy what a URL names to ``target``, a path from ``root``: one object to a file, a glob to the folder of a glob.

    Yields what each object was, and its file. Raises ``GatesError`` where there is none, where it changes meanwhile,
    and where the store can't be asked.
    """
    scheme, _, rest = url.partition("://")
    bucket, _, key = rest.partition("/") if scheme != "file" else ("", "", rest.lstrip("/"))
    store = _opened(f"{scheme}://{bucket}" if scheme != "file" else "file:///", scheme, url, environ)
    many = bool(_GLOB.search(key))
    if many != bool(_GLOB.search(target)):
        what = f"{url} is {'a glob' if many else 'one object'}, and {target} is {'one file' if many else 'a glob'}"
        raise GatesError(
            what, where="data.from", hint="Let both be a glob, such as data/holdout/*.parquet, or neither."
        )
    metas = _listed(store, key, url) if many else [_asked(url, "head", lambda obstore: obstore.head(store, key))]
    if not metas:
        raise GatesError(f"{url} names no object", where="data.from", hint="Is the path right?", exit_code=Exit.INPUT)
    for meta in metas:
        name = PurePosixPath(str(meta["path"])).name
        path = root / target if not many else root / PurePosixPath(target).parent / name
        if many and not fnmatchcase(name, PurePosixPath(target).name):
            raise GatesError(f"{name} does not fit {target}", where="data.from", hint="Rename it, or widen the glob.")
        yield _object(url, meta), _copy(store, meta, path, url)


def _object(url: str, meta: Mapping[str, Any]) -> dict[str, Any]:
    start = url.partition("://")[0]
    return {"name": f"{start}:{meta['path']}", "etag": meta["e_tag"], "version": meta["version"], "size": meta["size"]}


def _copy(store: Any, meta: Mapping[str, Any], path: Path, url: str) -> Path:
    """Copy one object: beside its place first, so that what is there is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=".fetched-")
    try:
        with os.fdopen(handle, "wb") as file:
            got = _asked(url, "get", lambda obstore: obstore.get(store, str(meta["path"])))
            if (got.meta["e_tag"], got.meta["size"]) != (meta["e_tag"], meta["size"]):
                raise GatesError(f"{meta['path']} changed while it was read", where=url, hint="Fetch again.")
            _asked(url, "get", lambda _: [file.write(block) for block in got.stream(_BLOCK)])
        Path(beside).replace(path)
    finally:
        files.remove(Path(beside))
    return path


def _listed(store: Any, key: str, url: str) -> list[Mapping[str, Any]]:
    """Return the objects that a glob names, sorted. A ``*`` is part of a name, never of a folder."""
    prefix = _GLOB.split(key, maxsplit=1)[0].rpartition("/")[0]
    steps = PurePosixPath(key).parts

    def fits(path: str) -> bool:
        parts = PurePosixPath(path).parts
        return len(parts) == len(steps) and all(
            fnmatchcase(part, step) for part, step in zip(parts, steps, strict=True)
        )

    metas = _asked(url, "list", lambda obstore: [meta for page in obstore.list(store, prefix or None) for meta in page])
    return sorted((meta for meta in metas if fits(str(meta["path"]))), key=lambda meta: str(meta["path"]))


def _opened(base: str, scheme: str, url: str, environ: Mapping[str, str]) -> Any:
    try:
        from obstore.exceptions import BaseError
        from obstore.store import from_url
    except ImportError as error:
        raise GatesError("obstore is not installed", where="data.from", hint=EXTRA) from error
    chosen = {} if scheme == "file" else options(scheme, environ)
    try:
        return from_url(base, **chosen)
    except (BaseError, ValueError, OSError) as error:
        raise GatesError(f"{url} can't be opened: {first_words(error)}", where="data.from", hint=LOGIN) from error


def _asked(url: str, what: str, call: Any) -> Any:
    """Ask the store. Raises ``GatesError`` with its own words, but for addresses."""
    import obstore
    from obstore.exceptions import BaseError

    try:
        with ran("store", f"{what} {url}"):
            return call(obstore)
    except FileNotFoundError as error:
        raise GatesError(f"{url} names no object", where="data.from", hint="Is the path right?") from error
    except (BaseError, OSError) as error:
        what = f"{url} can't be read: {first_words(error)}"
        raise GatesError(what, where="data.from", hint=LOGIN, exit_code=Exit.OUTSIDE) from error
