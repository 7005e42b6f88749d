"""Compare two policies rule by rule: what became weaker, stricter, new or gone, or can't be determined. Pure.

Rules are looked at one by one, so that a policy may be called weaker than it is, never stricter.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from gates.contract.contract_diff import compare as compare_contracts
from gates.documents.printed.diff import POLICY_DIFF, Ask, Change, ChangeKind, Effect, PolicyDiff, asks
from gates.documents.printed.diff import compare as compare_asks
from gates.policy import ResolvedPolicy

_EFFECTS: Final = {  # of a contract's rule
    ChangeKind.STRICTER: Effect.STRICTER,
    ChangeKind.LOOSER: Effect.WEAKER,
    ChangeKind.NEW: Effect.NEW,
    ChangeKind.GONE: Effect.GONE,
    ChangeKind.INCOMPATIBLE: Effect.UNKNOWN,
    ChangeKind.UNKNOWN: Effect.UNKNOWN,
}


def compare(base: ResolvedPolicy, head: ResolvedPolicy) -> PolicyDiff:
    """Return what changed from the first policy to the second."""
    changes = (*compare_asks(_asks(base), _asks(head)), *_contract(base, head))
    return PolicyDiff(schema=POLICY_DIFF, weaker=any(change.kind.weakens for change in changes), changes=changes)


def weakened(base: ResolvedPolicy, head: ResolvedPolicy) -> tuple[Change, ...]:
    """Return what the second policy asks less for, or may: the changes that need an approval of their own."""
    return tuple(change for change in compare(base, head).changes if change.kind.weakens)


def _asks(resolved: ResolvedPolicy) -> dict[str, Ask]:
    """Return all that a policy asks for. Every default counts as written, and so does the implied gate."""
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
