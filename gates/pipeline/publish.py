"""What the world is told of a decision: the facts beside it, its reports as files, a job's summary and outputs."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

from gates import __version__
from gates.documents.champion import Champion
from gates.documents.decision import Code, Decision, Past, Verdict
from gates.documents.evidence import Evidence
from gates.errors import Exit, GatesError
from gates.github import caller_workflows, event, outputs
from gates.github.reporting.commit_status import Status
from gates.ledger.champions import champions
from gates.pipeline.pipeline import Flow
from gates.policy.locations import places
from gates.report import Facts, headline, labelled
from gates.report.formats import FORMATS
from gates.report.markdown import SUMMARY_LIMIT, render
from gates.schema.canonical import canonical, digest
from gates.schema.yaml_text import Place
from gates.system import files

BARS = "gates/bars/v1"
LONGEST = 140  # characters of a status's description, by GitHub
_STATES = {Exit.SHIP: "success", Exit.STOP: "failure"}


def publish(flow: Flow, decision: Decision) -> None:
    """Decision and report as files, the report as the job's summary, their facts as the step's outputs."""
    work = flow.workspace
    work.prepare()
    work.save(work.decision, decision)
    told = write_bars(flow, decision)
    for form in ("markdown", "html"):
        _write(flow, decision, form, told)
    outputs.write_summary(flow.environ, render(decision, told, SUMMARY_LIMIT))
    values = {
        "verdict": str(told.verdict(decision)),
        "reason": decision.reason,
        "waived": str(len(told.settled.waived) if told.settled else 0),
        "observing": told.observing or "",
        "model": decision.candidate.digest if decision.candidate else "",
    }
    made = {"decision": work.decision, "evidence": work.evidence, "report": work.report, "html": work.html}
    values |= {name: str(path) for name, path in made.items() if path.exists()}
    if work.base_files:
        values["base"] = "\n".join(map(str, work.base_files))
    outputs.write_outputs(flow.environ, values)


def write_bars(flow: Flow, decision: Decision) -> Facts:
    """The decision's rules by the names that commands take, beside it."""
    told = facts(flow, decision)
    files.write(flow.workspace.bars, canonical({"schema": BARS, "bars": labelled(decision, told)}) + b"\n")
    return told


def write_report(flow: Flow, decision: Decision, form: str = "markdown") -> Path:
    """The report in a format that has a file, in its file."""
    return _write(flow, decision, form, facts(flow, decision))


def _write(flow: Flow, decision: Decision, form: str, told: Facts) -> Path:
    chosen = FORMATS[form]
    assert chosen.file is not None  # noqa: S101 -- callers print the other formats
    path = flow.workspace.work / chosen.file
    if form == "html":
        told = replace(told, evidence=_evidence_of(flow, decision), champions=_champions(flow))
    files.write(path, chosen.render(decision, told).encode("utf-8", "replace"))
    return path


def facts(flow: Flow, decision: Decision, history: tuple[Past, ...] = ()) -> Facts:
    """What a report says besides the decision. A policy that can't be read has nothing to say here."""
    happened = _event(flow)
    told = Facts(
        policy=str(flow.workspace.policy),
        path=flow.workspace.within(flow.environ.get("GITHUB_WORKSPACE")),
        version=__version__,
        commit=happened.head_sha if happened else None,
        run_url=happened.run_url if happened else None,
        pull_request=happened.pr if happened else None,
        fork=happened is not None and happened.is_fork,
        reproduce=_reproduce(flow, happened),
        settled=flow.settled(decision),
        history=history,
        waive=_waive(flow),
    )
    try:
        resolved, before = flow.resolved, flow.before
    except GatesError:
        return told
    mode = resolved.policy.mode
    observing = all(one.observing(flow.today) for one in (resolved, *before))
    changes = flow.base.changes(resolved) if flow.base else ()
    return replace(
        told,
        strict="fail" in {one.policy.on_inconclusive for one in (resolved, *before)},
        waivable=flow.waivable,
        open_waivers=resolved.policy.promotion.open_waivers,
        approver=flow.approver,
        weaker=tuple(change.told for change in changes if change.kind.weakens),
        changes=tuple(change.told for change in changes if not change.kind.weakens),
        observing=mode.until if mode and observing else None,
        observed=mode.until if mode and not resolved.observing(flow.today) else None,
        places=_places(flow, decision),
        threshold=resolved.policy.predict.threshold if resolved.policy.task == "binary" else None,
    )


def _places(flow: Flow, decision: Decision) -> tuple[Place, ...]:
    return places(flow.workspace.source(), flow.resolved, decision)


def _reproduce(flow: Flow, happened: event.Event | None) -> str:
    """The commands that judge this very commit on a laptop."""
    again = "gates run"
    policy = flow.workspace.within(flow.environ.get("GITHUB_WORKSPACE"))
    if policy != "gates.yaml":
        again += f" --policy {shlex.quote(policy)}"
    if happened is None or happened.pr is None:
        return again
    return f"git fetch origin pull/{happened.pr}/head && git checkout {happened.head_sha} && {again}"


def _waive(flow: Flow) -> str | None:
    """The file of the workflow that records a waiver, where the checkout has it."""
    checkout = flow.environ.get("GITHUB_WORKSPACE")
    if not checkout:
        return None
    folder = flow.workspace.within(checkout).rpartition("/")[0]
    home = caller_workflows.Home(model=flow.unjudged("").model, folder=folder)
    place = Path(checkout) / caller_workflows.path(home, "gates-waive")
    return place.name if place.is_file() else None


def _evidence_of(flow: Flow, decision: Decision) -> Evidence | None:
    """The evidence that the decision was made from, where it lies there."""
    try:
        evidence = flow.workspace.load_evidence()
    except GatesError:
        return None
    return evidence if digest(evidence) == decision.evidence else None


def _champions(flow: Flow) -> tuple[Champion, ...]:
    """What the champion's alias has named, by the ledger. A report is whole without it."""
    try:
        named = flow.resolved.champion
    except GatesError:  # a policy that can't be read, which was told
        return ()
    try:
        return champions(flow.ledger, flow.told, *named)
    except GatesError as error:
        flow.steps.say(f"the champion's history can't be read: {error}")
        return ()


def _event(flow: Flow) -> event.Event | None:
    """What started this GitHub Actions run, where there is one whose event can be read."""
    if flow.about is not None:
        return flow.about
    if flow.environ.get("GITHUB_ACTIONS") != "true":
        return None
    try:
        return event.read(flow.environ)
    except GatesError:
        return None


def status_of(decision: Decision, facts: Facts, code: Exit, context: str) -> Status:
    """The status of a decision that ends with ``code``; ``context`` is ``Subject.context``."""
    told = headline(decision, facts)
    if facts.observing and facts.verdict(decision) not in (Verdict.PASS, Verdict.ERROR):
        told = f"observing until {facts.observing}: {told}"
    if facts.fork:
        told = f"reported by a fork, not verified: {told}"
    if decision.code is Code.COULD_NOT_JUDGE:
        told = f"{told}: {decision.reason}"
    return Status(
        state=_STATES.get(code, "error"),
        context=context,
        description=_cut(told, LONGEST),
    )


def _cut(text: str, longest: int) -> str:
    flat = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return flat if len(flat) <= longest else flat[: longest - 1] + "…"
