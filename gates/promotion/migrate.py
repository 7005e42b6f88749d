"""Migrate a model to another registry: copy its versions, held to the ledger, and record where they are from now on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from gates.checkout.trusted_policy import TrustedPolicy
from gates.documents.record import CARD, POLICY, Approval, CopiedVersion, RecordedModel, RecordKind, Version
from gates.documents.standing import AliasState
from gates.errors import Exit, GatesError
from gates.ledger.alias import agreed, compared, key, last_move, renumbered
from gates.ledger.ledger import Entry, LostRaceError
from gates.promotion.transaction import Approve, PromotionContext, approved, on_default_branch
from gates.registry.interface import TAG_DECISION, TAG_DIGEST, TAG_HOLDOUT, TAG_INTENT, Registry

EARLIER = 10  # versions that no alias names any more and that are copied, too: the newest


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A version that the ledger knows: where it comes from, what binds it, and which aliases name it now."""

    version: Version
    first: Entry  # the record that promoted or adopted it
    model: RecordedModel
    aliases: tuple[str, ...]

    @property
    def mark(self) -> str:
        """What marks the version in every registry that it is copied to, so that no copy is made twice."""
        return self.first.record.intent or self.first.digest


def migrate(
    desk: PromotionContext,
    source: Registry,
    policy: TrustedPolicy,
    reason: str,
    approve: Approve,
    beside: Path,
) -> Entry | None:
    """Copy what the ledger knows of a model from the registry ``source`` into the desk's, and record it; None where
    all of it is there already.

    The source stays as it is. A copy that was interrupted is finished when it is asked for again: nothing counts
    before the record, and what was copied is found. ``beside`` is a folder to fetch into.
    Raises ``RefusedError`` where an approval is missing, ``GatesError`` where a version that an alias names is not
    what the ledger says.
    """
    if not reason.strip():
        raise GatesError("it needs a reason", where="--reason")
    on_default_branch(policy, "Adoptions")
    old = replace(desk, registry=source)
    with old.locked():
        while True:
            head = old.settled()
            desk.registry.refresh()
            held = list(_held(desk, head))
            standing = [one for one in held if one.aliases]
            if not standing:
                raise GatesError(
                    "the ledger has no promotion of it, so there is nothing to bring", where=desk.name,
                    hint='gates adopt --reason "…" records what an alias of this registry names.',
                )  # fmt: skip
            if all(_stands(desk, head, alias) for one in standing for alias in one.aliases):
                return None
            for alias in (alias for one in standing for alias in one.aliases):
                agreed(desk.ledger, head, source, desk.name, alias)
            approvals = _approvals(policy, standing, approve)
            copied = tuple(_copied(desk, source, held, beside, policy.resolved.policy.anchor))
            record = replace(
                desk.draft(RecordKind.MIGRATION, None, reason.strip()),
                policy=policy.ref,
                versions=copied,
                approvals=approvals,
            )
            with suppress(LostRaceError):
                return desk.ledger.append(record, {POLICY: policy.resolved.document}, after=head)


def _held(desk: PromotionContext, head: str | None) -> Iterator[Held]:
    """Every version that the ledger knows, the first promoted first."""
    known: dict[tuple[str, str], list[Entry]] = {}
    names: dict[str | None, tuple[str, str] | None] = {}  # alias -> what it names now
    for entry in renumbered(desk.ledger.entries(head), desk.name):
        record = entry.record
        if record.moved and record.name == desk.name:
            version = key(record.after) if record.after else None
            names.setdefault(record.alias, version)
            if version:
                known.setdefault(version, []).append(entry)
    for version, entries in sorted(known.items(), key=lambda item: item[1][-1].record.sequence):
        newest = entries[0].record
        assert newest.after is not None  # noqa: S101 -- or it would not be among those known
        assert newest.model is not None  # noqa: S101 -- every move has one
        aliases = tuple(sorted(str(alias) for alias, named in names.items() if named == version))
        yield Held(version=newest.after, first=entries[-1], model=newest.model, aliases=aliases)


def _stands(desk: PromotionContext, head: str | None, alias: str) -> bool:
    """Whether the desk's own registry confirms already what the ledger says of an alias."""
    last = last_move(desk.ledger, head, desk.name, alias)
    return compared(desk.registry, desk.name, alias, last)[0] is AliasState.AS_PROMOTED


def _approvals(policy: TrustedPolicy, standing: list[Held], approve: Approve) -> tuple[Approval, ...]:
    """Those that the stages ask of a promotion, whose aliases name something: each person's once."""
    found = [
        one
        for held in standing
        for stage in policy.resolved.stages
        if stage.alias in held.aliases
        for one in approved(approve, stage, held.version.digest)
    ]
    return tuple(dict.fromkeys(found))


