"""Commands that read the ledger: history, status, verify."""

from __future__ import annotations

import sys
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from gates.cli import options
from gates.errors import Exit

SOON = 14  # days before a waiver's end, from which that is near

if TYPE_CHECKING:
    from gates.ledger.ledger import Ledger


@click.command()
@options.policy
@options.as_json
@click.option("--last", type=click.IntRange(1), default=None, metavar="N", help="Only the newest N records.")
def history(policy: Path, last: int | None, as_json: bool) -> None:
    """List what was decided, promoted, refused, waived and rolled back, newest first.

    \b
    Example:
      gates history --last 20
    """
    from itertools import islice

    from gates.cli import ledger_text
    from gates.schema.fields import plain

    ledger = _ledger(policy)
    entries = list(islice(ledger.entries(ledger.head()), last))
    listed = [{"digest": one.digest, "record": plain(one.record)} for one in entries] if as_json else None
    options.tell(listed, partial(ledger_text.history, entries), as_json=as_json)


@click.command()
@options.policy
@options.as_json
def status(policy: Path, as_json: bool) -> NoReturn:
    """Show what serves now, and whether it is still what was promoted.

    Reports an alias that somebody moved by hand, changed bytes, and whether the model would still pass today's
    policy; and until when live rows were judged. Ends with 1 if something is not as it was promoted, if a promotion
    was left open, or if live rows raised an alarm or were not judged in time.

    \b
    Example:
      gates status
    """
    from gates.cli import ledger_text
    from gates.promotion.status import standing

    session = options.session(policy)
    found = standing(session.ledger, session.registry_reader, session.resolved)
    options.tell(found, partial(ledger_text.standing, found), as_json=as_json)
    sys.exit(Exit.SHIP if found.sound else Exit.STOP)


@click.command()
@options.policy
@options.as_json
@click.argument("record", required=False)
@click.option("--all", "every", is_flag=True, help="Every record: the default if no RECORD is named.")
@click.option(
    "--expect-head",
    "expected",
    metavar="DIGEST",
    help="The digest of a record you saved earlier, which must still be in the ledger.",
)
@click.option(
    "--model",
    type=click.Path(path_type=Path, file_okay=False),
    help="Check only that this model folder is what was promoted.",
)
@click.option("--stage", help="With --model: the stage's alias. Default: the champion's.")
@click.option(
    "--key",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The public key (PEM) that must have signed the decision of every promotion.",
)
def verify(
    policy: Path,
    record: str | None,
    every: bool,
    expected: str | None,
    model: Path | None,
    stage: str | None,
    key: Path | None,
    as_json: bool,
) -> NoReturn:
    """Check the ledger's chain, and derive every verdict again from its evidence.

    RECORD is a number from gates history, or the beginning of a record's digest. Ends with 1 if something is wrong.

    \b
    Example:
      gates verify --all --expect-head sha256:4f0c...
      gates verify 2
      gates verify --model /srv/model
    """
    from gates.cli import ledger_text
    from gates.ledger.verify import audit

    if model is not None:
        _verify_model(policy, model, stage, as_json=as_json)
    if every and record:
        raise click.UsageError("give --all or RECORD, not both")
    found = audit(_ledger(policy), only=record, expected=expected, key=key)
    options.tell(found, partial(ledger_text.audit, found), as_json=as_json)
    sys.exit(Exit.STOP if found.found else Exit.SHIP)


