"""Keep parcels and outputs in an object store, or in a folder that every machine sees: ``GATES_STORE``."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from gates.errors import Exit, GatesError
from gates.launch.parcel import LARGEST
from gates.origins.object_client import first_words, options
from gates.system import files
from gates.system.activity import ran

VARIABLE = "GATES_STORE"
EXTRA = "Install gates-ml[store]."
SCHEMES = ("s3", "gs", "az", "file")
EMPTY = 0  # bytes of an output that is not there yet: inside.py proves that it can write one
WEEK, HOUR = 7 * 86400, 3600  # the longest life of a signed address; a session's that says nothing of its own
T = TypeVar("T")
WHOLE = 64 * 2**20  # bytes that are put at once, from memory
PIECES: Mapping[str, Any] = {"use_multipart": True, "chunk_size": 16 * 2**20, "max_concurrency": 4}
_BLOCK = 8 * 2**20
_URI = re.compile(r"(?P<scheme>[a-z0-9]+)://(?P<rest>[^?#\s]*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """A store by its URI. A parcel's name is its digest, and what is there is not put there again."""

    uri: str
    client: Any
    environ: Mapping[str, str]

    @property
    def scheme(self) -> str:
        """The first word of its URI."""
        return self.uri.partition(":")[0]

    @property
    def signs(self) -> bool:
        """Whether it can give an address that works without a credential."""
        return self.scheme != "file"

    @property
    def headers(self) -> dict[str, str]:
        """What whoever writes to a signed address must send."""
        return {"x-ms-blob-type": "BlockBlob"} if self.scheme == "az" else {}

    def at(self, name: str) -> str:
        """Return the URI of something in it."""
        return f"{self.uri}/{name}"

    def keep(self, parcel: Path, sha256: str) -> None:
        """Put a parcel there, unless it is there already."""
        from obstore.exceptions import AlreadyExistsError

        name = parcel_name(sha256)
        if self.size(name) is None:
            how = {"mode": "create"} if parcel.stat().st_size <= WHOLE else PIECES  # pieces can't be create-only
            try:
                with parcel.open("rb") as file:
                    self._asked("put", name, lambda obstore: obstore.put(self.client, name, file, **how))
            except AlreadyExistsError:  # somebody else was faster
                pass

    def size(self, name: str) -> int | None:
        """Return the bytes of what lies there; None where there is nothing."""
        try:
            return int(self._asked("head", name, lambda obstore: obstore.head(self.client, name))["size"])
        except FileNotFoundError:
            return None

    def has(self, name: str) -> bool:
        """Tell whether an output is there: an empty one is only the proof that one can be written."""
        return (self.size(name) or EMPTY) > EMPTY

    @contextmanager
    def fetched(self, name: str, beside: Path) -> Iterator[Path]:
        """Give a copy of what lies there, within the limit; it is gone afterwards."""
        handle, path = tempfile.mkstemp(dir=beside, prefix=".fetched-")

        def copied(obstore: Any) -> None:
            for block in obstore.get(self.client, name).stream(_BLOCK):
                if file.tell() + len(block) > LARGEST:
                    raise GatesError(f"is larger than {LARGEST // 2**30} GiB, the limit", where=self.at(name))
                file.write(block)

        try:
            with os.fdopen(handle, "wb") as file:
                self._asked("get", name, copied)
            yield Path(path)
        except FileNotFoundError as error:
            raise GatesError("there is nothing", where=self.at(name), exit_code=Exit.OUTSIDE) from error
        finally:
            files.remove(Path(path))

    def signed(self, method: str, name: str, seconds: int) -> str:
        """Return an address that works for so long without a credential."""
        return str(
            self._asked(
                "sign", name, lambda obstore: obstore.sign(self.client, method, name, timedelta(seconds=seconds))
            )
        )

    def session(self) -> int:
        """Return for how many seconds an address that is signed now can work: it dies with the session that signed."""
        if self.scheme != "s3" or not {"AWS_SESSION_TOKEN", "AWS_WEB_IDENTITY_TOKEN_FILE"} & self.environ.keys():
            return WEEK
        try:
            until = datetime.fromisoformat(self.environ["AWS_CREDENTIAL_EXPIRATION"])
        except (KeyError, ValueError):
            return HOUR
        return max(0, round((until - datetime.now(UTC)).total_seconds())) if until.tzinfo else HOUR

    def _asked(self, what: str, name: str, call: Callable[[Any], T]) -> T:
        """Ask the store. Raises ``GatesError`` where it fails for another reason than what is or isn't there."""
        import obstore
        from obstore.exceptions import AlreadyExistsError, BaseError

        try:
            with ran("store", f"{what} {name}"):
                return call(obstore)
        except (FileNotFoundError, AlreadyExistsError):
            raise
        except (BaseError, OSError) as error:
            raise GatesError(
                f"can't {what} {name}: {first_words(error)}",
                where=VARIABLE,
                hint="Check the store's address, region and login; docs/kubernetes.md names their variables.",
                exit_code=Exit.OUTSIDE,
            ) from error


def parcel_name(sha256: str) -> str:
    """Return where in the store a parcel lies."""
    return f"parcels/{sha256}.tar"


def opened(environ: Mapping[str, str]) -> Store:
    """Open the store that the environment names. Raises ``GatesError`` where it names none, or none that is known."""
    uri = environ.get(VARIABLE, "").rstrip("/")
    match = _URI.fullmatch(uri)
    if not match or match["scheme"] not in SCHEMES or not match["rest"] or "@" in match["rest"]:
        what = "is not set" if not uri else "is no address of a store"
        hint = "A training that runs as a job needs one: s3://BUCKET/FOLDER, gs://…, az://… or file:///FOLDER."
        raise GatesError(what, where=VARIABLE, hint=hint)
    try:
        from obstore.exceptions import BaseError
        from obstore.store import from_url
    except ImportError as error:
        raise GatesError("obstore is not installed", where=VARIABLE, hint=EXTRA) from error
    try:
        return Store(uri=uri, client=from_url(uri, **options(match["scheme"], environ)), environ=environ)
    except (BaseError, ValueError, OSError) as error:
        raise GatesError(f"can't be opened: {first_words(error)}", where=VARIABLE) from error
