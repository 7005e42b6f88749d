"""Commands for two models that share the users: experiment."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from gates.cli import options
from gates.cli.job_commands import given, hand_over, outputs, receive
from gates.errors import Exit, GatesError

if TYPE_CHECKING:
    from gates.documents.live.experiment_step import ExperimentStep
    from gates.documents.record import Record
    from gates.ledger.ledger import Entry
    from gates.pipeline.live.experiment_run import ExperimentLook, ExperimentRun

NONE_RUNS = "no experiment runs of which units count by now"
LATE = "somebody has looked at the experiment, or ended it, in the meantime"
TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"]


@click.group(invoke_without_command=True)
@options.policy
@options.as_json
@click.option("--dry-run", "rehearse", is_flag=True, help="Judge by the bounds of every look, and record nothing.")
@click.option("--until", type=click.DateTime(TIMES), help="Look at what was known at this time. Default: now.")
@click.option("--measure-only", "counting", is_flag=True, help="Count the units, for another machine.")
@given
@click.pass_context
def experiment(
    context: click.Context,
    policy: Path,
    rehearse: bool,
    until: datetime | None,
    counting: bool,
    as_json: bool,
    handed: Path | None,
    digests: str | None,
) -> None:
    """Compare a challenger with the champion on users, by the policy's experiment section. Alone: a look.

    A look counts the units whose window is over, judges them, and is recorded. You may look as often as you like:
    the bounds hold at every look, and once at the planned end. Times are UTC.

    With --measure-only the counts go into .gates/units, and nothing is judged; without an experiment that ends
    with 0. With --handed such counts of another machine are judged and recorded, without exposures and outcomes.

    \b
    Exit codes: 0 passed, or undecided yet, 1 a gate fails, 2 a mistake in policy or usage,
    or the log can't be judged, 3 something outside failed.

    \b
    Example:
      gates experiment
      gates experiment --dry-run --json
      gates experiment --until 2026-12-31
    """
    if context.invoked_subcommand is not None:
        if rehearse or until or as_json or counting or handed or digests:
            raise click.UsageError(f"write options behind {context.invoked_subcommand}")
        return
    if counting and (rehearse or as_json or digests):
        raise click.UsageError("--measure-only judges nothing: leave out --dry-run, --json and --handed")
    if digests and rehearse:
        raise click.UsageError("--handed records what was counted: leave out --dry-run")
    from gates.documents.live.experiment_evidence import ExperimentEvidence
    from gates.pipeline.machines.handed_counts import handed as counts

    run, draft = _run(policy, until, "")
    with _told(run, "No look at the experiment"):
        if counting:
            _hand_on(run)
            sys.exit(Exit.SHIP)
        if receive(run.session, handed, digests, "units"):
            looked = run.judge_handed(counts(run.session.workspace.units, ExperimentEvidence), draft)
        else:
            looked = run.look(draft, record=not rehearse)
    _show(run, looked, as_json=as_json)


@contextmanager
def _told(run: ExperimentRun, what: str) -> Iterator[None]:
    """Say on the run's page what did not happen, and why."""
    try:
        yield
    except GatesError as error:
        from gates.report.escape import line

        _summarise(run, f"**{what} of {line(run.trusted.resolved.champion[0])}:** {line(str(error))}")
        raise


def _hand_on(run: ExperimentRun) -> None:
    """Count the units, and tell the next job where that lies."""
    from gates.pipeline.machines.handed_counts import hand

    evidence = run.count()
    if evidence is None:
        click.echo(NONE_RUNS)
        _summarise(run, f"_{NONE_RUNS}_")
        return
    hand(run.session.workspace, run.session.workspace.units, evidence)
    outputs(run.session, **hand_over(units=run.session.workspace.units))


def _show(run: ExperimentRun, looked: ExperimentLook | None, *, as_json: bool) -> NoReturn:
    """Tell later jobs and people what a look came to, and end."""
    from gates.cli.after_release import experiment_text
    from gates.ledger.experiments.experiment_histories import plan_of_section

    if looked is None:
        click.echo("null" if as_json else LATE)
        _summarise(run, f"_{LATE}_")
        sys.exit(Exit.SHIP)
    decision, entry, plan = looked.decision, looked.entry, plan_of_section(run.experiment)
    outputs(
        run.session, verdict=str(decision.verdict), code=str(decision.code),
        final="true" if decision.final else "", record=entry.digest if entry else "",
    )  # fmt: skip
    _summarise(run, experiment_text.markdown(decision, entry, plan))
    options.tell(decision, partial(experiment_text.render, decision, entry, plan), as_json=as_json)
    sys.exit(experiment_text.exit_code(decision))


