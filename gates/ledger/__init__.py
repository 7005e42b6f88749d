"""The history of decisions and promotions: an append-only git branch, and its audit."""
