"""Commands about trainings that run as jobs: jobs, stop."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gates.cli import options
from gates.errors import GatesError
from gates.wording import counted

if TYPE_CHECKING:
    from gates.documents.printed.job_list import ListedJob
    from gates.launch.job_kinds import JobKind
    from gates.launch.kubectl import Kubectl
    from gates.pipeline.session import Session

_COMMIT = 7  # digits of a commit that are shown


@click.command()
@options.policy
@options.as_json
def jobs(policy: Path, as_json: bool) -> None:
    """List the jobs that train this model, the newest first: of every branch, running or ended.

    Asks the cluster of kubectl's context. A job that has ended stays for a day.

    \b
    Example:
      gates jobs
    """
    from gates.documents.printed.job_list import SCHEMA, JobList
    from gates.launch.jobs import listed

    session = options.session(policy)
    kubectl, row = _cluster(session)
    held = tuple(listed(kubectl, row, session.resolved.policy.model))
    options.tell(
        JobList(schema=SCHEMA, jobs=held), lambda **_: "".join(map(_line, held)) or "no jobs\n", as_json=as_json
    )


def _line(job: ListedJob) -> str:
    commit = f" at {job.commit[:_COMMIT]}" if job.commit else ""
    why = f": {job.why}" if job.why else ""
    return f"{job.state:<8} {job.name}  {job.ref or ''}{commit}  {job.since or ''}{why}\n"


@click.command()
@options.policy
@click.option("--stale", is_flag=True, help="Only those of another commit than the one that is checked out.")
def stop(policy: Path, stale: bool) -> None:
    """Stop the jobs that train this model for this branch.

    One that has ended stays. A signal to gates train or gates run stops its job by itself; this is for what is left.

    \b
    Example:
      gates stop --stale
    """
    from gates.launch.jobs import listed, stopping
    from gates.launch.task import LABEL
    from gates.pipeline.machines.job_training import ref_of

    session = options.session(policy)
    kubectl, row = _cluster(session)
    commit = session.checkout[0].resolve("HEAD^{commit}") if session.checkout else None
    going = [job for job in listed(kubectl, row, session.resolved.policy.model, ref_of(session)) if not job.ended]
    for job in going:
        if not (stale and commit and job.commit == commit[:LABEL]):
            kubectl.ask(*stopping(row, job.key))
            click.echo(f"stopped {job.name}")
    if not going:
        click.echo("no jobs run")
    elif stale:
        click.echo(f"looked at {counted(len(going), 'job')}")


def _cluster(session: Session) -> tuple[Kubectl, JobKind]:
    """Return kubectl, and the row of the policy's job document."""
    from gates.launch.document import kind_of
    from gates.launch.kubectl import Kubectl
    from gates.schema.yaml_text import parse
    from gates.system import files

    named = session.resolved.policy.train.job
    if named is None:
        raise GatesError(
            "is not set: this model is not trained as a job", where=f"{session.workspace.policy.name}: train.job"
        )
    source = parse(files.read(session.workspace.root / named, "Check train.job."), named)
    return Kubectl(environ=session.environ), kind_of(source)
