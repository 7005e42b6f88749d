"""Create a whole starter repository from the template in the package.

The template is copier's, so that `copier update` brings what a later version of it has into a repository that has
grown since. It is rendered beside, and written like any other first files: all or none, over nothing that stands.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from gates.errors import GatesError
from gates.github.caller_workflows import UNPINNED
from gates.project import policy_text
from gates.project.first_policy import checked_model, refuse_standing
from gates.project.github_setup import checked_owners, checked_pin, origin
from gates.system import files
from gates.system.git import root_above

TEMPLATE = Path(__file__).parents[1] / "template"
ANSWERS = ".copier-answers.yml"
EXTRA = "pip install 'gates-ml[template]'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Laid:
    """What was written; whether a copy of gates and its commit are named; whether git knows the folder."""

    written: tuple[Path, ...]
    is_pinned: bool
    is_repository: bool


def lay(
    root: Path,
    *,
    model: str | None = None,
    pin: str | None = None,
    owners: str | None = None,
    python: str | None = None,
    ask: bool = False,
    force: bool = False,
) -> Laid:
    """Write a starter repository into the folder ``root``, all of it or nothing; with ``ask``, somebody at the terminal
    is asked what isn't given.

    Raises ``GatesError`` where a file stands there already, unless ``force``; below another repository's root, where
    GitHub would not find the workflows; and for answers that are none.
    """
    top = root_above(root)
    if top != root:
        raise GatesError(
            f"{root} is inside the repository {top}, and GitHub looks for workflows at its root",
            where="--template",
            hint="To add one of several models: gates init DATA, then gates init --github.",
        )
    given = {"model": checked_model(model), "python": python, "owners": checked_owners(owners) if owners else None}
    contents = _render(
        _copy(pin) | {key: value for key, value in given.items() if value is not None},
        _copy(origin()) | {"model": policy_text.model_name(root.name)},
        ask=ask,
    )
    targets = {root / name: data for name, data in contents.items()}
    refuse_standing(tuple(targets), root, force=force)
    files.write_all(targets)
    return Laid(
        written=tuple(targets),
        is_pinned=yaml.safe_load(contents[ANSWERS])["_commit"] != UNPINNED[1],
        is_repository=(root / ".git").exists(),
    )


def _copy(pin: str | None) -> dict[str, str]:
    """Return a copy of this project as answers of the template; no answers where none is known."""
    return dict(zip(("project", "commit"), checked_pin(pin), strict=True)) if pin else {}


def _render(given: Mapping[str, str], defaults: Mapping[str, str], *, ask: bool) -> dict[str, bytes]:
    """Render the template's files, and return them by their names."""
    try:
        import copier
        from copier.errors import CopierError
    except ImportError as error:
        raise GatesError(
            "needs copier, which is not installed", where="--template", hint=f"Install it: {EXTRA}"
        ) from error

    with tempfile.TemporaryDirectory(prefix="gates-template-") as folder:
        try:
            copier.run_copy(
                str(TEMPLATE), folder, data=dict(given), user_defaults=dict(defaults), defaults=not ask, quiet=True
            )
        except (CopierError, ValueError) as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            raise GatesError(str(error), where="--template") from error
        paths = sorted(path for path in Path(folder).rglob("*") if path.is_file())
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
