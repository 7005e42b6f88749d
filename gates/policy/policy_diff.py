"""Compare two policies rule by rule: what became weaker, stricter, new or gone, or can't be determined. Pure.

Rules are looked at one by one, so that a policy may be called weaker than it is, never stricter.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal

from gates.contract.contract_diff import compare as compare_contracts
from gates.contract.schema_diff import ChangeKind
from gates.documents.diff import Ask, Change, Effect, asks
from gates.documents.diff import compare as compare_asks
from gates.policy import ResolvedPolicy
from gates.schema.fields import declare

SCHEMA: Literal["gates/policy-diff/v1"] = "gates/policy-diff/v1"
_EFFECTS: Final = {  # of a contract's rule
    ChangeKind.STRICTER: Effect.STRICTER,
    ChangeKind.LOOSER: Effect.WEAKER,
    ChangeKind.NEW: Effect.NEW,
    ChangeKind.GONE: Effect.GONE,
    ChangeKind.INCOMPATIBLE: Effect.UNKNOWN,
    ChangeKind.UNKNOWN: Effect.UNKNOWN,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyDiff:
    """Two policies, with their contracts, compared."""

    WRITTEN = "whole"
    schema: Literal["gates/policy-diff/v1"] = declare("Format of this document.")
    weaker: bool = declare("Whether the second may let something pass that the first does not.")
    changes: tuple[Change, ...] = declare("What they ask for differently: the policy's keys, gates, then the contract.")


def compare(base: ResolvedPolicy, head: ResolvedPolicy) -> PolicyDiff:
    """What changed from the first policy to the second."""
    changes = (*compare_asks(_asks(base), _asks(head)), *_contract(base, head))
    return PolicyDiff(schema=SCHEMA, weaker=any(one.kind.weakens for one in changes), changes=changes)


def weakened(base: ResolvedPolicy, head: ResolvedPolicy) -> tuple[Change, ...]:
    """What the second policy asks less for, or may: the changes that need an approval of their own."""
    return tuple(change for change in compare(base, head).changes if change.kind.weakens)


def _asks(resolved: ResolvedPolicy) -> dict[str, Ask]:
    """Every default counts as written, the implied gate, too."""
    champion = "models:/{}@{}".format(*resolved.champion)
    promotion = replace(resolved.policy.promotion, alias=None, approvals=(), stages=resolved.stages)
    return dict(asks(replace(resolved.policy, champion=champion, gates=resolved.gates, promotion=promotion)))


def _contract(base: ResolvedPolicy, head: ResolvedPolicy) -> Iterator[Change]:
    if base.contract is None or head.contract is None:
        return  # if only one has a contract, its data gates show the difference
    for change in compare_contracts(base.contract, head.contract).changes:
        yield Change(
            rule=f"contract.{change.rule}", kind=_EFFECTS[change.kind], before=change.before, after=change.after
        )