def _verify_model(policy: Path, model: Path, stage: str | None, *, as_json: bool) -> NoReturn:
    from gates.attestation.model_signature import FILE, check_signature
    from gates.errors import GatesError
    from gates.promotion.status import served
    from gates.system.files import manifest

    session = options.session(policy)
    name, alias = session.resolved.champion
    if not model.is_dir():
        raise GatesError("there is no such folder", where=str(model))
    try:
        listed, trust = manifest(model), session.resolved.policy.promotion.signed_by
        entry = served(session.ledger, name, stage or alias, listed)
        if trust and any(str(one["path"]).endswith(FILE) for one in listed):  # a key may have been revoked since
            check_signature(model, listed, trust)
    except GatesError as error:
        if as_json:
            options.write_json({"promoted": False, "reason": error.what})
        error.exit_code = Exit.STOP if error.exit_code is Exit.INPUT else error.exit_code
        raise
    after = entry.record.after
    version, digest = (after.version, after.digest) if after else (None, None)
    promotion = f"{name} version {version}, promoted to {stage or alias} by record {entry.record.sequence}"
    if as_json:
        options.write_json({"promoted": True, "version": version, "digest": digest, "record": entry.digest})
    else:
        click.echo(promotion)
    sys.exit(Exit.SHIP)


@click.command()
@options.policy
@options.as_json
@click.argument("record")
def reproduce(policy: Path, record: str, as_json: bool) -> NoReturn:
    """Train a record's model again, and say whether predictions and evidence are the same.

    Checks out the record's commit into a temporary folder. Data outside the commit come from the policy's folder, and
    must not have changed. The record's own training command runs: use a machine where you would run that commit. Ends
    with 1 if they differ.

    \b
    Example:
      gates reproduce 2
    """
    import tempfile

    from gates.cli import ledger_text
    from gates.pipeline.reproduce import reproduce as again

    session = options.session(policy)
    with tempfile.TemporaryDirectory(prefix="gates-reproduce-") as folder:
        found = again(session, session.ledger.find(record), Path(folder))
    options.tell(found, partial(ledger_text.reproduced, found), as_json=as_json)
    sys.exit(Exit.SHIP if found.same else Exit.STOP)


@click.command()
@click.argument("repositories", nargs=-1)
@click.option(
    "--list",
    "listed",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A file with further repositories, one a line; # begins a comment.",
)
@click.option(
    "--to", type=click.Path(path_type=Path, file_okay=False), default=Path("site"), show_default=True, help="A folder."
)
@options.verbose
def site(repositories: tuple[str, ...], listed: Path | None, to: Path) -> NoReturn:
    """Write one static site about the models of several repositories, from their ledgers alone.

    REPOSITORIES are folders of clones, or addresses that git can fetch from. Ends with 1 if a ledger has flaws, and
    with 3 if one can't be read; the site says so, too. Every ledger is verified as gates verify does.

    \b
    Example:
      gates site . --to site
    """
    import os
    import tempfile

    from gates import __version__
    from gates.errors import GatesError
    from gates.ledger.repositories import overview_of
    from gates.report.site import pages
    from gates.system import files

    text = files.read(listed, "Name a file of repositories.").decode() if listed else ""
    lines = [line.partition("#")[0] for line in text.splitlines()]
    every = list(dict.fromkeys([*repositories, *options.lines_of(*lines)]))
    if not every:
        raise GatesError("no repository is named", where="gates site", hint="Name folders, addresses, or --list FILE.")
    steps, seen = options.steps(), []
    with tempfile.TemporaryDirectory(prefix="gates-site-") as work:
        for place, repository in enumerate(every):
            with steps.step("ledger", repository):
                seen.append(overview_of(repository, Path(work) / f"{place}.git", os.environ))
    today = options.today()
    soon = (date.fromisoformat(today) + timedelta(days=SOON)).isoformat()
    to.mkdir(parents=True, exist_ok=True)
    for name, page in pages(seen, today, soon, __version__):
        files.write(to / name, page.encode("utf-8", "replace"))
    click.echo(str(to / "index.html"))
    unread = any(one.unread is not None for one in seen)
    sys.exit(Exit.OUTSIDE if unread else Exit.STOP if any(one.flaws for one in seen) else Exit.SHIP)


def _ledger(policy: Path) -> Ledger:
    """Find the ledger by the policy's place; the policy itself need not be readable for it."""
    return options.session(policy).ledger
