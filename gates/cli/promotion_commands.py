"""Commands that move aliases, or accept verdicts: promote, rollback, adopt, waive."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gates.cli import options
from gates.cli.job_commands import given, outputs, receive
from gates.pipeline import baselines
from gates.pipeline.acceptance import unproven
from gates.pipeline.session import Session

if TYPE_CHECKING:
    from gates.checkout.trusted_policy import TrustedPolicy
    from gates.documents.record import Approval
    from gates.policy import Stage
    from gates.promotion.transaction import Approve, PromotionContext


def _promotion_context(session: Session) -> PromotionContext:
    from gates.promotion.transaction import PromotionContext

    name = session.resolved.champion[0]
    return PromotionContext(
        name=name, registry=session.registry, ledger=session.ledger, run=options.run_of(session), say=session.steps.say
    )


def _approvals(session: Session) -> Approve:
    """Ask GitHub for approvals, with the job's token, once a stage needs somebody; outside of its runs there is nobody
    to ask."""
    from gates.promotion.promote import unapproved

    if session.environ.get("GITHUB_ACTIONS") != "true":
        return unapproved

    def approve(stage: Stage, model: str) -> tuple[Approval, ...]:
        from gates.github import event
        from gates.github.people.reviewers import of_run
        from gates.ledger.champions import trained_from

        if not stage.approvals:
            return ()
        happened = event.read(session.environ)
        since = trained_from(session.ledger, session.ledger.head(), session.resolved.champion[0], stage.alias)
        return of_run(happened, session.environ, happened.run_id, session.resolved.policy.promotion, since)(
            stage, model
        )

    return approve


key_option = click.option(
    "--key",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A private key (PEM) that signs the decision; the signed statement is stored with the record.",
)


@click.command()
@options.policy
@options.as_json
@click.option("--stage", help="The stage's alias. Default: the candidate's next stage.")
@click.option(
    "--dry-run", "rehearse", is_flag=True, help="Verify everything and say what would be done, but change nothing."
)
@key_option
@click.option(
    "--uncompared",
    metavar="REASON",
    help="Promote by the floors alone, for this reason, if the champion has predictions for another holdout only.",
)
@given
def promote(
    policy: Path,
    stage: str | None,
    rehearse: bool,
    uncompared: str | None,
    key: Path | None,
    as_json: bool,
    handed: Path | None,
    digests: str | None,
) -> None:
    """Move an alias of the registry to the judged candidate.

    Verifies candidate, evidence and decision by the policy of the default branch, judges again if the champion has
    changed, checks the approvals, moves the alias, and reads it and the stored bytes back. The ledger records it, or
    the refusal. With --handed the candidate was judged on another machine.

    \b
    Example:
      gates run && gates promote
      gates promote --stage champion --dry-run
      gates promote --uncompared "the holdout was extended, and champion v3 came as predictions"
    """
    from gates.promotion import provenance
    from gates.promotion.candidate import Candidate
    from gates.promotion.promote import promote as promoted
    from gates.system.git import repository

    session, trusted = options.trusted_session(policy)
    receive(session, handed, digests, "candidate", "seeds", "scores", "champion-scores", "evidence")
    evidence = session.workspace.load_evidence()  # before anything slow: is there something to promote?
    if digests or session.environ.get("GITHUB_ACTIONS") == "true":  # beside credentials nothing of the repository runs
        session.measurement.judged = evidence
    checkout = repository(session.workspace.root, session.environ)
    git, top = checkout or (None, None)
    candidate = Candidate(
        workspace=session.workspace,
        policy=trusted,
        measurement=session.measurement,
        code=provenance.code(git, top, session.workspace.root),
        served=partial(baselines.champion, session),
        anchor=partial(baselines.anchor, session),
        approve=_approvals(session),
        today=session.today,
        proven=partial(unproven, session),
        uncompared=(uncompared or "").strip() or None,
        key=key,
    )
    for line in provenance.uncommitted(git, top, session.resolved, session.workspace.root):
        click.echo(f"gates: warning: {line}", err=True)
    with session.steps.step("promote", f"models:/{session.resolved.champion[0]}"):
        done = promoted(_promotion_context(session), candidate, stage or None, rehearse=rehearse)
    entry = done.entry
    summary = {
        "model": session.resolved.champion[0],
        "alias": done.alias,
        "version": done.version,
        "done": entry is not None,
        "record": entry.digest if entry else None,
        "sequence": entry.record.sequence if entry else None,
    }
    outputs(session, alias=done.alias, version=done.version or "", record=entry.digest if entry else "")
    click.echo(json.dumps(summary) if as_json else done.told)


@click.command()
@options.policy
@options.as_json
@click.option("--to", "target", metavar="RECORD", help="The promotion to go back to. Default: the one before.")
@click.option("--stage", help="The stage's alias. Default: the champion's.")
@click.option("--reason", required=True, help="The reason. It is recorded.")
def rollback(policy: Path, target: str | None, stage: str | None, reason: str, as_json: bool) -> None:
    """Move an alias back to what an earlier record promoted.

    RECORD is a number from gates history, or the beginning of a record's digest.

    \b
    Example:
      gates rollback --reason "calls dropped by half since Tuesday"
      gates rollback --to 2 --reason "the last one with the old address data"
    """
    from gates.promotion.rollback import rollback as rolled_back

    session = options.session(policy)
    alias = stage or session.resolved.champion[1]
    with session.steps.step("rollback", f"models:/{session.resolved.champion[0]}@{alias}"):
        entry = rolled_back(_promotion_context(session), alias, target or None, reason)
    version = entry.record.after.version if entry.record.after else None
    summary = {
        "model": entry.record.name,
        "alias": alias,
        "version": version,
        "record": entry.digest,
        "sequence": entry.record.sequence,
    }
    outputs(session, alias=alias, version=version or "", record=entry.digest)
    click.echo(json.dumps(summary) if as_json else f"{entry.record.name} version {version} is {alias} again")


@click.command()
@options.policy
@options.as_json
@click.option("--stage", help="The stage's alias. Default: the champion's.")
@click.option("--reason", required=True, help="The reason. It is recorded.")
@click.option(
    "--from",
    "source",
    metavar="REGISTRY",
    help="Bring the model's versions here from another registry: its MLflow address, or git.",
)
@key_option
def adopt(policy: Path, stage: str | None, reason: str, source: str | None, key: Path | None, as_json: bool) -> None:
    """Record the version that an alias names now as the one to compare with, though gates did not promote it.

    Use it for a registry that already has a champion, or after somebody moved an alias by hand. The registry stays as
    it is. It needs the approvals that the stage requires for a promotion.

    With --from, the versions that gates promoted in another registry are copied into the one that the environment
    names, and the ledger goes on there: all that aliases name, and the newest of the earlier ones.

    \b
    Example:
      gates adopt --reason "in production since May, before we used gates"
      gates adopt --from sqlite:///mlflow.db --reason "the repository is our registry now"
    """
    import tempfile

    from gates.promotion.adopt import adopt as adopted

    session, trusted = options.trusted_session(policy)
    if source:
        _bring(session, trusted, source, stage, reason, key, as_json=as_json)
        return
    with (
        session.steps.step("adopt", f"models:/{session.resolved.champion[0]}"),
        tempfile.TemporaryDirectory(prefix="gates-adopt-") as beside,
    ):
        entry = adopted(
            _promotion_context(session), trusted, stage or None, reason, _approvals(session), Path(beside), key
        )
    record = entry.record
    version = record.after.version if record.after else ""
    outputs(session, alias=record.alias or "", version=version, record=entry.digest)
    told = {"model": record.name, "alias": record.alias, "version": version, "record": entry.digest,
            "sequence": record.sequence}  # fmt: skip
    click.echo(
        json.dumps(told)
        if as_json
        else f"record {record.sequence}: {record.name} version {version} is {record.alias}, as adopted"
    )


def _bring(
    session: Session, trusted: TrustedPolicy, source: str, stage: str | None, reason: str, key: Path | None, *,
    as_json: bool,
) -> None:  # fmt: skip
    """Copy a model's versions from another registry."""
    import tempfile

    from gates.promotion.migrate import migrate
    from gates.wording import plural

    if stage or key:
        raise click.UsageError("--from brings all aliases, and signs nothing: leave out --stage and --key")
    name, alias = session.resolved.champion
    other = session.other_registry(source)
    with (
        session.steps.step("adopt", f"models:/{name}"),
        tempfile.TemporaryDirectory(prefix="gates-adopt-") as beside,
    ):
        entry = migrate(_promotion_context(session), other, trusted, reason, _approvals(session), Path(beside))
    copied = (entry.record.versions or ()) if entry else ()
    champion = next((one.after.version for one in copied if alias in one.aliases), None)
    outputs(session, alias=alias, version=champion or "", record=entry.digest if entry else "")
    summary = {"model": name, "alias": alias, "version": champion, "record": entry.digest if entry else None,
            "sequence": entry.record.sequence if entry else None,
            "versions": {one.before.version: one.after.version for one in copied}}  # fmt: skip
    line = f"the versions of {name} are here already: nothing to do"
    if entry:
        named = "; ".join(f"{one} is version {it.after.version}" for it in copied for one in it.aliases)
        line = f"record {entry.record.sequence}: {plural(len(copied), 'version', 'versions')} of {name} copied; {named}"
    click.echo(json.dumps(summary) if as_json else line)


