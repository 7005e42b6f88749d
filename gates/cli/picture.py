"""The command that draws what was judged into the pull request's comment."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from gates.cli import common
from gates.cli.github import AUTHOR, approver
from gates.errors import Exit, GatesError
from gates.publish import facts

if TYPE_CHECKING:
    from gates.decision import Decision
    from gates.flow import Flow
    from gates.github.event import Event
    from gates.report import Past, Picture


@click.command()
@click.option("--evidence", type=click.Path(path_type=Path), required=True, help="Where the run's artifacts lie.")
@click.option("--policy", "policies", default="gates.yaml", show_default=True, help="Policies or globs, a line each.")
@click.option("--working-directory", "folder", default=".", show_default=True, help="Where the policies' paths start.")
@click.option("--author", default=AUTHOR, show_default=True, help="The login that the token writes as.")
def picture(evidence: Path, policies: str, folder: str, author: str) -> NoReturn:
    """Draw what was judged, keep the picture in the branch gates-pictures, and show it in the comment that stands on
    the pull request.

    Evidence is judged anew, as gates comment does. The comment is whole without a picture: what can't be drawn or
    stored is told, and blocks nothing. The token comes from GITHUB_TOKEN, and must be one that may write contents.
    Needs a GitHub Actions run of a pull request.

    \b
    Exit codes: 0 done or nothing to draw, 2 a mistake in usage, 3 GitHub failed.

    \b
    Example:
      GITHUB_TOKEN=... gates picture --evidence evidence
    """
    from gates.github import event

    happened = event.read(os.environ)
    if happened.pr is None or not happened.may_write:
        click.echo("no picture: this run is for no pull request, or for one of a fork, and may not write")
        sys.exit(Exit.SHIP)
    failed: list[GatesError] = []
    for flow, decision in _judged(happened, evidence, policies, folder):
        try:
            click.echo(f"{flow.workspace.policy}: {_shown(flow, decision, happened, author)}")
        except GatesError as error:
            click.echo(f"gates: {error}", err=True)
            failed.append(error)
    sys.exit(failed[0].exit_code if failed else Exit.SHIP)


def _judged(happened: Event, evidence: Path, policies: str, folder: str) -> Iterator[tuple[Flow, Decision]]:
    """Each policy about whose model the run has measured something that can be drawn."""
    from gates.github import plan, runs
    from gates.report.svg import drawable

    lines = [line.strip() for line in policies.splitlines() if line.strip()]
    for policy in plan.policies_of(Path.cwd(), folder, lines):
        flow = common.flow(Path(policy))
        try:
            found = runs.evidence_of(evidence, flow.bound.policy.model, flow.bound.measured)
        except GatesError as error:  # its comment says so already
            click.echo(f"{policy}: no picture: {error.what}")
            continue
        flow = replace(flow, approver=approver(flow, happened))
        decision = flow.judged_anew(found)
        if drawable(decision):
            yield flow, decision
        else:
            click.echo(f"{policy}: no picture: no bar has an interval")


def _shown(flow: Flow, decision: Decision, happened: Event, author: str) -> str:
    """Store the picture and put it into the comment. Gives what became of that."""
    from gates.github import api
    from gates.github import comment as comments
    from gates.report.markdown import render

    key = flow.workspace.within(flow.environ.get("GITHUB_WORKSPACE"))
    stored = _stored(flow, decision, happened, key)

    def write(history: tuple[Past, ...]) -> str:
        return render(decision, replace(facts(flow, decision, history), picture=stored))

    client = api.Client(happened.api_url, flow.environ.get("GITHUB_TOKEN", ""))
    verdict = flow.settled(decision).verdict
    return comments.sync(client, happened, write, key=key, verdict=verdict, author=author, create=False).told


def _stored(flow: Flow, decision: Decision, happened: Event, key: str) -> Picture:
    """Draw, keep, and tell where it lies."""
    from gates.git import repository
    from gates.pictures import address, store
    from gates.report import Picture, svg

    found = repository(flow.workspace.root, flow.environ)
    if found is None or happened.pr is None:
        raise GatesError("is not in a git repository, so there is no branch for pictures", where=key)
    told = facts(flow, decision)
    drawn = {scheme: svg.picture(decision, told, scheme) for scheme in ("light", "dark")}
    paths = store(found[0], "origin", happened.pr, key, drawn)
    at = {scheme: address(happened.server_url, happened.repository, path) for scheme, path in paths.items()}
    return Picture(**at, spoken=svg.spoken(decision, told))
