"""Roll back: move an alias to what an earlier record promoted. A promotion without the judging."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from gates.documents.record import Record, RecordKind, Refused
from gates.errors import GatesError
from gates.ledger.alias import NAMED, elsewhere, moves
from gates.ledger.ledger import Entry, LostRaceError
from gates.ledger.record_names import names
from gates.promotion.transaction import PromotionContext, RefusedError, begin, carry_out


def rollback(desk: PromotionContext, alias: str, target: str | None, reason: str) -> Entry:
    """Go back to ``target`` (a sequence number, or the beginning of a digest), or to what stood before; gives the
    outcome. An alias that names nothing, though the ledger knows what it should name, is put back there.

    Raises ``RefusedError``, which is a record, too, where its bytes are no longer those that were promoted.
    """
    if not reason.strip():
        raise GatesError("a rollback needs a reason", where="--reason")
    with desk.locked():
        while True:
            head = desk.settled()
            now = desk.registry.at(desk.name, alias)
            goal = _goal(desk, head, alias, target, now)
            draft = _drafted(desk, goal, alias, reason.strip())
            try:
                _whole(desk, goal)
            except RefusedError as error:
                refusal = replace(draft, kind=RecordKind.REFUSAL, reason=error.what, code=error.code)
                desk.ledger.append_last(refusal, goal.documents)
                raise
            held = desk.version(now, desk.registry.stored(desk.name, now) or GONE) if now else None
            with suppress(LostRaceError):
                intent = begin(desk, replace(draft, before=held), goal.documents, after=head)
                return _carried_out(desk, intent)


GONE = "sha256:" + "0" * 64


def _drafted(desk: PromotionContext, goal: Entry, alias: str, reason: str) -> Record:
    """Draft the intent: what the goal says of the model, and nothing of how it was promoted."""
    past = goal.record
    return replace(
        desk.draft(RecordKind.INTENT, alias, reason),
        verdict=past.verdict,
        decision=past.decision,
        evidence=past.evidence,
        policy=past.policy,
        model=past.model,
        data=past.data,
        source=past.source,
        after=past.after,
        target=goal.digest,
        attached=past.attached,
    )


def _carried_out(desk: PromotionContext, intent: Entry) -> Entry:
    try:
        outcome = carry_out(desk, intent)
    except GatesError:
        with suppress(GatesError):  # at once, if that can be; else the next promotion or rollback does it
            carry_out(desk, intent)
        raise
    if outcome.record.code:
        raise RefusedError(outcome.record.code, outcome.record.reason, hint="Nothing was left incomplete.")
    return outcome


def _goal(desk: PromotionContext, head: str | None, alias: str, target: str | None, now: str | None) -> Entry:
    """Find the record to go back to."""
    every = list(moves(desk.ledger, head, desk.name, alias))
    if target is None:
        if every:
            _undisputed(every[0], alias, now)
        if every and now is None:
            return every[0]
        entries = [one for one in _before(every) if one.record.after and one.record.after.version != now]
        if not entries:
            raise GatesError(f"the ledger has no earlier model of {alias}", where="rollback")
        return entries[0]
    entries = [one for one in every if names(target, one.record.sequence, one.digest)]
    if len(entries) != 1:
        what = "names several records" if entries else f"is not a record that promoted to {alias}"
        raise GatesError(f"{target} {what}", where="--to", hint="gates history lists them.")
    return entries[0]


def _undisputed(last: Entry, alias: str, now: str | None) -> None:
    """Raise ``GatesError`` if it is unclear what to go back from: what serves is not what was promoted last."""
    after = last.record.after
    if now is not None and after is not None and now != after.version:
        raise GatesError(
            f"{alias} names version {now}, but record {last.record.sequence} made it version {after.version}",
            where="rollback",
            hint=f"Name a target: --to {last.record.sequence} puts version {after.version} back; "
            "gates history lists the others.",
        )


def _before(moves: list[Entry]) -> list[Entry]:
    """Return what stood before the last promotion that still stands: a rollback takes away what it went back from."""
    stack: list[Entry] = []
    for entry in reversed(moves):
        if entry.record.target:
            while stack and stack[-1].record.after != entry.record.after:
                stack.pop()
            if stack:
                continue
        stack.append(entry)
    return stack[:-1][::-1]


def _whole(desk: PromotionContext, goal: Entry) -> None:
    after = goal.record.after
    if after is None or elsewhere(desk.registry, after):
        why = f"the version of record {goal.record.sequence} is in another registry"
        raise RefusedError(Refused.OTHER_REGISTRY, why, hint=f"Choose another one: gates history lists them. {NAMED}")
    if desk.registry.stored(desk.name, after.version) != after.digest:
        why = f"the stored bytes of version {after.version} are not those of record {goal.record.sequence}, or gone"
        raise RefusedError(Refused.STORED_BYTES, why, hint="Choose another one: gates history lists them.")
