"""Intervals, paired comparisons, multiplicity and sample size, from counts alone. No numpy: it must start fast."""
