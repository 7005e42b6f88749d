"""The ledger checked: its chain, the documents beside each record, every verdict derived again from its evidence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from gates.beside import Filed, Flaw, Told, check
from gates.canonical import canonical, digest_bytes
from gates.errors import GatesError
from gates.fields import declare
from gates.ledger import Commit, Ledger, names
from gates.record import OUTCOMES, Kind, Record
from gates.validate import read_json

SCHEMA: Literal["gates/audit/v1"] = "gates/audit/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One thing that is wrong."""

    WRITTEN = "whole"
    sequence: int = declare("The record's place, counted from the first commit; 0 for the ledger as a whole.")
    code: Flaw = declare("What is wrong, as a stable word.")
    what: str = declare("What is wrong, in words.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """A ledger, or one record of it, checked."""

    WRITTEN = "whole"
    schema: Literal["gates/audit/v1"] = declare("Format of this document.")
    records: int = declare("How many records were checked.")
    derived: int = declare("How many different decisions were derived again from their evidence.")
    head: str | None = declare("Digest of the newest record: the anchor to keep somewhere else.")
    anchored: bool = declare("Whether an anchor was given and found.")
    tiers: dict[str, int] = declare("Decisions by whose word they stand: none, key, attested; how many of each.")
    found: tuple[Found, ...] = declare("What is wrong.")
    unknown: tuple[str, ...] = declare("What can't be known from this.")


@dataclass(slots=True)
class Chain:
    """What is kept while the records are gone through, from the first to the newest."""

    digests: list[str] = field(default_factory=list)
    intents: dict[str, Record] = field(default_factory=dict)
    closed: set[str] = field(default_factory=set)


def audit(ledger: Ledger, *, only: str | None = None, expected: str | None = None, key: Path | None = None) -> Audit:
    """Check the whole ledger; with ``only`` (a sequence number, or the beginning of a digest) the documents of that
    record alone, and the chain of all. ``expected``: the digest of a record that was the newest once. ``key``: the
    public key that must have signed the decision of every promotion.

    Raises ``GatesError`` where the ledger can't be read, or ``only`` is no record of it.
    """
    files = list(ledger.files(ledger.head()))[::-1]
    chain, flaws = Chain(), [list[Told]() for _ in files]
    chosen: dict[int, Filed | None] = {}  # by place
    for place, (commit, documents, data) in enumerate(files):
        record, wrong = _chain(chain, place + 1, commit, files[place - 1][0] if place else None, data)
        told = digest_bytes(data or b"")
        flaws[place] += wrong + (list(_order(chain, record, told)) if record else [])
        if only is None or names(only, place + 1, told):
            chosen[place] = Filed(record, documents) if record else None
        chain.digests.append(told)
    if only is not None and len(chosen) != 1:
        raise GatesError(f"{only} names {len(chosen)} records", where="verify", mend="gates history lists them.")
    filed = {place: one for place, one in chosen.items() if one}
    beside = check(ledger.git, list(filed.values()), key)
    for place, wrong in zip(filed, beside.flaws, strict=True):
        flaws[place] += wrong
    found = [Found(sequence=place, code=code, what=what) for place, some in enumerate(flaws, 1) for code, what in some]
    return Audit(
        schema=SCHEMA,
        records=len(chosen),
        derived=len(beside.derived),
        head=chain.digests[-1] if chain.digests else None,
        anchored=expected in chain.digests,
        tiers=beside.tiers,
        found=(*found, *_anchor(chain, expected)),
        unknown=() if expected else UNANCHORED,
    )


UNANCHORED = (
    "whether records were taken from the end, or the whole ledger was written anew: "
    "keep the newest record's digest somewhere else, and name it with --expect-head",
)


def _anchor(chain: Chain, expected: str | None) -> Iterator[Found]:
    if expected is not None and expected not in chain.digests:
        what = f"the expected record {expected} is not in the ledger: it was cut short or written anew"
        yield Found(sequence=0, code=Flaw.ANCHOR, what=what)


def _chain(
    chain: Chain, place: int, commit: Commit, before: Commit | None, data: bytes | None
) -> tuple[Record | None, list[Told]]:
    """The record, and what is wrong with its form and place."""
    flaws: list[Told] = []
    if commit.parents != ((before.id,) if before else ()):
        flaws.append((Flaw.PARENTS, f"commit {commit.id[:12]} does not follow one commit alone"))
    try:
        record = read_json(Record, data or b"", f"commit {commit.id[:12]}")
    except GatesError as error:
        return None, [*flaws, (Flaw.UNREADABLE, error.what)]
    if canonical(record) != data:
        flaws.append((Flaw.NOT_CANONICAL, "its bytes are not those that gates writes"))
    if record.sequence != place:
        flaws.append((Flaw.SEQUENCE, f"it says that it is record {record.sequence}"))
    if record.previous != (chain.digests[-1] if chain.digests else None):
        flaws.append((Flaw.PREVIOUS, "it names another record as the one before"))
    return record, flaws


KEPT = ("name", "alias", "verdict", "decision", "evidence", "policy", "model", "data", "source", "before", "target",
        "approvals", "waivers", "attached")  # fmt: skip


def _order(chain: Chain, record: Record, told: str) -> Iterator[Told]:
    """Outcomes close intents, each once, and say of them what they said."""
    if record.kind is Kind.INTENT:
        chain.intents[told] = record
    if record.kind not in OUTCOMES:
        return
    intent = chain.intents.get(record.intent or "")
    if intent is None or record.intent in chain.closed:
        yield Flaw.INTENT, "it closes no intent, or one that is closed already"
        return
    chain.closed.add(record.intent or "")
    other = [name for name in KEPT if getattr(record, name) != getattr(intent, name)]
    if other:
        yield Flaw.INTENT, f"it says something else than its intent: {', '.join(other)}"
    if record.moved and (record.after is None or record.model is None or record.after.digest != record.model.digest):
        yield Flaw.CONTRADICTION, "what it promoted is not the model that was judged"
