"""Call kubectl, which knows every login and cluster. One call a question, each with an end."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from gates.errors import Exit, GatesError
from gates.schema.fields import Plain
from gates.system.activity import ran
from gates.wording import counted, printable

PROGRAM = "kubectl"
SECONDS = 20  # for a request
MARGIN = 10  # seconds more until a kubectl that hangs is ended
LONGEST = 400  # characters of an error that are repeated
# what a server's answer says about the question; any other failure may be gone at the next call
REASONS = {
    "AlreadyExists": "AlreadyExists",
    "NotFound": "NotFound",
    "Forbidden": "Forbidden",
    "Unauthorized": "Unauthorized",
    "Invalid": "Invalid",
    "BadRequest": "Invalid",
}
INVALID = re.compile(r'strict decoding error|ValidationError|error validating|^The \S+ "[^"]*" is invalid')
_HINTS = {
    "Forbidden": "docs/kubernetes.md lists what gates asks for: jobs, secrets, pods and their logs.",
    "Unauthorized": "Log in to the cluster: kubectl's own KUBECONFIG counts.",
    "Invalid": "Correct the job document.",
    "NoKind": "Install its operator on the cluster, or write a document of another kind.",
}


class AnswerError(GatesError):
    """What the cluster refused, by its word for it."""

    def __init__(self, reason: str, what: str) -> None:
        code = Exit.INPUT if reason == "Invalid" else Exit.OUTSIDE
        super().__init__(what, where=PROGRAM, hint=_HINTS.get(reason), exit_code=code)
        self.reason = reason


class UnreachableError(GatesError):
    """The cluster did not answer, or not now; asked again it may."""

    def __init__(self, what: str) -> None:
        hint = "The job goes on. The same command follows it again."
        super().__init__(what, where=PROGRAM, hint=hint, exit_code=Exit.OUTSIDE)


class LogStream:
    """The lines of a call that goes on until it is closed."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def __iter__(self) -> Iterator[bytes]:
        """Yield the lines as they come, until the stream ends."""
        assert self._process.stdout  # noqa: S101 -- a pipe was asked for
        with self._process.stdout as lines:
            yield from lines
        self._process.wait()

    def close(self) -> None:
        """End it; another thread that reads sees the end."""
        self._process.kill()
        self._process.wait()


@dataclass(frozen=True, slots=True, kw_only=True)
class Kubectl:
    """Kubectl in an environment, whose KUBECONFIG names cluster and namespace."""

    environ: Mapping[str, str]
    seconds: int = SECONDS

    def ask(self, *arguments: str, given: Plain = None) -> str:
        """Return what a call prints. ``given`` goes in as JSON. Raises ``AnswerError`` and ``UnreachableError``."""
        command = self._command(arguments)
        try:
            with ran("command", " ".join(command[:5])):
                done = subprocess.run(  # noqa: S603 -- arguments are a list, never a shell's
                    command,
                    input=None if given is None else json.dumps(given),
                    stdin=subprocess.DEVNULL if given is None else None,
                    env=dict(self.environ),
                    capture_output=True,
                    encoding="utf-8",
                    errors="replace",
                    timeout=self.seconds + MARGIN,
                    check=False,
                )
        except subprocess.TimeoutExpired as error:
            raise UnreachableError(f"did not end within {counted(self.seconds + MARGIN, 'second')}") from error
        except OSError as error:
            raise missing(error) from error
        if done.returncode:
            raise refusal(done.stderr)
        return done.stdout

    def json(self, *arguments: str, given: Plain = None) -> Plain:
        """Return the object that a call prints."""
        text = self.ask(*arguments, "-o", "json", given=given)
        try:
            return json.loads(text)
        except ValueError as error:
            raise UnreachableError("printed something that is not JSON") from error

    def stream(self, *arguments: str, for_ever: bool = True) -> LogStream:
        """Start a call whose lines are read as they come, to its end or ``for_ever``."""
        try:
            return LogStream(
                subprocess.Popen(  # noqa: S603 -- as above
                    self._command(arguments, limit="0" if for_ever else None),
                    env=dict(self.environ),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                )
            )
        except OSError as error:
            raise missing(error) from error

    def send(self, *arguments: str) -> None:
        """Start a call that goes on without us: whoever calls is about to end."""
        try:
            subprocess.Popen(  # noqa: S603 -- as above
                self._command(arguments),
                env=dict(self.environ),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            raise missing(error) from error

    def _command(self, arguments: Sequence[str], limit: str | None = None) -> list[str]:
        return [PROGRAM, f"--request-timeout={limit or f'{self.seconds}s'}", *arguments]


def refusal(text: str) -> AnswerError | UnreachableError:
    """Return the error that kubectl's words stand for."""
    said = printable(" ".join(text.split()))[:LONGEST] or "failed, and said nothing"
    for word, reason in REASONS.items():
        if f"({word})" in said:
            return AnswerError(reason, said)
    if "the server doesn't have a resource type" in said or "no matches for kind" in said:
        return AnswerError("NoKind", said)
    if INVALID.search(said):
        return AnswerError("Invalid", said)
    return UnreachableError(said)


def missing(error: OSError) -> GatesError:
    """Say that there is no kubectl."""
    hint = "Install it where gates runs; it must be on the PATH."
    return GatesError(f"can't be started: {error.strerror}", where=PROGRAM, hint=hint, exit_code=Exit.OUTSIDE)
