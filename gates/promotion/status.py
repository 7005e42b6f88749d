"""Report what is in production: what each alias names by registry and ledger, and whether it would still pass."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

from gates.documents.evidence import Evidence
from gates.documents.live.live_evidence import ROWS
from gates.documents.live.monitoring_decision import MonitoringDecision
from gates.documents.printed.standing import AGREED, SCHEMA, LastWatch, ServedAlias, Standing
from gates.documents.record import EVIDENCE, MANIFEST, OUTCOMES, RecordKind
from gates.errors import GatesError
from gates.judge.judge import judge
from gates.ledger.alias import Names, compared, hint, last_move, renumbered
from gates.ledger.experiments.experiment_standing import last_experiment
from gates.ledger.ledger import Entry, Ledger
from gates.ledger.watched import last_watch
from gates.measure.live.window_times import due, moment
from gates.policy import ResolvedPolicy
from gates.promotion.transaction import within_lease
from gates.schema.fields import declare
from gates.schema.validation import read_json


def standing(ledger: Ledger, registry: Names, resolved: ResolvedPolicy, now: datetime | None = None) -> Standing:
    """Ask ledger and registry. Reads no more of the ledger than it must. ``now``: the clock's time if not given."""
    name, head = resolved.champion[0], ledger.head()
    wanted = [stage.alias for stage in resolved.stages]
    moves: dict[str, Entry] = {}
    newest, began, ended = None, None, False
    now = now or datetime.now(UTC)
    for entry in renumbered(ledger.entries(head), name):
        record = entry.record
        newest = newest or entry
        if record.name != name:
            continue
        if record.kind is RecordKind.INTENT and not ended and began is None:
            began = record
        ended = ended or record.kind in OUTCOMES
        if record.moved and record.alias in wanted:
            moves.setdefault(record.alias, entry)
        if len(moves) == len(wanted):
            break
    return Standing(
        schema=SCHEMA,
        model=name,
        aliases=tuple(_alias(ledger, registry, resolved, alias, moves.get(alias)) for alias in wanted),
        records=newest.record.sequence if newest else 0,
        head=newest.digest if newest else None,
        open=began.sequence if began else None,
        waits=began.lease if began and within_lease(began, now) else None,
        watch=last_look(ledger, head, resolved, moves.get(resolved.champion[1]), now),
        experiment=last_experiment(ledger, head, resolved, now),
    )


def last_look(
    ledger: Ledger, head: str | None, resolved: ResolvedPolicy, serving: Entry | None, now: datetime
) -> LastWatch | None:
    """Tell what was judged last of live rows; None where nothing is asked of them, or nothing serves."""
    monitor = resolved.policy.monitor
    if monitor is None or serving is None:
        return None
    last = last_watch(ledger, head, resolved.champion[0])
    decision = last.decision if last else None
    until = decision.rows_until if decision else None
    late = len(list(islice(due(monitor, ROWS, moment(until or serving.record.at), now), 2))) > 1
    return LastWatch(
        record=last.sequence if last else None,
        verdict=str(decision.verdict) if decision else None,
        told=_watched(decision, late=late),
        until=until,
        overdue=late,
    )


def _watched(decision: MonitoringDecision | None, *, late: bool) -> str:
    if decision is None:
        return "no live rows were judged since the promotion" if late else "no window of live rows is due yet"
    told = f"live rows were judged until {decision.rows_until}: {decision.verdict}, {decision.reason}"
    return f"{told}; windows after that are overdue" if late else told


def _alias(ledger: Ledger, registry: Names, resolved: ResolvedPolicy, alias: str, entry: Entry | None) -> ServedAlias:
    state, sentence, version = compared(registry, resolved.champion[0], alias, entry)
    today, why = _today(ledger, resolved, entry) if entry else (None, "nothing was promoted")
    after = entry.record.after if entry else None
    return ServedAlias(
        alias=alias,
        state=state,
        told=sentence,
        mend=None if state in AGREED else hint(state, entry),
        version=version,
        record=entry.record.sequence if entry else None,
        digest=after.digest if after else None,
        since=entry.record.at if entry else None,
        today=today,
        why=why,
    )


def _today(ledger: Ledger, resolved: ResolvedPolicy, entry: Entry) -> tuple[str | None, str]:
    """Return what today's policy says of the evidence that the model was promoted on."""
    if entry.record.evidence is None:
        return None, "it was adopted: nothing was measured"
    evidence = read_json(Evidence, ledger.document(entry, EVIDENCE), EVIDENCE)
    if evidence.measured != resolved.measured:
        return None, "today's policy measures something else; gates run judges a candidate under it"
    decision = judge(resolved, evidence)
    return str(decision.verdict), decision.reason


def served(ledger: Ledger, name: str, alias: str, files: list[dict[str, str | int]]) -> Entry:
    """Find the record of the model whose files these are (as ``files.manifest`` lists them).

    They must be all of what was promoted to the alias, or of its MLflow model. Raises ``GatesError`` where they are
    not.
    """
    last = last_move(ledger, ledger.head(), name, alias)
    if last is None:
        raise GatesError(f"the ledger has no promotion to {alias}", where=name)
    listed = read_json(_Manifest, b'{"files":' + ledger.document(last, MANIFEST) + b"}", MANIFEST).files
    every = {(one.path, one.sha256) for one in listed}
    model = {(path.removeprefix(MODEL), sha256) for path, sha256 in every if path.startswith(MODEL)}
    mine = {(str(one["path"]), str(one["sha256"])) for one in files if one["path"] not in ADDED}
    if mine and mine in (every, model):
        return last
    changed = next(iter(_differences(mine, model or every)), "no file")
    raise GatesError(
        f"these are not the files that record {last.record.sequence} promoted to {alias}: {changed}",
        where=name,
        hint=HINT,
    )


MODEL = "model/"
ADDED = ("registered_model_meta", "model/registered_model_meta")  # what MLflow writes beside what it downloads
HINT = "Fetch the model again; gates status shows whether the registry's bytes were changed."


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """A file of a manifest."""

    WRITTEN = "whole"
    path: str = declare("Below the folder.")
    size: int = declare("Bytes.")
    sha256: str = declare("Of its bytes, hex.")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Manifest:
    """A model's files."""

    WRITTEN = "whole"
    files: tuple[_File, ...] = declare("Sorted by path.")


def _differences(mine: set[tuple[str, str]], theirs: set[tuple[str, str]]) -> Iterator[str]:
    ours, promoted = dict(mine), dict(theirs)
    for path in sorted(ours.keys() | promoted.keys()):
        if path not in ours:
            yield f"{path} is missing"
        elif path not in promoted:
            yield f"{path} is not part of it"
        elif ours[path] != promoted[path]:
            yield f"{path} was changed"
