"""The ledger checked: its chain, the documents beside each record, every verdict derived again from its evidence."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Literal

from gates import __version__
from gates.canonical import canonical, digest, digest_bytes
from gates.decision import Decision, Verdict
from gates.errors import GatesError
from gates.evidence import Evidence, Table
from gates.fields import declare
from gates.judge import judge
from gates.ledger import Commit, Ledger, names
from gates.policy import Bound
from gates.policy.read import read
from gates.record import EVIDENCE, OUTCOMES, POLICY, STATEMENT, Kind, Record
from gates.signing import signed_by
from gates.statement import Tier
from gates.statement import read as read_statement
from gates.validate import read_json
from gates.waivers import settle

SCHEMA: Literal["gates/audit/v1"] = "gates/audit/v1"


class Flaw(StrEnum):
    """What is wrong with a record. Codes are stable and never reused."""

    UNREADABLE = "unreadable"  # no record of this form
    NOT_CANONICAL = "not_canonical"  # not the bytes that gates writes
    PARENTS = "parents"  # not one commit after another
    SEQUENCE = "sequence"  # not its place
    PREVIOUS = "previous"  # names another record as the one before
    DOCUMENTS = "documents"  # other documents beside it than it names, or changed ones
    CONTRADICTION = "contradiction"  # says something else than its documents
    DECISION_DIFFERS = "decision_differs"  # the evidence gives another decision
    NOT_ACCEPTED = "not_accepted"  # promoted though neither passed nor waived
    NOT_APPROVED = "not_approved"  # promoted without the approvals that its policy asks for
    INTENT = "intent"  # an outcome without its intent, or of one that is closed
    SIGNATURE = "signature"  # a promotion that the key that was named has not signed
    ANCHOR = "anchor"  # the expected record is not in the ledger


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


@dataclass(frozen=True, slots=True)
class Derived:
    """What a record's documents give: policy, decision and its digest, and the tables measured."""

    bound: Bound
    decision: Decision
    digest: str
    tables: tuple[Table, ...]


@dataclass(slots=True)
class Pass:
    """What is kept while the records are gone through, from the first to the newest."""

    get: Callable[[str], bytes | None]  # a blob's bytes
    key: Path | None = None  # the public key that must have signed
    tiers: dict[str, int] = field(default_factory=dict)
    digests: list[str] = field(default_factory=list)
    intents: dict[str, Record] = field(default_factory=dict)
    closed: set[str] = field(default_factory=set)
    blobs: dict[str, str] = field(default_factory=dict)  # to the digest of its bytes
    policies: dict[str, Bound] = field(default_factory=dict)
    decisions: dict[tuple[str, str], Derived] = field(default_factory=dict)


def audit(ledger: Ledger, *, only: str | None = None, expected: str | None = None, key: Path | None = None) -> Audit:
    """Check the whole ledger; with ``only`` (a sequence number, or the beginning of a digest) the documents of that
    record alone, and the chain of all. ``expected``: the digest of a record that was the newest once. ``key``: the
    public key that must have signed the decision of every promotion.

    Raises ``GatesError`` where the ledger can't be read, or ``only`` is no record of it.
    """
    head = ledger.head()
    files = list(ledger.files(head))[::-1]
    found: list[Found] = []
    chosen = 0
    with ledger.git.objects() as objects:
        state = Pass(get=objects.get, key=key)
        for place, (commit, documents, data) in enumerate(files, 1):
            record, flaws = _chain(state, place, commit, files[place - 2][0] if place > 1 else None, data)
            told = digest_bytes(data or b"")
            wanted = only is None or names(only, place, told)
            chosen += wanted
            if record is not None:
                flaws += list(_order(state, record, told))
                if wanted:
                    flaws += list(_beside(state, record, documents))
            state.digests.append(told)
            found += [Found(sequence=place, code=code, what=what) for code, what in flaws]
    if only is not None and chosen != 1:
        raise GatesError(f"{only} names {chosen} records", where="verify", mend="gates history lists them.")
    found += _anchor(state, expected)
    return Audit(
        schema=SCHEMA,
        records=len(files) if only is None else chosen,
        derived=len(state.decisions),
        head=state.digests[-1] if state.digests else None,
        anchored=expected in state.digests,
        tiers=state.tiers,
        found=tuple(found),
        unknown=() if expected else UNANCHORED,
    )


UNANCHORED = (
    "whether records were taken from the end, or the whole ledger was written anew: "
    "keep the newest record's digest somewhere else, and name it with --expect-head",
)
Told = tuple[Flaw, str]


def _anchor(state: Pass, expected: str | None) -> Iterator[Found]:
    if expected is not None and expected not in state.digests:
        what = f"the expected record {expected} is not in the ledger: it was cut short or written anew"
        yield Found(sequence=0, code=Flaw.ANCHOR, what=what)


