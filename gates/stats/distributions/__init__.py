"""Distributions in plain Python: the judge loads no scipy."""
