"""Verify a candidate before its promotion: by the default branch's policy, against the current champion, from the
judged predictions. Loads no model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

from gates.attestation.dsse import sign
from gates.attestation.model_signature import check_signature
from gates.attestation.statement import statement
from gates.checkout.workspace import Workspace
from gates.documents.decision import Decision, Verdict
from gates.documents.evidence import Evidence
from gates.documents.evidence import MeasuredModel as Measured
from gates.documents.live.drift_profile import FILE as PROFILE
from gates.documents.record import (
    CARD,
    DECISION,
    EVIDENCE,
    MANIFEST,
    POLICY,
    STATEMENT,
    Record,
    RecordKind,
    Refused,
    Version,
    Waiver,
)
from gates.errors import Exit, GatesError
from gates.judge import waivers
from gates.judge.consistency import champion_as_candidate
from gates.judge.judge import judge
from gates.ledger.acceptances import holding
from gates.ledger.alias import DisagreementError, agreed, last_move
from gates.ledger.audit_documents import resolved_of
from gates.ledger.experiments.audit_experiments import why_not
from gates.ledger.experiments.experiment_records import before_of, reader
from gates.ledger.ledger import Entry
from gates.measure.holdout.models import RegisteredModel
from gates.measure.prometheus.asking import with_answers
from gates.policy import ResolvedPolicy, Stage
from gates.promotion import provenance
from gates.promotion.candidate import OTHER_ROWS, Candidate, changed, evidence_of, measure_again, predictions
from gates.promotion.transaction import PromotionContext, RefusedError, approved, on_default_branch
from gates.report.card.model_card import render
from gates.schema.canonical import canonical, digest, digest_bytes
from gates.schema.validation import read_json
from gates.wording import plural


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What may be promoted: the record that will say so, and the documents that it names."""

    record: Record
    documents: Mapping[str, bytes]
    decision: Decision
    anew: bool  # whether it was judged again: against another champion, or as a later use of the holdout


def verified(
    desk: PromotionContext, candidate: Candidate, head: str | None, stage: Stage, manifest: list[dict[str, str | int]]
) -> Verified:
    """Verify all that must hold, in this order, and give the record that will say so.

    Raises ``RefusedError`` at the first thing that doesn't hold.
    """
    # 1. The policy that counts is the default branch's.
    on_default_branch(candidate.policy, "Promotions")
    # 2. The evidence, measured again from the predictions, gives a decision; the files are those that it is about.
    judged = _judged(desk, candidate, head, digest(manifest))
    decision, evidence = judged.decision, judged.evidence
    # 3. The model is signed by whom the policy trusts, if it asks for that or the model has a signature.
    _signed(candidate, manifest)
    # 4. That decision is a pass, or waivers that hold today make it one.
    accepted = _accepted(desk, candidate, head, decision)
    # 5. It is the decision that people have seen.
    _same_decision(candidate.workspace, decision, anew=judged.anew)
    # 6. An experiment lets it take the champion's place, where the stage asks for one.
    _experimented(desk, candidate.resolved, head, stage, digest(manifest))
    # 7. The model stands in the stage before, and those who must have approved this very model have done so. They are
    #    asked last: what they approved must not change any more.
    after = _from(desk, head, stage, digest(manifest))
    approvals = approved(candidate.approve, stage, digest(manifest))
    # 8. Ledger and registry agree about where the alias stands.
    stood = _agreed(desk, head, stage.alias)
    logged = partial(desk.registry.parameters, during=candidate.workspace.during())
    model = provenance.model(candidate.workspace.candidate, logged)
    record = replace(
        bare(desk, candidate, stage, RecordKind.INTENT, decision.reason),
        source=replace(candidate.code, training=evidence.trainings),
        verdict=str(decision.verdict),
        decision=digest(decision),
        evidence=digest(evidence),
        model=replace(  # what was verified, whatever lies there by now
            model,
            digest=digest(manifest),
            predictions=judged.predictions,
            holdout=candidate.measurement.holdout_identity,
        ),
        data=provenance.data(candidate.resolved, evidence, candidate.workspace.root, desk.ledger.git.environ),
        before=stood.record.after if stood else None,
        after=after,
        approvals=approvals,
        waivers=accepted,
    )
    attached = {CARD: render(candidate.resolved, evidence, decision, record).encode()}
    if candidate.resolved.policy.monitor and candidate.resolved.policy.monitor.drifts:
        attached[PROFILE] = canonical(candidate.measurement.profile(predictions(candidate.workspace)))
    if candidate.key:
        attached[STATEMENT] = sign(statement(decision), candidate.key)
    record = replace(record, attached={name: digest_bytes(data) for name, data in attached.items()})
    documents = {
        DECISION: canonical(decision),
        EVIDENCE: canonical(evidence),
        POLICY: candidate.resolved.document,
        MANIFEST: canonical(manifest),
        **attached,
    }
    return Verified(record=record, documents=documents, decision=decision, anew=judged.anew)


