"""Git, asked by plumbing only: nothing here looks at or changes the user's work tree or index."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from gates.errors import Exit, GatesError
from gates.ran import ran

BATCH = 200  # names asked at once: fewer bytes than a pipe holds
MISSING = "The ledger is a git branch: install git."
HEADER = 3  # words before an object: its name, its type, its size
TRIES = 4  # of a call to a remote
SECONDS = 300  # no single call takes longer
LOCAL = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR", "GIT_NAMESPACE")
QUIET = ("-c", "core.hooksPath=/dev/null", "-c", "gc.auto=0", "-c", "maintenance.auto=false")
AS_STORED = {"GIT_NO_REPLACE_OBJECTS": "1", "GIT_GRAFT_FILE": os.devnull}  # history as it is, not as a ref or file says
BY = {"GIT_AUTHOR_NAME": "gates", "GIT_AUTHOR_EMAIL": "gates@localhost"}
BY |= {key.replace("AUTHOR", "COMMITTER"): value for key, value in BY.items()}


@dataclass(frozen=True, kw_only=True)
class Git:
    """One repository, by its git directory. ``environ`` is the process's; what would lead git elsewhere is left out."""

    folder: Path
    environ: Mapping[str, str] = field(repr=False)

    def run(self, *arguments: str, data: bytes = b"", fails: bool = True, network: bool = False) -> str:
        """Standard output, stripped; empty where git fails and ``fails`` is False. Raises ``GatesError`` else."""
        done = self.ask(*arguments, data=data, network=network)
        if done.returncode and fails:
            raise failed(arguments, done.stderr)
        return "" if done.returncode else done.stdout.decode(errors="replace").strip()

    def ask(self, *arguments: str, data: bytes = b"", network: bool = False) -> subprocess.CompletedProcess[bytes]:
        """One call, whatever its exit code."""
        try:
            environment = self.environment(network=network)
            with ran("git", arguments[0]):
                return subprocess.run(  # noqa: S603 -- a list of arguments, no shell
                    self.command(arguments),
                    input=data,
                    capture_output=True,
                    env=environment,
                    check=False,
                    timeout=SECONDS,
                )
        except FileNotFoundError as error:
            raise GatesError("is not installed", where="git", mend=MISSING) from error
        except subprocess.TimeoutExpired as error:
            raise failed(arguments, f"no answer within {SECONDS} seconds".encode()) from error

    def retried(self, *arguments: str) -> str:
        """Ask a remote, again where it fails; gives standard output. Raises ``GatesError`` where it goes on failing."""
        for attempt in range(TRIES):
            done = self.ask(*arguments, network=True)
            if done.returncode == 0:
                return done.stdout.decode(errors="replace")
            time.sleep(0.1 * 2**attempt if attempt + 1 < TRIES else 0)
        raise failed(arguments, done.stderr)

    def command(self, arguments: Sequence[str]) -> list[str]:
        """The command line of a call."""
        return ["git", f"--git-dir={self.folder}", *QUIET, *arguments]

    def environment(self, *, network: bool = False) -> dict[str, str]:
        """What git gets to see: no other repository, no question to anybody, and in a workflow its token."""
        kept = {name: value for name, value in self.environ.items() if name not in LOCAL}
        login = self._login() if network else {}
        return {**kept, **BY, **login, **AS_STORED, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}

    def _login(self) -> dict[str, str]:
        """GitHub's token as a header for its own server alone, where the checkout has left no credential."""
        token, server = self.environ.get("GITHUB_TOKEN"), self.environ.get("GITHUB_SERVER_URL", "https://github.com")
        if self.environ.get("GITHUB_ACTIONS") != "true" or not token or not server.startswith("https://"):
            return {}
        if self.run("config", "--get-regexp", r"^http\..*\.extraheader$", fails=False):
            return {}
        count = int(self.environ.get("GIT_CONFIG_COUNT") or 0)
        basic = base64.b64encode(f"x-access-token:{token}".encode()).decode()
        return {
            "GIT_CONFIG_COUNT": str(count + 1),
            f"GIT_CONFIG_KEY_{count}": f"http.{server.rstrip('/')}/.extraheader",
            f"GIT_CONFIG_VALUE_{count}": f"AUTHORIZATION: basic {basic}",
        }

    def resolve(self, name: str) -> str | None:
        """The object that a name stands for, or None."""
        return self.run("rev-parse", "--verify", "--quiet", "--end-of-options", name, fails=False) or None

    @contextmanager
    def objects(self) -> Iterator[Objects]:
        """Many objects through one process."""
        with subprocess.Popen(  # noqa: S603 -- a list of arguments, no shell
            self.command(("cat-file", "--batch")),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=self.environment(),
        ) as process:
            try:
                yield Objects(process)
            finally:
                process.kill()


