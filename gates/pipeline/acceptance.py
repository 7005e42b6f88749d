"""What waivers make of a decision: those in the ledger that hold today, by this policy and by the base commit's."""

from __future__ import annotations

from gates.documents.decision import Decision, Verdict
from gates.documents.record import Record, Waiver
from gates.errors import GatesError
from gates.judge.waivers import Settled, settle
from gates.pipeline.session import Session


def settled(session: Session, decision: Decision) -> Settled:
    """Settle a decision by the waivers that hold today. Without a readable policy nothing is waived."""
    try:
        ids = waivable(session)
    except GatesError:
        return Settled(verdict=decision.verdict)
    if decision.verdict is Verdict.PASS or not decision.gates:
        return Settled(verdict=decision.verdict)
    return settle(decision, _waivers(session), session.today, ids)


def waivable(session: Session) -> tuple[str, ...]:
    """Return the ids of the gates that may be waived by this policy and by the base commit's."""
    ours, *others = (one.policy.promotion.waivable for one in (session.resolved, *session.base_policies))
    return tuple(gate for gate in ours if all(gate in ids for ids in others))


def _waivers(session: Session) -> tuple[Waiver, ...]:
    """Read the model's waivers that hold. Where ledger or GitHub can't be asked there are none, which is said."""
    from gates.ledger.acceptances import holding

    try:
        name = session.resolved.champion[0]
        waivers, refused = holding(
            session.ledger, session.ledger_seen, name, lambda record: unproven(session, record), session.today
        )
    except GatesError as error:
        session.steps.say(f"no waiver counts, because the ledger can't be read: {error}")
        return ()
    for why in refused:
        session.steps.say(why)
    return waivers


def unproven(session: Session, record: Record) -> str | None:
    """Say why a waiver's record proves nothing; None where it holds by this policy and by the base commit's."""
    from gates.github.people.waived import proof

    promotions = [one.policy.promotion for one in (session.resolved, *session.base_policies)]
    return next((why for one in promotions if (why := proof(one, session.environ)(record))), None)
