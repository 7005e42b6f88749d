"""Choose whose predictions are joined with the rows, and count the evidence from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from gates.documents.evidence import Evidence, Slice
from gates.documents.slices import Dimension
from gates.measure.holdout.joined import ScoredRows
from gates.measure.holdout.labels import Labels
from gates.measure.slice_counts import count, curves
from gates.measure.statistics.fits import fits
from gates.measure.statistics.function_calls import GuestMetric
from gates.measure.worst_slices import Chosen, kept, search
from gates.policy import ResolvedPolicy

Side = Callable[[], ScoredRows]  # makes the table ``joined``, in place of the one before


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairings:
    """The candidate beside the champion, beside the anchor and beside the base commit's model, and each further
    training of the candidate's recipe beside the champion."""

    candidate: Side
    anchor: Side | None
    base: Side | None
    runs: tuple[Side, ...]

    @property
    def all(self) -> tuple[Side, ...]:
        """In the order in which they are counted."""
        return (self.candidate, *(side for side in (self.anchor, self.base) if side), *self.runs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counting:
    """How they are counted. ``columns``: what a search for slices looks at; ``edges``: where bins of a regression's
    labels begin."""

    resolved: ResolvedPolicy
    labels: Labels
    columns: Sequence[Dimension]
    edges: Sequence[float]
    guest: GuestMetric

    def slices(self, joined: ScoredRows, chosen: Chosen) -> tuple[Slice, ...]:
        """Return the slices that are declared, and those that a search has chosen."""
        resolved = self.resolved
        return count(joined, resolved.policy, resolved.needs, self.labels, self.guest) + kept(joined, resolved, chosen)


def counted(evidence: Evidence, sides: Pairings, how: Counting) -> Evidence:
    """Add to evidence that names models all that the policy's gates need of them.

    The anchor, the base commit's model and further trainings are counted on the slices that were found worst of the
    candidate.
    """
    joined, runs = sides.candidate(), evidence.runs
    slices = how.slices(joined, {})
    policy = how.resolved.policy
    spread, fitted = curves(joined, policy), fits(joined, policy, how.edges)
    evidence = replace(evidence, slices=slices, curves=spread, fits=fitted, runs=())  # one search for all runs
    looked, chosen = search(joined, how.resolved, evidence, how.columns)
    evidence = replace(evidence, search=looked, slices=evidence.slices + kept(joined, how.resolved, chosen))
    return replace(
        evidence,
        anchored=how.slices(sides.anchor(), chosen) if sides.anchor else (),
        based=how.slices(sides.base(), chosen) if sides.base else (),
        runs=tuple(replace(run, slices=how.slices(side(), chosen)) for run, side in zip(runs, sides.runs, strict=True)),
    )