def _summarise(run: ExperimentRun, told: str) -> None:
    from gates.github.outputs import write_summary

    write_summary(run.session.environ, told)


@experiment.command()
@options.policy
@options.as_json
@click.option("--dry-run", "rehearse", is_flag=True, help="Say what would be compared, and record nothing.")
@click.option(
    "--from", "begins", type=click.DateTime(TIMES), help="Count units from this time on. Default: from now on."
)
@click.option("--reason", default="", help="Why it begins, for the record.")
@click.pass_context
def start(
    context: click.Context, policy: Path, rehearse: bool, begins: datetime | None, reason: str, as_json: bool
) -> NoReturn:
    """Start an experiment between the champion and the model of the stage before.

    The record of it gives the salt, by which whoever serves assigns units: a unit is the champion's where the first
    13 hexadecimal digits of the SHA-256 of SALT:UNIT, over 16^13, are below the champion's share.

    \b
    Example:
      gates experiment start
      gates experiment start --from 2030-01-07
      gates experiment start --dry-run --json
    """
    run, draft = _run(_named(context, policy), None, reason.strip() or "two models share the users")
    with _told(run, "No start of an experiment"):
        step, entry = run.start(draft, begins.replace(tzinfo=UTC) if begins else None, record=not rehearse)
    _tell(run, step, entry, as_json=as_json)


@experiment.command()
@options.policy
@options.as_json
@click.option("--reason", required=True, help="Why it ends.")
@click.pass_context
def stop(context: click.Context, policy: Path, reason: str, as_json: bool) -> NoReturn:
    """Stop the experiment that runs, whatever it shows so far. The champion stays.

    \b
    Example:
      gates experiment stop --reason "the challenger's films are no longer for sale"
    """
    if not reason.strip():
        raise click.UsageError("--reason must say why it ends")
    run, draft = _run(_named(context, policy), None, reason.strip())
    with _told(run, "No stop of the experiment"):
        step, entry = run.stop(draft)
    _tell(run, step, entry, as_json=as_json)


def _named(context: click.Context, policy: Path) -> Path:
    """Return the policy that was named, before the command or behind it."""
    given = context.get_parameter_source("policy") is not click.core.ParameterSource.DEFAULT
    above = context.parent.params.get("policy") if context.parent else None
    return policy if given or above is None else above


def _run(policy: Path, until: datetime | None, reason: str) -> tuple[ExperimentRun, Record]:
    """Return the experiments of a policy's model, and a record that says nothing more than who runs this, and why."""
    from gates.documents.record import RecordKind
    from gates.pipeline.live.experiment_run import ExperimentRun
    from gates.promotion.provenance import draft

    session, trusted = options.trusted_session(policy)
    now = (until or datetime.now(UTC)).replace(tzinfo=UTC)
    run = ExperimentRun(session=session, trusted=trusted, now=now)
    _ = run.experiment
    name, alias = trusted.resolved.champion
    return run, draft(name, options.run_of(session), RecordKind.EXPERIMENT, alias, reason)


def _tell(run: ExperimentRun, step: ExperimentStep, entry: Entry | None, *, as_json: bool) -> NoReturn:
    """Print what was done; of a start, what whoever serves needs."""
    from gates.documents.live.experiment_step import ExperimentState, salt_of
    from gates.report.escape import line

    started = step.state is ExperimentState.STARTED
    salt = salt_of(entry.digest) if entry and started else None
    share = run.experiment.split.champion
    outputs(run.session, state=str(step.state), salt=salt or "", record=entry.digest if entry else "")
    where = f"record {entry.record.sequence}" if entry else "not recorded"
    models = f"v{step.champion.version} and v{step.challenger.version} of {run.trusted.resolved.champion[0]}"
    lines = [f"{step.state}: {models} ({where})"]
    lines += [f"salt {salt}, the champion's share {share:g}"] if salt else []
    lines += [f"units count from {step.begins} on"] if step.begins else []
    _summarise(run, "\n\n".join(map(line, lines)))
    if as_json:
        options.write_json(
            {"experiment": step, "salt": salt, "share": share, "record": entry.digest if entry else None}
        )
        sys.exit(Exit.SHIP)
    click.echo("\n".join(lines))
    sys.exit(Exit.SHIP)
