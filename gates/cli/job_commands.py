"""Commands for workflows that run the steps on machines which don't trust each other."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from gates.cli import options
from gates.errors import Exit, GatesError
from gates.pipeline import baselines
from gates.pipeline.pipeline import Pipeline
from gates.pipeline.publish import facts_of, publish
from gates.system import identity
from gates.system.files import digest_of, folder_digest
from gates.wording import counted

if TYPE_CHECKING:
    from gates.documents.decision import Decision
    from gates.github.event import Event
    from gates.pipeline.session import Session
    from gates.report.run_facts import Facts

handed = click.option(
    "--handed",
    type=click.Path(path_type=Path),
    help="A folder with one folder for each job that handed something over. Needs --digests.",
)
digests = click.option("--digests", help="Lines `NAME sha256:...`, one for each folder handed over.")


def given(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the two options of a step that takes what was handed over."""
    return handed(digests(function))


def receive(session: Session, handed: Path | None, digests: str | None, *wanted: str) -> bool:
    """Lay what was handed over into ``.gates/``; False where nothing is meant to be. An empty option counts as none."""
    if not digests and (handed is None or not str(handed).strip(".")):
        return False
    if not digests or handed is None:
        raise GatesError("give both or neither", where="--handed, --digests")
    from gates.pipeline.machines.handover import receive as lay

    with session.steps.step("handed", str(handed)):
        lay(session.workspace, handed, digests, wanted)
    session.workspace.when.unlink(missing_ok=True)  # what was handed over was trained elsewhere
    return True


@contextmanager
def told(session: Session) -> Iterator[None]:
    """Publish a step that can't be done as a decision, so that whoever reports can say why."""
    try:
        yield
    except GatesError as error:
        _publish_unjudged(session, error)
        raise


def _publish_unjudged(session: Session, error: GatesError) -> tuple[Decision, Facts]:
    """Publish that nothing could be judged. Where nothing can be written either, the error itself says why."""
    decision = Pipeline(session).unjudged(error)
    facts = facts_of(session, decision)
    with suppress(GatesError):
        publish(session, decision, facts)
    return decision, facts


def hand_over(**folders: Path) -> dict[str, str]:
    """Return the outputs by which the next job finds and checks what this one made: path and digest of each folder."""
    values: dict[str, str] = {}
    for name, folder in folders.items():
        digest = folder_digest(folder)
        values |= {name: str(folder), f"{name}-digest": digest}
        click.echo(f"{name} {digest}")
    return values


def outputs(session: Session, **values: str) -> None:
    """Write outputs of this step; an underscore stands for a dash."""
    from gates.github.outputs import write_outputs

    write_outputs(session.environ, {name.replace("_", "-"): value for name, value in values.items()})


@click.command()
@click.option("--policy", "policies", default="gates.yaml", show_default=True, help="Policies or globs, one a line.")
@click.option(
    "--working-directory", "folder", default=".", show_default=True, help="The folder where the policies' paths start."
)
@click.option(
    "--paths",
    default="",
    help="Globs from the root, one a line; {folder} is the policy's folder. Default: {folder}/**.",
)
@options.as_json
def plan(policies: str, folder: str, paths: str, as_json: bool) -> None:
    """List the policies that the event of this GitHub Actions run is about: those whose files changed.

    All are judged where changes can't be determined: a new branch, a forced push, a schedule. So is what was red, or
    not judged, at the commit before a push. Needs a GitHub Actions run, a checkout with history, and for a push a
    GITHUB_TOKEN with `statuses: read`.

    \b
    Example:
      gates plan --policy 'models/*/gates.yaml'
    """
    from gates.github import changed_policies as plans
    from gates.github import event
    from gates.github.outputs import write_outputs, write_summary

    happened = event.read(os.environ)
    lines = [options.lines_of(text) for text in (policies, paths)]
    planned = plans.plan(Path.cwd(), happened, folder, lines[0], lines[1], _passed(happened))
    models = [{"policy": policy, "folder": Path(policy).parent.as_posix()} for policy in planned.policies]
    text = json.dumps(models, ensure_ascii=True)
    counts = {"count": str(len(models)), "unchanged-count": str(len(planned.unchanged))}
    write_outputs(os.environ, {"models": text, "unchanged": "\n".join(planned.unchanged), **counts})
    if not models:
        write_summary(os.environ, "**Nothing to judge:** this change touches no model.")
    if as_json:
        click.echo(text)
        return
    click.echo(f"{len(models)} of {counted(len(models) + len(planned.unchanged), 'policy')}, {planned.reason}")
    for model in models:
        click.echo(f"  {model['policy']}")


def _passed(happened: Event) -> Callable[[str], bool]:
    """Return a test of whether a policy passed on the commit before a push; False where nobody can say."""
    from gates.github import rest_api
    from gates.github.reporting import commit_status
    from gates.github.reporting.report_subject import subject

    if happened.name != "push" or happened.base_sha is None:
        return lambda _: True  # of a proposal everything that it changes is judged
    try:
        client = rest_api.Client(happened.api_url, os.environ.get("GITHUB_TOKEN", ""))
        stands = commit_status.standing(client, happened.repository, happened.base_sha)
    except GatesError as error:
        click.echo(f"gates: how the commit before was judged can't be determined: {error}", err=True)
        stands = {}
    return lambda policy: stands.get(subject(policy, happened).context.casefold()) == "success"


