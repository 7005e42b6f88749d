"""Record who accepts which verdict of the judged decision, why and until when; and say which waivers hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from gates.checkout.trusted_policy import TrustedPolicy
from gates.checkout.workspace import Workspace
from gates.documents.record import DECISION, EVIDENCE, POLICY, Approval, RecordKind, Run
from gates.judge.judge import judge
from gates.judge.waivers import accept
from gates.ledger.ledger import Entry, Ledger
from gates.promotion import provenance
from gates.schema.canonical import canonical, digest

ApproveWaiver = Callable[
    [str], tuple[Approval, ...]
]  # the decision's digest -> the approvals of the waiver, or GatesError


def waive(
    workspace: Workspace, policy: TrustedPolicy, ledger: Ledger, run: Run, labels: Sequence[str], *, reason: str,
    until: str, today: str, approve: ApproveWaiver,
) -> Entry:  # fmt: skip
    """Accept the rules of those labels, all or none.

    Raises ``GatesError`` for one that can't be accepted, and where nobody approved that the policy asks.
    """
    evidence = workspace.load_evidence()
    decision = judge(policy.resolved, evidence)
    waivable = policy.resolved.policy.promotion.waivable
    given = tuple(
        accept(decision, label, who=run.actor, reason=reason, until=until, today=today, waivable=waivable)
        for label in dict.fromkeys(labels)
    )
    record = replace(
        provenance.draft(policy.resolved.champion[0], run, RecordKind.WAIVER, None, reason.strip()),
        verdict=str(decision.verdict),
        decision=digest(decision),
        evidence=digest(evidence),
        policy=policy.ref,
        data=provenance.data(policy.resolved, evidence, workspace.root, ledger.git.environ),
        waivers=given,
        approvals=approve(digest(decision)),
    )
    documents = {DECISION: canonical(decision), EVIDENCE: canonical(evidence), POLICY: policy.resolved.document}
    return ledger.append_last(record, documents)
