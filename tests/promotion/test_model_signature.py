"""A model that is signed, or should be: real keys and real bundles of OpenSSF model signing."""

from __future__ import annotations

import base64
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from model_signing import hashing, signing
from worlds import GATES, World

from gates.attestation.model_signature import check_signature
from gates.errors import Exit, GatesError
from gates.policy import SignedBy
from gates.policy.policy_diff import weakened
from gates.system.files import manifest

PEM = serialization.Encoding.PEM


def key_pair(folder: Path) -> tuple[Path, str]:
    """A private key's file and the public key's text."""
    folder.mkdir(parents=True, exist_ok=True)
    private = ec.generate_private_key(ec.SECP256R1())
    file = folder / "key.pem"
    no_password = serialization.NoEncryption()
    file.write_bytes(private.private_bytes(PEM, serialization.PrivateFormat.PKCS8, no_password))
    public = private.public_key().public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return file, public.decode()


def signed(model: Path, signature: Path, key: Path, **hashed: Any) -> None:
    ignored = {"model.sig", *hashed.pop("ignored", ())}
    how = hashing.Config().use_file_serialization(**({"hashing_algorithm": "sha256"} | hashed))
    how.set_ignored_paths(paths=[model / one for one in ignored])
    signing.Config().set_hashing_config(how).use_elliptic_key_signer(private_key=key).sign(model, signature)


@pytest.fixture
def candidate(tmp_path: Path) -> Path:
    folder = tmp_path / "candidate"
    (folder / "model" / "deep").mkdir(parents=True)
    (folder / "model" / "MLmodel").write_text("flavors: {}\n")
    (folder / "model" / "deep" / "weights.bin").write_bytes(b"weights")
    (folder / "notes.txt").write_text("trained on a Monday")
    return folder


def checked(candidate: Path, trust: SignedBy | None) -> None:
    check_signature(candidate, manifest(candidate), trust)


def test_a_signature_of_the_key_that_the_policy_names_is_good(candidate: Path, tmp_path: Path) -> None:
    key, public = key_pair(tmp_path)
    signed(candidate / "model", candidate / "model.sig", key)
    checked(candidate, SignedBy(key=public))
    (candidate / "model.sig").rename(candidate / "model/model.sig")  # inside, as on the Hugging Face hub
    checked(candidate, SignedBy(key=public))


def test_predictions_alone_are_signed_as_a_whole(tmp_path: Path) -> None:
    key, public = key_pair(tmp_path)
    folder = tmp_path / "candidate"
    folder.mkdir()
    (folder / "predictions.csv").write_text("id,score\n1,0.5\n")
    signed(folder, folder / "model.sig", key)
    checked(folder, SignedBy(key=public))
    (folder / "more.txt").write_text("x")
    with pytest.raises(GatesError, match=r"more\.txt"):
        checked(folder, SignedBy(key=public))


