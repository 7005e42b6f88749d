"""Run git's plumbing only: nothing here reads or changes the user's work tree or index."""

from __future__ import annotations

import base64
import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from gates.errors import Exit, GatesError
from gates.system import git_settings
from gates.system.activity import ran
from gates.system.retries import retried
from gates.system.sandbox import LOGIN
from gates.wording import printable

NONE: Mapping[str, str] = {}
BATCH = 200  # names asked at once: fewer bytes than a pipe holds
HEADER = 3  # words before an object: its name, its type, its size
FETCHED = "refs/gates/default-branch"  # the newest commit of the default branch that was fetched
BY = {"GIT_AUTHOR_NAME": "gates", "GIT_AUTHOR_EMAIL": "gates@localhost"}
BY |= {key.replace("AUTHOR", "COMMITTER"): value for key, value in BY.items()}
LFS = re.compile(r"git-lfs (clean|smudge) -- %f|git-lfs filter-process|true")  # git-lfs's own settings of its filter
TOLD = 8  # lines of a remote's own words


class RemoteError(GatesError):
    """A remote refused, or did not answer: it may do so when it is asked again."""


@dataclass(frozen=True, kw_only=True)
class Git:
    """One repository, by its git directory; ``top`` is where its work tree begins, and where relative remotes start.
    ``environ`` is the process's; what would lead git elsewhere is left out."""

    folder: Path
    environ: Mapping[str, str] = field(repr=False)
    top: Path | None = None

    def run(self, *arguments: str, data: bytes = b"", fails: bool = True, network: bool = False) -> str:
        """Run git, and return its output, stripped. Raises ``GatesError`` where git fails; without ``fails`` that is
        empty."""
        done = self.ask(*arguments, data=data, network=network)
        if done.returncode and fails:
            raise failed(arguments, done.stderr)
        return "" if done.returncode else done.stdout.decode(errors="replace").strip()

    def ask(
        self, *arguments: str, data: bytes = b"", network: bool = False, settings: Mapping[str, str] = NONE
    ) -> subprocess.CompletedProcess[bytes]:
        """Return one call, whatever its exit code; ``settings`` of git go on top of the fixed ones."""
        seen = self.environment(network=network)
        environment = seen | git_settings.configured(seen, settings)
        return _started(self.command(arguments), arguments[0], self.top, environment, data)

    def remote(self, *arguments: str) -> str:
        """Ask a remote once; gives standard output. Raises ``RemoteError`` where git fails."""
        done = self.ask(*arguments, network=True)
        if done.returncode:
            raise failed(arguments, done.stderr, RemoteError)
        return done.stdout.decode(errors="replace")

    def retried(self, *arguments: str) -> str:
        """Ask a remote, again where it fails. Raises ``RemoteError`` where it goes on failing."""
        return retried(lambda: self.remote(*arguments), RemoteError)

    def command(self, arguments: Sequence[str]) -> list[str]:
        """Return the command line of a call."""
        git_settings.need(self.environ)
        return git_settings.command(f"--git-dir={self.folder}", *arguments)

    def environment(self, *, network: bool = False) -> dict[str, str]:
        """Return what git gets to see; in a workflow its token, where a remote is asked."""
        seen = git_settings.environment(self.environ, network=network) | BY
        return seen | git_settings.configured(seen, self._login() if network else {})

    def _login(self) -> dict[str, str]:
        """Return GitHub's token as a header for its own server alone, where the checkout has left no credential for
        that."""
        token, server = self.environ.get("GITHUB_TOKEN"), self.environ.get("GITHUB_SERVER_URL", "https://github.com")
        if self.environ.get("GITHUB_ACTIONS") != "true" or not token or not server.startswith("https://"):
            return {}
        address = f"{server.rstrip('/')}/"
        if self.run("config", "--get-urlmatch", "http.extraheader", address, fails=False):
            return {}
        basic = base64.b64encode(f"x-access-token:{token}".encode()).decode()
        return {"credential.helper": "", f"http.{address}.extraheader": f"AUTHORIZATION: basic {basic}"}

    @property
    def lock(self) -> Path:
        """The file that is locked while something is changed: one for all work trees, where no `git worktree prune`
        removes it."""
        if self.top is None:
            return self.folder.with_name(f"{self.folder.name}.gates-lock")
        common = self.run("rev-parse", "--git-common-dir")
        return self.top / common / "gates-lock"

    def clean(self) -> bool:
        """Tell whether tracked files are those of the commit, submodules too."""
        return self.changed() == []

    def changed(self) -> list[str] | None:
        """Return the tracked files that are not those of the commit, submodules too; None if git can't say. Runs no
        filter that the repository's settings name but git-lfs's own, and leaves the user's index as it is."""
        found = self.ask("config", "-z", "--get-regexp", r"^filter\..*\.(clean|smudge|process|required)$").stdout
        entries = [entry.partition("\n")[::2] for entry in found.decode(errors="replace").split("\0") if entry]
        foreign = {name: "" for name, value in entries if not LFS.fullmatch(value)}
        foreign |= {name: "false" for name in foreign if name.endswith(".required")}
        asked = ("status", "--porcelain", "-z", "--untracked-files=no", "--ignore-submodules=none", "--no-renames")
        done = self.ask(f"--work-tree={self.top}", *asked, settings=foreign)
        return None if done.returncode else [entry[3:] for entry in os.fsdecode(done.stdout).split("\0")[:-1]]

    def resolve(self, name: str) -> str | None:
        """Return the object that a name stands for, or None."""
        return self.run("rev-parse", "--verify", "--quiet", "--end-of-options", name, fails=False) or None

    @contextmanager
    def objects(self) -> Iterator[Objects]:
        """Read many objects through one process."""
        with subprocess.Popen(  # noqa: S603 -- a list of arguments, no shell
            self.command(("cat-file", "--batch")),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=self.top,
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
        """Return the object's bytes; None where there is none."""
        return next(self.all([name]))

    def all(self, names: Sequence[str]) -> Iterator[bytes | None]:
        """Yield the bytes of many objects, in order."""
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


def _started(
    command: Sequence[str], name: str, folder: Path | None, environment: Mapping[str, str], data: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    """Run git to its end; ``name`` is what it is asked. Raises ``GatesError`` where it is missing or too slow."""
    try:
        with ran("git", name):
            return subprocess.run(  # noqa: S603 -- a list of arguments, no shell
                command,
                input=data,
                capture_output=True,
                cwd=folder,
                env=environment,
                check=False,
                timeout=git_settings.SECONDS,
            )
    except FileNotFoundError as error:
        raise GatesError("is not installed", where="git", hint=git_settings.MISSING) from error
    except subprocess.TimeoutExpired as error:
        raise failed([name], f"no answer within {git_settings.SECONDS} seconds".encode()) from error


def failed(arguments: Sequence[str], stderr: bytes, error_class: type[GatesError] = GatesError) -> GatesError:
    """Return what git complained of, and what the remote said in its own words, without the credentials of an
    address."""
    lines = [line.strip() for line in stderr.decode(errors="replace").splitlines() if line.strip()]
    theirs = [line.removeprefix("remote:").strip() for line in lines if line.startswith("remote:")]
    reasons = [line for line in lines if line.startswith("! [")]
    line = next((one for one in lines if one.startswith(("fatal:", "error:"))), (lines or ["it failed"])[-1])
    said = [" ".join(one.split()) for one in (*reasons[:1], *filter(None, theirs[:TOLD]))]
    whole = "; ".join([line, *said])
    return error_class(f"{arguments[0]}: {shorn(printable(whole))}", where="git", exit_code=Exit.OUTSIDE)


def shorn(line: str) -> str:
    """Return a line without the credentials of addresses in it, cut short."""
    return LOGIN.sub("//…@", line)[:800]


_NAMED = re.compile(r"[/:@]([A-Za-z0-9_-]{1,100}/[A-Za-z0-9._-]{1,100}?)(?:\.git)?/?$")

_HOST = re.compile(r"\w+://(?:[^/@]*@)?([\w.-]+)|(?:[\w.-]+@)([\w.-]+):")


def full_name(address: str) -> str | None:
    """Return OWNER/NAME of a remote's address; None where it does not end in one."""
    match = _NAMED.search(address)
    return match[1] if match else None


def host(address: str) -> str | None:
    """Return the host of a remote's address; None for a path."""
    match = _HOST.match(address)
    return (match[1] or match[2]).lower() if match else None


def repository(folder: Path, environ: Mapping[str, str]) -> tuple[Git, Path] | None:
    """Find the repository whose work tree holds a folder, and where that work tree begins; None outside of one.

    Raises ``GatesError`` where git finds none but there should be one: outside a repository fewer rules hold, so a
    broken checkout must not look like none.
    """
    if not folder.is_dir():
        return None
    git_settings.need(environ)
    own, top = (_parsed(folder, environ, asked) for asked in ("--absolute-git-dir", "--show-toplevel"))
    if own is None or top is None:
        _none_expected(folder, environ)
        return None
    return Git(folder=own, environ=environ, top=top), top


def _parsed(folder: Path, environ: Mapping[str, str], asked: str) -> Path | None:
    """Return a path of the repository around a folder, from git; any bytes may be in it. None where there is none."""
    done = _started(git_settings.command("rev-parse", asked), "rev-parse", folder, git_settings.environment(environ))
    told = done.stderr.decode(errors="replace")
    if done.returncode and "not a git repository" not in told and "work tree" not in told:
        raise failed(("rev-parse",), done.stderr)  # such as a repository that somebody else owns
    return None if done.returncode else Path(os.fsdecode(done.stdout.removesuffix(b"\n")))


def _none_expected(folder: Path, environ: Mapping[str, str]) -> None:
    """Raise ``GatesError`` where a ``.git`` in a parent, or a run on GitHub, says that there is a repository."""
    absolute = folder.absolute()
    broken = next((one / ".git" for one in (absolute, *absolute.parents) if os.path.lexists(one / ".git")), None)
    if broken is not None:
        raise GatesError(
            "git does not accept this as a repository",
            where=str(broken),
            hint="Fix the checkout: git -C with this folder says what is wrong. Without git no policy counts.",
        )
    if environ.get("GITHUB_ACTIONS") == "true":
        raise GatesError(
            "this run on GitHub has no git repository, so which policy counts can't be determined",
            where=str(folder),
            hint="Check the repository out with actions/checkout, which needs git 2.18 or later on the runner.",
        )


def upstream(git: Git) -> str | None:
    """Find the remote that holds a repository's ledger and default branch: ``origin``, or the only one; None for none.

    Raises ``GatesError`` where there are several others: nobody says which.
    """
    remotes = git.run("remote").split()
    if len(remotes) > 1 and "origin" not in remotes:
        told = ", ".join(remotes)
        raise GatesError(
            f"which remote holds the ledger and the default branch? There are {told}, and none is called origin",
            where="git remote",
            hint=f"Call it origin: git remote rename {remotes[0]} origin. GATES_LEDGER names one for the ledger alone.",
        )
    return "origin" if "origin" in remotes else next(iter(remotes), None)


def root_above(folder: Path) -> Path:
    """Return the root of the repository that a folder is in; the folder itself where there is none."""
    return next((place for place in (folder, *folder.parents) if (place / ".git").exists()), folder)
