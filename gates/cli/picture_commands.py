"""Commands that draw: what was judged, into the pull request's comment; what serves, as a badge."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from gates.cli import options
from gates.cli.github_commands import AUTHOR, approver
from gates.errors import Exit, GatesError
from gates.pipeline.pipeline import Pipeline
from gates.pipeline.publish import facts_of

if TYPE_CHECKING:
    from gates.documents.decision import Decision, Past
    from gates.github.event import Event
    from gates.pipeline.session import Session
    from gates.report.run_facts import Facts, Picture


@click.command()
@click.option("--evidence", type=click.Path(path_type=Path), required=True, help="The folder with the run's artifacts.")
@click.option("--policy", "policies", default="gates.yaml", show_default=True, help="Policies or globs, one a line.")
@click.option(
    "--working-directory", "folder", default=".", show_default=True, help="The folder where the policies' paths start."
)
@click.option("--author", default=AUTHOR, show_default=True, help="The login that the token writes as.")
def picture(evidence: Path, policies: str, folder: str, author: str) -> NoReturn:
    """Draw what was judged, keep the picture in the branch gates-pictures, and show it in the pull request's comment.

    Judges the evidence again, as gates comment does. The comment is complete without a picture: what can't be drawn
    or stored is reported, and blocks nothing. The token comes from GITHUB_TOKEN, and must be able to write contents.
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
        click.echo("no picture: this run is not for a pull request, or is for a fork's, and may not write")
        sys.exit(Exit.SHIP)
    failed: list[GatesError] = []
    for session, decision in _judged(happened, evidence, policies, folder):
        try:
            click.echo(f"{session.workspace.policy}: {_shown(session, decision, happened, author)}")
        except GatesError as error:
            click.echo(f"gates: {error}", err=True)
            failed.append(error)
    sys.exit(failed[0].exit_code if failed else Exit.SHIP)


def _judged(happened: Event, evidence: Path, policies: str, folder: str) -> Iterator[tuple[Session, Decision]]:
    """Yield each policy about whose model the run has measured something that can be drawn."""
    from gates.github import changed_policies, runs
    from gates.report.svg import drawable

    for policy in changed_policies.policies_of(Path.cwd(), folder, options.lines_of(policies)):
        session = options.session(Path(policy))
        try:
            measurement = runs.evidence_of(evidence, session.resolved.policy.model, session.resolved.measured)
        except GatesError as error:  # its comment says so already
            click.echo(f"{policy}: no picture: {error.what}")
            continue
        session.approver = approver(session, happened)
        decision = Pipeline(session).judge_anew(measurement)
        if drawable(decision):
            yield session, decision
        else:
            click.echo(f"{policy}: no picture: no rule has an interval")


def _shown(session: Session, decision: Decision, happened: Event, author: str) -> str:
    """Store the picture and put it into the comment. Gives what became of that."""
    from gates.github import rest_api
    from gates.github.reporting import comment as comments
    from gates.github.reporting.report_subject import subject
    from gates.report.markdown import render

    about = subject(session.path, happened)
    facts = facts_of(session, decision)
    facts = replace(facts, picture=_stored(session, decision, facts, happened, about.key))

    def write(history: tuple[Past, ...]) -> str:
        return render(decision, replace(facts, history=history))

    client = rest_api.Client(happened.api_url, session.environ.get("GITHUB_TOKEN", ""))
    verdict = facts.verdict(decision)
    return comments.sync(
        client, happened, write, key=about.key, base=about.base, verdict=verdict, author=author, create=False
    ).told


def _stored(session: Session, decision: Decision, facts: Facts, happened: Event, key: str) -> Picture:
    """Draw it, keep it, and say where it is."""
    from gates.github.reporting.picture_branch import address, store
    from gates.report import svg
    from gates.report.run_facts import Picture
    from gates.system.git import repository

    checkout = repository(session.workspace.root, session.environ)
    if checkout is None or happened.pr is None:
        raise GatesError("is not in a git repository, so there is no branch for pictures", where=key)
    drawn = {scheme: svg.picture(decision, facts, scheme) for scheme in ("light", "dark")}
    paths = store(checkout[0], "origin", happened.pr, key, drawn)
    at = {scheme: address(happened.server_url, happened.repository, path) for scheme, path in paths.items()}
    return Picture(**at, spoken=svg.spoken(decision, facts))


@click.command()
@options.policy
@click.option("--stage", help="The stage's alias. Default: the champion's.")
@click.option("--format", "form", type=click.Choice(["svg", "shields"]), default="svg", show_default=True)
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="The file. Default: standard output.")
@click.option("--store", "stored", is_flag=True, help="Keep it in the branch gates-pictures, and print its address.")
def badge(policy: Path, stage: str | None, form: str, output: Path | None, stored: bool) -> None:
    """Draw what serves now as a badge for a README: model, version, verdict, the first metric with its interval.

    The ledger says what was promoted and accepted, and the registry whether somebody moved the alias by hand since.
    shields is the JSON for shields.io's endpoint.

    \b
    Example:
      gates badge --output badge.svg
      gates badge --store
    """
    from gates.promotion.badge import badge_of
    from gates.report.badge_svg import shields, svg
    from gates.system import files

    session = options.session(policy)
    alias = stage or session.resolved.champion[1]
    served_badge = badge_of(
        session.ledger, None if session.no_registry else session.registry_reader, session.resolved, alias
    )
    text = {"svg": svg, "shields": shields}[form](served_badge)
    if output:
        files.write(output, text.encode("utf-8", "replace"))
    if stored:
        click.echo(
            _kept(
                session,
                f"{session.resolved.champion[0]}-{alias}",
                {".svg": svg(served_badge), ".json": shields(served_badge)},
            )
        )
    elif not output:
        click.echo(text, nl=False)


def _kept(session: Session, name: str, texts: dict[str, str]) -> str:
    """Keep the badge in both forms; gives the line that a README on GitHub shows it with."""
    from gates.github.reporting.picture_branch import BADGES, address, keep
    from gates.schema.canonical import digest_bytes
    from gates.system.git import repository

    checkout = repository(session.workspace.root, session.environ)
    if checkout is None:
        raise GatesError(
            "is not in a git repository, so there is no branch for badges", where=str(session.workspace.policy)
        )
    file = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".")
    if file != name:  # another name may look the same
        file = f"{file}-{digest_bytes(name.encode())[-16:]}"
    keep(checkout[0], "origin", BADGES, {f"{file}{ending}": text for ending, text in texts.items()})
    server = session.environ.get("GITHUB_SERVER_URL", "https://github.com")
    at = address(server, session.environ.get("GITHUB_REPOSITORY", "OWNER/NAME"), f"{BADGES}/{file}.svg")
    return f"![{file}]({at})"
