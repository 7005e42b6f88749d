"""Many slices, one claim: which of them may be blamed."""

from __future__ import annotations

from collections.abc import Callable, Sequence


def holm(reject: Sequence[Callable[[float], bool]], confidence: float) -> list[tuple[bool, float]]:
    """Holm's step-down over hypotheses that can say whether they are rejected at a confidence.

    Gives (rejected, confidence it was last tested at) each, in order. The chance that any true
    hypothesis is rejected stays at or under ``1 - confidence``. Rejecting all that fall at one level
    before going to the next is the same as Holm's ordering by p-value, and needs none.
    Source: Holm, Scand J Stat 1979;6:65.
    """
    outcome = [(False, confidence)] * len(reject)
    open_ = list(range(len(reject)))
    while open_:
        level = 1 - (1 - confidence) / len(open_)
        fallen = [index for index in open_ if reject[index](level)]
        for index in open_:
            outcome[index] = (index in fallen, level)
        if not fallen:
            break
        open_ = [index for index in open_ if index not in fallen]
    return outcome
