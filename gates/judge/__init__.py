"""Turn documents into verdicts: pure functions without clock, network or data."""
