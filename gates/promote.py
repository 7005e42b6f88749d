"""A promotion: what was judged is verified, judged anew where the champion is another, and becomes what an alias names.

Trusts no file that it has not verified, and loads no model.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from gates import files, provenance, waivers
from gates.branch import Trusted
from gates.canonical import canonical, digest, digest_bytes
from gates.decision import Decision, Verdict
from gates.errors import Exit, GatesError
from gates.evidence import Evidence
from gates.evidence import Model as Measured
from gates.judge import judge
from gates.ledger import Entry, LostRaceError
from gates.measure import Bench, Files, Served
from gates.policy import Bound, Stage
from gates.record import (
    CARD,
    DECISION,
    EVIDENCE,
    MANIFEST,
    POLICY,
    STATEMENT,
    Approval,
    Code,
    Kind,
    Record,
    Refused,
    Version,
    Waiver,
)
from gates.registry.mlflow import TAG_DECISION, TAG_DIGEST, TAG_HOLDOUT, TAG_INTENT, Kept
from gates.report.card import render
from gates.signing import sign
from gates.statement import statement
from gates.transaction import Desk, RefusedError, begin, carry_out
from gates.workspace import Workspace

Approve = Callable[[Stage, str], tuple[Approval, ...]]  # (stage, the model's digest) -> the approvals, or GatesError
Found = Callable[[], Served | None]
AGAIN = "Run gates run again."
OTHER_ROWS = "the holdout is not the one that the candidate was judged on, or predictions or evidence have changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """What lies in a workspace and asks to be promoted, and what it is verified with."""

    workspace: Workspace
    policy: Trusted
    bench: Bench
    code: Code
    served: Found  # asks the registry for the champion, each time anew
    anchor: Found
    approve: Approve
    today: str  # YYYY-MM-DD, for waivers
    key: Path | None = None  # signs the decision

    @property
    def bound(self) -> Bound:
        """The policy that counts."""
        return self.policy.bound


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What may be promoted: the record that will say so, and the documents that it names."""

    record: Record
    documents: Mapping[str, bytes]
    decision: Decision
    anew: bool  # whether it was judged anew, against another champion


@dataclass(frozen=True, slots=True, kw_only=True)
class Promoted:
    """What was done. ``entry`` is None where nothing was: a rehearsal, or the model stands there already."""

    alias: str
    version: str | None
    entry: Entry | None
    told: str


def promote(desk: Desk, candidate: Candidate, wanted: str | None, *, rehearse: bool = False) -> Promoted:
    """Make the candidate what the stage's alias names; without ``wanted`` the next stage that it has not reached.

    Raises ``RefusedError`` where it may not be, which is a record, too, unless it was only rehearsed.
    """
    with desk.locked():
        kept: Kept | None = None
        while True:
            head = desk.settled()
            model = _manifest(candidate)
            stage = _stage(desk, candidate.bound, head, wanted, digest(model))
            if stage is None or _stands(desk, head, stage.alias, digest(model)):
                return _already(desk, candidate.bound, head, stage)
            try:
                verified = _verified(desk, candidate, head, stage, model)
                if not rehearse and verified.record.after is None:
                    kept = kept or _kept(desk, candidate, verified)
            except RefusedError as error:
                if not rehearse:
                    _refuse(desk, candidate, stage, error)
                raise
            if rehearse:
                return _rehearsed(verified, stage)
            with suppress(LostRaceError):  # else: look, verify and judge again on the state of now
                intent = begin(desk, verified.record, verified.documents, after=head)
                return _carried_out(desk, candidate, intent, kept, verified)


def _kept(desk: Desk, candidate: Candidate, verified: Verified) -> Kept:
    """Store the files, of which nothing serves yet: they are those that were judged, whatever happened meanwhile."""
    kept = desk.registry.keep(desk.name, candidate.workspace.candidate, _predictions(candidate.workspace))
    model = verified.record.model
    if model is None or desk.registry.kept(kept.run_id) != model.digest:
        raise RefusedError(Refused.STORED_BYTES, "the stored files are not those that were judged", mend=AGAIN)
    return kept


