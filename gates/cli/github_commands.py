"""Commands that talk to GitHub: the comment with its status, annotations, and the check of a repository."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from gates.cli import options
from gates.documents.decision import Decision, Past
from gates.documents.decision import unchanged as unchanged_model
from gates.errors import Exit, GatesError
from gates.pipeline.pipeline import Pipeline
from gates.pipeline.publish import facts_of, publish, status_of
from gates.pipeline.session import Session
from gates.report.run_facts import Facts
from gates.system.progress import Steps

if TYPE_CHECKING:
    from gates.doctor.seen import RegistryBranch
    from gates.github.event import Event
    from gates.github.rest_api import Client

AUTHOR = "github-actions[bot]"  # who writes with the token of a workflow
NOTHING_NEW = "nothing that goes into the model has changed"


@click.command()
@options.policy
@options.base
@click.option("--author", default=AUTHOR, show_default=True, help="The login that the token writes as.")
@click.option(
    "--evidence",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="A folder with the evidence.json of another job. The default is .gates/.",
)
@click.option("--reason", default="", help="Why there is no evidence, if there is none.")
def comment(policy: Path, base: str | None, author: str, folder: Path | None, reason: str) -> NoReturn:
    """Judge the evidence again, keep one comment about it on the pull request, and set the commit's status.

    The token comes from GITHUB_TOKEN. Needs a GitHub Actions run.

    \b
    Example:
      GITHUB_TOKEN=... gates comment
    """
    from gates.github import event

    session = options.session(policy, base)
    happened = event.read(session.environ)
    session.approver = approver(session, happened)
    decision = Pipeline(session).judge_anew(folder or session.workspace.work, reason)
    facts = facts_of(session, decision, folder)
    publish(session, decision, facts)
    code, failed = tell(session, happened, decision, facts, author=author)
    sys.exit(code or (failed[0].exit_code if failed else code))


def tell(
    session: Session, happened: Event, decision: Decision, facts: Facts, *, author: str, create: bool = True
) -> tuple[Exit, list[GatesError]]:
    """Write comment and commit status of a decision.

    Gives the exit code that follows from it, and what GitHub failed at, which never turns a verdict around. Without
    ``create`` nothing has changed, and a missing comment is not missed.
    """
    from gates.github import outputs, rest_api
    from gates.github.reporting import comment as comments
    from gates.github.reporting import commit_status
    from gates.github.reporting.report_subject import subject
    from gates.report.markdown import render

    verdict, code = facts.verdict(decision), options.code(decision, facts)
    if code is Exit.SHIP and facts.weaker and not facts.approver and create:
        code = Exit.STOP
        click.echo("gates: the policy gets weaker, and nobody has approved that", err=True)
    about = subject(session.path, happened)

    def write(history: tuple[Past, ...]) -> str:
        return render(decision, replace(facts, history=history))

    def comment(client: Client) -> None:
        done = comments.sync(
            client, happened, write, key=about.key, base=about.base, verdict=verdict, author=author, create=create
        )
        click.echo(done.told, err=True)
        if done in (comments.Outcome.FORK, comments.Outcome.NO_PULL_REQUEST):
            outputs.write_summary(session.environ, f"_{done.told}_")

    def set_status(client: Client) -> None:
        told = status_of(decision, facts, code, about.context)
        click.echo(commit_status.put(client, happened, told), err=True)

    failed: list[GatesError] = []
    for act in (comment, set_status):
        try:
            act(rest_api.Client(happened.api_url, session.environ.get("GITHUB_TOKEN", "")))
        except GatesError as error:
            failed.append(error)
    for trouble in failed:
        click.echo(f"gates: {trouble}", err=True)
    if failed:
        click.echo(f"The verdict stands: {verdict}.", err=True)
    click.echo(f"{verdict}: {decision.reason}")
    return code, failed


def tell_unchanged(
    session: Session, happened: Event, decision: Decision, facts: Facts, *, author: str
) -> tuple[Exit, list[GatesError]]:
    """Report a decision where nothing has changed: a refusal is left standing, and ends with ``Exit.STOP``."""
    from gates.github import rest_api
    from gates.github.reporting import commit_status
    from gates.github.reporting.report_subject import subject

    if happened.may_write:
        context = subject(session.path, happened).context
        try:
            client = rest_api.Client(happened.api_url, session.environ.get("GITHUB_TOKEN", ""))
            stands = commit_status.kept(client, happened, context)
            if stands:
                click.echo(f"{commit_status.put(client, happened, stands)} {stands.description}", err=True)
                return Exit.STOP, []
        except GatesError as error:
            click.echo(f"gates: {error}", err=True)
            return Exit.OUTSIDE, [error]
    return tell(session, happened, decision, facts, author=author, create=False)


@click.command()
@click.option("--policies", required=True, help="Policies, from the repository's root, one a line.")
@click.option("--author", default=AUTHOR, show_default=True, help="The login that the token writes as.")
def unchanged(policies: str, author: str) -> NoReturn:
    """Report that there is nothing to judge, for policies whose model has not changed.

    Sets their commit status, and edits their comment if there is one. An earlier failure remains.

    \b
    Exit codes: 0 reported, 1 an earlier failure remains, 2 a mistake in usage, 3 GitHub failed.

    The token comes from GITHUB_TOKEN. Needs a GitHub Actions run.

    \b
    Example:
      GITHUB_TOKEN=... gates unchanged --policies "$(cat unchanged)"
    """
    from gates.github import event

    happened = event.read(os.environ)
    failed: list[GatesError] = []
    stands = False
    for name in options.lines_of(policies):
        session = options.session(Path(name))
        try:
            decision = unchanged_model(session.resolved.policy.model, NOTHING_NEW)
            facts = facts_of(session, decision)
            code, trouble = tell_unchanged(session, happened, decision, facts, author=author)
            stands, failed = stands or code is Exit.STOP, failed + trouble
        except GatesError as error:  # a policy that can't be read, which nobody has touched
            click.echo(f"gates: {error}", err=True)
    sys.exit(failed[0].exit_code if failed else Exit.STOP if stands else Exit.SHIP)


def approver(session: Session, happened: Event) -> str | None:
    """Return who approved that the policy gets weaker; None if it does not, or if nobody is known to have."""
    from gates.github.people.reviewers import weaker_policy_approved
    from gates.github.rest_api import Client

    try:
        weaker = session.base is not None and any(
            change.kind.weakens for change in session.base.changes(session.resolved)
        )
    except GatesError:  # nothing can be judged either
        return None
    if not weaker or happened.pr is None:
        return None
    try:
        client = Client(happened.api_url, session.environ.get("GITHUB_TOKEN", ""))
        return weaker_policy_approved(client, happened.repository, happened.pr, happened.head_sha)
    except GatesError as error:
        click.echo(f"gates: whether the weaker policy is approved can't be determined: {error}", err=True)
        return None


@click.command()
@options.policy_alone
def annotate(policy: Path) -> None:
    """Annotate the lines of the policy that failed: `gates report --format annotations`, as commands to the runner.

    Run it as a step of its own: all other gates commands stop the runner from obeying what they print.

    \b
    Example:
      gates annotate
    """
    from gates.report.ci.annotation import render

    session = options.session(policy)
    session.steps = Steps(sys.stderr, quiet=True)  # what steps say may quote anything
    decision = session.workspace.load_decision()
    click.echo(render(decision, facts_of(session, decision)), nl=False)
    sys.stdout.flush()


def _registry(folder: Path) -> RegistryBranch | None:
    """Return what this clone knows of the branch that is the registry; None where it is MLflow, or nothing was
    promoted."""
    from gates.doctor.seen import RegistryBranch
    from gates.ledger.ledger import opened
    from gates.registry.address import named
    from gates.registry.git_registry import held, limit

    try:
        ledger = opened(folder, os.environ)
        known = named(os.environ, folder) is None and ledger.seen()
    except GatesError:  # no repository that git accepts: other commands say so
        return None
    return RegistryBranch(held=held(ledger.git, ledger.remote), limit=limit(os.environ)) if known else None


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False), default=Path())
@click.option("--repository", help="OWNER/NAME on GitHub. The default is the run's own, or that of the remote origin.")
@click.option("--offline", is_flag=True, help="Check files only, even with a token.")
@options.as_json
@options.verbose
def doctor(folder: Path, repository: str | None, offline: bool, as_json: bool) -> NoReturn:
    """Check a repository and its settings on GitHub: what is missing or unsafe, and how to fix it.

    Checks settings if GITHUB_TOKEN or GH_TOKEN has a token; those of environments and branches need an
    administrator's. Changes nothing.

    \b
    Exit codes: 0 nothing is missing or unsafe, 1 something is, 2 a mistake in usage, 3 GitHub failed.

    \b
    Example:
      GH_TOKEN=$(gh auth token) gates doctor
    """
    from gates import doctor as doctors
    from gates.checkout.survey import repository_of, server_of, survey
    from gates.doctor.file_checks import FILES
    from gates.doctor.setting_checks import SETTINGS
    from gates.github import event, rest_api
    from gates.github.settings import read
    from gates.report.terminal.checks import render

    name = repository or repository_of(folder, os.environ)
    token = os.environ.get("GITHUB_TOKEN") or os.environ.get("GH_TOKEN")
    settings = None
    if token and name and not offline:
        with options.steps().step("github", name):
            settings = read(rest_api.Client(event.api_url(os.environ), token), event.named(name))
    seen = survey(folder, name, settings, _registry(folder), server_of(folder, os.environ))
    found = doctors.examine(seen, (*FILES, *SETTINGS))
    options.tell(found, partial(render, found), as_json=as_json)
    sys.exit(found.exit_code)
