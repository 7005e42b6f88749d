"""Render a decision, one module per format. Computes nothing: it prints the numbers that were judged."""
