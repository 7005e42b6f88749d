"""Experiments on users: start one, look at it, stop it."""
