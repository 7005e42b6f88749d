"""Commands for a model that serves: monitor."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import NoReturn

import click

from gates.cli import options
from gates.errors import Exit

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
def monitor(policy: Path, rehearse: bool, since: datetime | None, until: datetime | None, as_json: bool) -> NoReturn:
    """Judge live rows by the policy's monitor section: every window that has closed since the last record.

    A window is compared with what its model was promoted with. The ledger records the verdicts. Times are UTC. Ends
    with 1 at an alarm, and with 2 if something can't be judged: no rows, a model that nobody promoted.

    \b
    Example:
      gates monitor
      gates monitor --since 2026-11-01 --until 2026-11-30
      gates monitor --dry-run --json
    """
    from gates.cli.after_release import monitor_text
    from gates.documents.record import RecordKind
    from gates.pipeline.monitor import MonitoringRun
    from gates.promotion.provenance import draft

    session, trusted = options.trusted_session(policy)
    now = (until or datetime.now(UTC)).replace(tzinfo=UTC)
    watch = MonitoringRun(session=session, trusted=trusted, now=now)
    if since is not None:
        watched = watch.look(since.replace(tzinfo=UTC))
    else:
        name, alias = trusted.resolved.champion
        watched = watch.judge(draft(name, options.run_of(session), RecordKind.MONITOR, alias, ""), record=not rehearse)
    if watched is None:
        if as_json:
            options.write_json(None)
        else:
            click.echo("no window is due")
        sys.exit(Exit.SHIP)
    options.tell(watched.decision, partial(monitor_text.render, watched.decision, watched.entry), as_json=as_json)
    sys.exit(monitor_text.exit_code(watched.decision))