@click.command("check-data")
@options.policy
def check_data(policy: Path) -> NoReturn:
    """Check the policy's tables against their contract, and prepare what later jobs may see.

    Into .gates/data: the training tables, and the holdout without its labels. Into .gates/served: the stored
    predictions of champion and anchor on this holdout, or else their models. Runs no code of the candidate.

    \b
    Exit codes: 0 the contract holds, 1 it is broken, 2 a mistake in policy or data,
    3 something outside failed.

    \b
    Example:
      gates check-data --policy models/churn/gates.yaml
    """
    from gates.judge.judge import judge
    from gates.pipeline.machines import handover

    session = options.session(policy)
    with told(session):
        session.workspace.forget("data")
        pipeline = Pipeline(session)
        broken = pipeline.broken(pipeline.check())
        if broken:
            decision = judge(session.resolved, broken)
            facts = facts_of(session, decision)
            publish(session, decision, facts)
            sys.exit(options.code(decision, facts))
        data, served = session.workspace.data, session.workspace.served
        rivals = baselines.rivals(session)
        with session.steps.step("hand over", str(data)):
            handover.hand_data(session.measurement, data)
            scored = handover.hand_served(rivals, session.measurement.holdout_identity, served)
            checkout = handover.without_holdout(
                session.measurement, Path(session.environ.get("GITHUB_WORKSPACE") or ".")
            )
            made = hand_over(data=data, served=served)
    outputs(session, verdict="pass", champion="model" if scored else "", checkout=checkout, **made)
    click.echo("the data is fit to train on")
    sys.exit(Exit.SHIP)


@click.command()
@options.policy
@options.here
@options.fresh
@given
def train(policy: Path, here: bool, fresh: bool, handed: Path | None, digests: str | None) -> None:
    """Run the training command; it writes into .gates/candidate, and further seeds into .gates/seeds.

    Where the policy has train.job, the command runs as a job on a cluster: this one starts it, or finds the one that
    was started, follows it, and fetches what it left.

    With --handed it gets the tables of `gates check-data` from another machine. The policy's own tables are not
    opened, so the holdout's labels need not be here.

    \b
    Example:
      gates train
    """
    session = options.training_session(policy, here=here, fresh=fresh)
    with told(session):
        if digests and not _as_job(session):
            identity.refuse(session.environ, "the training")
        if receive(session, handed, digests, "data"):
            from gates.pipeline.machines.handover import handed_tables

            Pipeline(session).train_on(*handed_tables(session.workspace, session.resolved.policy.data.train))
        else:
            pipeline = Pipeline(session)
            pipeline.check()
            pipeline.train()
        trained = session.workspace.trained(session.resolved.policy.train.seeds)
        form = "model" if any((one / "model").is_dir() for one in trained) else "predictions"
        further = {"seeds": session.workspace.others} if len(trained) > 1 else {}
        made = hand_over(candidate=session.workspace.candidate, **further)
    outputs(session, form=form, **made)


def _as_job(session: Session) -> bool:
    """Tell whether the training runs elsewhere, so that none of the repository's code runs here."""
    return session.resolved.policy.train.job is not None and not session.here


@click.command()
@options.policy
@click.option("--model", type=click.Choice(["candidate", "champion"]), required=True, help="Whose model.")
@given
def score(policy: Path, model: str, handed: Path | None, digests: str | None) -> None:
    """Score the handed-over holdout with a model, in a job without labels and credentials.

    Further seeds are scored with the candidate, the anchor with the champion. Loading a model runs its author's
    code. The scores go into .gates/scored.

    \b
    Example:
      gates score --model candidate --handed handed --digests "$(cat digests)"
    """
    from gates.pipeline.machines import handover

    session = options.session(policy)
    with told(session):
        identity.refuse(session.environ, "a model")
        receive(session, handed, digests, "data", *(("candidate", "seeds") if model == "candidate" else ("served",)))
        with session.steps.step("score", model):
            made = hand_over(scores=handover.score(session.workspace, model, session.environ))
    outputs(session, **made)


@click.command()
@options.policy
@options.base
@options.here
@options.fresh
@options.as_json
@given
def run(
    policy: Path, base: str | None, here: bool, fresh: bool, as_json: bool, handed: Path | None, digests: str | None
) -> NoReturn:
    """Check the data, train, measure, judge and report, in one go.

    With --handed the candidate was trained on another machine: it is measured and judged without loading a model
    or asking a registry.

    \b
    Example:
      gates run --policy models/churn/gates.yaml
    """
    session = options.training_session(policy, base, here=here, fresh=fresh)
    try:
        if receive(session, handed, digests, "candidate", "seeds", "served", "scores", "champion-scores"):
            decision = _judge_handed(session)
        else:
            decision = Pipeline(session).run()
    except GatesError as error:
        decision, facts = _publish_unjudged(session, error)
        if as_json:
            options.show(decision, facts, as_json=True)
        raise
    facts = facts_of(session, decision)
    publish(session, decision, facts)
    work = session.workspace
    rows = (work.rows,) if work.rows.exists() else ()
    base_model = (work.base_model,) if work.base_model.exists() else ()
    handed_on = (work.evidence, work.decision, work.report, *rows, *base_model, *work.base_files)
    outputs(session, evidence_digest=digest_of(handed_on, work.work))
    options.show(decision, facts, as_json=as_json)
    sys.exit(options.code(decision, facts))


def _judge_handed(session: Session) -> Decision:
    from dataclasses import replace

    from gates.pipeline.machines import handover

    elsewhere = replace(session, scores_of=lambda name: handover.handed_scores(session.workspace, name))
    return Pipeline(elsewhere).run_handed(handover.handed_rivals(session.workspace))
