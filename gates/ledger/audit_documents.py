"""Check a record's documents: they are those it names, and the evidence gives the decision again.

What is checked of one record needs no other one, so many records are checked on all processors.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from gates import __version__
from gates.attestation.dsse import signed_by
from gates.attestation.statement import Tier, adoption, payload_of
from gates.attestation.statement import read as read_statement
from gates.documents.decision import Decision, Verdict
from gates.documents.evidence import Evidence, LaunchedTraining, Table
from gates.documents.printed.audit import Flaw
from gates.documents.record import EVIDENCE, POLICY, STATEMENT, Record, RecordKind
from gates.errors import GatesError
from gates.judge.judge import judge
from gates.judge.waivers import settle
from gates.ledger.audit_monitoring import RestsOn, check_windows
from gates.ledger.experiments.audit_experiments import check_experiment, check_promotion
from gates.ledger.retrainings import check_retraining
from gates.policy import ResolvedPolicy
from gates.policy.policy_file import read
from gates.schema.canonical import canonical, digest, digest_bytes
from gates.schema.fields import Plain
from gates.schema.validation import read_json
from gates.system.git import Git

TOGETHER = 200  # records checked by one process at a time: fewer are not worth another process


Told = tuple[Flaw, str]


@dataclass(frozen=True, slots=True)
class Filed:
    """A record, and the git names of the documents beside it."""

    record: Record
    documents: Mapping[str, str]
    rests: RestsOn = field(default_factory=RestsOn)


@dataclass(frozen=True, slots=True)
class Derived:
    """What a record's documents give: policy, decision and its digest, the tables measured, and jobs."""

    resolved: ResolvedPolicy
    decision: Decision
    digest: str
    tables: tuple[Table, ...]
    jobs: tuple[LaunchedTraining, ...]


@dataclass(slots=True)
class AuditPart:
    """What was found of some records: the flaws of each, who vouches for decisions, and which were derived."""

    flaws: list[list[Told]] = field(default_factory=list)
    tiers: dict[str, int] = field(default_factory=dict)
    derived: set[tuple[str, str]] = field(default_factory=set)  # digests of policy and evidence

    def add(self, other: AuditPart) -> None:
        """Take up what was found of the records that follow."""
        self.flaws += other.flaws
        self.tiers = {one: self.tiers.get(one, 0) + other.tiers.get(one, 0) for one in self.tiers | other.tiers}
        self.derived |= other.derived


@dataclass(slots=True)
class Pass:
    """What is kept while some records are gone through."""

    get: Callable[[str], bytes | None]  # a blob's bytes
    key: Path | None = None  # the public key that must have signed
    tiers: dict[str, int] = field(default_factory=dict)
    blobs: dict[str, str] = field(default_factory=dict)  # to the digest of its bytes
    policies: dict[str, ResolvedPolicy] = field(default_factory=dict)
    decisions: dict[tuple[str, str], Derived] = field(default_factory=dict)
    watched: set[tuple[str, str]] = field(default_factory=set)  # digests of policy and evidence of live windows


def check(git: Git, filed: Sequence[Filed], key: Path | None = None) -> AuditPart:
    """Check every record's documents. ``key``: the public key that must have signed the decision of every promotion."""
    parts = [filed[start : start + TOGETHER] for start in range(0, len(filed), TOGETHER)]
    totals = AuditPart()
    git = replace(git, environ=dict(git.environ))  # which other processes can be handed
    for part in _checked(partial(_part, git, key), parts):
        totals.add(part)
    return totals


def _checked(audit: Callable[[Sequence[Filed]], AuditPart], parts: Sequence[Sequence[Filed]]) -> Iterable[AuditPart]:
    """Check parts of the records, and yield them in their order.

    They are checked on as many processors as there are, and as many as are worth it.
    """
    workers = min(len(parts), os.cpu_count() or 1)
    if workers < 2:
        yield from map(audit, parts)
        return
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(audit, parts)


def _part(git: Git, key: Path | None, filed: Sequence[Filed]) -> AuditPart:
    with git.objects() as objects:
        state = Pass(get=objects.get, key=key)
        flaws = [list(_beside(state, one)) for one in filed]
    return AuditPart(flaws=flaws, tiers=state.tiers, derived=set(state.decisions) | state.watched)


