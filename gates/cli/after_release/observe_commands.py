"""Commands for a model that serves: observe, and the monitoring that gates init writes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from gates.cli import options
from gates.errors import Exit


@click.command()
@options.policy
@click.option(
    "--textfile",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a file for node_exporter's textfile collector, which reads *.prom.",
)
@click.option("--pushgateway", metavar="URL", help="Replace all that a Pushgateway has about the model.")
@click.option("--slices", is_flag=True, help="Write each slice by itself, not only the worst.")
def observe(policy: Path, textfile: Path | None, pushgateway: str | None, slices: bool) -> None:
    """Write for Prometheus what the ledger says about a model: its rules, its newest window, and what serves.

    Without --textfile or --pushgateway the metrics are printed. Run it after every gates monitor, and from a clock
    beside that. Where ledger and registry don't agree on what serves, every rule is an error. Where one of them can't
    be asked, nothing is written. Needs the extra observe: pip install "gates-ml[observe]".

    \b
    Exit codes: 0 written, whatever the verdicts, 2 a mistake in policy or usage,
    3 something outside failed.

    \b
    Example:
      gates observe
      gates observe --textfile /var/lib/node_exporter/textfile/churn.prom
      gates observe --pushgateway http://pushgateway:9091
    """
    from gates.observability import exposition
    from gates.observability.observation import observed
    from gates.observability.samples import samples

    if textfile and pushgateway:
        raise click.UsageError("--textfile and --pushgateway are two ways; take one")
    session, trusted = options.trusted_session(policy)
    with session.steps.step("ledger", session.ledger.told):
        model = observed(session.ledger, session.registry_reader, trusted.resolved)
    for doubt in model.doubts:
        click.echo(f"gates: {doubt}; so every rule is written as an error", err=True)
    gauged = samples(model, slices=slices)
    if textfile:
        exposition.write_textfile(textfile, gauged)
    elif pushgateway:
        with session.steps.step("push", model.name):
            exposition.push(pushgateway, model.name, gauged)
    else:
        click.echo(exposition.text(gauged).decode(), nl=False)


def init_monitoring(root: Path, *, checking: bool, force: bool) -> None:
    """Write the rules and the dashboard, or say where they differ."""
    from gates.observability.monitoring_files import AGAIN, differences, write_monitoring

    if checking:
        differing = list(differences(root))
        for what in differing:
            click.echo(what)
        if differing:
            click.echo(f"{AGAIN} writes them again")
        sys.exit(Exit.STOP if differing else Exit.SHIP)
    done = write_monitoring(root, force=force)
    for path in done.written:
        click.echo(f"wrote {os.path.relpath(path, root)}")
    for path in done.kept:
        click.echo(f"kept {os.path.relpath(path, root)}, which differs; --force overwrites it")