def _copied(
    desk: PromotionContext, source: Registry, held: list[Held], beside: Path, anchor: int | None
) -> Iterator[CopiedVersion]:
    """Copy what aliases name, the anchor, and the newest of the others; then read all of it back.

    An alias is moved as soon as its version is there, so that a registry of limited room keeps that one.
    """
    _refuse_foreign(desk, held)
    needed = [one for one in held if one.aliases or one.version.version == str(anchor)]
    others = [one for one in held if one not in needed][-EARLIER:]
    numbers: dict[str, Held] = {}
    for one in held:
        if one in needed or one in others:
            with _left_behind(desk, one, needed):
                number = _copy(desk, source, one, beside)
                numbers[number] = one
                for alias in one.aliases:
                    desk.registry.move(desk.name, alias, number)
    for number, one in numbers.items():
        with _left_behind(desk, one, needed):
            _read_back(desk, one, number, beside)
            after = Version(version=number, digest=one.version.digest, registry=desk.registry.kind)
            yield CopiedVersion(before=one.version, after=after, aliases=one.aliases)
            if one.version.version == str(anchor) != number:
                desk.say(f"the policy's anchor, version {anchor}, is version {number} there: write anchor: {number}")


@contextmanager
def _left_behind(desk: PromotionContext, one: Held, needed: list[Held]) -> Iterator[None]:
    """A version that nothing names may stay behind, which is told; any other may not."""
    try:
        yield
    except GatesError as error:
        if one in needed or error.exit_code is Exit.OUTSIDE:
            raise
        desk.say(f"left behind: version {one.version.version}, because {error.what}")


def _refuse_foreign(desk: PromotionContext, held: list[Held]) -> None:
    """Raise ``GatesError`` where an alias there names a model that the ledger does not know: it is somebody's."""
    known = {one.version.digest for one in held}
    for alias in (alias for one in held for alias in one.aliases):
        number = desk.registry.at(desk.name, alias)
        if number is not None and desk.registry.stored(desk.name, number) not in known:
            raise GatesError(
                f"{alias} names version {number} there, which the ledger does not know",
                where=f"models:/{desk.name}@{alias}",
                hint="Remove that alias first, if nothing is served by it.",
            )


def _copy(desk: PromotionContext, source: Registry, one: Held, beside: Path) -> str:
    """Copy a version, unless an earlier try has; gives its number there."""
    name, version, registry = desk.name, one.version.version, desk.registry
    found = registry.made_for(name, one.mark)
    if found is not None and registry.stored(name, found) == one.version.digest:
        return found
    if not one.aliases and source.stored(name, version) != one.version.digest:  # what aliases name was looked at
        raise _other_bytes(one, f"version {version}")
    with TemporaryDirectory(dir=beside) as files, TemporaryDirectory(dir=beside) as judged:
        folder = source.files(name, version, Path(files))
        served = source.served(name, version, one.model, Path(judged))
        predictions = served.predictions(one.model.holdout) if served and one.model.holdout else None
        kept = registry.keep(name, folder, predictions)
        if (registry.kept(name, kept.run_id), kept.predictions) != (one.version.digest, one.model.predictions):
            raise _other_bytes(one, f"version {version}")
        number = registry.register(name, kept, _tags(one), version)
    if CARD in one.first.record.documents:
        registry.attach(name, number, CARD, desk.ledger.document(one.first, CARD))
    return number


def _tags(one: Held) -> Mapping[str, str]:
    """The pointers for people that a promotion writes, and the mark by which a copy is found again."""
    record = one.first.record
    told = {TAG_DIGEST: one.version.digest, TAG_HOLDOUT: one.model.holdout, TAG_DECISION: record.decision}
    return {TAG_INTENT: one.mark} | {name: value for name, value in told.items() if value}


def _read_back(desk: PromotionContext, one: Held, number: str, beside: Path) -> None:
    """Raise ``GatesError`` where the copy, or its predictions, are not what the ledger says, or an alias has moved."""
    if desk.registry.stored(desk.name, number) != one.version.digest:
        raise _other_bytes(one, f"the copy of version {one.version.version}")
    for alias in one.aliases:
        if (now := desk.registry.at(desk.name, alias)) != number:
            raise GatesError(f"somebody moved {alias} to version {now} in the meantime", where=f"models:/{desk.name}")
    with TemporaryDirectory(dir=beside) as judged:
        served = desk.registry.served(desk.name, number, one.model, Path(judged))
        if served and one.model.holdout and one.aliases:
            served.predictions(one.model.holdout)


def _other_bytes(one: Held, what: str) -> GatesError:
    return GatesError(
        f"the bytes of {what} are not those of record {one.first.record.sequence}, or gone",
        where="registry",
        hint="Restore its files, or go back to an intact version first: gates rollback --to RECORD.",
    )
