"""Bins of residuals, which may be of any size: 16 for each doubling, the same for losses and for gains."""

from __future__ import annotations

import struct

BITS = 48  # of a double's 52 bits of fraction, less the four that tell 16 bins of a doubling apart
LEAST = (1023 - 64) << 4  # the bin of 2**-64: smaller residuals are none
MOST = (1023 + 64) << 4  # the bin of 2**64: there are none beyond


def ends_of(bin_: int) -> tuple[float, float]:
    """Return where a bin begins and ends; it is a residual of 0 whose bin is 0."""
    if not bin_:
        return 0.0, 0.0
    ends = sorted(_value(abs(bin_) - 1 + LEAST + step) for step in (0, 1))
    return (ends[0], ends[1]) if bin_ > 0 else (-ends[1], -ends[0])


def _value(bits: int) -> float:
    return float(struct.unpack("<d", struct.pack("<q", bits << BITS))[0])
