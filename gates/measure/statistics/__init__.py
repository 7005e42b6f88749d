"""What is counted of the rows: cells, ranks, sums, quantiles, curves and resampling."""
