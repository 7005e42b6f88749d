"""Promote a candidate: verify what was judged, judge again if champion or ledger changed, and move the alias.

Trusts no file that it has not verified, and loads no model.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace

from gates.documents.printed.standing import AliasState
from gates.documents.record import DECISION, EVIDENCE, MANIFEST, POLICY, Approval, RecordKind, Refused
from gates.errors import Exit, GatesError
from gates.judge.judge import judge
from gates.ledger.alias import compared, last_move
from gates.ledger.ledger import Entry, LostRaceError
from gates.policy import ResolvedPolicy, Stage
from gates.promotion import provenance
from gates.promotion.candidate import AGAIN, Candidate, predictions
from gates.promotion.summary import label, pointers, show, summary
from gates.promotion.transaction import PromotionContext, RefusedError, begin, carry_out
from gates.promotion.verification import Verified, bare, verified
from gates.registry.interface import TAG_INTENT, StoredRun, Summary
from gates.schema.canonical import canonical, digest
from gates.system import files


@dataclass(frozen=True, slots=True, kw_only=True)
class Promoted:
    """What was done. ``entry`` is None where nothing was: a rehearsal, or the model stands there already."""

    alias: str
    version: str | None
    entry: Entry | None
    told: str


def promote(desk: PromotionContext, candidate: Candidate, wanted: str | None, *, rehearse: bool = False) -> Promoted:
    """Make the candidate what the stage's alias names; without ``wanted`` the next stage that it has not reached.

    The order is what keeps alias and ledger together (docs/mlflow.md tells it to users): nothing that may take long or
    fail harmlessly happens while an intent is open, and nothing that counts happens before one is.
    ``rehearse``: verify everything, and change nothing: no alias, no record, no intent that somebody left open.
    Raises ``RefusedError`` where it may not be, which is a record, too, unless it was only rehearsed.
    """
    if rehearse:
        return _rehearse(desk, candidate, wanted)
    with desk.locked():
        kept: StoredRun | None = None
        while True:
            head = desk.settled()
            model = _manifest(candidate)
            stage = _stage(desk, candidate.resolved, head, wanted, digest(model))
            if stage is None or _stands(desk, head, stage.alias, digest(model)):
                return _already(desk, candidate.resolved, head, stage)
            try:
                verification = verified(desk, candidate, head, stage, model)
                if verification.record.after is None:  # 1. The files are stored, and no version names them.
                    kept = kept or _kept(desk, candidate, verification)
            except RefusedError as error:
                _refuse(desk, candidate, stage, error)
                raise
            if kept:  # 2. What people read of them is shown. It says what was judged, and may fail.
                show(desk, kept, _summary(candidate, verification))
            with suppress(LostRaceError):  # else: look, verify and judge again on the state of now
                # 3. The intent is written. 4. The version is registered, 5. the alias moved, 6. the outcome written.
                intent = begin(desk, verification.record, verification.documents, after=head)
                return _carried_out(desk, candidate, intent, kept, verification)


def _rehearse(desk: PromotionContext, candidate: Candidate, wanted: str | None) -> Promoted:
    head = desk.ledger.head()
    if left := desk.open_intent(head):
        desk.say(f"record {left.record.sequence} was left open: a promotion first waits for it, or undoes it")
    model = _manifest(candidate)
    stage = _stage(desk, candidate.resolved, head, wanted, digest(model))
    if stage is None or _stands(desk, head, stage.alias, digest(model)):
        return _already(desk, candidate.resolved, head, stage)
    return _rehearsed(verified(desk, candidate, head, stage, model), stage)


def _kept(desk: PromotionContext, candidate: Candidate, verified: Verified) -> StoredRun:
    """Store the files, of which nothing serves yet: they are those that were judged, whatever happened since."""
    model = verified.record.model
    assert model is not None  # noqa: S101 -- every intent names it
    judged, called = predictions(candidate.workspace), label(desk.name, model.digest)
    kept = desk.registry.keep(desk.name, candidate.workspace.candidate, judged, called)
    if (desk.registry.kept(desk.name, kept), kept.predictions) != (model.digest, model.predictions):
        raise RefusedError(Refused.STORED_BYTES, "the stored files are not those that were judged", hint=AGAIN)
    return kept


def _summary(candidate: Candidate, verified: Verified) -> Summary:
    return summary(verified.decision, verified.record, candidate.resolved.policy.card)


def _carried_out(
    desk: PromotionContext, candidate: Candidate, intent: Entry, kept: StoredRun | None, verified: Verified
) -> Promoted:
    try:
        if kept:
            tags = pointers(verified.decision, intent.record) | {TAG_INTENT: intent.digest}
            desk.registry.register(desk.name, kept, tags, description=_summary(candidate, verified).version)
        outcome = carry_out(desk, intent)
    except GatesError:
        with suppress(GatesError):  # at once, if that can be; else the next promotion does it
            outcome = carry_out(desk, intent)
            desk.say(f"record {outcome.record.sequence}: {outcome.record.kind}, {outcome.record.reason}")
        raise
    done = outcome.record
    if done.code:
        raise RefusedError(done.code, done.reason, hint="Nothing was left incomplete. " + AGAIN)
    assert done.after is not None  # noqa: S101 -- every promotion names it
    how = " (judged again)" if verified.anew else ""
    if candidate.uncompared:
        how = f", not compared, because {candidate.uncompared}"
    told = f"{desk.name} version {done.after.version} is now {done.alias}{how}"
    return Promoted(alias=str(done.alias), version=done.after.version, entry=outcome, told=told)


def _manifest(candidate: Candidate) -> list[dict[str, str | int]]:
    return files.manifest(candidate.workspace.trained()[0])


def _stage(
    desk: PromotionContext, resolved: ResolvedPolicy, head: str | None, wanted: str | None, model: str
) -> Stage | None:
    """Return the stage that was asked for, or the first one that the model does not stand in; None where it stands in
    all."""
    if wanted is not None:
        return resolved.stage(wanted)
    return next((stage for stage in resolved.stages if not _stands(desk, head, stage.alias, model)), None)


def _stands(desk: PromotionContext, head: str | None, alias: str, model: str) -> bool:
    """Tell whether the alias names this very model, by ledger and registry, and its bytes are whole."""
    last = last_move(desk.ledger, head, desk.name, alias)
    if last is None or last.record.after is None or last.record.after.digest != model:
        return False
    return compared(desk.registry, desk.name, alias, last)[0] is AliasState.AS_PROMOTED


def _already(desk: PromotionContext, resolved: ResolvedPolicy, head: str | None, stage: Stage | None) -> Promoted:
    alias = (stage or resolved.stages[-1]).alias
    last = last_move(desk.ledger, head, desk.name, alias)
    version = last.record.after.version if last and last.record.after else None
    told = f"{desk.name} version {version} is {alias} already: nothing to do"
    return Promoted(alias=alias, version=version, entry=None, told=told)


def _rehearsed(verified: Verified, stage: Stage) -> Promoted:
    before, after = verified.record.before, verified.record.after
    what = f"version {after.version}" if after else "a new version"
    held = f"which names version {before.version} now" if before else "which names nothing yet"
    told = f"would move {stage.alias}, {held}, to {what}: {verified.decision.verdict}, {verified.decision.reason}"
    return Promoted(alias=stage.alias, version=after.version if after else None, entry=None, told=told)


def unapproved(stage: Stage, _: str) -> tuple[Approval, ...]:
    """Return no approvals, as nobody can be asked here: enough for a stage that needs none."""
    if stage.approvals:
        raise GatesError(
            f"{stage.alias} needs the approval of {', '.join(stage.approvals)}, which only a GitHub run can show",
            hint="Promote from a workflow whose environments ask for it.",
            exit_code=Exit.STOP,
        )
    return ()


def _refuse(desk: PromotionContext, candidate: Candidate, stage: Stage, error: RefusedError) -> None:
    """Record a refusal. If it can't be written, the refusal is still reported."""
    draft = replace(bare(desk, candidate, stage, RecordKind.REFUSAL, error.what), code=error.code)
    documents = {POLICY: candidate.resolved.document}
    with suppress(GatesError):
        model = provenance.model(candidate.workspace.trained()[0], lambda _: None)
        documents[MANIFEST] = canonical(files.manifest(candidate.workspace.candidate))
        draft = replace(draft, model=model)
    with suppress(GatesError):
        evidence = candidate.workspace.load_evidence()
        decision = judge(candidate.resolved, evidence)
        documents |= {DECISION: canonical(decision), EVIDENCE: canonical(evidence)}
        data = provenance.data(candidate.resolved, evidence, candidate.workspace.root, desk.ledger.git.environ)
        draft = replace(
            draft, verdict=str(decision.verdict), decision=digest(decision), evidence=digest(evidence), data=data
        )
    try:
        desk.ledger.append_last(draft, documents)
    except GatesError as failed:
        desk.say(f"the refusal could not be recorded: {failed}")
