"""A decision as an in-toto statement, signed or not: what is said, by whose word, and every change refused."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from gates.attestation.dsse import sign, signed_by
from gates.attestation.statement import BUNDLE, PAYLOAD, PREDICATE, Tier, read, statement
from gates.documents.decision import Decision, could_not_judge
from gates.errors import GatesError
from gates.schema.canonical import canonical
from gates.schema.validation import read_json

DECISION = read_json(Decision, (Path(__file__).parents[1] / "judge/passes.json").read_bytes(), "passes.json")


def keys(folder, private):
    """A key pair as PEM files."""
    hidden, shown = folder / "key.pem", folder / "pub.pem"
    pem, none = serialization.Encoding.PEM, serialization.NoEncryption()
    hidden.write_bytes(private.private_bytes(pem, serialization.PrivateFormat.PKCS8, none))
    shown.write_bytes(private.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo))
    return hidden, shown


@pytest.fixture(params=[ed25519.Ed25519PrivateKey.generate, lambda: ec.generate_private_key(ec.SECP256R1())])
def pair(request, tmp_path):
    return keys(tmp_path, request.param())


def test_the_statement_is_in_totos():
    said = json.loads(statement(DECISION))
    assert list(said) == sorted(said)
    assert said["_type"] == "https://in-toto.io/Statement/v1"
    assert said["subject"] == [{"name": "churn", "digest": {"sha256": "c" * 64}}]
    assert said["predicateType"] == PREDICATE
    assert said["predicate"]["verdict"] == "pass"


def test_nobodys_word():
    found = read(statement(DECISION), "s.json")
    assert (found.decision, found.tier) == (DECISION, Tier.NONE)


def test_a_keys_word(pair):
    private, public = pair
    found = read(sign(statement(DECISION), private), "s.json")
    assert (found.decision, found.tier) == (DECISION, Tier.KEY)
    assert signed_by(found.envelope, public)


def test_a_signature_is_over_dsses_own_encoding(tmp_path):
    """Checked with the key alone, by the formula of the DSSE specification."""
    private = ed25519.Ed25519PrivateKey.generate()
    hidden, _ = keys(tmp_path, private)
    envelope = json.loads(sign(statement(DECISION), hidden))
    payload = base64.b64decode(envelope["payload"])
    said = b"DSSEv1 %d %b %d %b" % (len(PAYLOAD), PAYLOAD.encode(), len(payload), payload)
    private.public_key().verify(base64.b64decode(envelope["signatures"][0]["sig"]), said)


def test_an_attestations_word():
    envelope = {"payloadType": PAYLOAD, "payload": base64.b64encode(statement(DECISION)).decode(), "signatures": []}
    bundle = {"mediaType": f"{BUNDLE}.v0.3+json", "verificationMaterial": {}, "dsseEnvelope": envelope}
    found = read(json.dumps(bundle).encode(), "s.json")
    assert (found.decision, found.tier) == (DECISION, Tier.ATTESTED)


def test_another_key_signed_nothing(pair, tmp_path):
    private, _ = pair
    (tmp_path / "other").mkdir()
    _, other = keys(tmp_path / "other", ed25519.Ed25519PrivateKey.generate())
    assert signed_by(read(sign(statement(DECISION), private), "s.json").envelope, other) is None


def leaves(value, path=()):
    """Every place in a JSON value that holds no further ones."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = [leaf for key, item in items for leaf in leaves(item, (*path, key))]
    return found or [path]


def changed(value, path):
    made = copy.deepcopy(value)
    here = made
    for key in path[:-1]:
        here = here[key]
    old = here[path[-1]]
    here[path[-1]] = (not old) if isinstance(old, bool) else old + 1 if isinstance(old, int | float) else f"{old}x"
    return made


def test_any_single_field_changed_breaks_the_signature(pair):
    private, public = pair
    whole = json.loads(statement(DECISION))
    envelope = json.loads(sign(canonical(whole), private))
    assert signed_by(envelope, public)
    places = leaves(whole)
    assert len(places) > 100
    for path in places:
        payload = base64.b64encode(canonical(changed(whole, path))).decode()
        assert signed_by(envelope | {"payload": payload}, public) is None, path


@pytest.mark.parametrize("key", ["payload", "payloadType", "signatures"])
def test_an_envelope_with_a_field_changed_or_gone_is_signed_by_nobody(pair, key):
    private, public = pair
    envelope = json.loads(sign(statement(DECISION), private))
    assert signed_by({name: value for name, value in envelope.items() if name != key}, public) is None
    assert signed_by(envelope | {key: "AAAA"}, public) is None


@pytest.mark.parametrize(
    "path", [("_type",), ("predicateType",), ("subject", 0, "digest", "sha256"), ("subject", 0, "name")]
)
def test_a_statement_about_something_else_is_refused(path):
    whole = json.loads(statement(DECISION))
    with pytest.raises(GatesError):
        read(canonical(changed(whole, path)), "s.json")


@pytest.mark.parametrize(
    "data",
    [
        b"", b"[]", b"{", b"{}", b'{"payload": "AA", "payloadType": "text/plain"}',
        b'{"payload": "!", "payloadType": "application/vnd.in-toto+json"}',
        b'{"payload": "e30=", "payloadType": "application/vnd.in-toto+json"}', b"[" * 100_000,
        json.dumps({"mediaType": BUNDLE, "dsseEnvelope": 3}).encode(),
        json.dumps(json.loads(statement(DECISION)) | {"more": 1}).encode(),
    ],
    ids=range(10),
)  # fmt: skip
def test_what_is_no_statement_is_told(data):
    with pytest.raises(GatesError, match=r"s\.json|statement"):
        read(data, "s.json")


def test_a_decision_about_no_model_states_nothing():
    with pytest.raises(GatesError, match="no model"):
        statement(could_not_judge("churn", "the policy can't be read"))


def test_a_key_that_is_none_is_told(tmp_path):
    (tmp_path / "key.pem").write_text("nonsense")
    for use in (lambda path: sign(b"{}", path), lambda path: signed_by({}, path)):
        with pytest.raises(GatesError, match="PEM"):
            use(tmp_path / "key.pem")
    with pytest.raises(GatesError, match="PEM"):
        sign(b"{}", tmp_path / "nowhere.pem")


def test_the_bytes_are_the_same_each_time():
    assert hashlib.sha256(statement(DECISION)).digest() == hashlib.sha256(statement(DECISION)).digest()
