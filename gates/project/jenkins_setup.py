"""Write what a policy needs on Jenkins: a Jenkinsfile."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files as packaged
from pathlib import Path

from gates.checkout.workspace import Workspace
from gates.errors import GatesError
from gates.project.github_setup import default_branch
from gates.system import files
from gates.system.git import root_above

NAME = "Jenkinsfile"


def connect(root: Path, *, force: bool = False) -> tuple[Path, bool]:
    """Write the Jenkinsfile of the policy in the folder ``root`` at the top of its repository. Returns its path, and
    whether it was written: one that stands there stays, unless ``force``.

    Raises ``GatesError`` for a policy with mistakes.
    """
    Workspace(policy=root / "gates.yaml").load()
    top = root_above(root)
    folder = root.relative_to(top).as_posix() if root != top else ""
    path, text = top / NAME, jenkinsfile(folder, default_branch(top))
    if (path.exists() or path.is_symlink()) and not force:
        return path, False
    files.write_all({path: text.encode()})
    return path, True


def jenkinsfile(folder: str, branch: str) -> str:
    """Return the text of a Jenkinsfile. ``folder``: the policy's, from the top of the repository; empty for the top."""
    policy = f"{folder}/gates.yaml" if folder else "gates.yaml"
    text = packaged("gates.project").joinpath(NAME).read_text(encoding="utf-8")
    for name, value in (("POLICY", policy), ("WORK", f"{folder}/.gates" if folder else ".gates"), ("BRANCH", branch)):
        text = text.replace(f"<QUOTED-{name}>", quoted(value)).replace(f"<{name}>", value)
    return text


def quoted(text: str) -> str:
    """Write a text as Groovy does, in which nothing is filled in. Raises ``GatesError`` for what is no line."""
    if not text.isprintable():
        raise GatesError(f"{text!r} is not a plain name", where=NAME, hint="Rename the folder.")
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def settings() -> Iterator[str]:
    """Yield what only Jenkins itself can say, a step each."""
    yield "Agents labelled gates: gates, git, and the files of the data; no other job's code runs there."
    yield "Agents labelled gates-train: gates, git, and what the training needs; no credential."
    yield "Secret text gates-registry, if MLFLOW_TRACKING_URI is set: a token, or USER:PASSWORD."
    yield "Username with password gates-git: may push to the branch gates-ledger."
    yield "A multibranch pipeline; of forks, the Jenkinsfile of the target branch is trusted alone."
