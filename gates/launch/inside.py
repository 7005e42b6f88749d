"""Run the training inside its pod: fetch, check, unpack, run, pack, put. One file of the standard library, Python 3.8.

It is handed over as the text of ``python3 -I -c``, so an image needs no gates. What it is to do stands in
``GATES_JOB``, as JSON; what became of it goes into the container's termination message.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
from typing import Any, Callable, Dict, Iterable, Iterator, Mapping, Tuple

BLOCK = 1 << 20
TRIES = 4
PAUSE = 2.0  # seconds before the second try; each later pause is twice as long
HANGS = 120  # seconds without a byte
LONGEST_ERROR = 1000  # characters in a termination message, which holds 4096 bytes
PROGRAM = "GATES_INSIDE"  # the variable with this file, where it can't be an argument
END = bytes(1024)  # how every whole tar ends
BROKEN = 97  # exit code where not the command failed but what is around it
# variables by which this program, not the training, may have logged in to the store
STORE_LOGINS = (
    "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "AZURE_CLIENT_ID",
    "AZURE_TENANT_ID", "AZURE_FEDERATED_TOKEN_FILE", "AZURE_CLIENT_SECRET", "GOOGLE_APPLICATION_CREDENTIALS",
)  # fmt: skip
INDEX = ("JOB_COMPLETION_INDEX", "PET_NODE_RANK", "RANK")  # which of several pods this is; the first one hands over


class TroubleError(Exception):
    """What stops the job, in a sentence."""


# -- parcels: a tar that depends on names and contents alone --


def pack(files: Iterable[Tuple[str, Any]], target: Any) -> str:
    """Write ``(name, path)`` pairs into the file ``target`` as a tar without times and owners; give its SHA-256."""
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as archive:
        for name, path in sorted(files):
            with open(path, "rb") as file:
                status = os.fstat(file.fileno())
                member = tarfile.TarInfo(name)
                member.size = status.st_size
                member.mode = 0o755 if status.st_mode & stat.S_IXUSR else 0o644
                archive.addfile(member, file)
    return sha256(target)


def unpack(source: Any, folder: Any, most_files: int, most_bytes: int) -> None:
    """Lay the plain files of a tar into a folder. Raises ``TroubleError`` for all that is not one, and for too much."""
    seen: set[str] = set()
    total = end = 0
    try:
        with tarfile.open(source, "r:") as archive:
            for member in archive:
                name = _checked(member, folder)
                total += member.size
                if name in seen:
                    raise TroubleError(f"holds {name!r} twice")
                seen.add(name)
                if len(seen) > most_files or total > most_bytes:
                    raise TroubleError(
                        f"holds more files than {most_files}, or more bytes than {most_bytes}: the limits"
                    )
                _lay(archive, member, os.path.join(folder, name))
                end = member.offset_data + -(-member.size // 512) * 512
        if not _is_whole(source, end):
            raise TroubleError("is cut off")
    except (tarfile.TarError, EOFError, ValueError, UnicodeError) as error:
        raise TroubleError(f"is not a tar: {error}") from error
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise TroubleError("holds a file and a folder of one name") from error


def _is_whole(source: Any, end: int) -> bool:
    """Tell whether after the last member, which ends there, stands what ends a tar."""
    with open(source, "rb") as file:
        file.seek(end)
        return file.read(len(END)) == END


def _checked(member: tarfile.TarInfo, folder: Any) -> str:
    """Give the name of a member that is a plain file with a plain name."""
    name = member.name
    if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or member.sparse is not None:
        raise TroubleError(f"holds {name!r}, which is not a plain file")
    if not name.isprintable() or "\\" in name or any(step in ("", ".", "..") for step in name.split("/")):
        raise TroubleError(f"holds {name!r}, which is not a valid file name")
    if hasattr(tarfile, "data_filter"):  # Python's own rules come on top; an old one has none
        tarfile.data_filter(member, folder)
    return name


def _lay(archive: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    source = archive.extractfile(member)
    assert source is not None  # of a plain file there is one
    with os.fdopen(os.open(path, flags, 0o755 if member.mode & 0o100 else 0o644), "wb") as file:
        shutil.copyfileobj(source, file, BLOCK)


def sha256(path: Any) -> str:
    """Give the SHA-256 of a file."""
    hasher = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(BLOCK), b""):
            hasher.update(block)
    return hasher.hexdigest()


def plain_files(folder: Any) -> Iterator[Tuple[str, str]]:
    """Yield name and path of each file below a folder. Raises ``TroubleError`` for links and special files."""
    for path, folders, files in os.walk(folder):
        for name in folders + files:
            whole = os.path.join(path, name)
            mode = os.lstat(whole).st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                raise TroubleError(f"$GATES_OUT holds {os.path.relpath(whole, folder)!r}, a link or a special file")
            if stat.S_ISREG(mode):
                yield os.path.relpath(whole, folder), whole


# -- the store: by URL, by path, or by obstore where the image has it --


def fetch(url: str, target: str, most: int) -> None:
    """Write what lies at a URL into a file, in several tries."""
    tried(_fetch, url, target, most)


def put(url: str, headers: Mapping[str, str], path: str) -> None:
    """Write a file to a URL, in several tries."""
    tried(_put, url, headers, path)


def tried(call: Callable[..., None], *arguments: Any) -> None:
    """Call, and call again where the network failed; a refusal is final."""
    for attempt in range(TRIES):
        try:
            call(*arguments)
            return
        except urllib.error.HTTPError as error:
            if error.code < 500 and error.code not in (408, 429):
                why = "; the address has expired, or was never valid" if error.code in (400, 401, 403) else ""
                raise TroubleError(f"the store answers {error.code}{why}") from None
            last = f"the store answers {error.code}"
        except OSError as error:
            last = f"the store can't be reached: {getattr(error, 'reason', error)}"
        if attempt + 1 < TRIES:
            time.sleep(PAUSE * 2**attempt)
    raise TroubleError(last)


def _fetch(url: str, target: str, most: int) -> None:
    with open(target, "wb") as file:
        for block in _blocks(url):
            if file.tell() + len(block) > most:
                raise TroubleError(f"is larger than the limit, in bytes: {most}")
            file.write(block)


def _blocks(url: str) -> Iterator[bytes]:
    if url.startswith(("http://", "https://")):
        with urllib.request.urlopen(url, timeout=HANGS) as answer:
            for block in iter(lambda: answer.read(BLOCK), b""):
                yield block
            if answer.length:
                raise OSError("the answer ends too early")
    elif url.startswith("file://"):
        with open(url[len("file://") :], "rb") as file:
            for block in iter(lambda: file.read(BLOCK), b""):
                yield block
    else:
        obstore, store, name = _opened(url)
        for block in obstore.get(store, name).stream(BLOCK):
            yield bytes(block)


def _put(url: str, headers: Mapping[str, str], path: str) -> None:
    size = os.path.getsize(path)
    if url.startswith(("http://", "https://")):
        told = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        told.update(headers)
        with open(path, "rb") as file:
            request = urllib.request.Request(url, data=file if size else b"", headers=told, method="PUT")
            with urllib.request.urlopen(request, timeout=HANGS):
                pass
    elif url.startswith("file://"):
        target = url[len("file://") :]
        os.makedirs(os.path.dirname(target), exist_ok=True)
        beside = target + ".part"
        shutil.copyfile(path, beside)
        os.replace(beside, target)
    else:
        obstore, store, name = _opened(url)
        with open(path, "rb") as file:
            obstore.put(store, name, file)


def _opened(url: str) -> Tuple[Any, Any, str]:
    try:
        import obstore
        from obstore.store import from_url
    except ImportError:
        scheme = url.partition(":")[0]
        raise TroubleError(f"the image has no obstore, which a store at {scheme} needs") from None
    folder, _, name = url.rpartition("/")
    return obstore, from_url(folder), name


# -- the job --


def main() -> int:
    """Do the job that the environment describes; end as its command did."""
    began = time.time()
    said: Dict[str, Any] = {"digest": None, "seconds": None, "exit": None, "memory": None}
    job = json.loads(os.environ.pop("GATES_JOB"))
    os.environ.pop(PROGRAM, None)
    work = tempfile.mkdtemp(prefix="gates-")
    try:
        said["exit"] = _job(job, work, said)
    except TroubleError as error:
        said["error"] = str(error)[:LONGEST_ERROR]
    except OSError as error:
        said["error"] = f"{error.filename or 'the system'}: {error.strerror or error}"[:LONGEST_ERROR]
    except Exception as error:  # what obstore raises is of no class that is known here
        said["error"] = f"{type(error).__name__}: {error}"[:LONGEST_ERROR]
    finally:
        shutil.rmtree(work, ignore_errors=True)
    if "error" in said:
        print("gates: " + said["error"], file=sys.stderr)
    said["seconds"] = round(time.time() - began)
    said["memory"] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    _say(job["said"], said)
    return said["exit"] or (BROKEN if "error" in said else 0)


def _say(path: str, said: Mapping[str, Any]) -> None:
    try:
        with open(path, "w") as file:
            file.write(json.dumps(said))
    except OSError:  # not every pod has one; the candidate is there all the same
        pass


def _job(job: Mapping[str, Any], work: str, said: Dict[str, Any]) -> int:
    first = next((os.environ[name] for name in INDEX if os.environ.get(name)), "0") in ("", "0")
    parcel, out = os.path.join(work, "parcel"), os.path.join(work, "out")
    for given in job["inputs"]:
        named = f"the parcel {given['name']} "
        try:
            fetch(given["url"], parcel, job["bytes"])
            if sha256(parcel) != given["sha256"]:
                raise TroubleError("is not the one that was handed over: its digest differs")
            unpack(parcel, os.path.join(work, given["name"]), job["files"], job["bytes"])
        except TroubleError as error:
            raise TroubleError(named + str(error)) from None
        os.unlink(parcel)
    if first:
        _prove(job, parcel)
    os.makedirs(out)
    seen = {name: value for name, value in os.environ.items() if name not in STORE_LOGINS}
    seen.update(job["env"])
    seen.update({name: os.path.join(work, path) for name, path in job["paths"].items()})
    code = _run(job["run"], os.path.join(work, "code", job["folder"]), dict(seen, GATES_OUT=out), job["seconds"])
    if code or not first:
        return code
    made = list(plain_files(out))
    if not made:
        raise TroubleError("the command wrote nothing into $GATES_OUT")
    said["digest"] = pack(made, parcel)
    put(job["out"], job["headers"], parcel)
    return 0


def _prove(job: Mapping[str, Any], empty: str) -> None:
    """Write an empty output where the real one will be: whoever can't do that shall know it before the work."""
    open(empty, "wb").close()
    try:
        put(job["out"], job["headers"], empty)
    except TroubleError as error:
        raise TroubleError(f"the output could not be written: {error}") from None


def _run(command: str, folder: str, environment: Mapping[str, str], seconds: int) -> int:
    """Run the command with all that it starts in a group of its own, which ends with this program or with its time."""
    child = subprocess.Popen(["/bin/sh", "-c", command], cwd=folder, env=environment, start_new_session=True)

    stopped: list[int] = []

    def forward(number: int, _: object) -> None:
        """Tell the command, which may still want to keep what it has; the cluster says how long that may take."""
        stopped.append(number)
        _kill(child.pid, signal.SIGTERM)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, forward)
    try:
        code = child.wait(seconds)
    except subprocess.TimeoutExpired:
        _kill(child.pid, signal.SIGKILL)
        raise TroubleError(f"stopped after {seconds} s, the time limit") from None
    _kill(child.pid, signal.SIGKILL)  # what it left running
    if stopped:
        return 128 + stopped[0]
    return 128 - code if code < 0 else code


def _kill(group: int, number: int) -> None:
    try:
        os.killpg(group, number)
    except OSError:  # it has just ended
        pass


if __name__ == "__main__":
    sys.exit(main())
