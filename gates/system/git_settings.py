"""What every call of git gets: fixed settings, an environment, and a version that is new enough.

A repository's settings and a user's are other people's text: some name programs, others change what git prints. Those
are fixed here, so that a call means the same on every machine.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from gates.errors import GatesError
from gates.system.sandbox import SECRETS

LEAST: Final = (2, 31)  # settings from the environment (GIT_CONFIG_COUNT) came with it
MISSING = "The ledger is a git branch. Install git."
SECONDS = 300  # no single call takes longer
FIXED: Final = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.attributesFile": "/dev/null",
    "core.quotePath": "true",
    "color.ui": "false",
    "log.showSignature": "false",
    "commit.gpgSign": "false",
    "push.gpgSign": "false",
    "push.followTags": "false",
    "submodule.recurse": "false",
    "fetch.recurseSubmodules": "false",
    "push.recurseSubmodules": "no",
    "fetch.prune": "false",
    "fetch.writeCommitGraph": "false",
    "protocol.ext.allow": "never",
    "gc.auto": "0",
    "maintenance.auto": "false",
}
SETTINGS: Final = tuple(part for name, value in FIXED.items() for part in ("-c", f"{name}={value}"))
_PROGRAMS = {  # a repository can name others to be run in their place
    "fetch": "--upload-pack=git-upload-pack",
    "ls-remote": "--upload-pack=git-upload-pack",
    "push": "--receive-pack=git-receive-pack",
}
_ELSEWHERE = re.compile(  # what leads git to another repository, to other history, or makes it say more
    "GIT_(DIR|WORK_TREE|INDEX_FILE|OBJECT_DIRECTORY|ALTERNATE_OBJECT_DIRECTORIES|COMMON_DIR|NAMESPACE|PREFIX|ATTR_SOURCE"
    "|SHALLOW_FILE|GRAFT_FILE|REPLACE_REF_BASE|EXTERNAL_DIFF|(LITERAL|GLOB|NOGLOB|ICASE)_PATHSPECS|TRACE.*"
    "|IMPLICIT_WORK_TREE|INTERNAL_.*|QUARANTINE_PATH)"
)
# credentials that no remote of git takes
_OURS = re.compile("ACTIONS_|GATES_|MLFLOW_|REGISTRY_|AWS_|AZURE_|GOOGLE_|DATABRICKS_")
_ALWAYS = {
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_GRAFT_FILE": os.devnull,  # history as it is, not as a ref or a file says
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "LC_ALL": "C",
}


def command(*arguments: str) -> list[str]:
    """Return the command line of a call."""
    words = list(arguments)
    at = next((place for place, word in enumerate(words) if not word.startswith("-")), 0)
    program = _PROGRAMS.get(words[at])
    return ["git", *words[:at], *SETTINGS, words[at], *([program] if program else []), *words[at + 1 :]]


def environment(environ: Mapping[str, str], *, network: bool = False) -> dict[str, str]:
    """Return what git gets to see: no other repository, no question to anybody, credentials only where it asks a
    remote."""
    seen = {name: value for name, value in environ.items() if not _ELSEWHERE.fullmatch(name)}
    if network:
        kept = {name: value for name, value in seen.items() if not (_OURS.match(name) and SECRETS.search(name))}
    else:
        kept = {name: value for name, value in seen.items() if name.startswith("GIT_") or not SECRETS.search(name)}
    return {**kept, **_ALWAYS}


def configured(seen: Mapping[str, str], settings: Mapping[str, str]) -> dict[str, str]:
    """Return the variables by which git takes further settings, beside those that are given so already."""
    count = int(seen.get("GIT_CONFIG_COUNT") or 0)
    told = {"GIT_CONFIG_COUNT": str(count + len(settings))}
    for place, (name, value) in enumerate(settings.items(), count):
        told |= {f"GIT_CONFIG_KEY_{place}": name, f"GIT_CONFIG_VALUE_{place}": value}
    return told if settings else {}


def need(environ: Mapping[str, str]) -> None:
    """Raise ``GatesError`` where git is not installed, or older than ``LEAST``."""
    _need(environ.get("PATH", os.defpath))


@lru_cache
def _need(path: str) -> None:
    try:
        done = subprocess.run(
            ["git", "version"],  # noqa: S607 -- that of the PATH
            env={"PATH": path, "LC_ALL": "C"},
            capture_output=True,
            check=False,
            timeout=SECONDS,
        )
    except OSError as error:
        raise GatesError("is not installed", where="git", hint=MISSING) from error
    version = done.stdout.decode(errors="replace").strip()
    numbers = re.match(r"git version (\d+)\.(\d+)", version)
    if not numbers or tuple(map(int, numbers.groups())) < LEAST:
        asked = ".".join(map(str, LEAST))
        raise GatesError(f"gates needs git {asked} or later; this says {version[:60] or 'nothing'!r}", where="git")
