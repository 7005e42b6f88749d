"""Commands for what one run does for another: of a fork, of a commit to accept, or for later pull requests."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from gates.cli import options
from gates.cli.github_commands import AUTHOR, NOTHING_NEW, tell, tell_unchanged
from gates.cli.job_commands import given, receive
from gates.documents.decision import Decision, unchanged
from gates.errors import Exit, GatesError
from gates.pipeline.pipeline import Pipeline
from gates.pipeline.publish import facts_of, publish
from gates.pipeline.session import Session
from gates.wording import counted

if TYPE_CHECKING:
    from gates.github.rest_api import Client


def _client(url: str) -> Client:
    from gates.github.rest_api import Client

    return Client(url, os.environ.get("GITHUB_TOKEN", ""))


@click.command("find-fork")
def find_fork() -> None:
    """Find the pull request whose run this workflow follows, by its commit, and what that run handed over.

    Sets the outputs pull-request, base, branch and artifacts; none if there is nothing to report. The token comes
    from GITHUB_TOKEN. Needs a run of a workflow with `on: workflow_run`.

    \b
    Example:
      GITHUB_TOKEN=... gates find-fork
    """
    from gates.github import event, outputs, runs

    happened, before = event.read(os.environ), event.read_before(os.environ)
    try:
        fork = runs.find(_client(happened.api_url), happened, before)
    except runs.NothingToReportError as nothing:
        click.echo(str(nothing))
        return
    ids = ",".join(map(str, fork.artifacts))
    values = {"pull-request": str(fork.pr), "base": fork.base, "branch": fork.branch, "artifacts": ids}
    outputs.write_outputs(os.environ, values)
    click.echo(f"pull request {fork.pr}: {counted(len(fork.artifacts), 'artifact')} with evidence")


@click.command("report-fork")
@click.option("--pull-request", "pr", type=int, required=True, help="The pull request that find-fork found.")
@click.option("--branch", help="The branch that it asks to change, as find-fork gave it. By default GitHub is asked.")
@click.option(
    "--evidence", type=click.Path(path_type=Path), required=True, help="The folder with its unpacked artifacts."
)
@click.option("--policy", "policies", default="gates.yaml", show_default=True, help="Policies or globs, one a line.")
@click.option(
    "--working-directory", "folder", default=".", show_default=True, help="The folder where the policies' paths start."
)
@click.option("--paths", default="", help="As in the workflow that judged.")
@click.option("--author", default=AUTHOR, show_default=True, help="The login that the token writes as.")
def report_fork(
    pr: int, branch: str | None, evidence: Path, policies: str, folder: str, paths: str, author: str
) -> NoReturn:
    """Judge what a fork's run measured, by the policies of the base branch, which is checked out here, and report it.

    Reads what was handed over as evidence and nothing else. The fork's own run measured it, so comment and status
    say that it is not verified. The exit code is about the reporting, not about the verdict.

    \b
    Example:
      GITHUB_TOKEN=... gates report-fork --pull-request 7 --branch main --evidence evidence
    """
    from gates.github import changed_policies, event, runs

    happened = event.read(os.environ)
    client = _client(happened.api_url)
    asked = branch or runs.base_of(client, happened.repository, pr)
    happened = replace(happened, pr=pr, branch=f"refs/heads/{asked}", is_fork=True)
    lines = [options.lines_of(text) for text in (policies, paths)]
    known = changed_policies.policies_of(Path.cwd(), folder, lines[0])
    names = runs.changed(client, happened, pr)
    failed: list[GatesError] = []
    for policy in known:
        session = options.session(Path(policy), about=happened)
        touched = runs.may_touch(policy, lines[1], names)
        try:
            decision = _decide(session, evidence, touched=touched)
        except GatesError as error:
            decision = Pipeline(session).unjudged(error)
        facts = facts_of(session, decision)
        publish(session, decision, facts)
        failed += (tell if touched else tell_unchanged)(session, happened, decision, facts, author=author)[1]
    sys.exit(failed[0].exit_code if failed else Exit.SHIP)


def _decide(session: Session, evidence: Path, *, touched: bool) -> Decision:
    from gates.github import runs

    model = session.resolved.policy.model
    if not touched:
        return unchanged(model, NOTHING_NEW)
    return Pipeline(session).judge_anew(runs.evidence_of(evidence, model, session.resolved.measured))


@click.command("find-run")
@click.option("--pull-request", "pr", type=click.IntRange(min=1), required=True, help="The pull request's number.")
@click.option("--commit", required=True, help="Its newest commit, all 40 digits.")
def find_run(pr: int, commit: str) -> None:
    """Find the run that judged a pull request's commit, and what it handed over.

    Sets the outputs run and artifacts. The token comes from GITHUB_TOKEN. Needs a GitHub Actions run.

    \b
    Example:
      GITHUB_TOKEN=... gates find-run --pull-request 7 --commit "$(git rev-parse HEAD)"
    """
    from gates.github import event, outputs, runs

    happened = event.read(os.environ)
    run, artifacts = runs.judged(_client(happened.api_url), happened.repository, pr, commit)
    outputs.write_outputs(os.environ, {"run": str(run), "artifacts": ",".join(map(str, artifacts))})
    click.echo(f"run {run}: {counted(len(artifacts), 'artifact')} with evidence")


NEEDED = ("candidate", "scores", "evidence")  # to keep a model's predictions


@click.command()
@options.policy
@given
def keep(policy: Path, handed: Path | None, digests: str | None) -> None:
    """Keep this run's predictions in the branch gates-base, for later pull requests to be compared with.

    For runs of the default branch, whatever their verdict. A pull request's candidate is then compared with the model
    of the commit that it starts from, too, and its comment says whose doing a loss is. Needs `contents: write`.

    \b
    Example:
      gates run; gates keep
    """
    from gates.pipeline import keep as keeping
    from gates.pipeline.machines.handover import PARCELS

    session = options.session(policy)
    if digests:  # other jobs need more of them
        names = PARCELS.keys() - set(NEEDED)
        digests = "\n".join(line for line in digests.splitlines() if line.strip().partition(" ")[0] not in names)
    receive(session, handed, digests, *NEEDED)
    kept = keeping.keep(session)
    click.echo(f"kept for pull requests: {session.model} at {kept.commit[:7]}" if kept else "nothing was kept")
