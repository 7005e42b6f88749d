"""Draw the badge of what serves now, by ledger and registry."""

from __future__ import annotations

from gates.documents.printed.standing import AliasState, LastWatch
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
    stands = standing(ledger, registry, resolved) if registry else None
    served = next(one for one in stands.aliases if one.alias == alias) if stands else None
    watch = stands.watch if stands and alias == resolved.champion[1] else None
    trouble = TROUBLE.get(served.state) if served else None
    told = trouble.format(served.version or "none") if trouble and served else None
    return badge(name, alias, last[-1] if last else None, told, _watched(watch))


def _watched(watch: LastWatch | None) -> tuple[str, bool] | None:
    """Return what a badge says of live rows, and whether that is bad; None where nothing is asked of them."""
    if watch is None or (watch.until is None and not watch.overdue):
        return None
    until = f"watched to {watch.until[:10]}" if watch.until else "not watched"
    bad = {"fail": "alarm, ", "error": "can't be judged, "}.get(watch.verdict or "", "")
    return f"{bad}{until}{', overdue' if watch.overdue and watch.until else ''}", not watch.sound
