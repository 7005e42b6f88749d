"""Commands about data alone: write a first contract, check a table, bring data here."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, get_args

import click

from gates.checkout.workspace import load_contract
from gates.cli import options
from gates.errors import GatesError
from gates.github.caller_workflows import UNPINNED
from gates.policy.sections import EngineName

if TYPE_CHECKING:
    from gates.metrics import Task
    from gates.project.first_policy import Start
    from gates.project.github_setup import Connected
    from gates.project.guesses import Guessed

CONTRACT = "contract.yaml"
TASKS = ("binary", "multiclass", "regression", "ranking", "score")


@click.command()
@click.argument("data", required=False)
@click.option("--label", help="The column with the truth. By default it is guessed, and gates.yaml says why.")
@click.option(
    "--task",
    type=click.Choice(TASKS),
    metavar="TASK",
    help=f"{', '.join(TASKS[:-1])} or {TASKS[-1]}. By default it is guessed from the label.",
)
@click.option("--query", help="The column of the query that rows are ranked for: task ranking.")
@click.option("--holdout", help="Labelled rows to judge on; DATA is then the training data.")
@click.option("--key", help="The column by which predictions find their rows; no value may repeat.")
@click.option("--model", help="The model's name. The default is the folder's.")
@click.option("--github", is_flag=True, help="Write all workflows and the lines of CODEOWNERS for gates.yaml.")
@click.option("--jenkins", is_flag=True, help="Write a Jenkinsfile for gates.yaml.")
@click.option(
    "--monitoring", is_flag=True, help="Write alert rules and a dashboard of the model's gates.yaml into monitoring/."
)
@click.option(
    "--check", "checking", is_flag=True, help="With --monitoring: tell where these no longer match the policy."
)
@click.option("--template", is_flag=True, help="Create a whole starter repository, with its own data.")
@click.option(
    "--owners", help="With --github or --template: who owns the policy and the workflows, such as @acme/ml-leads."
)
@click.option("--gates", "pin", metavar="OWNER/NAME@COMMIT", help="With either: the copy of gates to call.")
@click.option("--python", type=click.Choice(["3.11", "3.12", "3.13"]), help="With --template: the Python that trains.")
@click.option("--defaults", is_flag=True, help="With --template: ask nothing. Without a terminal, gates never asks.")
@click.option("--force", is_flag=True, help="Overwrite what is there.")
def init(
    data: str | None,
    label: str | None,
    task: Task | None,
    query: str | None,
    holdout: str | None,
    key: str | None,
    model: str | None,
    github: bool,
    jenkins: bool,
    monitoring: bool,
    checking: bool,
    template: bool,
    owners: str | None,
    pin: str | None,
    python: str | None,
    defaults: bool,
    force: bool,
) -> None:
    """Write a first contract.yaml, gates.yaml and workflow from what the data looks like.

    DATA is CSV, Parquet, JSON lines, or a glob of them. The files fit it; review and edit them.
    With --github and no DATA: write what the gates.yaml here needs on GitHub. Existing files stay.
    With --jenkins and no DATA: write what it needs on Jenkins, a Jenkinsfile.
    With --monitoring and no DATA: write rules for Prometheus, their tests, and a dashboard for Grafana. Existing files
    stay. With --check, too, nothing is written, and it ends with 1 where they no longer match the policy.
    With --template and no DATA: create a starter repository, which copier update keeps up to date.

    \b
    Example:
      gates init data/train.parquet --holdout data/holdout.parquet --label churn
      gates init --github --owners @acme/ml-leads
      gates init --jenkins
      gates init --monitoring
      gates init --template --gates acme/gates@COMMIT
    """
    from gates.project import first_policy as starting
    from gates.project.guesses import Said

    root = Path.cwd()
    if monitoring or checking:
        if not monitoring or data is not None or github or jenkins or template:
            raise click.UsageError("--monitoring goes alone or with --check, and --check with nothing else")
        from gates.cli.after_release.observe_commands import init_monitoring

        init_monitoring(root, checking=checking, force=force)
        return
    if template:
        if data is not None or github or jenkins:
            raise GatesError("goes with neither DATA nor --github", where="--template", hint="It includes both.")
        ask = not defaults and sys.stdin.isatty()
        _lay(root, model=model, pin=pin, owners=owners, python=python, ask=ask, force=force)
        return
    if jenkins:
        if data is not None or github:
            raise click.UsageError("--jenkins goes alone or with --force")
        _tell_jenkins(root, force=force)
        return
    if data is None and not github:
        raise GatesError("DATA is missing", where="init", hint="Name a table, or see gates init --help.")
    start = None
    if data is not None:
        said = Said(label=label, key=key, task=task, query=query)
        asked = starting.FirstPolicy(data=data, holdout=holdout, model=model, said=said)
        with options.steps().step("look", " and ".join(path for path in (data, holdout) if path)):
            start = starting.init(asked, root, force=force)
        for path in start.written:
            click.echo(f"wrote {os.path.relpath(path, root)}")
    if github:
        from gates.project.github_setup import connect

        _tell(connect(root, pin=pin, owners=owners, force=force), root)
    if start:
        click.echo(_next(start))


def _tell_jenkins(root: Path, *, force: bool) -> None:
    """Write the Jenkinsfile, and say what is left to do by hand."""
    from gates.project.jenkins_setup import connect, settings

    path, written = connect(root, force=force)
    click.echo(f"{'wrote' if written else 'kept'} {os.path.relpath(path, root)}")
    click.echo("\nOn Jenkins:")
    for number, step in enumerate(settings(), 1):
        click.echo(f"  {number}. {step}")


def _lay(root: Path, **how: Any) -> None:
    """Lay the template down, and say what to do now."""
    from gates.project.starter_repository import lay

    laid = lay(root, **how)
    for path in laid.written:
        click.echo(f"wrote {os.path.relpath(path, root)}")
    steps = ["git add --all && git commit", "gates run", "Push it to GitHub; gates doctor then shows what is missing."]
    if not laid.is_repository:
        steps.insert(0, "git init --initial-branch main")
    if not laid.is_pinned:
        steps.append("To name your copy of gates, run this again with --gates OWNER/NAME@COMMIT --force.")
    steps.append("README.md explains each file, and how to add your own data and model.")
    click.echo("\n".join(["", "Next:", *(f"  {number}. {step}" for number, step in enumerate(steps, 1))]))


def _tell(done: Connected, root: Path) -> None:
    """Print what came of it, and what is left to do by hand."""
    for path in done.written:
        click.echo(f"wrote {os.path.relpath(path, root)}")
    for path in done.kept:
        click.echo(f"kept {os.path.relpath(path, root)}, which differs; --force overwrites it")
    steps = list(done.settings)
    if done.unowned:
        steps.insert(0, f"Owners, by --owners or by hand in CODEOWNERS, of {', '.join(done.unowned)}.")
    if done.home.commit == UNPINNED[1]:
        how = "run this again with --gates OWNER/NAME@COMMIT to write it"
        steps.insert(0, f"In the workflows: your copy of gates, by a full commit; {how}.")
    click.echo("\nOn GitHub, under Settings:")
    for number, step in enumerate(steps, 1):
        click.echo(f"  {number}. {step}")
    click.echo("gates doctor shows what is still missing.")


def _next(start: Start) -> str:
    """Write what to do now: the guesses to look at, and the next commands."""
    path = start.tables[-1].path
    steps = (
        *_questions(start.guessed),
        "Review the gates in gates.yaml: their limits are a start, not what your model must reach.",
        "Review contract.yaml: its ranges are those of this data, widened.",
        f"gates data {shlex.quote(path)}",
        "Write the training command, and name it under train: in gates.yaml; then: gates run",
        "gates init --github --gates OWNER/NAME@COMMIT writes the other workflows, and your copy of gates into all.",
    )
    return "\n".join(["", "Next:", *(f"  {number}. {step}" for number, step in enumerate(steps, 1))])


def _questions(guessed: Guessed) -> Iterator[str]:
    """Yield what was guessed and why, as questions about gates.yaml; and what to change where the answer is no."""
    guess = guessed.guess
    if guess.label is None and guessed.task != "score":
        yield "Name the label in gates.yaml: no column stood out. Or run this again with --label and --force."
        return
    if guess.label is not None:
        why = f"It is {guessed.label_why}." if guessed.label_why else "You said so."
        yield f"Review gates.yaml: is {guess.label} the label? {why}"
    if not guessed.task_said:
        yield f"Is the task {guessed.task}? {guessed.task_why}. If not, run this again with --task and --force."
    if guessed.query_why:
        yield f"Is {guessed.query} the query that rows are ranked for? It is {guessed.query_why}."
    if guessed.positive_why:
        positive = f"{guess.positive:g}" if isinstance(guess.positive, float) else str(guess.positive)
        yield f"Is {positive} the positive class? It is {guessed.positive_why}. If not, change positive in gates.yaml."


@click.command()
@click.argument("file")
@click.option(
    "--contract",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The contract. Default: contract.yaml next to the data, otherwise in the current folder.",
)
@click.option(
    "--engine",
    type=click.Choice(get_args(EngineName)),
    default="duckdb",
    show_default=True,
    help="The engine that reads the table. With spark, FILE may be a table of its catalog. Both give the same result.",
)
@options.as_json
@options.verbose
def data(file: str, contract: Path | None, engine: EngineName, as_json: bool) -> NoReturn:
    """Check one table against its contract: CSV, Parquet, JSON lines, or a glob of them.

    Needs no policy. Rules that need the training data are skipped and named.

    \b
    Exit codes: 0 the contract holds, 1 it is broken, 2 a mistake in data, contract or usage,
    3 something outside failed.

    \b
    Example:
      gates data data/holdout.parquet --contract contract.yaml
    """
    from gates.measure.engines import connect
    from gates.measure.holdout.tables import open_table
    from gates.pipeline.data_check import hold
    from gates.report.terminal.checked_table import render

    path = contract or _found(file)
    rules = load_contract(path)
    with options.steps(quiet=True).step("data", file):
        tables = connect(engine=engine)
        opened = open_table(tables, Path.cwd(), file, Path(file).name)
        checked = hold(tables, opened, rules, path.resolve().parent)
    options.tell(checked, partial(render, checked), as_json=as_json)
    sys.exit(checked.exit_code)


def _found(file: str) -> Path:
    """Return the contract beside the data, else that of the current folder."""
    places = (Path(file).parent / CONTRACT, Path(CONTRACT))
    for place in places:
        if place.is_file():
            return place
    looked = " or ".join(dict.fromkeys(str(place) for place in places))
    raise GatesError(
        f"no contract found: there is no {looked}",
        where=file,
        hint="Name one with --contract; gates init writes a first.",
    )


@click.command()
@options.policy
@options.base
@click.option("--command", help="Run this command instead, as bash reads it.")
@click.option("--fresh", is_flag=True, help="Copy again what is there already.")
@options.as_json
def fetch(policy: Path, base: str | None, command: str | None, fresh: bool, as_json: bool) -> None:
    """Copy the tables from where the policy's data.from says that they are kept, once, with a receipt each.

    From object stores (s3, gs, az) and by a query; what lies there already as it was copied stays. The receipt goes
    into the record. In a run of a pull request data.from and the queries must be those of the base commit.

    With --command a command of your own fetches, with credentials that nothing else gets to see: DATA_CREDENTIAL as it
    is, and GATES_FETCH_CREDENTIALS, lines NAME=VALUE, each of which becomes a variable. A role among them is exchanged
    for the job's own identity.

    \b
    Example:
      gates fetch --policy models/churn/gates.yaml
      GATES_FETCH_CREDENTIALS="AWS_REGION=eu-central-1" gates fetch --command 'echo "$AWS_REGION"'
    """
    if command is not None:
        from gates.system.fetching import fetch as fetched

        with _reason():
            fetched(command, os.environ)
        return
    from gates.pipeline.fetched_tables import fetch as copy

    session = options.session(policy, base)
    with _reason():
        done = list(copy(session, fresh=fresh))
    if as_json:
        tables = [
            {"table": table, "copied": now, "pointer": receipt.pointer, **asdict(receipt)}
            for table, receipt, now in done
        ]
        click.echo(json.dumps({"schema": "gates/fetched/v1", "tables": tables}, ensure_ascii=True, sort_keys=True))
        return
    for table, receipt, now in done:
        click.echo(f"{table} {'copied' if now else 'is there already'}: {', '.join(receipt.files)}")


@click.command("take-artifact")
@click.option(
    "--source",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Where the artifact was downloaded to. It is gone afterwards.",
)
@click.option("--folder", default="artifact", show_default=True, help="The folder for it, from the repository's root.")
@click.option("--checkout", default="", help="Patterns of a sparse checkout; files that they leave out are dropped.")
@click.option("--digest", default="", help="The digest that the first job printed, which this one must have.")
def take_artifact(source: Path, folder: str, checkout: str, digest: str) -> None:
    """Lay a downloaded artifact into the checkout, as data: plain files in a new folder, and nothing of the commit
    changes.

    Refuses links, special files, more than 10,000 files or 16 GiB, and a folder that the commit has.

    \b
    Example:
      gates take-artifact --source downloaded --folder graded
    """
    from gates.github.outputs import write_outputs
    from gates.pipeline.machines.artifact import take

    root = Path(os.environ.get("GITHUB_WORKSPACE") or ".")
    with _reason():
        found = take(source, folder, root, os.environ, patterns=checkout, digest=digest)
    write_outputs(os.environ, {"digest": found})
    click.echo(f"{folder} {found}")


@contextmanager
def _reason() -> Iterator[None]:
    """Write why a step failed as its output, so that the report can say so."""
    from gates.github.outputs import write_outputs

    try:
        yield
    except GatesError as error:
        write_outputs(os.environ, {"reason": str(error)})
        raise