def bare(desk: PromotionContext, candidate: Candidate, stage: Stage, kind: RecordKind, reason: str) -> Record:
    """Return a record of a stage that says by which policy, and what code trained."""
    return replace(desk.draft(kind, stage.alias, reason), policy=candidate.policy.ref, source=candidate.code)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """What the evidence gives. ``predictions``: the digest of those that the candidate was measured by."""

    decision: Decision
    evidence: Evidence
    predictions: str
    anew: bool


def _judged(desk: PromotionContext, candidate: Candidate, head: str | None, model: str) -> _Judged:
    """Derive the decision again from the evidence, which is measured again from the predictions."""
    resolved, measured = candidate.resolved, evidence_of(candidate)
    seen = measured.without_base  # whose model a pull request started from says nothing about this one
    decision = judge(resolved, seen)
    if seen.candidate is None or decision.verdict is Verdict.ERROR:
        raise RefusedError(Refused.VERDICT, f"the verdict is {decision.verdict}: {decision.reason}", hint=HINT_VERDICT)
    if model != seen.candidate.digest:
        raise changed(Refused.CANDIDATE_CHANGED, "the candidate's files are not those that were judged")
    served = _served(candidate)
    fresh, predictions = measure_again(candidate, seen, served)
    fresh = replace(fresh, used=_used(desk, candidate, head, seen, own=(model, digest(decision))))
    fresh = with_answers(fresh, resolved.needs.questions, candidate.measurement.environ, desk.say)
    _as_promoted(desk, candidate, head, fresh)
    why = _moved_on(candidate, seen, fresh)
    if why is None:  # without a comparison it is another decision than people have seen
        anew = candidate.uncompared is not None or seen != measured
        return _Judged(decision=decision, evidence=seen, predictions=predictions, anew=anew)
    again = judge(resolved, fresh)
    if again.verdict is Verdict.ERROR:
        same = _same(seen.champion, fresh.champion)
        raise changed(Refused.VERDICT if same else Refused.CHAMPION_CHANGED, f"{why}; {again.reason}")
    desk.say(f"{why}: judged again, {again.verdict}")
    return _Judged(decision=again, evidence=fresh, predictions=predictions, anew=True)


def _moved_on(candidate: Candidate, seen: Evidence, fresh: Evidence) -> str | None:
    """Say why it must be judged again; None where what was measured is what was judged.

    Raises ``RefusedError`` where what may not change has changed.
    """
    if not _same(seen.champion, fresh.champion):
        was, now = (one.champion.version if one.champion else None for one in (seen, fresh))
        return f"the champion is {_name(now)}, but the candidate was judged against {_name(was)}"
    if _counted(candidate, fresh) != _counted(candidate, seen):
        raise changed(Refused.EVIDENCE_CHANGED, OTHER_ROWS)
    if fresh.used != seen.used:
        return f"this holdout has decided {plural(fresh.used, 'time', 'times')}"
    if fresh.answers != seen.answers:
        return "a Prometheus was asked again, at the moment of the promotion"
    return "some data have become too old" if fresh.findings != seen.findings else None


def _used(
    desk: PromotionContext, candidate: Candidate, head: str | None, evidence: Evidence, *, own: tuple[str, ...]
) -> int:
    """Count how often the holdout has decided, where that is charged: by the ledger, if it knows of more than the
    evidence.

    What was decided of this very model is no further look at the holdout.
    """
    if candidate.resolved.policy.data.reuse is None:
        return evidence.used
    holdout = next(table for table in evidence.tables if table.name == "holdout")
    return max(evidence.used, desk.ledger.uses(head, desk.name, holdout, own=own))


def _same(one: Measured | None, other: Measured | None) -> bool:
    return (one and (one.version, one.digest)) == (other and (other.version, other.digest))


def _counted(candidate: Candidate, evidence: Evidence) -> Evidence:
    """Return what must be the same when it is measured again.

    That is all but what depends on the clock, what a Prometheus answers, how often the holdout has decided, and the
    sentence that says why a champion has no predictions.
    """
    contract, champion = candidate.resolved.contract, evidence.champion
    clocked = {rule.id for rule in contract.rules if rule.clock} if contract else set()
    if champion and champion.unscored:
        champion = replace(champion, unscored="somehow")
    findings = tuple(one for one in evidence.findings if one.rule not in clocked)
    return replace(evidence, findings=findings, champion=champion, used=0, answers=())


