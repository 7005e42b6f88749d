"""The second verdict: the same candidate measured and judged by the policies of the base commit, so that a pull request
can't pass by asking for less."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from gates.checkout.base_policy import BasePolicy
from gates.documents.decision import Decision, Verdict, could_not_judge, worse
from gates.documents.evidence import Evidence
from gates.errors import Exit, GatesError
from gates.judge.judge import judge
from gates.pipeline.baselines import anchor_of, champion_of
from gates.pipeline.session import Session
from gates.policy import ResolvedPolicy
from gates.wording import counted

if TYPE_CHECKING:
    from gates.measure.holdout.models import ModelOutput, RegisteredModel, Rivals


def decide(session: Session, evidence: Evidence, folder: Path | None = None) -> Decision:
    """Judge by this policy and by those of the base commit: the worst decision counts. ``folder`` holds what was
    measured for the base commit's policies, where that is not ``.gates/``."""
    decision = judge(session.resolved, evidence)
    if session.approver or session.base is None:
        return decision
    for place, held in enumerate(session.base.policies):
        decision = worse(decision, _judge_by(session, place, held, evidence, folder or session.workspace.work))
    return decision


def measure_for_base(
    session: Session,
    outputs: Sequence[ModelOutput],
    rivals: Rivals | None = None,
) -> None:
    """Measure the same candidate, or the data alone, where a base commit's policy looks at other things. The reason why
    that can't be done takes the place of the evidence."""
    for place, held in enumerate(session.base.policies if session.base else ()):
        if not _measures_alike(session, held):
            _measure_for(session, held, session.workspace.of_base(place), outputs, rivals)


def charged(session: Session, evidence: Evidence, resolved: ResolvedPolicy) -> Evidence:
    """Add how often the holdout has decided, by the ledger, where the policy charges for that. A ledger that can't be
    asked is an error: nobody may take it for one without decisions."""
    if resolved.policy.data.reuse is None:
        return evidence
    holdout = next(table for table in evidence.tables if table.name == "holdout")
    return replace(evidence, used=session.ledger.uses(session.ledger.head(), resolved.champion[0], holdout))


def asked(session: Session, evidence: Evidence, resolved: ResolvedPolicy) -> Evidence:
    """Add what a Prometheus answers now, where the policy asks one."""
    from gates.measure.prometheus.asking import with_answers

    questions = resolved.needs.questions
    if not questions:
        return evidence
    with session.steps.step("ask", f"a Prometheus {counted(len(questions), 'question')}"):
        return with_answers(evidence, questions, session.environ, session.steps.say, session.unheard)


def _measures_alike(session: Session, held: BasePolicy) -> bool:
    """Tell whether what is measured for the policy at hand is what that one asks for, too."""
    return held.resolved.measured == session.resolved.measured and held.root == session.workspace.root


def _judge_by(session: Session, index: int, base_policy: BasePolicy, evidence: Evidence, folder: Path) -> Decision:
    """Judge the candidate by a base commit's policy; what could not be measured for it is an error."""
    beside = session.workspace.of_base(index, folder)
    try:
        if _measures_alike(session, base_policy):
            return judge(base_policy.resolved, evidence)
        other = session.workspace.load_evidence(beside)
        if other.candidate != evidence.candidate:
            raise GatesError("its evidence is about another candidate")
        return judge(base_policy.resolved, other)
    except GatesError as error:
        why = _reason_left(session, beside) or str(error)
    return could_not_judge(base_policy.resolved.policy.model, f"by the base commit's policy: {why}")


def _reason_left(session: Session, folder: Path) -> str | None:
    """Return why nothing could be measured for the base commit's policy, where the measuring said so."""
    try:
        decision = session.workspace.load_decision(folder / session.workspace.decision.name)
    except GatesError:
        return None
    return decision.reason if decision.verdict is Verdict.ERROR else None


def _measure_for(
    session: Session,
    base_policy: BasePolicy,
    folder: Path,
    outputs: Sequence[ModelOutput],
    rivals: Rivals | None,
) -> None:
    from gates.measure.measurement import ALONE, Measurement

    base, work, workspace = base_policy.resolved, folder / "work", session.workspace
    work.mkdir(parents=True)
    try:
        with session.steps.step("measure", "for the base commit's policy"):
            measurement = Measurement(
                base, base_policy.root, work, environ=session.environ, elsewhere=session.scores_of
            )
            before = _rivals_before(session, base, rivals, work) if rivals else ALONE
            evidence = measurement.evidence(measurement.check(), outputs[: base.policy.train.seeds], before)
            evidence = asked(session, evidence, base) if outputs else evidence
            evidence = replace(charged(session, evidence, base), unbased=before.unbased)
        workspace.save(folder / workspace.evidence.name, evidence)
    except GatesError as error:
        if error.exit_code is Exit.OUTSIDE:
            raise
        workspace.save(folder / workspace.decision.name, could_not_judge(base.policy.model, str(error)))


def _rivals_before(session: Session, base: ResolvedPolicy, rivals: Rivals, work: Path) -> Rivals:
    return replace(
        rivals,
        champion=_champion_before(session, base, rivals.champion, work),
        anchor=_anchor_before(session, base, rivals.anchor, work),
    )


def _champion_before(
    session: Session, base: ResolvedPolicy, champion: RegisteredModel | None, work: Path
) -> RegisteredModel | None:
    """Return the champion of the base commit's policy; on a machine without a registry, the one that was handed
    over."""
    if session.scores_of is None:
        return champion_of(session, base, work)
    if base.champion != session.resolved.champion:
        raise GatesError("its champion is a different one, which was not handed over")
    return champion


def _anchor_before(
    session: Session, base: ResolvedPolicy, anchor: RegisteredModel | None, work: Path
) -> RegisteredModel | None:
    """Return the anchor of the base commit's policy: a pull request may have named one that asks for less."""
    asked, ours = ((one.champion[0], one.policy.anchor) for one in (base, session.resolved))
    if asked == ours:
        return anchor
    if base.policy.anchor is not None and session.scores_of is not None:
        raise GatesError("its anchor is a different one, which was not handed over")
    return anchor_of(session, base, work)
