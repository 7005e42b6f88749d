"""Compare the policy of each record with the file at the commit it names, on the default branch."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gates.documents.printed.audit import Flaw
from gates.documents.record import POLICY, PolicyRef
from gates.errors import GatesError
from gates.ledger.audit_documents import Filed, Told, resolved_of
from gates.policy.policy_file import read
from gates.system.git import FETCHED, Git, Objects, upstream


@dataclass(slots=True)
class Committed:
    """What was found: each record's flaws, and how many policies nobody can look up in this clone."""

    flaws: list[list[Told]]
    unknown: int = 0


@dataclass(slots=True)
class _Seen:
    """What is kept while records are gone through: many name the same policy."""

    objects: Objects
    reached: Mapping[str, frozenset[str]]  # branch -> its commits
    contracts: dict[bytes, str | None] = field(default_factory=dict)  # policy's bytes -> the contract that it names
    digests: dict[tuple[bytes, bytes], str] = field(default_factory=dict)  # bytes of policy and contract -> digest


def check(git: Git, filed: Sequence[Filed]) -> Committed:
    """Look every record's policy up in git. A policy that stood in no repository has nothing to be held to."""
    committed = Committed(flaws=[[] for _ in filed])
    refs = [entry.record.policy for entry in filed]
    branches = {ref.branch for ref in refs if ref and ref.branch}
    with git.objects() as objects:
        seen = _Seen(objects=objects, reached={name: _commits(git, name) for name in branches})
        for index, (entry, ref) in enumerate(zip(filed, refs, strict=True)):
            if ref is None or ref.commit is None or ref.branch is None:
                continue
            if objects.get(ref.commit) is None or not seen.reached[ref.branch]:
                committed.unknown += 1
            elif why := _differs(seen, ref, entry.documents.get(POLICY)):
                committed.flaws[index].append((Flaw.POLICY, why))
    return committed


def _commits(git: Git, branch: str) -> frozenset[str]:
    """Return all commits of a branch, by the remote's word where there is one; none where that branch is not here."""
    remote = upstream(git)
    refs = (f"refs/remotes/{remote}/{branch}", FETCHED) if remote else (f"refs/heads/{branch}",)
    tips = [tip for ref in refs if (tip := git.resolve(f"{ref}^{{commit}}"))]
    return frozenset(git.run("rev-list", *tips).split()) if tips else frozenset()


def _differs(seen: _Seen, ref: PolicyRef, document: str | None) -> str | None:
    """Tell why a record's policy is not the one of its commit; None where it is."""
    assert ref.commit is not None  # noqa: S101 -- the caller has looked
    assert ref.branch is not None  # noqa: S101
    if ref.commit not in seen.reached[ref.branch]:
        return f"its policy is of commit {ref.commit[:12]}, which is not on {ref.branch}"
    there = seen.objects.get(f"{ref.commit}:{ref.path}")
    if there is None:
        return f"commit {ref.commit[:12]} has no {ref.path}"
    try:
        same = _digest(seen, ref, there) == _digest_beside(seen, document)
    except GatesError as error:
        return f"{ref.path} of commit {ref.commit[:12]} can't be read: {error.what}"
    return None if same else f"its policy is not {ref.path} of commit {ref.commit[:12]}"


def _digest(seen: _Seen, ref: PolicyRef, data: bytes) -> str:
    """Digest the committed policy with its contract, as this version of gates writes them out."""

    def load(beside: str) -> bytes:
        inside = posixpath.normpath(posixpath.join(posixpath.dirname(ref.path), beside))
        blob = seen.objects.get(f"{ref.commit}:{inside}")
        if blob is None:
            raise GatesError(f"{inside} is not in that commit")
        return blob

    if data not in seen.contracts:
        seen.contracts[data] = read(data, ref.path, load, of_old=True).policy.data.contract
    contract = seen.contracts[data]
    key = (data, load(contract) if contract else b"")
    if key not in seen.digests:
        seen.digests[key] = read(data, ref.path, load, of_old=True).digest
    return seen.digests[key]


def _digest_beside(seen: _Seen, blob: str | None) -> str | None:
    """Digest the policy that lies beside the record in the same way."""
    data = seen.objects.get(blob) if blob else None
    if data is None:
        return None
    key = (data, b"beside")
    if key not in seen.digests:
        seen.digests[key] = resolved_of(data).digest
    return seen.digests[key]
