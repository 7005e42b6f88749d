"""The command line: the only place that makes real effects and hands them down; errors become exit codes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

import click

from gates import __version__
from gates.canonical import canonical
from gates.contract.read import SCHEMA as CONTRACT_SCHEMA
from gates.decision import Decision, Verdict, exit_code
from gates.errors import Exit, GatesError
from gates.evidence import Evidence
from gates.fields import schema_of
from gates.flow import Flow
from gates.github.outputs import stop_commands
from gates.policy.read import schema as policy_schema
from gates.progress import Steps
from gates.report.terminal import render
from gates.source import dump
from gates.workspace import Workspace

SCHEMAS: dict[str, Callable[[], Any]] = {
    "policy": policy_schema,
    "contract": lambda: CONTRACT_SCHEMA,
    "evidence": lambda: schema_of(Evidence),
    "decision": lambda: schema_of(Decision),
}

_policy = click.option(
    "--policy",
    "-p",
    type=click.Path(path_type=Path),
    default=Path("gates.yaml"),
    show_default=True,
    help="The policy. Its folder is where paths start and where .gates/ is.",
)
_json = click.option("--json", "as_json", is_flag=True, help="Write JSON to standard output, and nothing else.")


def _flow(policy: Path) -> Flow:
    steps = Steps(sys.stderr, colour=_colour(sys.stderr))
    return Flow(workspace=Workspace(policy=policy), steps=steps, environ=os.environ)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="gates")
def cli() -> None:
    """Decide whether a machine-learning model may ship, by the rules in gates.yaml.

    \b
    Exit codes: 0 may ship, 1 may not, 2 a mistake in policy, data, model or usage,
    3 something outside failed.

    \b
    Example:
      gates run
    """


@cli.command()
@_policy
@_json
def run(policy: Path, as_json: bool) -> NoReturn:
    """Check the data, train, measure, judge and report, in one go.

    \b
    Example:
      gates run --policy models/churn/gates.yaml
    """
    flow = _flow(policy)
    try:
        decision = flow.run()
    except GatesError as error:
        decision = flow.unjudged(str(error))
        with suppress(GatesError):  # where nothing can be written, the error itself says why
            flow.publish(decision)
        if as_json:
            _show(decision, as_json=True)
        raise
    flow.publish(decision)
    _show(decision, as_json=as_json)
    sys.exit(_code(decision, flow))


@cli.command()
@_policy
@_json
@click.option("--explain", is_flag=True, help="Write out the whole policy with every default.")
def check(policy: Path, explain: bool, as_json: bool) -> None:
    """Read the policy and its contract, and tell every mistake.

    \b
    Example:
      gates check --explain
    """
    bound = _flow(policy).bound
    if as_json:
        click.echo(json.dumps(bound.explained, ensure_ascii=False))
    elif explain:
        click.echo(dump(bound.explained), nl=False)
    else:
        click.echo(f"{policy}: {len(bound.policy.gates)} gates, no mistakes")


@cli.command()
@_policy
def train(policy: Path) -> None:
    """Run the training command; what it writes lies in .gates/candidate.

    \b
    Example:
      gates train
    """
    flow = _flow(policy)
    flow.check()
    flow.train()


@cli.command()
@_policy
def measure(policy: Path) -> None:
    """Check the data, and measure candidate and champion on the holdout, into .gates/evidence.json.

    \b
    Example:
      gates measure
    """
    flow = _flow(policy)
    flow.workspace.trained()
    flow.measure(flow.check(), flow.served())


@cli.command()
@_policy
@_json
def judge(policy: Path, as_json: bool) -> NoReturn:
    """Judge .gates/evidence.json by the policy, into .gates/decision.json.

    \b
    Example:
      gates judge --json | jq .verdict
    """
    flow = _flow(policy)
    decision = flow.judge()
    _show(decision, as_json=as_json)
    sys.exit(_code(decision, flow))


@cli.command()
@_policy
@click.option("--format", "form", type=click.Choice(["markdown", "terminal"]), default="markdown", show_default=True)
def report(policy: Path, form: str) -> None:
    """Render .gates/decision.json: Markdown into .gates/report.md, or a table on the terminal.

    \b
    Example:
      gates report --format terminal
    """
    flow = _flow(policy)
    decision = flow.workspace.load_decision()
    if form == "terminal":
        _show(decision, as_json=False)
        return
    flow.write_report(decision)
    click.echo(str(flow.workspace.report))


@cli.command()
@_policy
@_json
def promote(policy: Path, as_json: bool) -> None:
    """Make the judged candidate the champion: register it and move the alias.

    \b
    Example:
      gates run && gates promote
    """
    from gates import promote as promotion

    flow = _flow(policy)
    name, alias = flow.bound.champion
    with flow.steps.step("verify"):
        decision = promotion.verified(flow.workspace, flow.bench, flow.served())
    with flow.steps.step("promote", f"models:/{name}@{alias}"):
        version = promotion.promote(flow.workspace, flow.bench, flow.registry, decision)
    told = {"model": name, "alias": alias, "version": version}
    click.echo(json.dumps(told) if as_json else f"{name} version {version} is now {alias}")


@cli.command()
@_policy
@click.option("--author", default="github-actions[bot]", show_default=True, help="The login that the token writes as.")
@click.option(
    "--evidence",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="A folder with the evidence.json of another job. The default is .gates/.",
)
def comment(policy: Path, author: str, folder: Path | None) -> NoReturn:
    """Judge the evidence anew, and keep one comment on the pull request that says so.

    The token comes from GITHUB_TOKEN. Needs a GitHub Actions run.

    \b
    Example:
      GITHUB_TOKEN=... gates comment
    """
    from gates.github import api, event, outputs
    from gates.github import comment as comments

    flow = _flow(policy)
    happened = event.read(flow.environ)
    decision = flow.judged_anew(folder or flow.workspace.work)
    body = flow.publish(decision)
    key = flow.workspace.within(flow.environ.get("GITHUB_WORKSPACE"))
    try:
        client = api.Client(happened.api_url, flow.environ.get("GITHUB_TOKEN", ""))
        done = comments.sync(client, happened, body, key=key, verdict=decision.verdict, author=author)
        click.echo(done.told, err=True)
        if done in (comments.Outcome.FORK, comments.Outcome.NO_PULL_REQUEST):
            outputs.write_summary(flow.environ, f"_{done.told}_")
    except GatesError as error:  # GitHub's trouble never turns a verdict around
        click.echo(f"gates: {error}\nThe verdict stands: {decision.verdict}.", err=True)
        sys.exit(_code(decision, flow) or error.exit_code)
    click.echo(f"{decision.verdict}: {decision.reason}")
    sys.exit(_code(decision, flow))


@cli.command()
@click.argument("document", type=click.Choice(list(SCHEMAS)), default="policy")
def schema(document: str) -> None:
    """Print the JSON Schema of a document.

    \b
    Example:
      gates schema > gates.schema.json
    """
    click.echo(json.dumps(SCHEMAS[document](), indent=2, ensure_ascii=False))


def _code(decision: Decision, flow: Flow) -> Exit:
    """Only an inconclusive verdict asks the policy; where none could be read, the verdict is an error."""
    strict = decision.verdict is Verdict.INCONCLUSIVE and flow.bound.policy.on_inconclusive == "fail"
    return exit_code(decision, inconclusive_fails=strict)


def _colour(stream: Any) -> bool:
    plain = {"NO_COLOR", "CI"} & os.environ.keys()  # a runner may offer a terminal that nobody sits at
    return stream.isatty() and not plain and os.environ.get("TERM") != "dumb"


def _show(decision: Decision, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(canonical(decision).decode() + "\n")
        return
    colour = _colour(sys.stdout)
    width = shutil.get_terminal_size((120, 24)).columns if sys.stdout.isatty() else 120
    click.echo(render(decision, width=width, colour=colour), nl=False, color=colour)


def _run_command_line() -> NoReturn:
    """Without click's own ``main``, which calls a broken pipe exit code 1: that would be a verdict."""
    try:
        with cli.make_context("gates", sys.argv[1:]) as context:
            cli.invoke(context)
        sys.exit(Exit.SHIP)
    except click.exceptions.Exit as done:  # --help, --version
        sys.exit(done.exit_code)
    finally:
        sys.stdout.flush()


def main() -> NoReturn:
    """Run the command line; every error ends in its exit code, none in a traceback."""
    stop_commands(os.environ, sys.stderr)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that a training is ended with us
    try:
        _run_command_line()
    except GatesError as error:
        click.echo(f"gates: {error}", err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(Exit.INPUT)
    except (click.Abort, KeyboardInterrupt):
        click.echo("gates: stopped", err=True)
        sys.exit(130)
    except BrokenPipeError:  # nobody reads on: what is still buffered goes nowhere, in silence
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(Exit.OUTSIDE)
    except Exception as error:  # the unforeseen is neither a verdict nor the user's mistake
        if os.environ.get("GATES_DEBUG"):
            raise
        line = (str(error).splitlines() or [""])[0]
        click.echo(f"gates: unforeseen: {type(error).__name__}: {line} (GATES_DEBUG=1 shows where)", err=True)
        sys.exit(Exit.OUTSIDE)
