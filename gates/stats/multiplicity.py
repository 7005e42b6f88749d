"""Decide which of many slices may be blamed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

FAR = 4  # how many times heavier than thought the tail of a bound may be so far out, where it is no exact one


def corrected(confidence: float, among: int, *, exact: bool) -> float:
    """Return the confidence at which every one of ``among`` bounds holds with the one that is asked for."""
    return 1 - (1 - confidence) / (among * (1 if exact else FAR))


def holm(
    reject: Sequence[Callable[[float], bool]], confidence: float, among: int | None = None
) -> list[tuple[bool, float]]:
    """Test hypotheses by Holm's step-down: each can say whether it is rejected at a confidence.

    ``among``: how many hypotheses there are in all, where these were picked out of more, in whatever way: the others
    count as not rejected, which Holm's procedure allows, as a p-value may always be taken to be larger than it is.

    Gives (rejected, confidence it was last tested at) each, in order. The chance that any true hypothesis is rejected
    stays at or under ``1 - confidence``. Rejecting all that fall at one level before going to the next is the same as
    Holm's ordering by p-value, and needs none.

    Source: Holm, Scand J Stat 1979;6:65.
    """
    outcome = [(False, confidence)] * len(reject)
    open_ = list(range(len(reject)))
    others = max(0, (among or 0) - len(reject))
    while open_:
        level = 1 - (1 - confidence) / (len(open_) + others)
        fallen = [index for index in open_ if reject[index](level)]
        for index in open_:
            outcome[index] = (index in fallen, level)
        if not fallen:
            break
        open_ = [index for index in open_ if index not in fallen]
    return outcome
