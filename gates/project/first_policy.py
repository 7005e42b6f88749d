"""Write a repository's first contract, policy and workflow, from its data."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gates.contract import inference
from gates.contract.profile import Profile, common
from gates.errors import GatesError
from gates.github import caller_workflows
from gates.measure.engines import connect
from gates.measure.holdout.tables import open_table
from gates.measure.profiling import profile, shared
from gates.project import policy_text
from gates.project.guesses import NOTHING, Guessed, Said, guess
from gates.schema.yaml_text import parse
from gates.system import files
from gates.system.git import root_above
from gates.wording import counted

NAMED = 3  # of the files that stand in the way: a few tell what the folder is


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstPolicy:
    """What the user said: the data, a holdout beside it, the model's name, and what the columns mean."""

    data: str
    holdout: str | None = None
    model: str | None = None
    said: Said = NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """The files that were written, and what was guessed on the way."""

    written: tuple[Path, ...]
    guessed: Guessed
    tables: tuple[Profile, ...]


def init(asked: FirstPolicy, root: Path, *, force: bool = False) -> Start:
    """Look at the data and write contract, policy and workflow of the folder ``root``, all or none.

    Raises ``GatesError`` where one stands there already, unless ``force``; for data that can't be read; and for
    columns that are not what they are said to be.
    """
    model = checked_model(asked.model) or policy_text.model_name(root.name)
    checkout = root_above(root)
    folder = root.relative_to(checkout).as_posix() if root != checkout else ""
    contract, policy = root / "contract.yaml", root / "gates.yaml"
    requirements = "requirements.txt" if (root / "requirements.txt").is_file() else None
    home = caller_workflows.Home(model=model, folder=folder, requirements=requirements)
    workflow = checkout / caller_workflows.path(home, "gates")
    refuse_standing((contract, policy, workflow), root, force=force)
    if workflow.is_file():
        home = caller_workflows.as_before(home, files.read(workflow, "Move it.").decode("utf-8", "replace"))
    guessed, tables = look(asked, root)
    texts = {
        contract: inference.contract(guessed.guess, tables),
        policy: policy_text.policy(guessed, tables, model),
        workflow: caller_workflows.workflow(home, "gates"),
    }
    contents = {path: text.encode() for path, text in texts.items()}
    _refuse_long(contents[contract], tables[0])
    files.write_all(contents)
    return Start(written=tuple(contents), guessed=guessed, tables=tables)


def look(asked: FirstPolicy, root: Path) -> tuple[Guessed, tuple[Profile, ...]]:
    """Return profiles of the tables, and what their columns seem to mean."""
    connection = connect()
    paths = [_portable(path, root) for path in (asked.data, asked.holdout) if path is not None]
    names = ("train", "holdout")[-len(paths) :]
    opened = [open_table(connection, root, path, name) for path, name in zip(paths, names, strict=True)]
    tables = tuple(profile(connection, one) for one in opened)
    if not list(common(tables)):
        raise GatesError(f"{' and '.join(paths)} have no column in common", hint="Name two files of the same table.")
    guessed = guess(tables, asked.said)
    meant = guessed.guess
    if meant.keys and len(opened) > 1:
        apart = not shared(connection, opened[1], opened[0], meant.keys[0])
        guessed = replace(guessed, guess=replace(meant, apart=apart))
    return guessed, tables


def _portable(path: str, root: Path) -> str:
    """Return a path as the policy should name it: from its folder, where the file is below that."""
    return Path(path).relative_to(root).as_posix() if Path(path).is_relative_to(root) else path


def refuse_standing(paths: Sequence[Path], root: Path, *, force: bool) -> None:
    """Raise ``GatesError`` where one of the files stands there, unless ``force``; links are never overwritten."""
    standing = [path for path in paths if path.exists() or path.is_symlink()]
    if standing and not force:
        names = ", ".join(os.path.relpath(path, root) for path in standing[:NAMED])
        names += f" and {len(standing) - NAMED} more" if len(standing) > NAMED else ""
        raise GatesError(
            f"{names}: {'stands' if len(standing) == 1 else 'stand'} in the way; nothing was written",
            hint="Move it, or overwrite it with --force.",
        )
    for path in standing:
        if not files.is_plain(path):
            raise GatesError("is a link or a special file; gates overwrites plain files only", where=str(path))


def checked_model(name: str | None) -> str | None:
    """Return a model's name as it is given. Raises ``GatesError`` for what is none."""
    if name is not None and not policy_text.MODEL.fullmatch(name):
        raise GatesError(
            f"--model: {name} is not a valid model name",
            hint="Use letters, digits, . _ and -, starting with a letter or digit.",
        )
    return name


def _refuse_long(contract: bytes, table: Profile) -> None:
    """Refuse to write a contract that gates would not read again."""
    try:
        parse(contract, "contract.yaml")
    except GatesError as error:
        raise GatesError(
            f"a contract of {counted(len(table.columns), 'column')} would be too long: {error.what}",
            where=table.path,
            hint="Write one by hand, for the columns that matter.",
        ) from error
