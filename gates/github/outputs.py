"""Write a step's outputs, summary and annotations for GitHub. Foreign text stays text.

Outputs and summary are files that the runner names; annotations are lines on standard output.
"""

from __future__ import annotations

import re
import secrets
import shutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TextIO

from gates.errors import Exit, GatesError

FOLDER = "GATES_OUTPUTS"
SUMMARY_LIMIT = 2**20  # bytes; GitHub drops a longer summary without failing the step

_OUTPUT = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_TOO_LONG = "\n\nThe report is too long for this page. The run's artifact has all of it.\n"


def write_outputs(environ: Mapping[str, str], values: Mapping[str, str]) -> None:
    """Set outputs of this step: on GitHub Actions, and as a file each in the folder ``GATES_OUTPUTS``, if it is set.

    On GitHub each value stands between two lines that nobody can guess, so that no line of it becomes an output. The
    folder holds the outputs of this command alone: a training may have laid something there.
    """
    for name in values:
        if not _OUTPUT.fullmatch(name):
            raise ValueError(f"not the name of an output: {name!r}")
    _append(environ, "GITHUB_OUTPUT", "".join(_output(*item) for item in values.items()))
    if folder := environ.get(FOLDER):
        _write_files(Path(folder), values)


def _write_files(folder: Path, values: Mapping[str, str]) -> None:
    try:
        for name, value in values.items():
            (_emptied(folder) / name).write_text(value, encoding="utf-8")
    except OSError as error:
        raise GatesError(f"can't be written: {error.strerror}", where=FOLDER, exit_code=Exit.OUTSIDE) from error


@cache
def _emptied(folder: Path) -> Path:
    """Return the folder, which holds nothing when this command first writes into it."""
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    return folder


def _output(name: str, value: str) -> str:
    border = f"gates_{secrets.token_hex(16)}"
    return f"{name}<<{border}\n{value}\n{border}\n"


def write_summary(environ: Mapping[str, str], markdown: str) -> None:
    """Add Markdown to this step's summary; nothing happens outside GitHub Actions.

    What doesn't fit is left out whole, with a word about it, never cut in the middle.
    """
    path = environ.get("GITHUB_STEP_SUMMARY")
    if not path:
        return
    used = Path(path).stat().st_size if Path(path).exists() else 0
    fits = used + len(_encode(markdown)) + 1 <= SUMMARY_LIMIT
    _append(environ, "GITHUB_STEP_SUMMARY", (markdown if fits else _TOO_LONG) + "\n")


def stop_commands(environ: Mapping[str, str], stream: TextIO) -> None:
    """Let the runner obey nothing that this step prints from here on, on any stream, whoever prints it.

    Without it a line such as ``::set-output …::`` from a training script, or from a cell of the data, counts.
    There is no way back, as the runner reads the two streams of a step in no certain order.
    """
    if environ.get("GITHUB_ACTIONS") == "true":
        print(f"::stop-commands::{secrets.token_hex(16)}", file=stream, flush=True)


def _append(environ: Mapping[str, str], variable: str, text: str) -> None:
    path = environ.get(variable)
    if not path:
        return
    try:
        with Path(path).open("ab") as file:
            file.write(_encode(text))
    except OSError as error:
        raise GatesError(f"can't be written: {error.strerror}", where=variable, exit_code=Exit.OUTSIDE) from error


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "replace")  # half of a surrogate pair is no reason to lose the verdict
