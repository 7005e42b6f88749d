"""Draw the badge of what serves now, by ledger and registry."""

from __future__ import annotations

from gates.documents.printed.standing import AliasState
from gates.ledger.alias import Names
from gates.ledger.champions import champions
from gates.ledger.ledger import Ledger
from gates.policy import ResolvedPolicy
from gates.promotion.status import standing
from gates.report.badge_svg import Badge, badge

TROUBLE = {
    AliasState.MOVED: "moved by hand: version {}",
    AliasState.UNKNOWN: "version {} not promoted by gates",
    AliasState.BYTES_CHANGED: "version {}: bytes changed",
    AliasState.ELSEWHERE: "in another registry",
}


def badge_of(ledger: Ledger, registry: Names | None, resolved: ResolvedPolicy, alias: str) -> Badge:
    """Return the badge of a stage. Without a registry it is what the ledger says, and nobody knows who moved an alias
    since.

    Raises ``GatesError`` for a stage that the policy does not have, and where ledger or registry can't be asked.
    """
    resolved.stage(alias)
    name = resolved.champion[0]
    last = champions(ledger, ledger.head(), name, alias, most=1)
    served = (
        next(one for one in standing(ledger, registry, resolved).aliases if one.alias == alias) if registry else None
    )
    trouble = TROUBLE.get(served.state) if served else None
    told = trouble.format(served.version or "none") if trouble and served else None
    return badge(name, alias, last[-1] if last else None, told)
