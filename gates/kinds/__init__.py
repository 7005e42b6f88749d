"""Kinds of gates: one module each. A kind is picked by its key in ``gates.yaml``.

To add one, put a module into this folder that satisfies ``gates.kinds.protocol.GateKind``, and a golden folder
beside the others in ``tests/kinds``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gates.kinds import data, metric, preset, promql, require
from gates.kinds.protocol import GateKind

KINDS: Final[Mapping[str, GateKind]] = {kind.KEY: kind for kind in (metric, preset, data, require, promql)}
