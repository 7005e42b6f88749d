"""What asks to be promoted, and all that must hold before it may be: by the default branch's policy, against the
champion of now, from the predictions that were judged. Loads no model.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from gates import provenance, waivers
from gates.branch import Trusted
from gates.canonical import canonical, digest, digest_bytes
from gates.decision import Decision, Verdict
from gates.errors import Exit, GatesError
from gates.evidence import Evidence
from gates.evidence import Model as Measured
from gates.judge import judge
from gates.measure import Bench
from gates.measure.models import Files, Served
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
from gates.report.card import render
from gates.signing import sign
from gates.statement import statement
from gates.transaction import Desk, RefusedError
from gates.words import plural
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
    anew: bool  # whether it was judged anew: against another champion, or as a later use of the holdout


def verified(
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
    logged = partial(desk.registry.parameters, during=candidate.workspace.during())
    model = provenance.model(candidate.workspace.candidate, logged)
    record = replace(
        bare(desk, candidate, stage, Kind.INTENT, decision.reason),
        verdict=str(decision.verdict),
        decision=digest(decision),
        evidence=digest(evidence),
        model=replace(model, digest=digest(manifest)),  # what was verified, whatever lies there by now
        data=provenance.data(candidate.bound, evidence, candidate.workspace.root, desk.ledger.git.environ),
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


def bare(desk: Desk, candidate: Candidate, stage: Stage, kind: Kind, reason: str) -> Record:
    """A record of a stage that says by which policy, and what code trained."""
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
    used = _used(desk, candidate, head, evidence, own=(model, digest(decision)))
    if _same(evidence.champion, fresh.champion):
        if _counted(fresh) != _counted(evidence):
            raise _changed(Refused.EVIDENCE_CHANGED, OTHER_ROWS)
        if used == evidence.used:
            return decision, evidence, served, False
        evidence = replace(evidence, used=used)
        anew = judge(bound, evidence)
        times = plural(used, "time", "times")
        desk.say(f"this holdout has decided {times} by now: judged anew, {anew.verdict}")
        return anew, evidence, served, True
    fresh = replace(fresh, used=used)
    anew = judge(bound, fresh)
    was = evidence.champion.version if evidence.champion else None
    if anew.verdict is Verdict.ERROR:
        why = f"the champion is {_name(now)}, but the candidate was judged against {_name(was)}; {anew.reason}"
        raise _changed(Refused.CHAMPION_CHANGED, why)
    desk.say(f"the champion is {_name(now)} by now: judged anew, {anew.verdict}")
    return anew, fresh, served, True


def _used(desk: Desk, candidate: Candidate, head: str | None, evidence: Evidence, *, own: tuple[str, ...]) -> int:
    """How often the holdout has decided, where that is charged: by the ledger, if it knows of more than the evidence.
    What was decided of this very model is no further look at the holdout."""
    if candidate.bound.policy.data.reuse is None:
        return evidence.used
    holdout = next(one.digest for one in evidence.tables if one.name == "holdout")
    return max(evidence.used, desk.ledger.uses(head, holdout, own=own))


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
    made = predictions(workspace, place)
    folder = beside / str(place)
    folder.mkdir()
    shutil.copyfile(made, folder / f"predictions{made.suffix}")
    return Files(digest=known, folder=folder)


def predictions(workspace: Workspace, place: int = 0) -> Path:
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


def _name(version: str | None) -> str:
    return f"version {version}" if version else "none"


_changed = partial(RefusedError, mend=AGAIN, exit_code=Exit.INPUT)
