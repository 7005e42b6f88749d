"""Check the signature that lies beside a model: a bundle of OpenSSF model signing (``model.sig``).

The policy of the default branch says whose signature counts. No signature is passed over: one that does not verify,
does not cover exactly the model's files, or can't be checked here is refused.
"""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from gates.errors import Exit, GatesError
from gates.schema.json_text import json_object
from gates.system import files

FILE = WHERE = "model.sig"
MODEL = "model/"
_MAKE = "Sign it: model_signing sign …, before gates run; the signature is part of what is judged."
_EXTRA = "Install it: pip install 'gates-ml[signing]'."


class Trusted(Protocol):
    """Whose signature counts: a public key as PEM text, or an identity with the issuer that vouches for it."""

    @property
    def key(self) -> str | None:
        """The key."""

    @property
    def identity(self) -> str | None:
        """The identity."""

    @property
    def issuer(self) -> str | None:
        """The issuer."""


def check_signature(folder: Path, manifest: Sequence[Mapping[str, Any]], trust: Trusted | None) -> None:
    """Check a candidate's signature, if it has one, or if the policy asks for one.

    ``manifest`` are the candidate's files as they were hashed, and the signature must name these bytes.
    Raises ``GatesError``.
    """
    hashes = {str(one["path"]): str(one["sha256"]) for one in manifest}
    signatures = [path for path in (FILE, MODEL + FILE) if path in hashes]
    if not signatures:
        if trust:
            raise GatesError("the policy asks for a signature, and the model has none", where=WHERE, hint=_MAKE)
        return
    if trust is None:
        raise GatesError(
            "the model has a signature, and the policy does not say whose counts",
            where=WHERE,
            hint="Name a key or an identity in promotion.signed_by, on the default branch, or remove the signature.",
        )
    if len(signatures) > 1:
        raise GatesError(f"there are two: {' and '.join(signatures)}", where=WHERE, hint="Keep one.")
    root = MODEL if any(path.startswith(MODEL) for path in hashes) else ""
    expected = {
        path.removeprefix(root): sha256
        for path, sha256 in hashes.items()
        if path.startswith(root) and path not in signatures
    }
    data = files.read(folder / signatures[0], _MAKE)
    _verified(folder / root, data, trust)
    _same(_signed(data), expected)


def _verified(folder: Path, data: bytes, trust: Trusted) -> None:
    """Check the signature itself, by the library that makes them."""
    try:
        from model_signing.verifying import Config
    except ImportError as error:
        raise GatesError(
            f"{error.name} is not installed, so the signature can't be checked", where=WHERE, hint=_EXTRA
        ) from error
    with tempfile.TemporaryDirectory() as beside:
        copy, key = Path(beside) / FILE, Path(beside) / "key.pem"
        copy.write_bytes(data)  # what is verified is what is read below
        try:
            config: Any = Config()
            if trust.key:
                key.write_text(trust.key)
                config.use_elliptic_key_verifier(public_key=key)
            else:
                config.use_sigstore_verifier(identity=str(trust.identity), oidc_issuer=str(trust.issuer))
            config.verify(folder, copy)
        except Exception as error:  # a hostile bundle makes the library raise whatever it meets
            if type(error).__name__ == "TUFError":
                raise GatesError(
                    "Sigstore's root of trust can't be fetched, so the signature can't be checked",
                    where=WHERE,
                    exit_code=Exit.OUTSIDE,
                ) from error
            why = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
            raise GatesError(f"the signature does not verify: {why}", where=WHERE, hint=_MAKE) from error


def _signed(data: bytes) -> dict[str, str]:
    """Return the files that a verified signature names, with their SHA-256.

    Raises ``GatesError`` for one that hashes otherwise: its bytes could not be compared with those that were judged.
    """
    try:
        envelope = json_object(data, WHERE, _MAKE)["dsseEnvelope"]
        predicate = json_object(base64.b64decode(envelope["payload"]), WHERE, _MAKE)["predicate"]
        form = predicate["serialization"]
        if (form["method"], form["hash_type"]) != ("files", "sha256"):
            raise GatesError(
                f"it is over {form['method']} by {form['hash_type']}; gates compares files by SHA-256",
                where=WHERE,
                hint="That is model_signing's default.",
            )
        return {str(one["name"]): str(one["digest"]) for one in predicate["resources"]}
    except (KeyError, TypeError, ValueError) as error:
        raise GatesError("is not a signature of a model's files", where=WHERE, hint=_MAKE) from error


def _same(signed: Mapping[str, str], expected: Mapping[str, str]) -> None:
    """Raise ``GatesError`` unless the signature covers exactly the model's files: a signer may have left some out."""
    for path in sorted(signed.keys() | expected.keys()):
        if signed.get(path) != expected.get(path):
            what = "does not cover" if path not in signed else "covers a file that is not there:"
            what = "covers other bytes of" if path in signed and path in expected else what
            raise GatesError(f"the signature {what} {path}", where=WHERE, hint=_MAKE)
