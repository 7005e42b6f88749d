"""Print history, status and audit on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from gates.documents.audit import Audit, Reproduced
from gates.documents.record import Record, RecordKind
from gates.documents.standing import AGREED, Standing
from gates.judge.waivers import label_of
from gates.ledger.ledger import Entry
from gates.report.terminal.verdicts import console
from gates.wording import plural, printable

STYLES = {
    RecordKind.PROMOTION: "green",
    RecordKind.ROLLBACK: "yellow",
    RecordKind.FAILURE: "red",
    RecordKind.REFUSAL: "red",
}


def history(entries: Sequence[Entry], *, width: int, colour: bool) -> str:
    """A table, the newest first."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    out, told = console(width, colour=colour)
    if not entries:
        told.print(Text("the ledger is empty"))
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
    told.print(table)
    return out.getvalue()


def _model(record: Record) -> str:
    version = f" v{record.after.version}" if record.after else ""
    return f"{record.name}{version}" + (f"@{record.alias}" if record.alias else "")


def _why(record: Record) -> str:
    told = f"{record.code}: {record.reason}" if record.code else record.reason
    accepted = ", ".join(map(label_of, record.waivers))
    return f"{told} (accepted: {accepted})" if accepted else told


def standing(found: Standing, *, width: int, colour: bool) -> str:
    """A line an alias, and what is to be done about it."""
    from rich.text import Text

    out, told = console(width, colour=colour)
    told.print(
        Text(f"{found.model}: {plural(found.records, 'record', 'records')}, newest {(found.head or 'none')[:19]}")
    )
    for one in found.aliases:
        good = one.state in AGREED
        told.print(
            Text(printable(f"{'✅' if good else '❌'} {one.alias}: {one.told}"), style="green" if good else "red")
        )
        if one.record is not None:
            told.print(Text(printable(f"   by today's policy: {one.today or 'unknown'}, {one.why}")))
    if found.open is not None:
        waits = f"; others wait for it until {found.waits}" if found.waits else ""
        what = (
            f"record {found.open} was started but not finished{waits}: the next gates promote or rollback will undo it"
        )
        told.print(Text(f"❌ {what}", style="red"))
    for one in found.aliases:
        if one.mend:
            told.print(Text(printable(f"   {one.alias}: {one.mend}")))
    return out.getvalue()


def audit(found: Audit, *, width: int, colour: bool) -> str:
    """What is wrong, what can't be known, and the verdict last."""
    from rich.text import Text

    out, told = console(width, colour=colour)
    for flaw in found.found:
        place = f"record {flaw.sequence}" if flaw.sequence else "the ledger"
        told.print(Text(printable(f"❌ {place}: {flaw.code}: {flaw.what}"), style="red"))
    if found.tiers:
        words = {"none": "nobody", "key": "a key", "attested": "a workflow's attestation"}
        stand = ", ".join(f"{count} by {words[tier]}" for tier, count in sorted(found.tiers.items()))
        told.print(Text(f"   decisions signed: {stand}"))
    for unknown in found.unknown:
        told.print(Text(f"❔ not known: {unknown}", style="yellow"))
    checked = (
        f"{plural(found.records, 'record', 'records')}, {plural(found.derived, 'decision', 'decisions')} derived again"
    )
    if found.found:
        told.print(Text(f"❌ {plural(len(found.found), 'thing is', 'things are')} wrong ({checked})", style="bold red"))
    else:
        told.print(Text(f"✅ nothing is wrong ({checked}); newest {found.head or 'none'}", style="bold green"))
    return out.getvalue()


def reproduced(found: Reproduced, *, width: int, colour: bool) -> str:
    """Where it parts, and the outcome last."""
    from rich.text import Text

    out, told = console(width, colour=colour)
    for part in found.parts:
        told.print(Text(printable(f"❔ {part}"), style="yellow"))
    if not found.model:
        told.print(Text("   the model's files differ in bytes: many formats contain times or random names"))
    if found.same:
        what = "predictions and evidence are" if found.predictions else "the evidence is"
        told.print(Text(f"✅ {what} the same as record {found.record}'s", style="bold green"))
    else:
        told.print(Text(f"❌ training commit {found.commit[:12]} again gave a different result", style="bold red"))
    return out.getvalue()