def _beside(state: Pass, filed: Filed) -> Iterator[Told]:
    """Check that the documents are those that the record names, and that it says what they say."""
    record, documents = filed.record, filed.documents
    if documents.keys() != record.documents.keys():
        named = sorted(documents.keys() ^ record.documents.keys())
        yield Flaw.DOCUMENTS, f"its documents are not those it names: {', '.join(named)}"
        return
    for name, blob in documents.items():
        if blob not in state.blobs:
            state.blobs[blob] = digest_bytes(state.get(blob) or b"")
        if state.blobs[blob] != record.documents[name]:
            yield Flaw.DOCUMENTS, f"{name} was changed"
            return
    yield from _stated(state, record, documents)
    if record.policy is not None and record.kind in (RecordKind.ADOPTION, RecordKind.MIGRATION):
        yield from _of_policy(state, record, documents)
    if record.policy is not None and record.kind in (RecordKind.RETRAIN, RecordKind.EXPERIMENT):
        yield from _of_plan(state, filed)
    if record.kind is RecordKind.EXPERIMENT:
        return
    if record.decision is None or record.evidence is None or record.policy is None:
        return
    try:
        if record.kind is RecordKind.MONITOR:
            yield from check_windows(state.get, record, documents, filed.rests, _resolved(state, documents))
            state.watched.add((record.policy.digest, record.evidence))
            return
        derived = _derived(state, record, documents)
    except GatesError as error:
        yield Flaw.CONTRADICTION, f"nothing can be derived from its documents: {error.what}"
        return
    decision = derived.decision
    if derived.digest != record.decision:
        by = f"; it was made by gates {record.tool}" if record.tool != __version__ else ""
        yield Flaw.DECISION_DIFFERS, f"its evidence gives {decision.verdict}, {decision.reason}{by}"
        return
    yield from _rests(record, derived)
    yield from _says(record, derived.resolved, decision)
    yield from check_promotion(state.get, resolved_of, record, filed.rests.before, derived.resolved)


def _rests(record: Record, derived: Derived) -> Iterator[Told]:
    """Compare what a record says that it rests on with what its evidence says."""
    recorded = [(one.name, one.digest, one.rows, one.since, one.until) for one in record.data]
    if recorded != [(one.name, one.digest, one.rows, one.since, one.until) for one in derived.tables]:
        yield Flaw.CONTRADICTION, "its tables are not those of its evidence"
    if record.source and record.source.training != derived.jobs:
        yield Flaw.CONTRADICTION, "its trainings are not those of its evidence"


def _stated(state: Pass, record: Record, documents: Mapping[str, str]) -> Iterator[Told]:
    """Check who vouches for the decision, and whether that is the required key."""
    tier, signed = Tier.NONE, False
    if STATEMENT in documents:
        data = state.get(documents[STATEMENT]) or b""
        try:
            tier, envelope, same = (
                _adopted(record, data) if record.kind is RecordKind.ADOPTION else _decided(record, data)
            )
        except GatesError as error:
            yield Flaw.CONTRADICTION, str(error).splitlines()[0]
            return
        if not same:
            yield Flaw.CONTRADICTION, "its statement is about something else"
        signed = state.key is not None and signed_by(envelope, state.key) is not None
    if record.decision or STATEMENT in documents:
        state.tiers[tier.value] = state.tiers.get(tier.value, 0) + 1
    if state.key and not signed and record.moved:
        yield Flaw.SIGNATURE, f"the key that was named has not signed this {record.kind}"


def _decided(record: Record, data: bytes) -> tuple[Tier, Plain, bool]:
    said = read_statement(data, STATEMENT)
    return said.tier, said.envelope, digest(said.decision) == record.decision


def _adopted(record: Record, data: bytes) -> tuple[Tier, Plain, bool]:
    payload, envelope = payload_of(data, STATEMENT)
    after = record.after
    said = after and adoption(record.name, record.alias or "", after.version, after.digest, record.reason)
    return Tier.KEY, envelope, payload == said


def _of_policy(state: Pass, record: Record, documents: Mapping[str, str]) -> Iterator[Told]:
    """Check an adoption or migration. It has nothing but the approvals that its policy asks for."""
    try:
        resolved = resolved_of(state.get(documents[POLICY]) or b"")
    except GatesError as error:
        yield Flaw.CONTRADICTION, f"its policy can't be read: {error.what}"
        return
    if record.versions is None:
        yield from _approvals(record, resolved)
        return
    named = {alias for one in record.versions for alias in one.aliases}
    roles = {role: None for stage in resolved.stages if stage.alias in named for role in stage.approvals}
    yield from _asked(record, resolved, tuple(roles))


