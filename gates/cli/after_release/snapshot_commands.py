"""Commands for a model that serves: snapshot."""

from __future__ import annotations

import json
from pathlib import Path

import click

from gates.cli import options
from gates.cli.job_commands import hand_over, outputs
from gates.schema.fields import plain


@click.command()
@options.policy
@options.as_json
@click.option("--hand-over", "handing", is_flag=True, help="Copy the tables into .gates/snapshot, for another machine.")
def snapshot(policy: Path, handing: bool, as_json: bool) -> None:
    """Make the tables of a retraining: run the policy's retrain.snapshot, and check what it wrote.

    The command writes the tables and snapshot.json, with their time ranges. It sees no credentials: what is not in git
    is fetched before. The training must end before the holdout begins.

    \b
    Exit codes: 0 the tables are there, 2 a mistake in policy, command or tables,
    3 something outside failed.

    \b
    Example:
      gates snapshot
      gates snapshot --json
    """
    from gates.pipeline.machines import snapshot_command

    session = options.session(policy)
    spans = snapshot_command.make(session)
    if handing:
        folder = snapshot_command.lay(session)
        outputs(session, folder=folder, **hand_over(snapshot=session.workspace.snapshot))
    if as_json:
        click.echo(json.dumps({name: plain(span) for name, span in spans.items()}))
        return
    for name, span in spans.items():
        click.echo(f"{name}: from {span.since} to {span.until}")
