"""Rows into evidence: the only place where rows are read."""
