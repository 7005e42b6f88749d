"""Show the champions so far, from the ledger: who approved each, and how its metrics changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from gates.documents.champion import Champion, measured
from gates.documents.decision import Decision, Estimate
from gates.documents.record import Approval
from gates.report.html import pictures
from gates.wording import number

MOST_CHARTS = 12


def told(decision: Decision | None, champions: Sequence[Champion]) -> dict[str, Any]:
    """Return the page's history: a row a move, the newest first, and a chart a metric. ``decision``: about a candidate,
    if there is one."""
    return {"moves": [_move(one) for one in reversed(champions)], "charts": list(_charts(decision, champions))}


def _move(champion: Champion) -> dict[str, Any]:
    record = champion.record
    return {
        "sequence": record.sequence,
        "at": record.at.removesuffix("Z").replace("T", " "),
        "what": str(record.kind),
        "version": champion.version,
        "verdict": champion.judged.verdict or "",
        "by": record.run.actor.login,
        "approved": [_approval(approval) for approval in champion.judged.approvals],
        "accepted": [
            f"{waiver.gate} {waiver.rule}, by {waiver.who.login} until {waiver.until}: {waiver.reason}"
            for waiver in champion.waivers
        ],
        "reason": record.reason,
        "digest": champion.digest,
    }


def _approval(one: Approval) -> str:
    answer = "" if one.state == "approved" else f" ({one.state})"
    return f"{one.user.login} as {one.role}{answer}"


def _charts(decision: Decision | None, champions: Sequence[Champion]) -> Iterator[dict[str, Any]]:
    """Yield a chart a metric of today's decision, of the last champion's where that judged none."""
    now = {gate.id: one for gate, one in measured(decision)} if decision else {}
    then = [
        (champion, {gate.id: one for gate, one in measured(champion.decision)})
        for champion in champions
        if champion.decision
    ]
    for id_ in list(now or (then[-1][1] if then else {}))[:MOST_CHARTS]:
        points = [(champion, values[id_]) for champion, values in then if id_ in values]
        if points:
            named = [(f"v{champion.version}", one) for champion, one in points]
            rows = [(f"v{champion.version}", champion.record.at[:10], *_row(one)) for champion, one in points]
            rows += [("candidate", "now", *_row(now[id_]))] if id_ in now else []
            title = (
                f"{id_} of {len(points)} promoted, and of the candidate" if id_ in now else f"{id_} of {len(points)}"
            )
            yield {"name": id_, "picture": pictures.history(title, named, now.get(id_)), "rows": rows}


def _row(one: Estimate) -> tuple[str, str]:
    return number(one.value), f"{number(one.low)} to {number(one.high)}"
