"""Commands for a model that serves."""
