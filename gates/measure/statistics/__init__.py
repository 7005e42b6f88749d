"""What is counted from rows: cells, ranks, sums, quantiles, curves and resampling."""
