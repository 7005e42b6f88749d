"""Commands that speak to GitHub: the comment with its status, annotations, and the look at a repository."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from gates.cli import common
from gates.decision import unchanged as unchanged_model
from gates.errors import Exit, GatesError

if TYPE_CHECKING:
    from gates.flow import Flow
    from gates.github.api import Client
    from gates.github.event import Event

NOTHING_NEW = "nothing that the model is made of has changed"


@click.command()
@common.policy
@common.base
@click.option("--author", default="github-actions[bot]", show_default=True, help="The login that the token writes as.")
@click.option(
    "--evidence",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="A folder with the evidence.json of another job. The default is .gates/.",
)
@click.option("--unchanged", is_flag=True, help="Say that no input of the model has changed: nothing to judge.")
def comment(policy: Path, base: str | None, author: str, folder: Path | None, unchanged: bool) -> NoReturn:
    """Judge the evidence anew, keep one comment on the pull request that says so, and set the commit's status.

    The token comes from GITHUB_TOKEN. Needs a GitHub Actions run.

    \b
    Example:
      GITHUB_TOKEN=... gates comment
    """
    from gates.github import api, event, outputs, status
    from gates.github import comment as comments
    from gates.report import Past
    from gates.report.markdown import render

    flow = common.flow(policy, base)
    happened = event.read(flow.environ)
    client = api.Client(happened.api_url, flow.environ.get("GITHUB_TOKEN", ""))
    flow = replace(flow, approver=_approver(flow, client, happened))
    if unchanged:
        decision = unchanged_model(flow.bound.policy.model, NOTHING_NEW)
    else:
        decision = flow.judged_anew(folder or flow.workspace.work)
    flow.publish(decision)
    verdict, code = flow.settled(decision).verdict, common.code(decision, flow)
    if code is Exit.SHIP and flow.facts(decision).weaker and not flow.approver and not unchanged:
        code = Exit.STOP
        click.echo("gates: the policy gets weaker, which nobody who may has approved", err=True)
    key = flow.workspace.within(flow.environ.get("GITHUB_WORKSPACE"))

    def write(history: tuple[Past, ...]) -> str:
        return render(decision, flow.facts(decision, history))

    failed: list[GatesError] = []
    try:
        done = comments.sync(client, happened, write, key=key, verdict=verdict, author=author, create=not unchanged)
        click.echo(done.told, err=True)
        if done in (comments.Outcome.FORK, comments.Outcome.NO_PULL_REQUEST):
            outputs.write_summary(flow.environ, f"_{done.told}_")
    except GatesError as error:
        failed.append(error)
    try:
        click.echo(status.put(client, happened, status.of(decision, flow.facts(decision), code, key)), err=True)
    except GatesError as error:
        failed.append(error)
    for trouble in failed:  # GitHub's trouble never turns a verdict around
        click.echo(f"gates: {trouble}", err=True)
    if failed:
        click.echo(f"The verdict stands: {verdict}.", err=True)
    click.echo(f"{verdict}: {decision.reason}")
    sys.exit(code or (failed[0].exit_code if failed else code))


def _approver(flow: Flow, client: Client, happened: Event) -> str | None:
    """Who approved that the policy gets weaker; None where it does not, or where nobody can be told to have."""
    from gates.github.people import weaker_policy_approved

    try:
        weaker = flow.base is not None and any(change.kind.weakens for change in flow.base.changes(flow.bound))
    except GatesError:  # nothing can be judged either
        return None
    if not weaker or happened.pr is None:
        return None
    try:
        return weaker_policy_approved(client, happened.repository, happened.pr, happened.head_sha)
    except GatesError as error:
        click.echo(f"gates: whether the weaker policy is approved can't be told: {error}", err=True)
        return None


@click.command()
@common.policy
def annotate(policy: Path) -> None:
    """Tell the runner of a job which lines of the policy did not hold: `gates report --format annotations`, obeyed.

    It is a step of its own, as any other command here lets the runner obey nothing that it prints.

    \b
    Example:
      gates annotate
    """
    from gates.report.annotation import render

    flow = common.flow(policy)
    decision = flow.workspace.load_decision()
    click.echo(render(decision, flow.facts(decision)), nl=False)
    sys.stdout.flush()


SPEAKS = annotate.name


def is_obeyed(arguments: list[str]) -> bool:
    """Whether the runner shall obey what this command prints: only where nothing but escaped text is printed."""
    return arguments[:1] == [SPEAKS] and "GITHUB_ACTIONS" in os.environ
