"""Turn rows into evidence: the only place that reads rows."""
