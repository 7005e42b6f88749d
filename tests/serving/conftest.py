"""The fixtures of these tests."""

from shop import shop, start

__all__ = ["shop", "start"]
