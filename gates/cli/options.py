"""What commands share: options, and how a decision is shown and becomes an exit code."""

from __future__ import annotations

import os
import secrets
import shutil
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gates.checkout.workspace import Workspace
from gates.documents.decision import Decision, exit_code
from gates.errors import Exit
from gates.github.event import Event
from gates.pipeline.session import Session
from gates.report.run_facts import Facts
from gates.report.terminal.verdicts import render
from gates.schema.canonical import canonical
from gates.system.activity import ActivityLog
from gates.system.progress import Steps
from gates.system.telemetry import spans

if TYPE_CHECKING:
    from gates.checkout.trusted_policy import TrustedPolicy
    from gates.documents.record import Run

HEARD = "gates.heard"  # in click's context


def _listen(context: click.Context, _: click.Parameter, asked: bool) -> None:
    if not asked or HEARD in context.meta:
        return
    heard = context.meta[HEARD] = ActivityLog()
    heard.listen()
    context.call_on_close(heard.close)
    context.call_on_close(steps().tell)  # what no step told; called first


verbose = click.option(
    "--verbose",
    "-v",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_listen,
    help="Show what each step runs: commands, queries, files, registry, GitHub's API.",
)
policy_alone = click.option(
    "--policy",
    "-p",
    type=click.Path(path_type=Path),
    default=Path("gates.yaml"),
    show_default=True,
    help="The policy. Its paths start in its folder, and .gates/ is there.",
)


def policy(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of every command that has a policy."""
    return policy_alone(verbose(command))


base = click.option(
    "--base",
    metavar="REVISION",
    help="A commit whose policy judges as well; the worse verdict counts. In a run of a pull request: the base commit.",
)
here = click.option("--here", is_flag=True, help="Train on this machine, whatever train.job says.")
fresh = click.option("--fresh", is_flag=True, help="Start another job, even if one of the same inputs is there.")
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, and nothing else.")


def steps(*, quiet: bool = False, took: Path | None = None) -> Steps:
    """Show progress on standard error. ``quiet``: for somebody at a terminal alone, unless what was run is asked for.
    ``took``: where a terminal's progress remembers how long steps take."""
    context = click.get_current_context(silent=True)
    heard: ActivityLog | None = context.meta.get(HEARD) if context else None
    return Steps(sys.stderr, quiet=quiet and heard is None, colour=colour(sys.stderr), heard=heard, took=took)


def lines_of(*texts: str) -> list[str]:
    """Return the lines of options that take one thing a line, without blank ones."""
    return [line.strip() for text in texts for line in text.splitlines() if line.strip()]


def today() -> str:
    """Return the day by UTC: YYYY-MM-DD."""
    return datetime.now(UTC).date().isoformat()


def session(policy: Path, base: str | None = None, about: Event | None = None) -> Session:
    """Open a session for a policy. ``base``: a revision whose policy judges, too. ``about``: what the run is about,
    where its own event doesn't say it."""
    workspace = Workspace(policy=policy)
    return Session(
        workspace=workspace,
        steps=steps(took=workspace.took),
        environ=os.environ,
        today=today(),
        against=base,
        about=about,
    )


def training_session(policy: Path, base: str | None = None, *, here: bool, fresh: bool) -> Session:
    """Open a session of a command that trains: on this machine, or by a job that is no earlier one."""
    opened = session(policy, base)
    opened.here, opened.fresh = here, secrets.token_hex(8) if fresh else ""
    return opened


def trusted_session(policy: Path) -> tuple[Session, TrustedPolicy]:
    """Open a session under the policy of the default branch, and return that policy, too."""
    from gates.checkout.trusted_policy import trusted

    opened = session(policy)
    opened.trusted = trusted(opened.workspace, opened.environ)
    return opened, opened.trusted


def run_of(session: Session) -> Run:
    """Return who runs this. Outside a repository that is said where the ledger is."""
    from gates.promotion import provenance
    from gates.system.git import repository

    found = repository(session.workspace.root, session.environ)
    alone = "" if found else "; not in a git repository, so the policy is the local file"
    with session.steps.step("ledger", session.ledger.told + alone):
        return provenance.run(session.environ, found[0] if found else None)


def code(decision: Decision, facts: Facts) -> Exit:
    """Return the exit code of what waivers, the policy's mode and its ``on_inconclusive`` make of the decision."""
    spans.judged(str(facts.verdict(decision)), str(decision.code))
    return exit_code(
        decision,
        verdict=facts.verdict(decision),
        inconclusive_fails=facts.strict,
        observing=facts.observing is not None,
    )


def colour(stream: Any) -> bool:
    """Tell whether to colour: for somebody at a terminal."""
    plain = {"NO_COLOR", "CI"} & os.environ.keys()  # a runner may offer a terminal that nobody sits at
    return stream.isatty() and not plain and os.environ.get("TERM") != "dumb"


def width() -> int:
    """Return the columns of the terminal; 120 where there is none."""
    return shutil.get_terminal_size((120, 24)).columns if sys.stdout.isatty() else 120


def write_json(value: Any) -> None:
    """Print canonical JSON."""
    sys.stdout.write(canonical(value).decode() + "\n")


def show(decision: Decision, facts: Facts, *, as_json: bool) -> None:
    """Print the decision, as JSON or for people."""
    tell(decision, partial(render, decision, facts), as_json=as_json)


def tell(value: Any, render: Callable[..., str], *, as_json: bool) -> None:
    """Print a value: as JSON, or as ``render(width=..., colour=...)`` writes it for people."""
    if as_json:
        write_json(value)
        return
    coloured = colour(sys.stdout)
    click.echo(render(width=width(), colour=coloured), nl=False, color=coloured)
