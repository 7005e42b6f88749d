"""Bins of scores within 0 and 1: the same number for each halving of the distance from 0, or from 1."""

from __future__ import annotations

import struct

BITS = 47  # of a double's 52 bits of fraction, less the five that tell 32 bins of a doubling apart
HALF = 0x3FE0000000000000 >> BITS  # the bin of 0.5


def middle_of(bin_: int) -> float:
    """Return a score in the middle of a bin."""
    at = min(bin_, 2 * HALF - bin_)
    low, high = (struct.unpack("<d", struct.pack("<q", (at + step) << BITS))[0] for step in (0, 1))
    near = 0.0 if at == 0 else float(low + high) / 2
    return near if bin_ < HALF else 1 - near
