"""Write what was judged of live rows into the ledger, unless somebody else has judged it in the meantime."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from gates.checkout.trusted_policy import TrustedPolicy
from gates.documents.live.experiment_decision import ExperimentDecision
from gates.documents.live.experiment_evidence import ExperimentEvidence
from gates.documents.live.live_evidence import LiveEvidence
from gates.documents.live.monitoring_decision import MonitoringDecision
from gates.documents.record import DECISION, EVIDENCE, POLICY, Record
from gates.ledger.ledger import Entry, Ledger, LostRaceError
from gates.schema.canonical import canonical, digest


def write_judged(
    ledger: Ledger,
    draft: Record,
    trusted: TrustedPolicy,
    evidence: LiveEvidence | ExperimentEvidence,
    decision: MonitoringDecision | ExperimentDecision,
    *,
    head: str | None,
    still_follows: Callable[[str | None], bool],
) -> Entry | None:
    """Write the record; None where it no longer follows what the ledger says.

    ``head``: the commit that the decision was made at. ``still_follows``: whether it does so at another one, which
    somebody else has written since.
    """
    record = replace(
        draft,
        reason=decision.reason,
        verdict=str(decision.verdict),
        decision=digest(decision),
        evidence=digest(evidence),
        policy=trusted.ref,
    )
    documents: dict[str, bytes | str] = {
        DECISION: canonical(decision),
        EVIDENCE: canonical(evidence),
        POLICY: trusted.resolved.document,
    }
    while True:
        try:
            return ledger.append(record, documents, after=head)
        except LostRaceError:
            head = ledger.head()
            if not still_follows(head):
                return None
