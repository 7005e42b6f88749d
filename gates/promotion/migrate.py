"""Migrate a model to another registry: copy its versions, held to the ledger, and record where they are from now on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from gates.checkout.trusted_policy import TrustedPolicy
from gates.documents.decision import Decision
from gates.documents.printed.standing import AliasState
from gates.documents.record import CARD, DECISION, POLICY, Approval, CopiedVersion, RecordedModel, RecordKind, Version
from gates.errors import Exit, GatesError
from gates.ledger.alias import agreed, compared, key, last_move, renumbered
from gates.ledger.ledger import Entry, LostRaceError
from gates.policy import Card, Policy
from gates.promotion.summary import label, show, summary
from gates.promotion.transaction import Approve, PromotionContext, approved, on_default_branch
from gates.registry.interface import TAG_DECISION, TAG_DIGEST, TAG_HOLDOUT, TAG_INTENT, Registry, Summary
from gates.schema.validation import read_json

EARLIER = 10  # versions that no alias names any more and that are copied, too: the newest


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownVersion:
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
            versions = list(_known_versions(desk, head))
            standing = [known for known in versions if known.aliases]
            if not standing:
                raise GatesError(
                    "the ledger has no promotion of it, so there is nothing to bring", where=desk.name,
                    hint='gates adopt --reason "…" records what an alias of this registry names.',
                )  # fmt: skip
            if all(_stands(desk, head, alias) for known in standing for alias in known.aliases):
                return None
            for alias in (alias for known in standing for alias in known.aliases):
                agreed(desk.ledger, head, source, desk.name, alias)
            approvals = _approvals(policy, standing, approve)
            copied = tuple(_copied(desk, source, versions, beside, policy.resolved.policy))
            record = replace(
                desk.draft(RecordKind.MIGRATION, None, reason.strip()),
                policy=policy.ref,
                versions=copied,
                approvals=approvals,
            )
            with suppress(LostRaceError):
                return desk.ledger.append(record, {POLICY: policy.resolved.document}, after=head)


def _known_versions(desk: PromotionContext, head: str | None) -> Iterator[KnownVersion]:
    """Yield every version that the ledger knows, the first promoted first."""
    entries_of: dict[tuple[str, str], list[Entry]] = {}
    names: dict[str | None, tuple[str, str] | None] = {}  # alias -> what it names now
    for entry in renumbered(desk.ledger.entries(head), desk.name):
        record = entry.record
        if record.moved and record.name == desk.name:
            named_key = key(record.after) if record.after else None
            names.setdefault(record.alias, named_key)
            if named_key:
                entries_of.setdefault(named_key, []).append(entry)
    for named_key, entries in sorted(entries_of.items(), key=lambda item: item[1][-1].record.sequence):
        newest = entries[0].record
        assert newest.after is not None  # noqa: S101 -- or it would not be among those known
        assert newest.model is not None  # noqa: S101 -- every move has one
        aliases = tuple(sorted(str(alias) for alias, named in names.items() if named == named_key))
        yield KnownVersion(version=newest.after, first=entries[-1], model=newest.model, aliases=aliases)


def _stands(desk: PromotionContext, head: str | None, alias: str) -> bool:
    """Tell whether the desk's own registry confirms already what the ledger says of an alias."""
    last = last_move(desk.ledger, head, desk.name, alias)
    return compared(desk.registry, desk.name, alias, last)[0] is AliasState.AS_PROMOTED


def _approvals(policy: TrustedPolicy, standing: list[KnownVersion], approve: Approve) -> tuple[Approval, ...]:
    """Return the approvals that the stages ask of a promotion, whose aliases name something: each person's once."""
    approvals = [
        one
        for known in standing
        for stage in policy.resolved.stages
        if stage.alias in known.aliases
        for one in approved(approve, stage, known.version.digest)
    ]
    return tuple(dict.fromkeys(approvals))


def _copied(
    desk: PromotionContext, source: Registry, versions: list[KnownVersion], beside: Path, policy: Policy
) -> Iterator[CopiedVersion]:
    """Copy what aliases name, the anchor, and the newest of the others; then read all of it back.

    An alias is moved as soon as its version is there, so that a registry of limited room keeps that one.
    """
    _refuse_foreign(desk, versions)
    needed = [known for known in versions if known.aliases or known.version.version == str(policy.anchor)]
    others = [known for known in versions if known not in needed][-EARLIER:]
    numbers: dict[str, KnownVersion] = {}
    for known in versions:
        if known in needed or known in others:
            with _left_behind(desk, known, needed):
                number = _copy(desk, source, known, beside, policy.card)
                numbers[number] = known
                for alias in known.aliases:
                    desk.registry.move(desk.name, alias, number)
    for number, known in numbers.items():
        with _left_behind(desk, known, needed):
            _read_back(desk, known, number, beside)
            after = Version(version=number, digest=known.version.digest, registry=desk.registry.kind)
            yield CopiedVersion(before=known.version, after=after, aliases=known.aliases)
            if known.version.version == str(policy.anchor) != number:
                desk.say(
                    f"the policy's anchor, version {policy.anchor}, is version {number} there: write anchor: {number}"
                )


