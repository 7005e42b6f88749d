"""Intervals, paired comparisons, multiplicity and sample size, from counts alone. No numpy, so it starts fast."""
