"""Sign a statement with a key, and check the signature: DSSE, offline. Keys are PEM files: Ed25519, ECDSA or RSA."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gates.attestation.statement import PAYLOAD
from gates.errors import GatesError
from gates.schema.canonical import canonical
from gates.schema.fields import Plain
from gates.system import files


def sign(statement: bytes, key: Path) -> bytes:
    """Return the DSSE envelope of a statement, as canonical JSON. Raises ``GatesError`` for something that is not a
    key."""
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from securesystemslib.dsse import Envelope
    from securesystemslib.signer import CryptoSigner

    private = _loaded(lambda data: CryptoSigner(load_pem_private_key(data, password=None)), key, "private")
    envelope = Envelope(statement, PAYLOAD, {})
    envelope.sign(private)
    return canonical(envelope.to_dict())


def signed_by(envelope: Plain, key: Path) -> str | None:
    """Return the id of a public key, if it signed the envelope; else None."""
    from cryptography.hazmat.primitives.serialization import load_pem_public_key
    from securesystemslib.dsse import Envelope
    from securesystemslib.exceptions import VerificationError
    from securesystemslib.signer import SSlibKey

    public = _loaded(lambda data: SSlibKey.from_crypto(load_pem_public_key(data)), key, "public")
    try:
        made = Envelope.from_dict(json.loads(json.dumps(envelope)))
        return str(next(iter(made.verify([public], 1))))
    except (VerificationError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _loaded(load: Any, key: Path, key_type: str) -> Any:
    from cryptography.exceptions import UnsupportedAlgorithm

    data = files.read(key, "Name a PEM file.")
    try:
        return load(data)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        hint = (
            "Make one: openssl genpkey -algorithm ed25519 -out key.pem && openssl pkey -in key.pem -pubout -out pub.pem"
        )
        raise GatesError(f"is not a {key_type} key in PEM without a password", where=str(key), hint=hint) from error