def _of_plan(state: Pass, filed: Filed) -> Iterator[Told]:
    """Check a plan to train again, or a step of an experiment, by the records before it."""
    record, documents = filed.record, filed.documents
    try:
        resolved = _resolved(state, documents)
        if record.kind is RecordKind.RETRAIN:
            yield from check_retraining(state.get, record, filed.rests.before, resolved)
        else:
            yield from check_experiment(state.get, record, documents, filed.rests.before, resolved)
    except GatesError as error:
        yield Flaw.CONTRADICTION, f"nothing can be derived from the records before it: {error.what}"
        return
    if record.kind is RecordKind.EXPERIMENT and record.policy and record.evidence:
        state.watched.add((record.policy.digest, record.evidence))


def _derived(state: Pass, record: Record, documents: Mapping[str, str]) -> Derived:
    """Derive each decision once, from the documents alone."""
    policy, evidence = record.documents[POLICY], record.documents[EVIDENCE]
    resolved = _resolved(state, documents)
    if (policy, evidence) not in state.decisions:
        counted = read_json(Evidence, state.get(documents[EVIDENCE]) or b"", EVIDENCE)
        decision = judge(resolved, counted)
        jobs = counted.trainings
        state.decisions[policy, evidence] = Derived(resolved, decision, digest(decision), counted.tables, jobs)
    return state.decisions[policy, evidence]


def _resolved(state: Pass, documents: Mapping[str, str]) -> ResolvedPolicy:
    """Read each policy once."""
    blob = documents[POLICY]
    if blob not in state.policies:
        state.policies[blob] = resolved_of(state.get(blob) or b"")
    return state.policies[blob]


def resolved_of(document: bytes) -> ResolvedPolicy:
    """Read the policy with its contract from the document that ``ResolvedPolicy.document`` wrote."""
    try:
        written = json.loads(document)
        policy, contract = canonical(written["policy"]), (written["contract"] or "").encode()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise GatesError("is not a policy with its contract", where=POLICY) from error
    return read(policy, POLICY, lambda _: contract, of_old=True)


def _says(record: Record, resolved: ResolvedPolicy, decision: Decision) -> Iterator[Told]:
    """Compare the record with the decision, and what was promoted with what may be."""
    candidate, champion = decision.candidate, decision.champion
    if record.verdict != decision.verdict or record.name != resolved.champion[0]:
        yield Flaw.CONTRADICTION, "its verdict or model is not that of its decision"
    if record.model and (candidate is None or record.model.digest != candidate.digest):
        yield Flaw.CONTRADICTION, "its model is not the one judged"
    if record.kind is RecordKind.WAIVER:
        yield from _asked(record, resolved, resolved.policy.promotion.waiver_roles)
    if record.kind not in (RecordKind.INTENT, RecordKind.PROMOTION) or record.target:
        return
    before = champion.version if champion else None
    if record.alias == resolved.champion[1] and before != (record.before.version if record.before else None):
        yield Flaw.CONTRADICTION, "it was judged against another champion than the one it replaced"
    accepted = settle(decision, record.waivers, record.at[:10], resolved.policy.promotion.waivable)
    if accepted.verdict is not Verdict.PASS:
        yield Flaw.NOT_ACCEPTED, f"the verdict is {accepted.verdict}, and no waiver accepts it"
    yield from _approvals(record, resolved)


def _approvals(record: Record, resolved: ResolvedPolicy) -> Iterator[Told]:
    stage = next((one for one in resolved.stages if one.alias == record.alias), None)
    if stage is None:
        yield Flaw.CONTRADICTION, f"its policy has no stage {record.alias}"
        return
    yield from _asked(record, resolved, stage.approvals)


def _asked(record: Record, resolved: ResolvedPolicy, roles: Sequence[str]) -> Iterator[Told]:
    """Check the approvals that were asked for: one a role, of people who did not start the run."""
    given = [one for one in record.approvals if one.state == "approved"]
    missing = sorted(set(roles) - {one.role for one in given})
    if missing:
        yield Flaw.NOT_APPROVED, f"without the approval of {', '.join(missing)}"
    people = [one.user.id for one in given]
    if given and (None in people or {record.run.actor.id} & set(people)):
        yield Flaw.NOT_APPROVED, "whoever started the run approved it, or who started it is unknown"
    if resolved.policy.promotion.distinct_people and len(set(people)) != len(people):
        yield Flaw.NOT_APPROVED, "one person approved in several roles"