def _lay(session: Session, folder: Path) -> None:
    """Lay the evidence about this model, among what a run handed over, in its place."""
    from gates.github.runs import evidence_of

    evidence = session.workspace.load_evidence(
        evidence_of(folder, session.resolved.policy.model, session.resolved.measured)
    )
    session.workspace.forget("measure")
    session.workspace.save(session.workspace.evidence, evidence)


@click.command()
@options.policy
@options.as_json
@click.option("--gate", "labels", multiple=True, required=True, metavar="RULE", help="The rule, as reports name it.")
@click.option(
    "--evidence", type=click.Path(path_type=Path), help="The folder with another run's evidence. Default: .gates."
)
@click.option("--reason", required=True, help="The reason for accepting it. It is recorded.")
@click.option("--until", required=True, metavar="YYYY-MM-DD", help="The last day on which it holds (UTC).")
def waive(policy: Path, labels: tuple[str, ...], evidence: Path | None, reason: str, until: str, as_json: bool) -> None:
    """Record that somebody accepts named verdicts of the decision, why, and until when.

    An inconclusive verdict can be accepted; a fail only if the policy names its gate in promotion.waivable; an error
    never. The waiver holds while the number gets no worse.

    \b
    Example:
      gates waive --gate recall:min --reason "too few rows before March" --until 2027-03-31
    """
    from gates.github.people.waived import approvals
    from gates.judge.waivers import label_of
    from gates.promotion.waive import waive as accepted

    session, trusted = options.trusted_session(policy)
    labels = tuple(options.lines_of(*labels))
    if evidence is not None:
        _lay(session, evidence)
    entry = accepted(
        session.workspace, trusted, session.ledger, options.run_of(session), labels, reason=reason, until=until,
        today=session.today,
        approve=approvals(session.resolved.policy.promotion, session.environ),
    )  # fmt: skip
    outputs(session, record=entry.digest)
    accepted_labels = [f"{label_of(one)}, {one.verdict}, until {one.until}" for one in entry.record.waivers]
    click.echo(
        json.dumps({"record": entry.digest, "sequence": entry.record.sequence, "waived": list(labels)})
        if as_json
        else f"record {entry.record.sequence}: accepted {'; '.join(accepted_labels)}"
    )