@contextmanager
def _left_behind(desk: PromotionContext, known: KnownVersion, needed: list[KnownVersion]) -> Iterator[None]:
    """Leave a version behind that can't be copied, and say so, if nothing names it; else raise the error."""
    try:
        yield
    except GatesError as error:
        if known in needed or error.exit_code is Exit.OUTSIDE:
            raise
        desk.say(f"left behind: version {known.version.version}, because {error.what}")


def _refuse_foreign(desk: PromotionContext, versions: list[KnownVersion]) -> None:
    """Raise ``GatesError`` where an alias there names a model that the ledger does not know: it is somebody's."""
    digests = {known.version.digest for known in versions}
    for alias in (alias for known in versions for alias in known.aliases):
        number = desk.registry.at(desk.name, alias)
        if number is not None and desk.registry.stored(desk.name, number) not in digests:
            raise GatesError(
                f"{alias} names version {number} there, which the ledger does not know",
                where=f"models:/{desk.name}@{alias}",
                hint="Remove that alias first, if nothing is served by it.",
            )


def _copy(desk: PromotionContext, source: Registry, known: KnownVersion, beside: Path, card: Card | None) -> str:
    """Copy a version, unless an earlier try has; gives its number there."""
    name, version, registry = desk.name, known.version.version, desk.registry
    number_there = registry.made_for(name, known.mark)
    if number_there is not None and registry.stored(name, number_there) == known.version.digest:
        return number_there
    if not known.aliases and source.stored(name, version) != known.version.digest:  # what aliases name was looked at
        raise _other_bytes(known, f"version {version}")
    with TemporaryDirectory(dir=beside) as files, TemporaryDirectory(dir=beside) as judged:
        folder = source.files(name, version, Path(files))
        served = source.served(name, version, known.model, Path(judged))
        predictions = served.predictions(known.model.holdout) if served and known.model.holdout else None
        kept = registry.keep(name, folder, predictions, label(name, known.version.digest))
        if (registry.kept(name, kept), kept.predictions) != (known.version.digest, known.model.predictions):
            raise _other_bytes(known, f"version {version}")
        shown = _summary(desk, known, card)
        if shown:
            show(desk, kept, shown)
        number = registry.register(name, kept, _tags(known), version, shown.version if shown else "")
    if CARD in known.first.record.documents:
        registry.attach(name, number, CARD, desk.ledger.document(known.first, CARD))
    return number


def _summary(desk: PromotionContext, known: KnownVersion, card: Card | None) -> Summary | None:
    """Return what people read of a version; None of one that was adopted, so nothing was judged."""
    if DECISION not in known.first.record.documents:
        return None
    decision = read_json(Decision, desk.ledger.document(known.first, DECISION), DECISION)
    return summary(decision, known.first.record, card)


def _tags(known: KnownVersion) -> Mapping[str, str]:
    """Return the pointers for people that a promotion writes, and the mark by which a copy is found again."""
    record = known.first.record
    told = {TAG_DIGEST: known.version.digest, TAG_HOLDOUT: known.model.holdout, TAG_DECISION: record.decision}
    return {TAG_INTENT: known.mark} | {name: value for name, value in told.items() if value}


def _read_back(desk: PromotionContext, known: KnownVersion, number: str, beside: Path) -> None:
    """Raise ``GatesError`` where the copy, or its predictions, are not what the ledger says, or an alias has moved."""
    if desk.registry.stored(desk.name, number) != known.version.digest:
        raise _other_bytes(known, f"the copy of version {known.version.version}")
    for alias in known.aliases:
        if (now := desk.registry.at(desk.name, alias)) != number:
            raise GatesError(f"somebody moved {alias} to version {now} in the meantime", where=f"models:/{desk.name}")
    with TemporaryDirectory(dir=beside) as judged:
        served = desk.registry.served(desk.name, number, known.model, Path(judged))
        if served and known.model.holdout and known.aliases:
            served.predictions(known.model.holdout)


def _other_bytes(known: KnownVersion, what: str) -> GatesError:
    return GatesError(
        f"the bytes of {what} are not those of record {known.first.record.sequence}, or gone",
        where="registry",
        hint="Restore its files, or go back to an intact version first: gates rollback --to RECORD.",
    )
