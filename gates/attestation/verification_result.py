"""Write a decision as an in-toto Simple Verification Result: which properties of a model were verified, when, by whom.

Policy engines read it without knowing gates: https://github.com/in-toto/attestation, ``spec/predicates/svr.md``. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from gates.attestation.statement import HINT, TYPE, subject_of
from gates.documents.decision import Decision, Verdict
from gates.errors import GatesError
from gates.schema.canonical import canonical
from gates.schema.fields import declare, plain
from gates.schema.json_text import json_object
from gates.schema.validation import read_json

SVR: Final = "https://in-toto.io/attestation/svr/v0.1"
VERIFIER: Final = "urn:mlgates:verifier:v1"
PASSED: Final = "GATES_VERDICT_PASS"
_TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"
_SHA256 = "^[0-9a-f]{64}$"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sha256:
    """A digest as in-toto writes it."""

    WRITTEN = "whole"
    sha256: str = declare("Hex.", pattern=_SHA256)


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedPolicy:
    """The policy that was applied; an extension that the format allows."""

    WRITTEN = "whole"
    digest: Sha256 = declare("Of the policy with its contract.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verifier:
    """Who verified."""

    WRITTEN = "whole"
    id: Literal["urn:mlgates:verifier:v1"] = declare("Names gates and the meaning of its properties.")
    policy: AppliedPolicy = declare("What it verified by.")


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationResult:
    """The predicate."""

    WRITTEN = "whole"
    verifier: Verifier = declare("Who verified.")
    timeCreated: str = declare("When, in UTC.", pattern=_TIME)  # noqa: N815 -- the format's name
    properties: tuple[str, ...] = declare("What holds; nothing is said of what does not.")


def verification_result(decision: Decision, at: str) -> bytes:
    """Return the canonical bytes of the statement of what holds by a decision that was verified ``at`` that moment.

    Raises ``GatesError`` for a decision about no model, or by no policy.
    """
    if decision.policy is None:
        raise GatesError("the decision was made by no policy, so there is nothing to state", where="statement")
    policy = AppliedPolicy(digest=Sha256(sha256=decision.policy.removeprefix("sha256:")))
    result = VerificationResult(
        verifier=Verifier(id=VERIFIER, policy=policy), timeCreated=at, properties=tuple(_properties(decision))
    )
    return canonical({"_type": TYPE, "subject": subject_of(decision), "predicateType": SVR, "predicate": plain(result)})


def _properties(decision: Decision) -> Iterator[str]:
    """Yield what holds: the verdict, if it is a pass, and each rule that passes on the whole holdout and each slice.

    No slice is named, as its name holds values of columns.
    """
    if decision.verdict is Verdict.PASS:
        yield PASSED
    verdicts: dict[str, set[Verdict | None]] = {}
    for gate in decision.gates:
        against = f":{gate.against}" if gate.against else ""
        verdicts.setdefault(f"GATES_RULE_PASS:{gate.id}:{gate.rule}{against}", set()).add(gate.verdict)
    yield from (name for name, judged in verdicts.items() if judged == {Verdict.PASS})


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadResult:
    """A result, and the model that it is about."""

    model: str
    digest: str
    result: VerificationResult


def read_result(statement: bytes, name: str) -> ReadResult | None:
    """Return the result that a statement says; None for a statement of another kind.

    Raises ``GatesError`` for a result that gates does not write.
    """
    value = json_object(statement, name, HINT)
    if value.get("predicateType") != SVR:
        return None
    result = read_json(VerificationResult, json.dumps(value.get("predicate")).encode(), name)
    try:
        ((model, digest),) = ((one["name"], one["digest"]["sha256"]) for one in value["subject"])
    except (KeyError, TypeError, ValueError) as error:
        raise GatesError("does not say which model it is about", where=name, hint=HINT) from error
    subject = [{"name": model, "digest": {"sha256": digest}}]
    if value != {"_type": TYPE, "subject": subject, "predicateType": SVR, "predicate": plain(result)}:
        raise GatesError("says more than a verification result of gates", where=name, hint=HINT)
    return ReadResult(model=str(model), digest=f"sha256:{digest}", result=result)
