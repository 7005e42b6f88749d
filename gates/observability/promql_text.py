"""Write PromQL with foreign text in it: a model's name may contain quotes, braces and line breaks. Pure."""

from __future__ import annotations

from collections.abc import Mapping

_DOLLAR = "$["  # Grafana would take what follows for a variable
_QUOTED = '"\\'


def quoted(foreign: str) -> str:
    """Return text as a string of PromQL, all ASCII. What means something to PromQL or Grafana is escaped."""
    return '"' + "".join(map(_letter, foreign)) + '"'


def _letter(letter: str) -> str:
    if letter in _QUOTED:
        return f"\\{letter}"
    if letter.isascii() and letter.isprintable() and letter not in _DOLLAR:
        return letter
    return f"\\u{ord(letter):04x}" if ord(letter) <= 0xFFFF else f"\\U{ord(letter):08x}"


def selector(metric: str, labels: Mapping[str, str], *more: str) -> str:
    """Return the series of a metric that have these labels. ``more``: further matchers, which are ours."""
    return f"{metric}{{{','.join([*(f'{name}={quoted(text)}' for name, text in labels.items()), *more])}}}"
