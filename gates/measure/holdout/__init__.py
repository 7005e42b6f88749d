"""The holdout: its rows, the models that are measured on it, and what they predict."""