def _carried_out(desk: Desk, candidate: Candidate, intent: Entry, kept: Kept | None, verified: Verified) -> Promoted:
    try:
        if kept:
            desk.registry.register(desk.name, kept, _tags(candidate, intent, verified))
        outcome = carry_out(desk, intent)
    except GatesError:
        with suppress(GatesError):  # at once, if that can be; else the next promotion does it
            outcome = carry_out(desk, intent)
            desk.say(f"record {outcome.record.sequence}: {outcome.record.kind}, {outcome.record.reason}")
        raise
    done = outcome.record
    if done.code:
        raise RefusedError(done.code, done.reason, mend="Nothing stands half done. " + AGAIN)
    assert done.after is not None  # noqa: S101 -- every promotion names it
    anew = " (judged anew against the champion of now)" if verified.anew else ""
    told = f"{desk.name} version {done.after.version} is now {done.alias}{anew}"
    return Promoted(alias=str(done.alias), version=done.after.version, entry=outcome, told=told)


def _tags(candidate: Candidate, intent: Entry, verified: Verified) -> dict[str, str]:
    """Pointers for people; what counts is in the ledger."""
    record = intent.record
    tables = {f"gates.data.{table.name}": table.digest for table in record.data}
    commit = {"gates.commit": record.source.commit} if record.source and record.source.commit else {}
    return {
        TAG_DIGEST: record.model.digest if record.model else "",
        TAG_HOLDOUT: candidate.bench.holdout_identity,
        TAG_DECISION: digest(verified.decision),
        TAG_INTENT: intent.digest,
        **tables,
        **commit,
    }


def _manifest(candidate: Candidate) -> list[dict[str, str | int]]:
    return files.manifest(candidate.workspace.trained()[0])


def _stage(desk: Desk, bound: Bound, head: str | None, wanted: str | None, model: str) -> Stage | None:
    """The stage that was asked for, or the first one that the model does not stand in; None where it stands in all."""
    stages = bound.stages
    if wanted is None:
        return next((stage for stage in stages if not _stands(desk, head, stage.alias, model)), None)
    found = next((stage for stage in stages if stage.alias == wanted), None)
    if found is None:
        names = ", ".join(stage.alias for stage in stages)
        raise GatesError(f"no stage {wanted}; the policy has {names}", where="--stage")
    return found


def _stands(desk: Desk, head: str | None, alias: str, model: str) -> bool:
    """Whether the alias names this very model, by ledger and registry."""
    last = desk.last_move(head, alias)
    after = last.record.after if last else None
    return after is not None and after.digest == model and desk.registry.at(desk.name, alias) == after.version


def _already(desk: Desk, bound: Bound, head: str | None, stage: Stage | None) -> Promoted:
    alias = (stage or bound.stages[-1]).alias
    last = desk.last_move(head, alias)
    version = last.record.after.version if last and last.record.after else None
    told = f"{desk.name} version {version} is {alias} already: nothing to do"
    return Promoted(alias=alias, version=version, entry=None, told=told)


def _rehearsed(verified: Verified, stage: Stage) -> Promoted:
    before, after = verified.record.before, verified.record.after
    what = f"version {after.version}" if after else "a new version"
    held = f"which names version {before.version} now" if before else "which names nothing yet"
    told = f"would move {stage.alias}, {held}, to {what}: {verified.decision.verdict}, {verified.decision.reason}"
    return Promoted(alias=stage.alias, version=after.version if after else None, entry=None, told=told)


