"""Publish a decision: its facts, its reports as files, a job's summary and outputs."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

from gates import __version__
from gates.documents.champion import Champion
from gates.documents.decision import Code, Decision, Verdict
from gates.documents.evidence import Evidence
from gates.documents.live.experiment_history import ExperimentHistory
from gates.documents.live.watch_history import WatchHistory
from gates.errors import Exit, GatesError
from gates.github import caller_workflows, outputs
from gates.github.reporting.commit_status import Status
from gates.ledger.audit_documents import resolved_of
from gates.ledger.champions import champions
from gates.ledger.experiments.experiment_histories import experiment_histories
from gates.ledger.watched import watch_history
from gates.pipeline import shown_rows
from gates.pipeline.acceptance import settled, waivable
from gates.pipeline.session import Session
from gates.policy.locations import places
from gates.report.formats import FORMATS
from gates.report.headline import headline, labelled
from gates.report.markdown import SUMMARY_LIMIT, render
from gates.report.run_facts import Facts
from gates.schema.canonical import canonical, digest
from gates.schema.validation import PolicyError
from gates.system import files

RULES = "gates/bars/v1"
SHORT = 12  # digits of a commit that is here
LONGEST = 140  # characters of a status's description, by GitHub
_STATES = {Exit.SHIP: "success", Exit.STOP: "failure"}


def publish(session: Session, decision: Decision, facts: Facts) -> None:
    """Write decision and report as files, the report as the job's summary, and what they say as the step's outputs."""
    work = session.workspace
    work.prepare()
    work.save(work.decision, decision)
    write_bars(session, decision, facts)
    for form in ("markdown", "html"):
        write_report(session, decision, facts, form)
    outputs.write_summary(session.environ, render(decision, facts, SUMMARY_LIMIT))
    values = {
        "verdict": str(facts.verdict(decision)),
        "reason": decision.reason,
        "waived": str(len(facts.settled.waived) if facts.settled else 0),
        "observing": facts.observing or "",
        "model": decision.candidate.digest if decision.candidate else "",
    }
    paths = {name: getattr(work, name) for name in ("decision", "evidence", "report", "html", "rows", "base_model")}
    values |= {name: str(path) for name, path in paths.items() if path.exists()}
    if work.base_files:
        values["base"] = "\n".join(map(str, work.base_files))
    outputs.write_outputs(session.environ, values)


def write_bars(session: Session, decision: Decision, facts: Facts) -> None:
    """Write the decision's rules by the names that commands take, beside it."""
    rules = canonical({"schema": RULES, "bars": labelled(decision, facts)})
    files.write(session.workspace.rules, rules + b"\n")


def write_report(session: Session, decision: Decision, facts: Facts, form: str = "markdown") -> Path:
    """Write the report in a format that has a file, and give that file."""
    chosen = FORMATS[form]
    assert chosen.file is not None  # noqa: S101 -- callers print the other formats
    path = session.workspace.work / chosen.file
    if form == "html":
        evidence = _evidence_of(session, decision)
        facts = replace(facts, evidence=evidence, champions=_champions(session))
        facts = replace(facts, watch=_watch(session), experiments=_experiments(session))
    files.write(path, chosen.render(decision, facts).encode("utf-8", "replace"))
    return path


def facts_of(session: Session, decision: Decision, folder: Path | None = None) -> Facts:
    """Gather what a report says besides the decision; once a command, for all of its writers. ``folder``: where another
    job's evidence lies."""
    happened = session.happened
    commit, committed, clean = _commit(session)
    facts = Facts(
        policy=str(session.workspace.policy),
        path=session.path,
        version=__version__,
        commit=commit,
        committed=committed,
        clean=clean,
        run_url=happened.run_url if happened else None,
        pull_request=happened.pr if happened else None,
        fork=happened is not None and happened.is_fork,
        reproduce=_reproduce(session, commit if clean else None),
        settled=settled(session, decision),
        rows=None if happened and happened.is_fork else shown_rows.found(session, decision, folder),
        waive=_waive(session),
    )
    try:
        resolved, before = session.resolved, session.base_policies
    except PolicyError as error:
        return replace(facts, problems=error.problems)
    except GatesError:  # the decision says why
        return facts
    mode = resolved.policy.mode
    observing = all(one.observing(session.today) for one in (resolved, *before))
    changes = session.base.changes(resolved) if session.base else ()
    return replace(
        facts,
        strict="fail" in {one.policy.on_inconclusive for one in (resolved, *before)},
        waivable=waivable(session),
        open_waivers=resolved.policy.promotion.open_waivers,
        approver=session.approver,
        weaker=tuple(change.told for change in changes if change.kind.weakens),
        changes=(*(change.told for change in changes if not change.kind.weakens), *_of_jobs(session)),
        observing=mode.until if mode and observing else None,
        observed=mode.until if mode and not resolved.observing(session.today) else None,
        places=places(session.workspace.source(), resolved, decision),
        threshold=resolved.policy.predict.threshold if resolved.policy.task == "binary" else None,
    )


