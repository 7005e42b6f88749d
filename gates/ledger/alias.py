"""Compare what the registry says about an alias with what the ledger knows. If they disagree, nothing is judged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Literal, Protocol

from gates.documents.printed.standing import AGREED, AliasState
from gates.documents.record import RecordedModel, RecordKind, Version
from gates.errors import Exit, GatesError
from gates.ledger.ledger import Entry, Ledger

CODES = {
    AliasState.MOVED: "alias_moved",
    AliasState.UNKNOWN: "not_adopted",
    AliasState.BYTES_CHANGED: "stored_bytes",
    AliasState.ELSEWHERE: "other_registry",
}
PLACES = {"git": "the branch gates-registry", "mlflow": "MLflow"}


class Names(Protocol):
    """What is asked of a registry."""

    @property
    def kind(self) -> Literal["git", "mlflow"]:
        """What kind of registry it is."""

    def at(self, name: str, alias: str) -> str | None:
        """Return the version that an alias names, or None."""

    def stored(self, name: str, version: str) -> str | None:
        """Digest the bytes that a version has now; None where they are gone."""


class DisagreementError(GatesError):
    """Registry and ledger say different things of an alias; ``state`` says which."""

    def __init__(self, state: AliasState, what: str, *, where: str, hint: str) -> None:
        super().__init__(what, where=where, hint=hint, exit_code=Exit.INPUT)
        self.state = state

    @property
    def code(self) -> str:
        """The word by which a decision and a refusal name it."""
        return CODES[self.state]


def moves(ledger: Ledger, head: str | None, name: str, alias: str) -> Iterator[Entry]:
    """Give every record after which an alias named something, the newest first, by the numbers of now."""
    for entry in renumbered(ledger.entries(head), name):
        if entry.record.moved and (entry.record.name, entry.record.alias) == (name, alias):
            yield entry


def renumbered(entries: Iterable[Entry], name: str) -> Iterator[Entry]:
    """Give records, the newest first, with the numbers that a model's versions have in the registry of now.

    Each migration gave them other ones. A version that stayed behind is none any more.
    """
    now: Mapping[tuple[str, str], Version] | None = None
    for entry in entries:
        record = entry.record
        if record.name == name and record.kind is RecordKind.MIGRATION and record.versions:
            copied = [(one.before, one.after if now is None else now.get(key(one.after))) for one in record.versions]
            now = {key(before): after for before, after in copied if after}
        elif record.name == name and now is not None and record.after:
            entry = replace(entry, record=replace(record, after=now.get(key(record.after))))  # noqa: PLW2901
        yield entry


def as_now(ledger: Ledger, head: str | None, entry: Entry) -> Entry:
    """Give a record with the number that its version has now."""
    return next(one for one in renumbered(ledger.entries(head), entry.record.name) if one.digest == entry.digest)


def key(version: Version) -> tuple[str, str]:
    """Return what tells versions of one registry apart, whichever gates wrote them down."""
    return version.version, version.digest


def last_move(ledger: Ledger, head: str | None, name: str, alias: str) -> Entry | None:
    """Find the record of what an alias should name now; None where the ledger knows of none."""
    return next(moves(ledger, head, name, alias), None)


def known_of(ledger: Ledger, head: str | None, name: str, version: str) -> RecordedModel | None:
    """Find what the ledger knows of a version's model; None where no alias was ever moved to it."""
    for entry in renumbered(ledger.entries(head), name):
        record = entry.record
        if record.moved and record.name == name and record.after and record.after.version == version:
            return record.model
    return None


def compared(registry: Names | None, name: str, alias: str, entry: Entry | None) -> tuple[AliasState, str, str | None]:
    """Compare a registry with the ledger's last move of an alias: the state, one sentence, and the version named.

    ``registry`` is None where there is none, which is a registry that names nothing.
    """
    version = registry.at(name, alias) if registry else None
    after = entry.record.after if entry else None
    if entry and (after is None or (registry and elsewhere(registry, after))):
        where = f"in {PLACES[after.registry]}" if after and after.registry else "in a registry that was left"
        return AliasState.ELSEWHERE, f"names a version {where}, since record {entry.record.sequence}", version
    if entry is None or after is None:
        if version is None:
            return AliasState.NOTHING, "nothing was promoted yet", None
        told = f"names version {version}, which the ledger does not know: it was not promoted by gates"
        return AliasState.UNKNOWN, told, version
    number = entry.record.sequence
    if registry is None or version is None or version != after.version:
        named = f"version {version}" if version else "nothing"
        return (
            AliasState.MOVED,
            f"names {named}; record {number} made it version {after.version}: moved by hand",
            version,
        )
    if registry.stored(name, version) != after.digest:
        return AliasState.BYTES_CHANGED, f"the bytes of version {version} are not those of record {number}", version
    return AliasState.AS_PROMOTED, f"version {version}, since record {number} of {entry.record.at}", version


def elsewhere(registry: Names, version: Version | None) -> bool:
    """Tell whether a version is in another registry, by what the ledger says of it."""
    return version is not None and version.registry not in (None, registry.kind)


def agreed(ledger: Ledger, head: str | None, registry: Names | None, name: str, alias: str) -> Entry | None:
    """Give the ledger's last move of an alias, which the registry confirms; None where both know of nothing.

    Raises ``DisagreementError`` where they say different things, ``GatesError`` where one of them can't be asked.
    """
    entry = last_move(ledger, head, name, alias)
    state, told, _ = compared(registry, name, alias, entry)
    if state in AGREED:
        return entry
    raise DisagreementError(state, f"{alias} {told}", where=f"models:/{name}@{alias}", hint=hint(state, entry))


def hint(state: AliasState, entry: Entry | None) -> str:
    """Say what puts registry and ledger in agreement again."""
    adopt = 'gates adopt --reason "…" records the current model as the one to compare with.'
    if state is AliasState.UNKNOWN or entry is None:
        return adopt
    if state is AliasState.BYTES_CHANGED:
        return "Restore its files, or go back to an intact version: gates rollback --to RECORD (gates history)."
    if state is AliasState.ELSEWHERE:
        return f"Name that one: {NAMED} Or bring its models here: {BRING}."
    back = f'gates rollback --to {entry.record.sequence} --reason "…" puts it back. {adopt}'
    return f"Is it the right registry? {NAMED} {BRING} brings another one's models here. If it is: {back}"


NAMED = (
    "MLFLOW_TRACKING_URI names an MLflow registry (sqlite:///mlflow.db, if an older gates promoted without it); "
    "without it, it is the branch gates-registry."
)
BRING = 'gates adopt --from ADDRESS --reason "…" (the address of MLflow, or git)'
