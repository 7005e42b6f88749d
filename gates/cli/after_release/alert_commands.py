"""Commands for a model that serves: alert."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gates.cli import options
from gates.cli.job_commands import outputs

if TYPE_CHECKING:
    from gates.checkout.trusted_policy import TrustedPolicy
    from gates.github.reporting.alert_issue import AlertOutcome, WantedIssue
    from gates.monitoring.alert_state import AlertState
    from gates.pipeline.session import Session

AUTHOR = "github-actions[bot]"  # who writes with the token of a workflow


@click.command()
@options.policy
@options.as_json
@click.option("--dry-run", "rehearse", is_flag=True, help="Say what would be done, but change nothing.")
@click.option("--author", default=AUTHOR, show_default=True, help="The login that the token writes as.")
def alert(policy: Path, rehearse: bool, author: str, as_json: bool) -> None:
    """Keep one GitHub issue about a model that serves, by the records of `gates monitor`.

    It is opened at an alarm, or where something can't be judged, and rewritten with every record. A comment says which
    rules begin or cease to fail. It is closed once every rule passes in two windows running: what is undecided or
    missing closes nothing. An issue closed less than 30 days ago is opened again.

    The token comes from GITHUB_TOKEN and needs `issues: write`. Outside of GitHub Actions only --dry-run works.

    \b
    Exit codes: 0 the issue is as it should be, 2 a mistake in policy or usage, 3 GitHub failed.

    \b
    Example:
      GITHUB_TOKEN=... gates alert
      gates alert --dry-run
    """
    from gates.monitoring.alert_state import AlertAction

    session, trusted = options.trusted_session(policy)
    state = _state(session, trusted)
    if state is None:
        click.echo(json.dumps(None) if as_json else "no window was judged yet")
        return
    wanted = _wanted(session, state)
    done = _kept(session, wanted, author, rehearse=rehearse)
    issue = str(done.number or "")
    outputs(session, action=str(done.action), issue=issue)
    if as_json:
        told = {"model": wanted.model, "action": str(done.action), "issue": done.number, "title": wanted.title,
                "record": state.record.sequence, "dry_run": rehearse}  # fmt: skip
        click.echo(json.dumps(told))
        return
    named = f" #{issue}" if issue else ""
    click.echo(f"{'would be: ' if rehearse else ''}{_SENTENCES[done.action].format(named)} ({wanted.title})")
    if rehearse and done.action is not AlertAction.NOTHING:
        click.echo(f"\n{wanted.body}")


_SENTENCES = {  # by action
    "open": "issue{} opened",
    "reopen": "issue{} opened again",
    "rewrite": "issue{} brought up to date",
    "close": "issue{} closed",
    "nothing": "nothing to do about issue{}",
}


def _state(session: Session, trusted: TrustedPolicy) -> AlertState | None:
    """Read from the ledger what stands; None where no window was judged yet."""
    from gates.ledger.watched import last_watch, watch_records
    from gates.measure.live.window_times import is_overdue
    from gates.monitoring.alert_state import alert_state
    from gates.pipeline.live.monitor import MonitoringRun
    from gates.policy.live_policies import parts_of

    now = datetime.now(UTC)
    watch = MonitoringRun(session=session, trusted=trusted, now=now)
    section, name = watch.monitor, watch.name
    ledger, head, parts = session.ledger, session.ledger.head(), parts_of(trusted.resolved.policy)
    with session.steps.step("ledger", ledger.told):
        newest = last_watch(ledger, head, name)
        ends = {part: newest.decision.until(part) for part in parts} if newest else {}
        overdue = {part for part, end in ends.items() if end and is_overdue(section, part, end, now)}
        return alert_state(watch_records(ledger, head, name), parts, overdue)


def _wanted(session: Session, state: AlertState) -> WantedIssue:
    from gates.github.reporting.alert_issue import WantedIssue
    from gates.report import alert_text

    model = session.resolved.champion[0]
    return WantedIssue(
        model=model,
        state=state,
        title=alert_text.title(model, state),
        body=alert_text.body(model, state, session.path),
        remark=lambda told: alert_text.comment(*state.changes(told), state.record.sequence),
    )


def _kept(session: Session, wanted: WantedIssue, author: str, *, rehearse: bool) -> AlertOutcome:
    """Do to the issue what its state asks for. A rehearsal without a token asks nobody which issues there are."""
    from gates.github import event, rest_api
    from gates.github.reporting.alert_issue import AlertOutcome, sync
    from gates.monitoring.alert_state import next_action

    token = session.environ.get("GITHUB_TOKEN", "")
    if rehearse and not token:
        click.echo("gates: no GITHUB_TOKEN, so nobody was asked which issues there are", err=True)
        return AlertOutcome(action=next_action(wanted.state, None), number=None)
    happened = event.read(session.environ)
    client = rest_api.Client(happened.api_url, token)
    with session.steps.step("github", happened.repository):
        return sync(client, happened.repository, wanted, datetime.now(UTC), author=author, rehearse=rehearse)
