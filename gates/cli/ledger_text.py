"""Print history, status and audit on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from gates.documents.printed.audit import Audit, Reproduced
from gates.documents.printed.standing import AGREED, ExperimentStanding, LastExperiment, Standing
from gates.documents.record import Record, RecordKind
from gates.judge.waivers import label_of
from gates.ledger.ledger import Entry
from gates.report.headline import SIGNS
from gates.report.terminal.verdicts import console
from gates.wording import plural, printable

STYLES = {
    RecordKind.PROMOTION: "green",
    RecordKind.ROLLBACK: "yellow",
    RecordKind.FAILURE: "red",
    RecordKind.REFUSAL: "red",
}


def history(entries: Sequence[Entry], *, width: int, colour: bool) -> str:
    """Write the records as a table, the newest first."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    out, terminal = console(width, colour=colour)
    if not entries:
        terminal.print(Text("the ledger is empty"))
        return out.getvalue()
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for title in ("#", "when (UTC)", "what", "model", "by", "digest"):
        most = 24 if title == "by" else None  # an address may be long
        table.add_column(title, no_wrap=title != "model", max_width=most, justify="right" if title == "#" else "left")
    table.add_column("why", overflow="fold", min_width=20)
    for entry in entries:
        record = entry.record
        table.add_row(
            str(record.sequence),
            record.at.removesuffix("Z").replace("T", " "),
            Text(record.kind.value, style=STYLES.get(record.kind, "")),
            Text(printable(_model(record))),
            Text(printable(record.run.actor.login)),
            entry.digest[7:19],
            Text(printable(_why(record))),
        )
    terminal.print(table)
    return out.getvalue()


def _model(record: Record) -> str:
    version = f" v{record.after.version}" if record.after else ""
    return f"{record.name}{version}" + (f"@{record.alias}" if record.alias else "")


def _why(record: Record) -> str:
    plan, step = record.retrain, record.experiment
    word = record.code or (plan and (plan.code or plan.state)) or (step and step.state)
    told = f"{word}: {record.reason}" if word else record.reason
    accepted = ", ".join(map(label_of, record.waivers))
    return f"{told} (accepted: {accepted})" if accepted else told


def standing(status: Standing, *, width: int, colour: bool) -> str:
    """Write a line an alias, and what is to be done about it."""
    from rich.text import Text

    out, terminal = console(width, colour=colour)
    terminal.print(
        Text(f"{status.model}: {plural(status.records, 'record', 'records')}, newest {(status.head or 'none')[:19]}")
    )
    for alias in status.aliases:
        good = alias.state in AGREED
        terminal.print(
            Text(printable(f"{'✅' if good else '❌'} {alias.alias}: {alias.told}"), style="green" if good else "red")
        )
        if alias.record is not None:
            terminal.print(Text(printable(f"   by today's policy: {alias.today or 'unknown'}, {alias.why}")))
    if status.open is not None:
        waits = f"; others wait for it until {status.waits}" if status.waits else ""
        what = (
            f"record {status.open} was started but not finished{waits}: the next gates promote or rollback will undo it"
        )
        terminal.print(Text(f"❌ {what}", style="red"))
    if status.watch is not None:
        sound = status.watch.sound
        line = f"{'✅' if sound else '❌'} {status.watch.told}"
        terminal.print(Text(printable(line), style="green" if sound else "red"))
    if status.experiment is not None:
        line = f"{_mark(status.experiment)} {status.experiment.told}"
        terminal.print(Text(printable(line), style="" if status.experiment.sound else "red"))
    for alias in status.aliases:
        if alias.mend:
            terminal.print(Text(printable(f"   {alias.alias}: {alias.mend}")))
    return out.getvalue()


def _mark(experiment: LastExperiment) -> str:
    """Return the sign of an experiment: an undecided one is never fine."""
    if not experiment.sound:
        return "❌"
    verdict = experiment.verdict if experiment.state in (ExperimentStanding.RUNNING, ExperimentStanding.ENDED) else None
    return next((shown for known, shown in SIGNS.items() if known is not None and str(known) == verdict), SIGNS[None])


def audit(outcome: Audit, *, width: int, colour: bool) -> str:
    """Write what is wrong, what can't be known, and the verdict last."""
    from rich.text import Text

    out, terminal = console(width, colour=colour)
    for flaw in outcome.found:
        place = f"record {flaw.sequence}" if flaw.sequence else "the ledger"
        terminal.print(Text(printable(f"❌ {place}: {flaw.code}: {flaw.what}"), style="red"))
    if outcome.tiers:
        words = {"none": "nobody", "key": "a key", "attested": "a workflow's attestation"}
        stand = ", ".join(f"{count} by {words[tier]}" for tier, count in sorted(outcome.tiers.items()))
        terminal.print(Text(f"   decisions signed: {stand}"))
    for unknown in outcome.unknown:
        terminal.print(Text(f"❔ not known: {unknown}", style="yellow"))
    derived = plural(outcome.derived, "decision", "decisions")
    checked = f"{plural(outcome.records, 'record', 'records')}, {derived} derived again"
    if outcome.found:
        terminal.print(
            Text(f"❌ {plural(len(outcome.found), 'thing is', 'things are')} wrong ({checked})", style="bold red")
        )
    else:
        terminal.print(Text(f"✅ nothing is wrong ({checked}); newest {outcome.head or 'none'}", style="bold green"))
    return out.getvalue()


def reproduced(reproduction: Reproduced, *, width: int, colour: bool) -> str:
    """Write what differs, and the outcome last."""
    from rich.text import Text

    out, terminal = console(width, colour=colour)
    for part in reproduction.parts:
        terminal.print(Text(printable(f"❔ {part}"), style="yellow"))
    if not reproduction.model:
        terminal.print(Text("   the model's files differ in bytes: many formats contain times or random names"))
    if reproduction.same:
        what = "predictions and evidence are" if reproduction.predictions else "the evidence is"
        terminal.print(Text(f"✅ {what} the same as record {reproduction.record}'s", style="bold green"))
    else:
        terminal.print(
            Text(f"❌ training commit {reproduction.commit[:12]} again gave a different result", style="bold red")
        )
    return out.getvalue()