def _verified(
    desk: Desk, candidate: Candidate, head: str | None, stage: Stage, manifest: list[dict[str, str | int]]
) -> Verified:
    """Everything that must hold, from the cheapest to the dearest."""
    if candidate.policy.elsewhere:
        why = f"this run is of {candidate.policy.elsewhere}, not of {candidate.policy.ref.branch}"
        raise RefusedError(Refused.NOT_DEFAULT_BRANCH, why, mend="Promotions start on the default branch.")
    decision, evidence, served, anew = _judged(desk, candidate, head, digest(manifest))
    accepted = _accepted(desk, candidate, head, decision)
    _same_decision(candidate.workspace, decision, anew=anew)
    after = _from(desk, head, stage, digest(manifest))
    approvals = _approved(candidate, stage, digest(manifest))
    before = desk.registry.at(desk.name, stage.alias)
    held = served.digest if served and served.version == before else None
    if before and held is None:
        held = desk.registry.stored(desk.name, before) or "sha256:" + "0" * 64
    model = provenance.model(candidate.workspace.candidate, desk.registry.parameters)
    record = replace(
        _bare(desk, candidate, stage, Kind.INTENT, decision.reason),
        verdict=str(decision.verdict),
        decision=digest(decision),
        evidence=digest(evidence),
        model=replace(model, digest=digest(manifest)),  # what was verified, whatever lies there by now
        data=provenance.data(candidate.bound, evidence, candidate.workspace.root),
        before=Version(version=before, digest=held) if before and held else None,
        after=after,
        approvals=approvals,
        waivers=accepted,
    )
    attached = {CARD: render(candidate.bound, evidence, decision, record).encode()}
    if candidate.key:
        attached[STATEMENT] = sign(statement(decision), candidate.key)
    record = replace(record, attached={name: digest_bytes(data) for name, data in attached.items()})
    documents = {
        DECISION: canonical(decision),
        EVIDENCE: canonical(evidence),
        POLICY: candidate.bound.document,
        MANIFEST: canonical(manifest),
        **attached,
    }
    return Verified(record=record, documents=documents, decision=decision, anew=anew)


def _bare(desk: Desk, candidate: Candidate, stage: Stage, kind: Kind, reason: str) -> Record:
    return replace(desk.draft(kind, stage.alias, reason), policy=candidate.policy.ref, source=candidate.code)


def _judged(
    desk: Desk, candidate: Candidate, head: str | None, model: str
) -> tuple[Decision, Evidence, Served | None, bool]:
    """The decision, derived anew from the evidence, which is measured anew from the predictions."""
    bound, evidence = candidate.bound, candidate.workspace.load_evidence()
    if evidence.measured != bound.measured:
        why = "the evidence was measured under another policy than the one that counts"
        raise RefusedError(Refused.POLICY_CHANGED, why, mend="Run gates measure again.", exit_code=Exit.INPUT)
    decision = judge(bound, evidence)
    if evidence.candidate is None or decision.verdict is Verdict.ERROR:
        raise RefusedError(Refused.VERDICT, f"the verdict is {decision.verdict}: {decision.reason}", mend=MEND_VERDICT)
    if model != evidence.candidate.digest:
        raise _changed(Refused.CANDIDATE_CHANGED, "the candidate's files are not those that were judged")
    served = candidate.served()
    _same_champion(desk, head, candidate.bound.champion[1], served)
    fresh = _measured(candidate, evidence, served)
    now = served.version if served else None
    if _same(evidence.champion, fresh.champion):
        if _counted(fresh) != _counted(evidence):
            raise _changed(Refused.EVIDENCE_CHANGED, OTHER_ROWS)
        return decision, evidence, served, False
    anew = judge(bound, fresh)
    was = evidence.champion.version if evidence.champion else None
    if anew.verdict is Verdict.ERROR:
        why = f"the champion is {_name(now)}, but the candidate was judged against {_name(was)}; {anew.reason}"
        raise _changed(Refused.CHAMPION_CHANGED, why)
    desk.say(f"the champion is {_name(now)} by now: judged anew, {anew.verdict}")
    return anew, fresh, served, True


