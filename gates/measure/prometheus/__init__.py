"""Asking a Prometheus, in the measuring step: nothing else of gates does."""