class Objects:
    """A running ``git cat-file --batch``."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None  # noqa: S101 -- both were asked for as pipes
        assert process.stdout is not None  # noqa: S101
        self._ask, self._answers = process.stdin, process.stdout

    def get(self, name: str) -> bytes | None:
        """The object's bytes; None where there is none."""
        return next(self.all([name]))

    def all(self, names: Sequence[str]) -> Iterator[bytes | None]:
        """The bytes of many objects, in order."""
        for start in range(0, len(names), BATCH):
            some = names[start : start + BATCH]
            self._ask.write("".join(f"{name}\n" for name in some).encode())
            self._ask.flush()
            for _ in some:
                yield self._next()

    def _next(self) -> bytes | None:
        words = self._answers.readline().split()
        if len(words) != HEADER or not words[2].isdigit():
            return None
        data = self._answers.read(int(words[2]) + 1)
        return data[:-1]


def failed(arguments: Sequence[str], told: bytes) -> GatesError:
    """What git complained of, without the credentials of an address."""
    lines = [line for line in told.decode(errors="replace").splitlines() if line.strip()]
    line = next((one for one in lines if one.startswith(("fatal:", "error:"))), (lines or ["it failed"])[-1])
    return GatesError(f"{arguments[0]}: {shorn(line)}", where="git", exit_code=Exit.OUTSIDE)


def shorn(line: str) -> str:
    """A line without the credentials of addresses in it, cut short."""
    return re.sub(r"//[^/@\s]*@", "//…@", line)[:300]


def repository(folder: Path, environ: Mapping[str, str]) -> tuple[Git, Path] | None:
    """Find the repository whose work tree holds a folder, and where that work tree begins; None outside of one.

    Raises ``GatesError`` where git finds none but there should be one: outside a repository fewer rules hold, so a
    broken checkout must not look like none.
    """
    if not folder.is_dir():
        return None
    kept = {name: value for name, value in environ.items() if name not in LOCAL} | {"LC_ALL": "C"}
    try:
        done = subprocess.run(
            ["git", "rev-parse", "--path-format=absolute", "--git-dir", "--show-toplevel"],  # noqa: S607 -- that of the PATH
            cwd=folder,
            env=kept,
            capture_output=True,
            check=False,
            timeout=SECONDS,
        )
    except FileNotFoundError as error:
        raise GatesError("is not installed", where="git", mend=MISSING) from error
    told = done.stderr.decode(errors="replace")
    if done.returncode and "not a git repository" not in told and "work tree" not in told:
        raise failed(("rev-parse",), done.stderr)  # such as a repository that somebody else owns
    if done.returncode:
        _none_expected(folder, environ)
        return None
    own, top = os.fsdecode(done.stdout).splitlines()
    return Git(folder=Path(own), environ=environ), Path(top)


def _none_expected(folder: Path, environ: Mapping[str, str]) -> None:
    """Raise ``GatesError`` where a ``.git`` in a parent, or a run on GitHub, says that there is a repository."""
    absolute = folder.absolute()
    broken = next((one / ".git" for one in (absolute, *absolute.parents) if os.path.lexists(one / ".git")), None)
    if broken is not None:
        raise GatesError(
            "git takes this for no repository",
            where=str(broken),
            mend="Fix the checkout: git -C with this folder says what is wrong. Without git no policy counts.",
        )
    if environ.get("GITHUB_ACTIONS") == "true":
        raise GatesError(
            "this run on GitHub has no git repository, so nobody knows which policy counts",
            where=str(folder),
            mend="Check the repository out with actions/checkout, which needs git 2.18 or later on the runner.",
        )
