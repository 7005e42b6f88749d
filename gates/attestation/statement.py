"""Write a decision as an in-toto Statement: its subject is the model, its predicate the decision. Pure.

The same JSON is what a key signs (DSSE, ``signing``) and what GitHub's ``actions/attest`` makes: subject is the model's
digest, predicate the decision.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gates.documents.decision import Decision
from gates.errors import GatesError
from gates.schema.canonical import canonical
from gates.schema.fields import Plain, plain
from gates.schema.json_text import json_object
from gates.schema.validation import read_json

TYPE: Final = "https://in-toto.io/Statement/v1"
PREDICATE: Final = "urn:mlgates:decision:v1"
ADOPTED: Final = "urn:mlgates:adoption:v1"
PAYLOAD: Final = "application/vnd.in-toto+json"
BUNDLE: Final = "application/vnd.dev.sigstore.bundle"


class Tier(StrEnum):
    """Who vouches for a statement."""

    NONE = "none"  # nobody's: chain and ledger alone say where it comes from
    KEY = "key"  # a DSSE envelope, signed by a key
    ATTESTED = "attested"  # a Sigstore bundle of actions/attest: the workflow that made it


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadStatement:
    """A statement's file: the decision in it, its tier, and the envelope of a signed one."""

    decision: Decision
    tier: Tier
    envelope: Plain = None


def statement(decision: Decision) -> bytes:
    """Return the canonical bytes. Raises ``GatesError`` for a decision about no model."""
    subject = subject_of(decision)
    return canonical({"_type": TYPE, "subject": subject, "predicateType": PREDICATE, "predicate": plain(decision)})


def subject_of(decision: Decision) -> Plain:
    """Return what a statement about a decision is about: its model. Raises ``GatesError`` where it is about none."""
    if decision.candidate is None:
        raise GatesError("the decision is about no model, so there is nothing to state", where="statement")
    return [{"name": decision.model, "digest": {"sha256": decision.candidate.digest[7:]}}]


def adoption(model: str, alias: str, version: str, digest: str, reason: str) -> bytes:
    """Return the canonical bytes of the statement that what an alias names was adopted; ``digest`` is the model's."""
    return canonical(
        {
            "_type": TYPE,
            "subject": [{"name": model, "digest": {"sha256": digest[7:]}}],
            "predicateType": ADOPTED,
            "predicate": {"alias": alias, "version": version, "reason": reason},
        }
    )


def payload_of(data: bytes, name: str) -> tuple[bytes, Plain]:
    """Return the bytes that a DSSE envelope is about, and the envelope. Raises ``GatesError`` for anything else."""
    envelope = dict(json_object(data, name, HINT))
    if envelope.get("payloadType") != PAYLOAD:
        raise GatesError("is not a signed in-toto statement", where=name, hint=HINT)
    try:
        return base64.b64decode(str(envelope.get("payload")), validate=True), envelope
    except binascii.Error as error:
        raise GatesError("has a payload that is not base64", where=name, hint=HINT) from error


def read(data: bytes, name: str) -> ReadStatement:
    """Return a statement, a DSSE envelope or a Sigstore bundle. Its signature is not looked at.

    Raises ``GatesError`` for anything that is not exactly the statement of a decision.
    """
    payload, tier, envelope = unwrapped(data, name)
    return ReadStatement(decision=_decision(payload, name), tier=tier, envelope=envelope)


def unwrapped(data: bytes, name: str) -> tuple[bytes, Tier, Plain]:
    """Return the bytes of a statement, its tier, and the envelope around it, if there is one."""
    value = json_object(data, name, HINT)
    envelope: Plain = value
    tier = Tier.KEY
    if str(value.get("mediaType", "")).startswith(BUNDLE):
        envelope, tier = value.get("dsseEnvelope"), Tier.ATTESTED
    if not isinstance(envelope, dict) or "payload" not in envelope:
        return data, Tier.NONE, None
    if envelope.get("payloadType") != PAYLOAD:
        raise GatesError("is an envelope, but not of an in-toto statement", where=name, hint=HINT)
    try:
        return base64.b64decode(str(envelope["payload"]), validate=True), tier, envelope
    except binascii.Error as error:
        raise GatesError("has a payload that is not base64", where=name, hint=HINT) from error


HINT = "Create it again with gates statement write."


def _decision(data: bytes, name: str) -> Decision:
    value = json_object(data, name, HINT)
    if value.get("_type") != TYPE or value.get("predicateType") != PREDICATE:
        raise GatesError("is not an in-toto statement about a decision", where=name, hint=HINT)
    decision = read_json(Decision, json.dumps(value.get("predicate")).encode(), name)
    if json_object(statement(decision), name, HINT) != value:  # a subject of another model, a key too many
        raise GatesError("says something about its subject that its decision does not say", where=name, hint=HINT)
    return decision
