"""A decision as a signed statement that other tools read."""
