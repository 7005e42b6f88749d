"""What ``gates.yaml`` says about training again: which alarms ask for it, how often it may be, and on which rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gates.policy.monitor_section import Monitor, seconds
from gates.schema.fields import declare
from gates.schema.validation import nearest
from gates.schema.yaml_text import Path

_SPAN = "[1-9][0-9]{0,4}[mhd]"
_BETWEEN = " in "
_TEACHES_NOTHING = {  # kinds of gates whose alarm is no reason to train again
    "drift": "drift alone does not say that the model is worse; name a metric",
    "data": "rows that break the contract are to be repaired, not learned; name a metric",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrain:
    """When a model that serves is trained again, and what becomes of the candidate."""

    fresh_rows: int = declare(
        "So many labelled rows must be newer than the holdout of the last decision; rows, where no gate under "
        "`monitor` needs labels.",
        stricter="larger",
        minimum=1,
    )
    cooldown: str = declare("The shortest time between two retrainings: 12h, 7d.", pattern=f"^{_SPAN}$")
    budget: str = declare(
        "How many retrainings there may be in any span of time: 4 in 90d.",
        pattern=f"^[1-9][0-9]{{0,2}}{_BETWEEN}{_SPAN}$",
    )
    snapshot: str = declare(
        "A shell command that writes the tables, and snapshot.json with their time ranges. `gates snapshot` runs it in "
        "the policy's folder, within train.timeout and without credentials.",
        stricter="free",
        minLength=1,
    )
    stage: str | None = declare(
        "The alias that a retrained candidate becomes once it has passed all gates. The default is the first stage.",
        default=None,
    )

    @property
    def most(self) -> int:
        """How many retrainings there may be in the span of the budget."""
        return int(self.budget.partition(_BETWEEN)[0])

    @property
    def span(self) -> int:
        """The span of the budget, in seconds."""
        return seconds(self.budget.partition(_BETWEEN)[2])


def retrain_mistakes(
    retrain: Retrain | None, monitor: Monitor | None, stages: Sequence[str]
) -> Iterator[tuple[Path, str]]:
    """Yield what is wrong with retraining, each with its place in the policy. ``stages``: their aliases."""
    asked = monitor.retraining if monitor else ()
    if retrain is None and asked:
        yield ("monitor", "alert", "retrain"), "nothing says how to train again; add the section retrain"
    if retrain is not None and not asked:
        yield ("retrain",), "nothing asks for a retraining; name gates under monitor.alert.retrain"
    if retrain is not None and retrain.stage is not None and retrain.stage not in stages:
        what = f"the policy has no stage {retrain.stage}{nearest(retrain.stage, stages)}"
        yield ("retrain", "stage"), what
    kinds = {gate.name: gate.kind for gate in monitor.gates} if monitor else {}
    for index, name in enumerate(asked):
        if name not in kinds:
            what = f"no gate under monitor has the name {name}{nearest(name, kinds)}"
            yield ("monitor", "alert", "retrain", index), what
        elif kinds[name] in _TEACHES_NOTHING:
            yield ("monitor", "alert", "retrain", index), _TEACHES_NOTHING[kinds[name]]
