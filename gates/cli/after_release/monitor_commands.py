"""Commands for a model that serves: monitor."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from gates.cli import options
from gates.cli.job_commands import given, hand_over, outputs, receive
from gates.errors import Exit
from gates.system.telemetry import spans

if TYPE_CHECKING:
    from gates.checkout.trusted_policy import TrustedPolicy
    from gates.pipeline.live.monitor import MonitoringRun, Watched
    from gates.pipeline.session import Session

NOTHING_DUE = "no window is due"
TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"]


@click.command()
@options.policy
@options.as_json
@click.option("--dry-run", "rehearse", is_flag=True, help="Judge the windows that are due, but record nothing.")
@click.option(
    "--since",
    type=click.DateTime(TIMES),
    help="Look at all windows from this time on, by themselves, and record nothing.",
)
@click.option("--until", type=click.DateTime(TIMES), help="Judge what was due at this time. Default: now.")
@click.option("--measure-only", "counting", is_flag=True, help="Count the windows that are due, for another machine.")
@given
def monitor(
    policy: Path,
    rehearse: bool,
    since: datetime | None,
    until: datetime | None,
    counting: bool,
    as_json: bool,
    handed: Path | None,
    digests: str | None,
) -> NoReturn:
    """Judge live rows by the policy's monitor section: every window that has closed since the last record.

    A window is compared with what its model was promoted with. The ledger records the verdicts. Times are UTC. Ends
    with 1 at an alarm, and with 2 if something can't be judged: no rows, a model that nobody promoted.

    With --measure-only the counts go into .gates/live, and nothing is judged. With --handed such counts of another
    machine are judged and recorded without live rows; that ends with 0 whatever the verdict, and gates alert tells it.

    \b
    Example:
      gates monitor
      gates monitor --since 2026-11-01 --until 2026-11-30
      gates monitor --dry-run --json
    """
    from gates.documents.live.live_evidence import LiveEvidence
    from gates.documents.record import RecordKind
    from gates.pipeline.live.monitor import MonitoringRun
    from gates.pipeline.machines.handed_counts import handed as counts
    from gates.promotion.provenance import draft

    if counting and (since or rehearse or digests):
        raise click.UsageError("--measure-only judges nothing: leave out --since, --dry-run and --handed")
    if digests and (since or rehearse):
        raise click.UsageError("--handed records what was counted: leave out --since and --dry-run")
    session, trusted = options.trusted_session(policy)
    now = (until or datetime.now(UTC)).replace(tzinfo=UTC)
    watch = MonitoringRun(session=session, trusted=trusted, now=now)
    if counting:
        _hand_on(session, watch)
        sys.exit(Exit.SHIP)
    if since is not None:
        _tell(watch.look(since.replace(tzinfo=UTC)), as_json=as_json)
    name, alias = trusted.resolved.champion
    record = draft(name, options.run_of(session), RecordKind.MONITOR, alias, "")
    if receive(session, handed, digests, "live"):
        judged = watch.judge_handed(counts(session.workspace.live, LiveEvidence), record)
        _publish(session, trusted, judged)
        _tell(judged, as_json=as_json, recorded=True)
    judged = watch.judge(record, record=not rehearse)
    _publish(session, trusted, judged)
    _tell(judged, as_json=as_json)


def _hand_on(session: Session, watch: MonitoringRun) -> None:
    """Count what is due, and tell the next job where that lies."""
    from gates.pipeline.machines.handed_counts import hand

    evidence = watch.count()
    if evidence is None:
        click.echo(NOTHING_DUE)
        return
    hand(session.workspace, session.workspace.live, evidence)
    outputs(session, **hand_over(live=session.workspace.live))


def _publish(session: Session, trusted: TrustedPolicy, judged: Watched | None) -> None:
    """Tell later jobs the verdict, the record, and whether an alarm of it may start a retraining."""
    if judged is None:
        return
    from gates.monitoring.retrain_plan import asks

    record = judged.entry.digest if judged.entry else ""
    asked = "true" if record and asks(trusted.resolved, judged.decision) else ""
    outputs(session, verdict=str(judged.decision.verdict), record=record, retrain=asked)


def _tell(judged: Watched | None, *, as_json: bool, recorded: bool = False) -> NoReturn:
    """Print what was judged, and end. ``recorded``: the step has done its part whatever the verdict is, as a failed job
    would blame the newest commit, which is none of its doing."""
    from gates.cli.after_release import monitor_text

    if judged is None:
        if as_json:
            options.write_json(None)
        else:
            click.echo(NOTHING_DUE)
        sys.exit(Exit.SHIP)
    spans.judged(str(judged.decision.verdict), str(judged.decision.code))
    options.tell(judged.decision, partial(monitor_text.render, judged.decision, judged.entry), as_json=as_json)
    sys.exit(Exit.SHIP if recorded else monitor_text.exit_code(judged.decision))
