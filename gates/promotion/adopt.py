"""Adopt what an alias names: record a model that gates did not promote, or that was moved by hand."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from gates.attestation.dsse import sign
from gates.attestation.statement import adoption
from gates.checkout.trusted_policy import TrustedPolicy
from gates.documents.printed.standing import AliasState
from gates.documents.record import MANIFEST, POLICY, STATEMENT, RecordedModel, RecordKind
from gates.errors import GatesError
from gates.ledger.alias import compared, known_of, last_move
from gates.ledger.ledger import Entry, LostRaceError
from gates.promotion import provenance
from gates.promotion.transaction import Approve, PromotionContext, approved, on_default_branch
from gates.schema.canonical import canonical, digest, digest_bytes
from gates.system import files


def adopt(
    desk: PromotionContext,
    policy: TrustedPolicy,
    wanted: str | None,
    reason: str,
    approve: Approve,
    beside: Path,
    key: Path | None,
) -> Entry:
    """Record that what an alias names is, from now on, what candidates are compared with; the registry stays as it is.

    It takes a reason and the approvals that the stage asks of a promotion. ``beside`` is a folder to fetch into,
    ``key`` a private key that signs.
    Raises ``RefusedError`` where they are missing, ``GatesError`` where there is nothing to adopt.
    """
    if not reason.strip():
        raise GatesError("an adoption needs a reason", where="--reason")
    stage = policy.resolved.stage(wanted) if wanted else policy.resolved.stages[-1]
    on_default_branch(policy, "Adoptions")
    with desk.locked():
        while True:
            head = desk.settled()
            last = last_move(desk.ledger, head, desk.name, stage.alias)
            state, _, version = compared(desk.registry, desk.name, stage.alias, last)
            if version is None or state is AliasState.AS_PROMOTED:
                what = "names nothing" if version is None else f"names version {version}, as the ledger says"
                raise GatesError(f"{stage.alias} {what}: there is nothing to adopt", where="adopt")
            folder = desk.registry.files(desk.name, version, beside)
            manifest = files.manifest(folder)
            approvals = approved(approve, stage, digest(manifest))
            record = replace(
                desk.draft(RecordKind.ADOPTION, stage.alias, reason.strip()),
                policy=policy.ref,
                model=_model(desk, head, version, folder, digest(manifest)),
                before=last.record.after if last else None,
                after=desk.version(version, digest(manifest)),
                approvals=approvals,
            )
            documents = {POLICY: policy.resolved.document, MANIFEST: canonical(manifest)}
            if key:
                said = adoption(desk.name, stage.alias, version, digest(manifest), record.reason)
                documents[STATEMENT] = sign(said, key)
                record = replace(record, attached={STATEMENT: digest_bytes(documents[STATEMENT])})
            with suppress(LostRaceError):
                return desk.ledger.append(record, documents, after=head)


def _model(desk: PromotionContext, head: str | None, version: str, folder: Path, told: str) -> RecordedModel:
    """Return what the ledger knows of that version, with the predictions that it was judged by, where its bytes are
    whole."""
    known = known_of(desk.ledger, head, desk.name, version)
    return known if known and known.digest == told else provenance.model(folder, lambda _: None)