def _same(one: Measured | None, other: Measured | None) -> bool:
    return (one and (one.version, one.digest)) == (other and (other.version, other.digest))


def _counted(evidence: Evidence) -> Evidence:
    """What must be the same when it is measured again. The contract's findings are not: freshness depends on the
    clock. Nor is the sentence that says why a champion has no predictions."""
    champion = evidence.champion
    if champion and champion.unscored:
        champion = replace(champion, unscored="somehow")
    return replace(evidence, findings=(), champion=champion)


MEND_VERDICT = "Only a pass is promoted, or what somebody has waived (gates waive)."


def _same_decision(workspace: Workspace, derived: Decision, *, anew: bool) -> None:
    """The decision that people have seen is the one that the evidence gives."""
    if anew or not workspace.decision.exists():
        return
    seen = workspace.load_decision()
    if seen.policy != derived.policy:
        raise _changed(Refused.POLICY_CHANGED, "the decision was made under another policy than the one that counts")
    if seen != derived:
        raise _changed(Refused.DECISION_CHANGED, "the decision is not the one that the evidence gives")


def _same_champion(desk: Desk, head: str | None, alias: str, served: Served | None) -> None:
    """The registry tells of a version what the ledger says was promoted as it."""
    last = desk.last_move(head, alias)
    after = last.record.after if last else None
    if served and after and after.version == served.version and after.digest != served.digest:
        why = f"the registry's digest of version {served.version} is not the one that was promoted"
        raise RefusedError(Refused.STORED_BYTES, why, mend="gates status shows both; gates rollback goes back.")


def _measured(candidate: Candidate, evidence: Evidence, served: Served | None) -> Evidence:
    """Candidate and champion on the holdout, from their predictions alone: no model is loaded."""
    bench, work = candidate.bench, candidate.workspace.work

    def kept(of: Served, judged: Measured | None, name: str) -> Callable[[str], Path | None]:
        same = judged is not None and judged.digest == of.digest
        return lambda holdout: of.predictions(holdout) or (_found(work / "scored" / name) if same else None)

    def unloaded() -> Path:
        raise GatesError("there are no predictions of it on this holdout, and no model is loaded here", mend=AGAIN)

    def bare(of: Served | None, judged: Measured | None, name: str) -> Served | None:
        return replace(of, predictions=kept(of, judged, name), folder=unloaded) if of else None

    with tempfile.TemporaryDirectory() as beside:
        assert evidence.candidate  # noqa: S101 -- the caller has looked
        digests = [evidence.candidate.digest, *(run.digest for run in evidence.runs)]
        ours = [_copied(candidate.workspace, place, Path(beside), known) for place, known in enumerate(digests)]
        theirs, fixed = bare(served, evidence.champion, "champion"), bare(candidate.anchor(), evidence.anchor, "anchor")
        try:
            return bench.evidence(bench.check(), ours, theirs, fixed, evidence.used)
        except GatesError as error:
            if error.exit_code is Exit.OUTSIDE:
                raise
            raise _changed(Refused.EVIDENCE_CHANGED, f"{OTHER_ROWS}: {error.what}") from error


def _copied(workspace: Workspace, place: int, beside: Path, known: str) -> Files:
    """A training's predictions alone, in a folder of their own; of further trainings the files are not kept."""
    predictions = _predictions(workspace, place)
    folder = beside / str(place)
    folder.mkdir()
    shutil.copyfile(predictions, folder / f"predictions{predictions.suffix}")
    return Files(digest=known, folder=folder)


def _predictions(workspace: Workspace, place: int = 0) -> Path:
    """The predictions that were judged: a training's own, or those made when its model was scored."""
    folder, name = workspace.trainings(place + 1)[place], f"candidate{place or ''}"
    found = _found(folder / "predictions") or _found(workspace.work / "scored" / name)
    if found is None:
        raise _changed(Refused.EVIDENCE_CHANGED, "the judged predictions are gone")
    return found