def _commit(session: Session) -> tuple[str | None, str | None, bool]:
    """Return the commit that was judged, its day, and whether the files were that commit's. Without a training on this
    machine it is known from the event alone."""
    commit, clean = session.workspace.trained_commit() or (None, True)
    if session.happened:
        commit, clean = session.happened.head_sha, True
    git, _ = (session.checkout if commit else None) or (None, None)
    day = git.run("show", "-s", "--format=%cs", f"{commit}^{{commit}}", fails=False) if git else ""
    return commit, day or None, clean


def _reproduce(session: Session, commit: str | None) -> str:
    """Return the commands that judge this very commit on a laptop."""
    happened, again = session.happened, "gates run"
    if session.path != "gates.yaml":
        again += f" --policy {shlex.quote(session.path)}"
    if commit is None:
        return again
    fetch = f"git fetch origin pull/{happened.pr}/head && " if happened and happened.pr is not None else ""
    return f"{fetch}git checkout {commit if fetch else commit[:SHORT]} && {again}"


def _waive(session: Session) -> str | None:
    """Return the file of the workflow that records a waiver, where the checkout has it."""
    checkout = session.environ.get("GITHUB_WORKSPACE")
    if not checkout:
        return None
    home = caller_workflows.Home(model=session.model, folder=session.path.rpartition("/")[0])
    workflow = Path(checkout) / caller_workflows.path(home, "gates-waive")
    return workflow.name if workflow.is_file() else None


def _evidence_of(session: Session, decision: Decision) -> Evidence | None:
    """Return the evidence that the decision was made from, where it lies there."""
    try:
        evidence = session.workspace.load_evidence()
    except GatesError:
        return None
    return evidence if digest(evidence) == decision.evidence else None


def _champions(session: Session) -> tuple[Champion, ...]:
    """Return what the champion's alias has named, by the ledger. A report is whole without it."""
    try:
        named = session.resolved.champion
    except GatesError:  # a policy that can't be read, which was told
        return ()
    try:
        return champions(session.ledger, session.ledger_seen, *named)
    except GatesError as error:
        session.steps.say(f"the champion's history can't be read: {error}")
        return ()


def _watch(session: Session) -> WatchHistory | None:
    """Return what live rows said, by the ledger, where the policy asks for it. A report is whole without it."""
    try:
        resolved = session.resolved
    except GatesError:  # a policy that can't be read, which was told
        return None
    if resolved.policy.monitor is None:
        return None
    try:
        return watch_history(session.ledger, session.ledger_seen, resolved.champion[0])
    except GatesError as error:
        session.steps.say(f"the history of live rows can't be read: {error}")
        return None


def _experiments(session: Session) -> tuple[ExperimentHistory, ...]:
    """Return the model's experiments, by the ledger, where the policy asks for them. A report is whole without them."""
    try:
        resolved = session.resolved
    except GatesError:  # a policy that can't be read, which was told
        return ()
    if resolved.policy.experiment is None:
        return ()
    try:
        return experiment_histories(session.ledger, session.ledger_seen, resolved.champion[0], resolved_of)
    except GatesError as error:
        session.steps.say(f"the history of experiments can't be read: {error}")
        return ()


def status_of(decision: Decision, facts: Facts, code: Exit, context: str) -> Status:
    """Return the status of a decision that ends with ``code``; ``context`` is ``Subject.context``."""
    words = headline(decision, facts)
    if facts.observing and facts.verdict(decision) not in (Verdict.PASS, Verdict.ERROR):
        words = f"observing until {facts.observing}: {words}"
    if facts.fork:
        words = f"reported by a fork, not verified: {words}"
    if decision.code is Code.COULD_NOT_JUDGE:
        words = f"{words}: {decision.reason}"
    return Status(
        state=_STATES.get(code, "error"),
        context=context,
        description=_cut(words, LONGEST),
    )


def _cut(text: str, longest: int) -> str:
    flat = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return flat if len(flat) <= longest else flat[: longest - 1] + "…"


def _of_jobs(session: Session) -> tuple[str, ...]:
    """Return what is to be said of a job document that a pull request changes."""
    if session.resolved.policy.train.job is None or not session.base_commit:
        return ()
    from gates.pipeline.machines.job_training import unmerged

    return unmerged(session)