def _chain(
    state: Pass, place: int, commit: Commit, before: Commit | None, data: bytes | None
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
    if record.previous != (state.digests[-1] if state.digests else None):
        flaws.append((Flaw.PREVIOUS, "it names another record as the one before"))
    return record, flaws


KEPT = ("name", "alias", "verdict", "decision", "evidence", "policy", "model", "data", "source", "before", "target",
        "approvals", "waivers", "attached")  # fmt: skip


def _order(state: Pass, record: Record, told: str) -> Iterator[Told]:
    """Outcomes close intents, each once, and say of them what they said."""
    if record.kind is Kind.INTENT:
        state.intents[told] = record
    if record.kind not in OUTCOMES:
        return
    intent = state.intents.get(record.intent or "")
    if intent is None or record.intent in state.closed:
        yield Flaw.INTENT, "it closes no intent, or one that is closed already"
        return
    state.closed.add(record.intent or "")
    other = [name for name in KEPT if getattr(record, name) != getattr(intent, name)]
    if other:
        yield Flaw.INTENT, f"it says something else than its intent: {', '.join(other)}"
    if record.moved and (record.after is None or record.model is None or record.after.digest != record.model.digest):
        yield Flaw.CONTRADICTION, "what it promoted is not the model that was judged"


def _beside(state: Pass, record: Record, documents: Mapping[str, str]) -> Iterator[Told]:
    """The documents are those that the record names, and the record says what they say."""
    if documents.keys() != record.documents.keys():
        named = sorted(documents.keys() ^ record.documents.keys())
        yield Flaw.DOCUMENTS, f"other documents lie beside it than it names: {', '.join(named)}"
        return
    for name, blob in documents.items():
        if blob not in state.blobs:
            state.blobs[blob] = digest_bytes(state.get(blob) or b"")
        if state.blobs[blob] != record.documents[name]:
            yield Flaw.DOCUMENTS, f"{name} was changed"
            return
    if record.decision is None or record.evidence is None or record.policy is None:
        return
    yield from _stated(state, record, documents)
    try:
        derived = _derived(state, record, documents)
    except GatesError as error:
        yield Flaw.CONTRADICTION, f"nothing can be derived from its documents: {error.what}"
        return
    decision = derived.decision
    if derived.digest != record.decision:
        by = f"; it was made by gates {record.tool}" if record.tool != __version__ else ""
        yield Flaw.DECISION_DIFFERS, f"its evidence gives {decision.verdict}, {decision.reason}{by}"
        return
    if [(one.name, one.digest, one.rows) for one in record.data] != [
        (t.name, t.digest, t.rows) for t in derived.tables
    ]:
        yield Flaw.CONTRADICTION, "it names other tables than its evidence"
    yield from _says(record, derived.bound, decision)


def _stated(state: Pass, record: Record, documents: Mapping[str, str]) -> Iterator[Told]:
    """By whose word the decision stands, and whether that is the word that was asked for."""
    tier, signed = Tier.NONE, False
    if STATEMENT in documents:
        try:
            said = read_statement(state.get(documents[STATEMENT]) or b"", STATEMENT)
        except GatesError as error:
            yield Flaw.CONTRADICTION, str(error).splitlines()[0]
            return
        if digest(said.decision) != record.decision:
            yield Flaw.CONTRADICTION, "its statement is about another decision"
        tier = said.tier
        signed = state.key is not None and signed_by(said.envelope, state.key) is not None
    state.tiers[tier.value] = state.tiers.get(tier.value, 0) + 1
    if state.key and not signed and record.kind is Kind.PROMOTION:
        yield Flaw.SIGNATURE, "the key that was named has not signed its decision"


def _derived(state: Pass, record: Record, documents: Mapping[str, str]) -> Derived:
    """From the documents alone, each decision once."""
    policy, evidence = record.documents[POLICY], record.documents[EVIDENCE]
    if policy not in state.policies:
        state.policies[policy] = bound_of(state.get(documents[POLICY]) or b"")
    bound = state.policies[policy]
    if (policy, evidence) not in state.decisions:
        counted = read_json(Evidence, state.get(documents[EVIDENCE]) or b"", EVIDENCE)
        decision = judge(bound, counted)
        state.decisions[policy, evidence] = Derived(bound, decision, digest(decision), counted.tables)
    return state.decisions[policy, evidence]


def bound_of(document: bytes) -> Bound:
    """The policy with its contract, from the document that ``Bound.document`` wrote."""
    try:
        written = json.loads(document)
        policy, contract = canonical(written["policy"]), canonical(written["contract"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise GatesError("is no policy with its contract", where=POLICY) from error
    return read(policy, POLICY, lambda _: contract)


def _says(record: Record, bound: Bound, decision: Decision) -> Iterator[Told]:
    """The record against the decision, and what was promoted against what may be."""
    candidate, champion = decision.candidate, decision.champion
    if record.verdict != decision.verdict or record.name != bound.champion[0]:
        yield Flaw.CONTRADICTION, "it names another verdict or model than its decision"
    if record.model and (candidate is None or record.model.digest != candidate.digest):
        yield Flaw.CONTRADICTION, "its model is not the one that was judged"
    if record.kind not in (Kind.INTENT, Kind.PROMOTION) or record.target:
        return
    before = champion.version if champion else None
    if record.alias == bound.champion[1] and before != (record.before.version if record.before else None):
        yield Flaw.CONTRADICTION, "it was judged against another champion than the one it took the place of"
    accepted = settle(decision, record.waivers, record.at[:10], bound.policy.promotion.waivable)
    if accepted.verdict is not Verdict.PASS:
        yield Flaw.NOT_ACCEPTED, f"the verdict is {accepted.verdict}, and no waiver accepts it"
    yield from _approvals(record, bound)


def _approvals(record: Record, bound: Bound) -> Iterator[Told]:
    stage = next((one for one in bound.stages if one.alias == record.alias), None)
    if stage is None:
        yield Flaw.CONTRADICTION, f"its policy has no stage {record.alias}"
        return
    given = [one for one in record.approvals if one.state == "approved"]
    missing = sorted(set(stage.approvals) - {one.role for one in given})
    if missing:
        yield Flaw.NOT_APPROVED, f"without the approval of {', '.join(missing)}"
    people = [one.user.id for one in given]
    if bound.policy.promotion.distinct_people and len(set(people)) != len(people):
        yield Flaw.NOT_APPROVED, "one person approved in several roles"
