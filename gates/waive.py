"""Record who accepts which verdict of the judged decision, why and until when; and tell which of these hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from gates import provenance
from gates.branch import Trusted
from gates.canonical import canonical, digest
from gates.judge import judge
from gates.ledger import Entry, Ledger
from gates.record import DECISION, EVIDENCE, POLICY, Approval, Kind, Record, Run, Waiver
from gates.waivers import accept
from gates.workspace import Workspace

Proven = Callable[[Record], str | None]  # why the record of a waiver proves nothing; None where somebody approved it
Approve = Callable[[str], tuple[Approval, ...]]  # the decision's digest -> the approvals of the waiver, or GatesError


def waive(
    workspace: Workspace, policy: Trusted, ledger: Ledger, run: Run, bars: Sequence[str], *, reason: str, until: str,
    today: str, approve: Approve,
) -> Entry:  # fmt: skip
    """Accept the bars of those labels, all or none.

    Raises ``GatesError`` for one that can't be accepted, and where nobody approved that the policy asks.
    """
    evidence = workspace.load_evidence()
    decision = judge(policy.bound, evidence)
    waivable = policy.bound.policy.promotion.waivable
    given = tuple(
        accept(decision, bar, who=run.actor, reason=reason, until=until, today=today, waivable=waivable)
        for bar in dict.fromkeys(bars)
    )
    record = replace(
        provenance.draft(policy.bound.champion[0], run, Kind.WAIVER, None, reason.strip()),
        verdict=str(decision.verdict),
        decision=digest(decision),
        evidence=digest(evidence),
        policy=policy.ref,
        data=provenance.data(policy.bound, evidence, workspace.root, ledger.git.environ),
        waivers=given,
        approvals=approve(digest(decision)),
    )
    documents = {DECISION: canonical(decision), EVIDENCE: canonical(evidence), POLICY: policy.bound.document}
    return ledger.append_last(record, documents)


def holding(
    ledger: Ledger, head: str | None, name: str, proven: Proven, today: str
) -> tuple[tuple[Waiver, ...], tuple[str, ...]]:
    """The waivers of a model that hold, asked of ``proven`` now, and why each of the others does not.

    A run proves one record: the first one that names it. A later one was not written by that run.
    """
    held: list[Waiver] = []
    told: list[str] = []
    runs: set[int] = set()
    given = [entry.record for entry in ledger.entries(head) if entry.record.kind is Kind.WAIVER]
    for record in reversed(given):
        run = record.run.run_id
        again = run is not None and run in runs
        if run is not None:
            runs.add(run)
        if record.name != name:
            continue
        if all(one.until < today for one in record.waivers):
            held += record.waivers  # what has ended is told to have ended; who approved it no longer matters
            continue
        why = f"run {run} has given an earlier one" if again else proven(record)
        if why is None:
            held += record.waivers
        else:
            told += [f"the waiver in record {record.sequence} does not hold: {why}"]
    return tuple(held), tuple(told)
