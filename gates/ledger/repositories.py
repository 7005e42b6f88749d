"""Read the ledgers of several repositories, for one site about all of their models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from gates.documents.overview import AliasHistory, ModelOverview, RepositoryOverview
from gates.documents.record import RecordKind
from gates.errors import GatesError
from gates.ledger.audit_documents import resolved_of
from gates.ledger.champions import champions
from gates.ledger.experiments.experiment_histories import experiment_histories
from gates.ledger.ledger import Entry, Ledger, opened
from gates.ledger.verify import audit
from gates.ledger.watched import watch_history
from gates.system.git import Git, shorn

MOST_RECORDS = 100  # of a model that are listed
MOST_FLAWS = 10


def overview_of(address: str, into: Path, environ: Mapping[str, str]) -> RepositoryOverview:
    """Read a repository's ledger: the one that a clone's folder has, or that of an address that git can fetch from.
    ``into`` is a folder to fetch into. What can't be read is no error here: the site says so."""
    if address.startswith("-"):  # git would take it for an option
        what = f"{address[:40]!r} is no repository"
        raise GatesError(what, where="gates site", hint="Name folders or addresses.")
    here = Path(address)
    name = here.resolve().name if here.is_dir() else _short(address)
    try:
        return _overview(opened(here.resolve(), environ) if here.is_dir() else _fetched(address, into, environ), name)
    except GatesError as error:
        return RepositoryOverview(name=name, unread=error.what)


def _fetched(address: str, folder: Path, environ: Mapping[str, str]) -> Ledger:
    git = Git(folder=folder, environ=environ)
    git.run("init", "--quiet", "--bare", str(folder))
    return Ledger(git=git, remote=address)


def _short(address: str) -> str:
    """Name a repository by the last two parts of its address, without a login."""
    return "/".join(shorn(address).removesuffix("/").removesuffix(".git").replace(":", "/").split("/")[-2:])


def _overview(ledger: Ledger, name: str) -> RepositoryOverview:
    head = ledger.head()
    if head is None:
        return RepositoryOverview(name=name)
    flaws = tuple(f"record {flaw.sequence}: {flaw.what}" for flaw in audit(ledger).found[:MOST_FLAWS])
    entries = list(ledger.entries(head))
    names = dict.fromkeys(entry.record.name for entry in entries)
    models = tuple(_model(ledger, head, model, entries) for model in sorted(names))
    return RepositoryOverview(name=name, records=len(entries), models=models, flaws=flaws)


def _model(ledger: Ledger, head: str, name: str, entries: Sequence[Entry]) -> ModelOverview:
    own = [entry.record for entry in entries if entry.record.name == name]
    aliases = dict.fromkeys(record.alias for record in reversed(own) if record.moved and record.alias)
    given = [record for record in own if record.kind is RecordKind.WAIVER]
    return ModelOverview(
        name=name,
        aliases=tuple(AliasHistory(name=one, champions=champions(ledger, head, name, one)) for one in aliases),
        records=tuple(own[:MOST_RECORDS]),
        waivers=tuple(waiver for record in given for waiver in record.waivers),
        watch=watch_history(ledger, head, name),
        experiments=experiment_histories(ledger, head, name, resolved_of),
    )