HINT_VERDICT = "Only a pass is promoted, or what was waived (gates waive)."


def _same_decision(workspace: Workspace, derived: Decision, *, anew: bool) -> None:
    """Check that the decision that people have seen is the one that the evidence gives."""
    if anew or not workspace.decision.exists():
        return
    seen = workspace.load_decision()
    if seen.policy != derived.policy:
        raise changed(Refused.POLICY_CHANGED, "the decision was not made under the policy that counts")
    if seen != derived:
        raise changed(Refused.DECISION_CHANGED, "the decision does not follow from the evidence")


def _as_promoted(desk: PromotionContext, candidate: Candidate, head: str | None, fresh: Evidence) -> None:
    """Check that the champion's predictions give the counts that it was promoted on, where those are of the same
    rows."""
    entry = last_move(desk.ledger, head, *candidate.resolved.champion)
    if entry is None or entry.record.evidence is None:
        return
    then = read_json(Evidence, desk.ledger.document(entry, EVIDENCE), EVIDENCE)
    if then.measured == fresh.measured and not champion_as_candidate(then, fresh):
        why = "the champion's predictions do not give the counts it was promoted with"
        raise RefusedError(Refused.EVIDENCE_CHANGED, why, hint="gates status and gates verify show what was changed.")


def _signed(candidate: Candidate, manifest: list[dict[str, str | int]]) -> None:
    try:
        check_signature(candidate.workspace.candidate, manifest, candidate.resolved.policy.promotion.signed_by)
    except GatesError as error:
        code = Exit.STOP if error.exit_code is Exit.INPUT else error.exit_code
        raise RefusedError(Refused.SIGNATURE, error.what, hint=error.hint, exit_code=code) from error


def _served(candidate: Candidate) -> RegisteredModel | None:
    """Return the champion of now, which ledger and registry agree about."""
    try:
        return candidate.served()
    except DisagreementError as error:
        raise _disagree(error) from error


def _agreed(desk: PromotionContext, head: str | None, alias: str) -> Entry | None:
    try:
        return agreed(desk.ledger, head, desk.registry, desk.name, alias)
    except DisagreementError as error:
        raise _disagree(error) from error


def _experimented(desk: PromotionContext, resolved: ResolvedPolicy, head: str | None, stage: Stage, model: str) -> None:
    """Raise ``RefusedError`` where no experiment that ended not long ago lets the model take the champion's place."""
    if stage.experiment is None:
        return
    before, now = before_of(desk.ledger.entries(head), desk.name), int(datetime.now(UTC).timestamp())
    why = why_not(reader(desk.ledger), resolved_of, before, resolved, model, now)
    if why is not None:
        raise RefusedError(Refused.EXPERIMENT, why, hint="gates experiment start, then looks until one passes.")


def _disagree(error: DisagreementError) -> RefusedError:
    return RefusedError(Refused(error.code), error.what, hint=error.hint)


def _accepted(desk: PromotionContext, candidate: Candidate, head: str | None, decision: Decision) -> tuple[Waiver, ...]:
    """Return the waivers that are needed. Raises ``RefusedError`` where they don't make a pass."""
    if decision.verdict is Verdict.PASS:
        return ()
    given, unproven = holding(desk.ledger, head, desk.name, candidate.proven, candidate.today)
    settled = waivers.settle(decision, given, candidate.today, candidate.resolved.policy.promotion.waivable)
    if settled.verdict is not Verdict.PASS:
        void = "".join(f"; the waiver of {one.gate.label}: {one.why}" for one in settled.void)
        void += "".join(f"; {one}" for one in unproven)
        why = f"the verdict is {settled.verdict}: {decision.reason}{void}"
        raise RefusedError(Refused.VERDICT, why, hint=HINT_VERDICT)
    return tuple(one.waiver for one in settled.waived)


def _from(desk: PromotionContext, head: str | None, stage: Stage, model: str) -> Version | None:
    """Return the version that moves on from the stage before; None for a first stage, which registers one."""
    if stage.after is None:
        return None
    last = _agreed(desk, head, stage.after)
    after = last.record.after if last else None
    if after is None or after.digest != model:
        raise RefusedError(
            Refused.STAGE_ORDER,
            f"{stage.alias} comes after {stage.after}, where this model is not",
            hint=f"gates promote --stage {stage.after} first.",
        )
    return after


def _name(version: str | None) -> str:
    return f"version {version}" if version else "none"
