"""Commands for a model that serves: observe."""

from __future__ import annotations

from pathlib import Path

import click

from gates.cli import options


@click.command()
@options.policy
@click.option(
    "--textfile",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a file for node_exporter's textfile collector, which reads *.prom.",
)
@click.option("--pushgateway", metavar="URL", help="Replace all that a Pushgateway has about the model.")
@click.option("--slices", is_flag=True, help="Tell the bars of slices, too.")
def observe(policy: Path, textfile: Path | None, pushgateway: str | None, slices: bool) -> None:
    """Tell Prometheus what the ledger says about a model: its bars, its newest window, and what serves it.

    Without --textfile or --pushgateway the metrics are printed. Run it after every gates monitor, and from a clock
    beside that. Where ledger and registry don't agree on what serves, every bar is told as an error. Where one of them
    can't be asked, nothing is told. Needs the extra observe: pip install "gates-ml[observe]".

    \b
    Exit codes: 0 told, whatever the verdicts, 2 a mistake in policy or usage, 3 something outside failed.

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
        click.echo(f"gates: {doubt}; every bar is told as an error", err=True)
    gauged = samples(model, slices=slices)
    if textfile:
        exposition.write_textfile(textfile, gauged)
    elif pushgateway:
        with session.steps.step("push", model.name):
            exposition.push(pushgateway, model.name, gauged)
    else:
        click.echo(exposition.text(gauged).decode(), nl=False)
