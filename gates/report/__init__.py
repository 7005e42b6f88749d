"""A decision rendered, one module a format. Computes nothing: it prints the numbers that were judged."""
