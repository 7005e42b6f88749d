"""Turn live rows into evidence, window by window."""
