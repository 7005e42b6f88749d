"""Commands for a model that serves: retrain."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from gates.cli import options
from gates.cli.job_commands import outputs
from gates.errors import Exit, GatesError

if TYPE_CHECKING:
    from gates.checkout.trusted_policy import TrustedPolicy
    from gates.documents.live.retraining import Retraining
    from gates.ledger.ledger import Entry
    from gates.monitoring.retrain_plan import RetrainPlan
    from gates.pipeline.session import Session


@click.command()
@options.policy
@options.as_json
@click.option("--plan", "planning", is_flag=True, help="Decide whether a candidate is to be trained, and record it.")
@click.option(
    "--record",
    "named",
    help="The record of live windows that asks for it, by number or digest. Default: the newest whose alarm stands.",
)
@click.option("--dry-run", "rehearse", is_flag=True, help="Decide, but record nothing.")
@click.option("--resume", "resuming", is_flag=True, help="End a pause, so that retrainings may be started again.")
@click.option("--reason", help="Why the pause is over.")
def retrain(
    policy: Path, planning: bool, named: str | None, rehearse: bool, resuming: bool, reason: str | None, as_json: bool
) -> NoReturn:
    """Decide from the ledger whether a model that serves is to be trained again, by the policy's retrain section.

    Started or refused, the ledger records it. It trains nothing itself: what follows is the way of every candidate,
    through all gates. After two retrained candidates in a row that were not promoted nothing is started until somebody
    ends the pause.

    \b
    Exit codes: 0 started, or the pause has ended, 1 refused, 2 a mistake in policy or usage,
    3 something outside failed.

    \b
    Example:
      gates retrain --plan
      gates retrain --plan --dry-run --json
      gates retrain --resume --reason "the labels of May were wrong, and are fixed"
    """
    if planning is resuming:
        raise click.UsageError("give either --plan or --resume")
    if planning and reason is not None:
        raise click.UsageError("--reason belongs to --resume: a plan gives its own")
    if resuming and (named is not None or rehearse):
        raise click.UsageError("--resume looks at no record and rehearses nothing: leave out --record and --dry-run")
    if resuming and not (reason or "").strip():
        raise click.UsageError("--resume needs --reason: what was wrong, and why it is fixed")
    from gates.pipeline.machines.snapshot_command import retrain_of

    session, trusted = options.trusted_session(policy)
    retrain_of(session)
    if resuming:
        _resume(session, trusted, (reason or "").strip(), as_json=as_json)
    planned, entry = _planned(session, trusted, named, rehearse=rehearse)
    _summarise(session, trusted, planned, entry)
    outputs(
        session, state=planned.retraining.state, code=planned.retraining.code or "",
        stage=trusted.resolved.retrain_stage, record=entry.digest if entry else "",
    )  # fmt: skip
    _tell(trusted, planned.retraining, planned.reason, entry, as_json=as_json)
    sys.exit(Exit.STOP if planned.retraining.code else Exit.SHIP)


def _planned(
    session: Session, trusted: TrustedPolicy, named: str | None, *, rehearse: bool
) -> tuple[RetrainPlan, Entry | None]:
    """Decide, and record it. Where somebody else wrote to the ledger in the meantime, decide again."""
    from gates.ledger.ledger import LostRaceError
    from gates.ledger.retrainings import past_records
    from gates.monitoring.retrain_plan import retrain_plan

    ledger, name = session.ledger, trusted.resolved.champion[0]
    asking = _watching(session, name, named) if named else None
    while True:
        head = ledger.head()
        with session.steps.step("ledger", ledger.told):
            history = past_records(ledger, head, name)
        planned = retrain_plan(trusted.resolved, history, int(datetime.now(UTC).timestamp()), asking)
        if rehearse:
            return planned, None
        try:
            return planned, _write(session, trusted, planned.retraining, planned.reason, head)
        except LostRaceError:
            continue


def _watching(session: Session, name: str, named: str) -> str:
    """Return the digest of the record of live windows that was named, which may be foreign text."""
    from gates.documents.record import RecordKind

    if not named.removeprefix("sha256:").isalnum():
        raise GatesError("is neither a number nor a digest", where="--record", hint="gates history lists the records.")
    entry = session.ledger.find(named)
    if entry.record.kind is not RecordKind.MONITOR or entry.record.name != name:
        what = f"record {entry.record.sequence} is none of live windows of {name}"
        raise GatesError(what, where="--record", hint="gates history lists the records.")
    return entry.digest


def _resume(session: Session, trusted: TrustedPolicy, reason: str, *, as_json: bool) -> NoReturn:
    from gates.documents.live.retraining import Retraining, RetrainState
    from gates.ledger.ledger import LostRaceError
    from gates.ledger.retrainings import past_records
    from gates.monitoring.retrain_plan import is_paused

    ended = Retraining(state=RetrainState.RESUMED, code=None, record=None, fresh_rows=None, until=None)
    while True:
        head = session.ledger.head()
        history = past_records(session.ledger, head, trusted.resolved.champion[0])
        if not is_paused(trusted.resolved, history, int(datetime.now(UTC).timestamp())):
            raise GatesError("nothing is paused", where="--resume", hint="gates retrain --plan --dry-run says why not.")
        try:
            entry = _write(session, trusted, ended, reason, head)
            break
        except LostRaceError:
            continue
    _tell(trusted, ended, reason, entry, as_json=as_json)
    sys.exit(Exit.SHIP)


def _write(session: Session, trusted: TrustedPolicy, retraining: Retraining, reason: str, head: str | None) -> Entry:
    from gates.documents.record import POLICY, RecordKind
    from gates.promotion.provenance import draft

    resolved = trusted.resolved
    name, alias = resolved.champion[0], resolved.retrain_stage
    record = draft(name, options.run_of(session), RecordKind.RETRAIN, alias, reason)
    record = replace(record, policy=trusted.ref, retrain=retraining)
    return session.ledger.append(record, {POLICY: resolved.document}, after=head)


def _summarise(session: Session, trusted: TrustedPolicy, planned: RetrainPlan, entry: Entry | None) -> None:
    """Say on the run's page what was decided, and why."""
    from gates.github.outputs import write_summary
    from gates.report.escape import line

    state, recorded = planned.retraining.state, f" (record {entry.record.sequence})" if entry else ""
    told = f"**Retraining of {line(trusted.resolved.champion[0])} {state}:** {line(planned.reason)}{recorded}"
    write_summary(session.environ, told)


def _tell(trusted: TrustedPolicy, retraining: Retraining, reason: str, entry: Entry | None, *, as_json: bool) -> None:
    if as_json:
        about = {"model": trusted.resolved.champion[0], "stage": trusted.resolved.retrain_stage, "reason": reason}
        options.write_json({**about, "retraining": retraining, "record": entry.digest if entry else None})
        return
    told = f"{retraining.state} ({retraining.code})" if retraining.code else str(retraining.state)
    place = f"record {entry.record.sequence}" if entry else "not recorded"
    click.echo(f"{told}: {reason} ({place})")
