"""Experiments in the ledger: which one runs, whether its records follow from each other, what a promotion rests on."""
