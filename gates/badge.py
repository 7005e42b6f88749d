"""The badge of what serves now, by ledger and registry."""

from __future__ import annotations

from gates.alias import State
from gates.champions import champions
from gates.ledger import Ledger
from gates.policy import Bound
from gates.registry.glance import Glance
from gates.report.badge import Badge, badge
from gates.standing import standing

TROUBLE = {
    State.MOVED: "moved by hand: version {}",
    State.UNKNOWN: "version {} not promoted by gates",
    State.BYTES_CHANGED: "version {}: bytes changed",
}


def badge_of(ledger: Ledger, registry: Glance | None, bound: Bound, alias: str) -> Badge:
    """The badge of a stage. Without a registry it is what the ledger says, and nobody knows who moved an alias since.

    Raises ``GatesError`` for a stage that the policy does not have, and where ledger or registry can't be asked.
    """
    bound.stage(alias)
    name = bound.champion[0]
    last = champions(ledger, ledger.head(), name, alias, most=1)
    found = next(one for one in standing(ledger, registry, bound).aliases if one.alias == alias) if registry else None
    trouble = TROUBLE.get(found.state) if found else None
    told = trouble.format(found.version or "none") if trouble and found else None
    return badge(name, alias, last[-1] if last else None, told)