def envelope(candidate: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change the bundle."""
    file = candidate / "model.sig"
    bundle = json.loads(file.read_text())
    change(bundle)
    file.write_text(json.dumps(bundle))


def other_name(bundle: dict[str, Any]) -> None:
    payload = base64.b64decode(bundle["dsseEnvelope"]["payload"]).replace(b"weights", b"wieghts")
    bundle["dsseEnvelope"]["payload"] = base64.b64encode(payload).decode()


def write(name: str, text: str) -> Callable[[Path], object]:
    return lambda candidate: (candidate / name).write_text(text)


TAMPERED: dict[str, tuple[Callable[[Path], object], str]] = {
    "another file": (write("model/more.py", "import os"), r"more\.py"),
    "a file of those that signers ignore": (write("model/.gitignore", "x"), r"does not cover \.gitignore"),
    "a changed file": (write("model/MLmodel", "flavors: {other: 1}\n"), "MLmodel"),
    "a file less": (lambda candidate: (candidate / "model/deep/weights.bin").unlink(), r"weights\.bin"),
    "another payload": (lambda candidate: envelope(candidate, other_name), "does not verify"),
    "no signature in it": (
        lambda candidate: envelope(candidate, lambda bundle: bundle["dsseEnvelope"].update(signatures=[])),
        "does not verify",
    ),
    "not a bundle": (write("model.sig", "{}"), "does not verify"),
    "not JSON": (write("model.sig", "-----BEGIN"), "does not verify"),
    "nothing": (write("model.sig", ""), "does not verify"),
    "two": (lambda candidate: shutil.copyfile(candidate / "model.sig", candidate / "model/model.sig"), "there are two"),
    "none": (lambda candidate: (candidate / "model.sig").unlink(), "the model has none"),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_what_is_not_what_was_signed_is_refused(candidate: Path, tmp_path: Path, name: str) -> None:
    key, public = key_pair(tmp_path)
    signed(candidate / "model", candidate / "model.sig", key)
    change, what = TAMPERED[name]
    change(candidate)
    with pytest.raises(GatesError, match=what) as caught:
        checked(candidate, SignedBy(key=public))
    assert (caught.value.where, caught.value.exit_code) == ("model.sig", Exit.INPUT)


@pytest.mark.parametrize(
    ("hashed", "what"),
    [
        ({"ignored": ["deep"]}, r"does not cover deep/weights\.bin"),
        ({"hashing_algorithm": "blake3"}, "files by blake3"),
    ],
)
def test_a_signer_that_leaves_files_out_or_hashes_otherwise_is_refused(
    candidate: Path, tmp_path: Path, hashed: dict[str, Any], what: str
) -> None:
    """The library takes what the signature ignores for granted: whoever wrote there afterwards would go unseen."""
    key, public = key_pair(tmp_path)
    signed(candidate / "model", candidate / "model.sig", key, **hashed)
    with pytest.raises(GatesError, match=what):
        checked(candidate, SignedBy(key=public))


def test_files_that_were_swapped_after_they_were_hashed_are_refused(candidate: Path, tmp_path: Path) -> None:
    """What is signed must be what was hashed, and that is what gets promoted."""
    key, public = key_pair(tmp_path)
    judged = manifest(candidate)
    (candidate / "model/MLmodel").write_text("flavors: {other: 1}\n")
    signed(candidate / "model", candidate / "model.sig", key)
    with pytest.raises(GatesError, match="covers other bytes of MLmodel"):
        check_signature(candidate, [*judged, {"path": "model.sig", "size": 1, "sha256": "x"}], SignedBy(key=public))


def test_who_is_trusted_is_said_by_the_policy_alone(candidate: Path, tmp_path: Path) -> None:
    key, _ = key_pair(tmp_path)
    _, other = key_pair(tmp_path / "other")
    checked(candidate, None)  # neither signed nor asked for
    signed(candidate / "model", candidate / "model.sig", key)
    with pytest.raises(GatesError, match="does not say whose counts"):
        checked(candidate, None)
    with pytest.raises(GatesError, match="does not verify: Key mismatch"):
        checked(candidate, SignedBy(key=other))
    with pytest.raises(GatesError, match="does not verify: Unable to load PEM"):
        checked(candidate, SignedBy(key="-----BEGIN PUBLIC KEY-----\nAAAA\n"))


def test_without_the_extra_it_is_an_error_that_names_it(
    candidate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, public = key_pair(tmp_path)
    signed(candidate / "model", candidate / "model.sig", key)
    monkeypatch.setitem(sys.modules, "model_signing.verifying", None)
    with pytest.raises(GatesError, match="not installed") as caught:
        checked(candidate, SignedBy(key=public))
    assert "pip install 'gates-ml[signing]'" in (caught.value.hint or "")


def test_an_identity_that_nobody_can_look_up_is_no_identity(
    candidate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sigstore's root of trust comes over the network; a key's signature is none of an identity."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    key, _ = key_pair(tmp_path)
    signed(candidate / "model", candidate / "model.sig", key)
    trust = SignedBy(identity="dana@example.invalid", issuer="https://github.com/login/oauth")
    with pytest.raises(GatesError, match="can't be fetched") as caught:
        checked(candidate, trust)
    assert caught.value.exit_code is Exit.OUTSIDE


# -- as a promotion does it --


def test_a_policy_that_asks_for_a_signature_promotes_what_has_it_and_nothing_else(world: World, tmp_path: Path) -> None:
    key, public = key_pair(tmp_path)
    rows = world.begin(promotion={"signed_by": {"key": public}})
    assert world.run("run").code == 0
    done = world.run("promote")
    assert (done.code, done.out) == (1, "")
    assert "signature: the policy asks for a signature, and the model has none" in done.err
    refused = world.records()[-1]
    assert (refused["kind"], refused["code"]) == ("refusal", "signature")
    assert "README" not in done.err

    signed(world.root / "made", world.root / "made/model.sig", key)
    assert world.run("run").code == 0
    assert world.run("promote", "--dry-run").code == 0
    assert world.run("promote").code == 0
    served = tmp_path / "served"
    shutil.copytree(world.root / ".gates/candidate", served)
    assert world.run("verify", "--model", str(served)).code == 0
    _, other = key_pair(tmp_path / "other")
    policy = (world.root / "gates.yaml").read_text()
    (world.root / "gates.yaml").write_text(
        json.dumps(json.loads(policy) | {"promotion": {"signed_by": {"key": other}}})
    )
    done = world.run("verify", "--model", str(served))
    assert (done.code, "Key mismatch" in done.err) == (1, True), "a key that counts no more"
    (world.root / "gates.yaml").write_text(policy)
    world.better(rows)  # other predictions under the same signature
    done = world.run("promote")
    assert (done.code, "the signature does not verify" in done.err) == (1, True)
    assert "predictions.csv" in done.err
    world.sound()


def test_a_branch_can_not_name_its_own_key(world: World, tmp_path: Path) -> None:
    """The work tree's policy names another key than the default branch's, and the model is signed by that one."""
    _, public = key_pair(tmp_path)
    own_key, own = key_pair(tmp_path / "own")
    world.begin(promotion={"signed_by": {"key": public}})
    policy = world.root / "gates.yaml"
    committed = policy.read_text()
    signed(world.root / "made", world.root / "made/model.sig", own_key)
    policy.write_text(json.dumps(json.loads(committed) | {"promotion": {"signed_by": {"key": own}}}))
    assert world.run("run").code == 0
    done = world.run("promote")
    assert done.code in (1, 2)
    assert "promotion" not in world.kinds()
    policy.write_text(committed)
    assert world.run("run").code == 0
    done = world.run("promote")
    assert (done.code, "Key mismatch" in done.err) == (1, True)


KEY = {"key": "-----BEGIN PUBLIC KEY-----\nA\n"}
DANA = {"identity": "dana@example.com", "issuer": "https://accounts.google.com"}


@pytest.mark.parametrize(
    ("before", "after", "weaker"),
    [
        (None, KEY, False),
        (KEY, None, True),
        (KEY, KEY | {"key": KEY["key"] + "B\n"}, True),  # whether another key is as good can't be determined
        (KEY, DANA, True),
        (DANA, DANA | {"identity": "mallory@example.com"}, True),
        (DANA, DANA, False),
    ],
)
def test_who_signs_is_part_of_what_a_policy_asks(policy_of: Any, before: Any, after: Any, weaker: bool) -> None:
    signers = [{"promotion": {"signed_by": signer}} if signer else {} for signer in (before, after)]
    policies = [policy_of({"gates": GATES} | signer) for signer in signers]
    assert bool(weakened(*policies)) is weaker
