"""Whether units fell into two arms as they were meant to: a test that may be asked at every look."""

from __future__ import annotations

from collections.abc import Sequence
from math import lgamma, log

PRIOR = 100.0  # units' worth of belief in the planned shares
BROKEN = log(1000)  # from here on the shares are not the planned ones: a false alarm in one of 1,000 experiments


def log_evidence(counts: Sequence[int], shares: Sequence[float]) -> float:
    """Return the logarithm of the evidence that units don't fall by their planned shares.

    ``counts`` and ``shares`` are of the arms; the shares are positive and add up to 1. Lindon and Malek, Anytime-valid
    inference for multinomial count data, NeurIPS 2022: a Dirichlet around the shares, against the shares themselves.
    """
    prior = [PRIOR * share for share in shares]
    after = [belief + count for belief, count in zip(prior, counts, strict=True)]
    planned = sum(count * log(share) for count, share in zip(counts, shares, strict=True))
    return _log_beta(after) - _log_beta(prior) - planned


def is_broken(counts: Sequence[int], shares: Sequence[float]) -> bool:
    """Tell whether the evidence is past the line."""
    return log_evidence(counts, shares) >= BROKEN


def _log_beta(of: Sequence[float]) -> float:
    return sum(map(lgamma, of)) - lgamma(sum(of))