def _found(stem: Path) -> Path | None:
    return next((path for path in map(stem.with_suffix, (".parquet", ".csv")) if path.is_file()), None)


def _accepted(desk: Desk, candidate: Candidate, head: str | None, decision: Decision) -> tuple[Waiver, ...]:
    """The waivers that are needed. Raises ``RefusedError`` where they don't make a pass."""
    if decision.verdict is Verdict.PASS:
        return ()
    given = desk.ledger.waivers(head, desk.name)
    settled = waivers.settle(decision, given, candidate.today, candidate.bound.policy.promotion.waivable)
    if settled.verdict is not Verdict.PASS:
        void = "".join(f"; the waiver of {one.gate.id}: {one.why}" for one in settled.void)
        why = f"the verdict is {settled.verdict}: {decision.reason}{void}"
        raise RefusedError(Refused.VERDICT, why, mend=MEND_VERDICT)
    return tuple(one.waiver for one in settled.waived)


def _from(desk: Desk, head: str | None, stage: Stage, model: str) -> Version | None:
    """The version that moves on from the stage before; None for a first stage, which registers one."""
    if stage.after is None:
        return None
    last = desk.last_move(head, stage.after)
    after = last.record.after if last else None
    if after is None or after.digest != model:
        raise RefusedError(
            Refused.STAGE_ORDER,
            f"{stage.alias} comes after {stage.after}, where this model does not stand",
            mend=f"gates promote --stage {stage.after} first.",
        )
    now = desk.registry.at(desk.name, stage.after)
    if now != after.version:
        why = f"{stage.after} names version {now}; what was promoted there is version {after.version}"
        raise RefusedError(Refused.ALIAS_MOVED, why, mend=f"gates promote --stage {stage.after} again.")
    return after


def _approved(candidate: Candidate, stage: Stage, model: str) -> tuple[Approval, ...]:
    """Asked for even where no role is named: the callable knows, and may only be stricter."""
    try:
        return candidate.approve(stage, model)
    except RefusedError:
        raise
    except GatesError as error:
        raise RefusedError(Refused.APPROVALS, error.what, mend=error.mend, exit_code=error.exit_code) from error


def unapproved(stage: Stage, _: str) -> tuple[Approval, ...]:
    """Where nobody can be asked for approvals: enough for a stage that needs none."""
    if stage.approvals:
        raise GatesError(
            f"{stage.alias} needs the approval of {', '.join(stage.approvals)}, which only a GitHub run can show",
            mend="Promote from a workflow whose environments ask for it.",
            exit_code=Exit.STOP,
        )
    return ()


def _refuse(desk: Desk, candidate: Candidate, stage: Stage, error: RefusedError) -> None:
    """A refusal is a record. Where it can't be written, what was refused is told all the same."""
    draft = replace(_bare(desk, candidate, stage, Kind.REFUSAL, error.what), code=error.code)
    documents = {POLICY: candidate.bound.document}
    with suppress(GatesError):
        model = provenance.model(candidate.workspace.trained()[0], lambda _: None)
        documents[MANIFEST] = canonical(files.manifest(candidate.workspace.candidate))
        draft = replace(draft, model=model)
    with suppress(GatesError):
        evidence = candidate.workspace.load_evidence()
        decision = judge(candidate.bound, evidence)
        documents |= {DECISION: canonical(decision), EVIDENCE: canonical(evidence)}
        data = provenance.data(candidate.bound, evidence, candidate.workspace.root)
        draft = replace(
            draft, verdict=str(decision.verdict), decision=digest(decision), evidence=digest(evidence), data=data
        )
    try:
        desk.ledger.append_last(draft, documents)
    except GatesError as failed:
        desk.say(f"the refusal could not be recorded: {failed}")


def _name(version: str | None) -> str:
    return f"version {version}" if version else "none"


_changed = partial(RefusedError, mend=AGAIN, exit_code=Exit.INPUT)
