"""The tables of metrics, one family a module."""
